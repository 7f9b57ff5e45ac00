"""What stands on a page, as a reader sees it, is what stands in the tables it was made from."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Any

import polars as pl
import pytest

from nociomics.report.formats import count, interval, number, out_of, quantity, share
from nociomics.report.wording import METRICS, modality_words
from tests.browser.cases import html
from tests.browser.opening import opened
from tests.report import demo, strata_demo

_ROWS = """() => {
  document.querySelectorAll('details').forEach(one => one.open = true);
  const text = one => one.innerText.replace(/\\s+/g, ' ').trim();
  return Object.fromEntries([...document.querySelectorAll('section[id]')].map(section => [section.id,
    [...[...section.querySelectorAll('tr')].map(row => [...row.cells].map(text)),
     ...[...section.querySelectorAll('dt')].map(one => [text(one), text(one.nextElementSibling)])]]));
}"""


class Read:
    """Rows of tables and lists of facts of a page, by section: cells as text, what is folded unfolded."""

    def __init__(self, page: Any) -> None:
        self.sections: dict[str, list[list[str]]] = page.evaluate(_ROWS)

    def row(self, section: str, *starts: str) -> list[list[str]]:
        """Cells behind the first of every row whose first cells start so."""
        found = [
            cells[len(starts) :]
            for cells in self.sections[section]
            if len(cells) > len(starts)
            and all(cell == start or cell.startswith(f"{start} ") for cell, start in zip(cells, starts, strict=False))
        ]
        assert found, f"{section} has no row of {starts}"
        return found

    def says(self, section: str, start: str, *texts: str) -> bool:
        """Whether one row that starts so has all these cells."""
        return any(set(texts) <= set(cells) for cells in self.row(section, start))


@pytest.fixture(scope="module")
def read(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Read a case as it is shown in the browser."""
    kept: dict[str, Read] = {}

    def made(name: str) -> Read:
        if name not in kept:
            file = tmp_path_factory.mktemp("read") / f"{name}.html"
            file.write_text(html(name), encoding="utf-8")
            with opened(browser, file) as shown:
                kept[name] = Read(shown.page)
                kept[name].sections["drawn"] = shown.page.evaluate(
                    "() => [...document.querySelectorAll('#expected svg')].map(one => [one.getAttribute('aria-label'), "
                    "(one.querySelector('circle') || one).getBoundingClientRect().left.toFixed(2)])"
                )
        return kept[name]

    return made


def _frame(frame: pl.DataFrame | None) -> pl.DataFrame:
    assert frame is not None
    return frame


def _of(frame: pl.DataFrame | None) -> list[dict[str, Any]]:
    return _frame(frame).to_dicts()


def _sum(text: list[str]) -> float:
    return sum(float(one.replace("−", "-")) for one in text)


def test_expected_values_stand_in_text_and_drawing(read: Any) -> None:
    page = read("profile-open")
    drawn = dict(page.sections["drawn"])
    places = []
    for row in _of(demo.person().predictions):
        text = interval(row["expected"], row["lower"], row["upper"])
        assert page.says("expected", row["treatment"], text, share(row["p_response"]), share(row["p_adverse"]))
        places.append((row["expected"], float(drawn[f"{row['treatment']}: {text}"])))
    assert [x for _, x in sorted(places)] == sorted(x for _, x in places), "a larger value is drawn further right"


def test_every_difference_of_two_treatments_is_the_tables(read: Any) -> None:
    page, told = read("profile-open"), 0
    for row in _of(demo.person().effects):
        turned = (-row["effect"], -row["upper"], -row["lower"], 1 - row["p_better"])
        for a, b in permutations((row["treatment_a"], row["treatment_b"])):
            first = a == row["treatment_a"]
            effect, low, high, better = (
                (row["effect"], row["lower"], row["upper"], row["p_better"]) if first else turned
            )
            label = f"{a} rather than {b}"
            if any(cells and cells[0] == label for cells in page.sections["expected"]):
                assert page.says("expected", label, interval(effect, low, high, signed=True), share(better))
                told += 1
    assert told == 6


def test_parts_of_an_explanation_are_the_tables_and_add_up_on_the_page(read: Any) -> None:
    page, person = read("profile-open"), demo.person()
    shap = _frame(person.shap).filter(pl.col("treatment") == "SNRI")
    (base,) = _frame(person.base).filter(pl.col("treatment") == "SNRI")["base_value"]
    (total,) = _frame(person.predictions).filter(pl.col("treatment") == "SNRI")["expected"]
    parts = [number(base)]
    for modality, size in shap.group_by("modality").agg(pl.col("shap_value").sum()).iter_rows():
        parts.append(number(size, signed=True))
        assert page.says("why", modality_words(modality), parts[-1])
    assert page.says("why", "average estimate", parts[0])
    assert page.says("why", "this person's estimate", number(total))
    assert _sum(parts) == pytest.approx(total, abs=0.005 * (len(parts) + 1))


def test_values_and_percentiles_are_the_tables(read: Any) -> None:
    page, person = read("profile-open"), demo.person()
    told = 0
    for row in _of(person.catalogue):
        value, place = person.features[row["feature"]], person.percentiles.get(row["feature"])
        if value is None or not any(
            cells and cells[0].startswith(row["feature"]) for cells in page.sections["measured"]
        ):
            continue
        unit = "" if row["unit"] in ("category", "count", "score") else f" {row['unit']}"
        texts = [quantity(value, row["unit"]) + unit, *([] if place is None else [number(place, 0)])]
        assert page.says("measured", row["feature"], *texts)
        told += 1
    assert told >= 8


