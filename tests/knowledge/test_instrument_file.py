"""A questionnaire that a study brings itself: read as strictly as the shipped ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from nociomics.errors import NociomicsError
from nociomics.knowledge.instrument import resolve_item
from nociomics.knowledge.instrument_file import load_instrument_file, load_with_own

OWN = """\
schema: nociomics-instrument/1
id: own_scale
version: 1
short_name: OWN
full_name: A scale of our own
feature_prefix: own
construct: [resilience]
dials: [acceptance]
respondent: self
recall: now
licence: {terms: ours, status: general}
items:
- {ids: ['1', '2', '3'], kind: integer, low: 1, high: 7}
scales:
- id: total
  name: total
  method: sum
  items: ['1', '2', '3']
  reversed: ['2']
  range: [3, 21]
  direction: higher_better
  missing: {rule: none, min_valid: 3, status: general}
sources:
- {what: all, status: general, source: the study}
citations: []
examples:
- id: own-1
  responses: {'1': '7', '2': '1', '3': '7'}
  expect: {total: 21}
"""


def written(folder: Path, text: str = OWN, name: str = "own.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_it_stands_beside_the_shipped_instruments(tmp_path: Path) -> None:
    known = load_with_own([written(tmp_path)])
    assert len(known) == 32 and known["own_scale"].scales["total"].reversed == ("2",)
    assert resolve_item("own_scale_2") is None  # only where the study brings it


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("range: [3, 21]", "range: [0, 21]", "scale total: its range is 0 to 21, but its items give 3 to 21"),
        ("min_valid: 3", "min_valid: 4", "min_valid must be 1 to 3"),
        ("id: own_scale", "id: pcs", 'the id "pcs" belongs to a shipped instrument'),
        ("method: sum", "method: product", "scales.total.method"),
        ("reversed: ['2']", "reversed: ['9']", "names an item that there is not"),
        ("citations: []", "citation: []", "citation"),
        ("items:\n- {ids: ['1', '2', '3'], kind: integer, low: 1, high: 7}", "items: 3", "not laid out as"),
        (OWN, "[", "is not a YAML file"),
        (OWN, "- 1", "holds no keys"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(NociomicsError) as refused:
        load_instrument_file(written(tmp_path, OWN.replace(old, new)))
    assert said in str(refused.value)
    assert "own.yaml" in str(refused.value)


def test_several_problems_are_told_at_once(tmp_path: Path) -> None:
    text = OWN.replace("version: 1\n", "").replace("direction: higher_better", "direction: up")
    with pytest.raises(NociomicsError) as refused:
        load_instrument_file(written(tmp_path, text))
    assert len(str(refused.value).splitlines()) == 2


def test_a_missing_file_and_a_second_file_of_one_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NociomicsError, match="cannot be read"):
        load_instrument_file(tmp_path / "nowhere.yaml")
    with pytest.raises(NociomicsError, match='has the id "own_scale" already'):
        load_with_own([written(tmp_path), written(tmp_path, name="again.yaml")])
