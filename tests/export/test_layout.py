"""A bundle of another layout: what it lacks is said by name, whatever it is, and nothing is answered from it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nociomics.errors import BundleError
from nociomics.export.bundle import golden_rows, load_bundle
from tests.export.bundles import reseal, write_small_bundle
from tests.models.small_study import small_study

FILES = ("model.json", "strata.json", "schema.json", "gate.json", "interval.json", "background.json", "golden.json")
# the whole of it takes half a minute; an ordinary run takes every fourth key
_EVERY = 1 if os.environ.get("NOCIOMICS_NIGHTLY") else 4


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    return write_small_bundle(small_study(people=72), tmp_path_factory.mktemp("layout"))


@pytest.fixture
def copy(written, tmp_path) -> Path:
    """A bundle that a test may lay out otherwise."""
    return Path(shutil.copytree(written, tmp_path / "model"))


def changed(folder: Path, name: str, change: Any) -> None:
    """Let a function change one file, and seal the bundle again."""
    stored = json.loads((folder / name).read_text(encoding="utf-8"))
    change(stored)
    (folder / name).write_text(json.dumps(stored), encoding="utf-8")
    reseal(folder)


def said_of(folder: Path) -> str:
    with pytest.raises(BundleError) as refused:
        load_bundle(folder)
    return str(refused.value)


def test_a_bundle_that_was_only_sealed_again_is_read(copy):
    reseal(copy)
    assert load_bundle(copy).schema


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("gate.json", "individual_recommendations"),
        ("gate.json", "individual_explanations"),
        ("gate.json", "best_fixed"),
        ("gate.json", "reasons"),
        ("interval.json", "level"),
        ("interval.json", "half_width"),
        ("golden.json", "features"),
        ("golden.json", "predictions"),
        ("model.json", "kind"),
        ("model.json", "blocks"),
        ("model.json", "learners"),
        ("model.json", "spread"),
        ("strata.json", "blocks"),
        ("strata.json", "settings"),
    ],
)
def test_a_key_that_is_lacking_is_named_with_its_file(copy, name, key):
    changed(copy, name, lambda stored: stored.pop(key))
    said = said_of(copy)
    assert name in said and f'lacks "{key}"' in said, said
    assert "exported by nociomics " in said and "export the model again with this version" in said


@pytest.mark.parametrize("key", ["shares", "categories", "open", "quantiles", "unit_factors", "missing_ok", "unit"])
def test_a_key_of_inputs_is_named_with_how_many_lack_it(copy, key):
    """So were bundles laid out before shares of categories were kept for `nociomics drift`."""
    schema = json.loads((copy / "schema.json").read_text(encoding="utf-8"))
    count = sum(key in entry for entry in schema)

    def take_away(stored: list[dict[str, Any]]) -> None:
        for entry in stored:
            entry.pop(key, None)

    changed(copy, "schema.json", take_away)
    assert f'schema.json lacks "{key}" in {count} of {len(schema)} inputs' in said_of(copy)


@pytest.mark.parametrize("name", [*FILES, "MODEL_CARD.md", "forest_whole_0.ubj"])
def test_a_file_that_another_layout_does_not_have_is_named(copy, name):
    (copy / name).unlink()
    reseal(copy)
    said = said_of(copy)
    assert f"there is no {name}" in said or (name.endswith(".ubj") and "model.json cannot be read" in said)


@pytest.mark.parametrize("key", ["study", "training_people", "nociomics", "libraries"])
def test_a_key_of_the_manifest_is_named(copy, key):
    from nociomics.export.manifest import manifest_text, sealed

    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    del manifest[key]
    (copy / "manifest.json").write_text(manifest_text(sealed(manifest)), encoding="utf-8")
    assert f'manifest.json lacks "{key}"' in said_of(copy)


def test_all_that_is_lacking_is_said_at_once(copy):
    (copy / "MODEL_CARD.md").unlink()
    (copy / "interval.json").write_text("[]", encoding="utf-8")
    changed(copy, "gate.json", lambda gate: (gate.pop("reasons"), gate.pop("best_fixed")))
    said = said_of(copy)
    for words in ("there is no MODEL_CARD.md", "interval.json is no object", 'gate.json lacks "best_fixed", "reasons"'):
        assert words in said


def test_a_setting_that_this_version_does_not_know_is_named(copy):
    changed(copy, "model.json", lambda stored: stored["settings"].update(dreams=3))
    assert 'model.json cannot be read at "dreams"' in said_of(copy)


def test_golden_rows_with_another_versions_columns_are_named(copy):
    def rename(golden: dict[str, Any]) -> None:
        for row in golden["predictions"]:
            row["chance"] = row.pop("p_response")

    changed(copy, "golden.json", rename)
    said = said_of(copy)
    assert "golden.json" in said and 'lacks "chance"' in said


def test_no_value_of_a_file_is_told(copy):
    changed(copy, "background.json", lambda rows: rows[0].__setitem__(0, "SECRET-VALUE"))
    said = said_of(copy)
    assert "background.json cannot be read (ValueError)" in said and "SECRET" not in said


def _places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every key of every object, one for all objects of a list."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*at, key)
            yield from _places(inner, (*at, key))
    elif isinstance(value, list) and value:
        yield from _places(value[0], (*at, 0))


@pytest.mark.parametrize("name", [*FILES, "reliance.json"])
def test_whatever_key_is_lacking_a_bundle_answers_or_says_so(written, copy, name):
    """Nothing but a sentence for the user may come of it, neither when it is loaded nor when it is asked."""
    text = (written / name).read_text(encoding="utf-8")
    people, _ = golden_rows(written)
    found: dict[tuple[Any, ...], str] = {}
    places = [place for place in _places(json.loads(text)) if "gene_" not in str(place)]
    for place in places[::_EVERY]:
        stored = json.loads(text)
        inner = stored
        for step in place[:-1]:
            inner = inner[step]
        del inner[place[-1]]
        (copy / name).write_text(json.dumps(stored), encoding="utf-8")
        reseal(copy)
        try:
            load_bundle(copy).predict_frame(people)
        except BundleError as refused:
            found[place] = str(refused)
    assert places or name == "background.json"
    for place, said in found.items():
        assert "do not fit this version" in said or "golden answers" in said, (place, said)