def test_chances_of_the_strata_are_the_tables(read: Any) -> None:
    assignment = demo.person().assignment
    assert assignment is not None
    for name in ("S1", "S2", "S3"):
        assert read("profile-open").says("stratum", name, share(assignment[f"p_{name}"]))


def test_classes_are_the_tables(read: Any) -> None:
    for name, chance in (("mild", 0.7), ("moderate", 0.22), ("severe", 0.08)):
        assert read("profile-classes").says("expected", name, share(chance))


def test_what_the_gate_withholds_stands_nowhere(read: Any) -> None:
    cells = [cell for rows in read("profile-closed").sections.values() for row in rows for cell in row]
    assert len(cells) > 30
    assert not any(" rather than " in cell or "this person's estimate" in cell for cell in cells)


@pytest.mark.parametrize(
    ("metric", "section", "label"),
    [
        ("auroc", "performance", "full model"),
        ("auroc_treatment_only", "performance", "knowing the treatment alone"),
        ("auroc_without_treatment", "performance", "the same model without the treatment"),
        ("auroc_clinical_only", "performance", "the clinical variables alone"),
        ("auroc_gain_over_treatment_only", "performance", "AUROC over knowing the treatment alone"),
        ("auroc_gain_over_clinical_only", "performance", "AUROC over the clinical variables alone"),
        ("brier", "performance", "Brier score"),
        ("calibration_slope", "performance", "Calibration slope"),
        ("ici", "performance", "Integrated calibration index"),
        ("coverage_90", "performance", "Coverage of the 90% interval"),
        ("permutation_p", "performance", "Permutation p"),
        ("policy_value", "treatment", "the model's choice"),
        ("policy_gain", "treatment", "Policy gain"),
    ],
)
def test_figures_of_the_cohort_report_are_the_tables_with_their_intervals(
    read: Any, metric: str, section: str, label: str
) -> None:
    one = demo.metrics()[metric]
    decimals = METRICS[metric].decimals if metric in METRICS else 2
    text = interval(one["value"], one["lower"], one["upper"], decimals)
    assert read("cohort-open").says(section, label, text, count(one["n"]))


def test_the_flow_of_people_is_the_table(read: Any) -> None:
    for name, section in (("cohort-open", "cohort"), ("quality", "flow")):
        for row in _of(demo.flow()):
            assert read(name).says(section, row["step"], count(row["people"]), count(row["left_out"]), row["reason"])


def test_treatment_groups_are_the_table(read: Any) -> None:
    for row in _of(demo.arms()):
        (cells, *_) = read("cohort-open").row("cohort", row["treatment"])
        assert cells[:2] == [count(row["people"]), count(row["people"] - row["with_outcome"])]
        assert cells[2].startswith(f"{out_of(row['responders'], row['people'])} {share(row['response_share_of_all'])}")
        assert cells[4:7] == [number(row[name]) for name in ("mean_baseline", "mean_outcome", "mean_fall")]
        assert cells[7] == out_of(row["adverse_events"], row["adverse_known"])


def test_strata_of_the_cohort_report_are_the_tables(read: Any) -> None:
    cohort = demo.cohort()
    assert cohort.strata_summary is not None
    overlaps = cohort.strata_summary["stability"]["jaccard"]
    people = _frame(cohort.assignments)
    for stratum, size in people.group_by("stratum").len().iter_rows():
        (cells, *_) = read("cohort-open").row("strata", stratum)
        assert f"{count(size)}, {share(size / people.height)}" in cells
        assert any(cell.startswith(f"{number(overlaps[stratum])},") for cell in cells)


def test_strata_their_sizes_and_their_overlap_are_the_tables(read: Any) -> None:
    page, data = read("strata-three"), strata_demo.three()
    assert data.summary is not None
    for k, bic in data.summary["bic"].items():
        assert page.says("evidence", k, number(bic - data.summary["bic"]["1"], 1, signed=True))
    people = _frame(data.assignments)
    for stratum, size in people.group_by("stratum").len().iter_rows():
        overlap = data.summary["stability"]["jaccard"][stratum]
        (cells, *_) = [cells for cells in page.row("evidence", stratum) if len(cells) == 3]
        assert cells[1] == f"{count(size)}, {share(size / people.height)}"
        assert cells[2].startswith(f"{number(overlap)},")
    assert page.row("evidence", "Between strata")[0][0].startswith(out_of(int(people["between"].sum()), people.height))


def test_markers_and_associations_of_strata_are_the_tables(read: Any) -> None:
    page, data = read("strata-three"), strata_demo.three()
    cells = [cell for row in page.sections["markers"] for cell in row]
    for row in _of(data.markers):
        assert interval(row["difference"], row["lower"], row["upper"], signed=True) in cells
    for row in _of(data.associations):
        label = row["variable"].replace("_", " ")
        assert page.says("confused", label, interval(row["value"], row["lower"], row["upper"]), count(row["n"]))


def test_missing_values_of_the_quality_page_are_the_table(read: Any) -> None:
    told = 0
    for row in _of(demo.catalogue()):
        if row["missing_share"] > 0:
            assert read("quality").says("missing", row["feature"], share(row["missing_share"]))
            told += 1
    assert told == 11


def test_a_number_that_is_not_in_the_table_is_caught(read: Any) -> None:
    one = demo.metrics()["auroc"]
    wrong = interval(one["value"] + 0.01, one["lower"], one["upper"])
    assert not read("cohort-open").says("performance", "full model", wrong, count(one["n"]))
    with pytest.raises(AssertionError, match="no row of"):
        read("cohort-open").row("performance", "a model nobody made")
