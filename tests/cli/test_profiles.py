"""Patient pages by the command: who gets one, how the folder is treated, and what is read for how many people."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from nociomics.cli import profile_data
from nociomics.cli.profile_data import MOST_PAGES, mid_ranks, profile_pages, wanted_people
from nociomics.cli.profile_folder import add_pages, replace_pages
from nociomics.config import check_config
from nociomics.errors import NociomicsError, TableError
from nociomics.tables.contract import empty_frame
from nociomics.tables.files import write_json, write_table
from nociomics.tables.harmonised import FEATURE_CATALOGUE, FEATURES, SAFETY_ITEMS
from nociomics.tables.results import (
    ARMS,
    ASSIGNMENTS,
    BASE_VALUES,
    EFFECTS,
    PREDICTIONS,
    SHAP_VALUES,
)
from tests.report import demo

_STUDY = {
    "study": "small",
    "tables": {"patients": "patients.csv", "treatments": "treatments.csv", "outcomes": "outcomes.csv"},
    "target": {"kind": "change", "outcome": "w12", "baseline": "bpi_severity", "treatment": "arm"},
}


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished small study of six people, one of whom has an id that is no file name."""
    monkeypatch.setattr(
        profile_data,
        "_strata",
        lambda results, wanted: profile_data._Strata([["pcs"]], {}, dict.fromkeys(wanted, 4), None),
    )
    folder, data = tmp_path / "results", demo.person()
    people = ["P5", "P1", "P2", "p2", "../P3", "P0001"]
    features = pl.DataFrame(
        [dict(data.features) | {"patient_id": person, "age": 30.0 + i} for i, person in enumerate(people)]
    )
    write_table(
        features.select("patient_id", pl.exclude("patient_id")), FEATURES, folder / "harmonised/features.parquet"
    )
    write_table(data.catalogue, FEATURE_CATALOGUE, folder / "harmonised/feature_catalogue.parquet")
    write_table(empty_frame(SAFETY_ITEMS), SAFETY_ITEMS, folder / "harmonised/safety_items.parquet")
    strata = pl.DataFrame(
        {"patient_id": people, "stratum": "S1", "p_S1": 1.0, "entropy": 0.0, "atypical": False, "between": False}
    )
    write_table(strata, ASSIGNMENTS, folder / "strata/assignments.parquet")
    assert data.predictions is not None and data.effects is not None and data.shap is not None and data.base is not None
    write_table(data.predictions, PREDICTIONS, folder / "response/predictions.parquet")
    write_table(data.effects, EFFECTS, folder / "response/effects.parquet")
    write_table(data.shap, SHAP_VALUES, folder / "explanations/shap.parquet")
    write_table(data.base, BASE_VALUES, folder / "explanations/base.parquet")
    write_table(demo.arms(), ARMS, folder / "evaluation/arms.parquet")
    write_json(demo.OPEN, folder / "evaluation/gate.json")
    write_json(demo.metrics(), folder / "evaluation/metrics.json")
    return folder


def _run(nociomics, results: Path, *words: str):
    told = ("--results", str(results), "--output", str(results / "pages"))
    return nociomics("report", "profiles", "--study", json.dumps(_STUDY), *told, *words)


def test_everyone_of_a_small_study_gets_a_page_and_no_id_leaves_the_folder(nociomics, results: Path) -> None:
    assert _run(nociomics, results).exit == 0
    names = sorted(path.name for path in (results / "pages").iterdir())
    assert [name for name in names if not name.startswith("id-")] == ["P0001.html", "P1.html", "P5.html"]
    assert len(names) == 6  # ../P3, and P2 beside p2, which are one name where case does not count
    page = (results / "pages/P0001.html").read_text(encoding="utf-8")
    assert "estimate is best with SNRI." in page and "age <b>35 years</b>" in page
    assert "4 other people gave data much like yours" in page
    assert "SNRI" not in (results / "pages/P1.html").read_text(encoding="utf-8").split("<main")[1].split("Genes")[0]


def test_pages_asked_for_are_added_to_those_that_are_there(nociomics, results: Path) -> None:
    assert _run(nociomics, results, "--people", "2").exit == 0
    before = {path.name for path in (results / "pages").iterdir()}
    assert len(before) == 2
    assert _run(nociomics, results, "--ids", "P5, P0001").exit == 0
    assert {path.name for path in (results / "pages").iterdir()} == before | {"P5.html", "P0001.html"}


def test_ids_that_are_not_there_are_one_clear_error_and_nothing_is_written(nociomics, results: Path) -> None:
    told = _run(nociomics, results, "--ids", ",".join(["P1", *(f"nobody-{i}" for i in range(40))]))
    assert told.exit == 1 and "Traceback" not in told.err
    assert '40 of the 41 people asked for are not in this study: "nobody-0", ' in told.err
    assert "and 35 more. No page was written." in told.err and "nobody-7" not in told.err and "P5" not in told.err
    assert not (results / "pages").exists()


def test_the_study_may_name_the_people(results: Path) -> None:
    config = check_config(_STUDY | {"profiles": {"ids": ["P5"], "people": 3}}, "study.yaml")
    assert [name for name, _ in profile_pages(config, results)] == ["P5.html"]


def test_a_large_cohort_gets_no_pages_unasked(caplog: pytest.LogCaptureFixture) -> None:
    people = [f"P{i}" for i in range(MOST_PAGES + 1)]
    assert wanted_people(people, [], None) == []
    assert "name them with --ids" in caplog.text
    assert len(wanted_people(people, [], 5000)) == MOST_PAGES + 1
    assert wanted_people(people, ["P7"], None) == ["P7"]
    assert len(wanted_people(people[1:], [], None)) == MOST_PAGES
    with pytest.raises(NociomicsError, match="1 of the 1 people"):
        wanted_people([], ["P7"], None)


def test_chunks_of_one_person_give_the_same_pages(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = check_config(_STUDY, "study.yaml")
    whole = dict(profile_pages(config, results))
    monkeypatch.setattr(profile_data, "_VALUES_AT_ONCE", 1)
    assert dict(profile_pages(config, results)) == whole


@pytest.mark.parametrize("count", [1, 3, 7])
def test_pages_written_in_parts_are_the_same_pages(nociomics, results: Path, count: int) -> None:
    assert _run(nociomics, results).exit == 0
    whole = {path.name: path.read_bytes() for path in (results / "pages").iterdir()}
    parts = [results / "parts" / f"{number}-of-{count}" for number in range(1, count + 1)]
    for part in parts:
        assert _run(nociomics, results, "--part", part.name, "--output", str(part)).exit == 0
    assert sum(len(list(part.iterdir())) for part in parts) == len(whole) == 6
    words = [word for part in parts for word in ("--gather", str(part))]
    assert _run(nociomics, results, *words, "--output", str(results / "again")).exit == 0
    assert {path.name: path.read_bytes() for path in (results / "again").iterdir()} == whole


def test_a_part_that_was_not_written_is_named(nociomics, results: Path) -> None:
    told = _run(nociomics, results, "--gather", str(results / "nothing"))
    assert told.exit == 1 and "nothing: is no folder of pages" in told.err
    assert not (results / "pages").exists()


def test_dates_are_those_of_the_person_and_of_the_baseline(results: Path) -> None:
    (results / "ingested").mkdir()
    answers = pl.DataFrame(
        {
            "patient_id": ["P1", "P1", "P1", "P2"],
            "visit": ["baseline", "baseline", "week12", "baseline"],
            "instrument": "pcs",
            "answered_at": ["2026-01-02T10:00", "2026-01-03T10:00", "2026-04-01T10:00", None],
        }
    )
    answers.write_parquet(results / "ingested/responses.parquet")
    samples = pl.DataFrame({"patient_id": "P1", "analyte": ["cortisol_serum_am"], "collected_at": "2026-01-02T08:00"})
    samples.write_parquet(results / "ingested/biomarkers.parquet")
    assert profile_data._dates(results, ["P1", "P2"]) == {
        "P1": {"pcs": "2026-01-02 to 2026-01-03", "cortisol_serum": "2026-01-02"}
    }


def test_percentiles_are_mid_ranks_of_the_whole_cohort() -> None:
    frame = pl.DataFrame({"x": [1.0, 2.0, 2.0, None, 9.0]})
    assert mid_ranks(frame, ["x"]) == {"x": [12.5, 50.0, 50.0, None, 87.5]}
    assert mid_ranks(frame, ["x"], [4, 3]) == {"x": [87.5, None]}


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages/thesis.docx").touch()
    with pytest.raises(TableError, match="holds 1 files or folders that are no pages"):
        replace_pages([("P1.html", "x")], tmp_path / "pages")
    assert (tmp_path / "pages/thesis.docx").exists()
    add_pages([("P1.html", "x")], tmp_path / "pages")
    assert (tmp_path / "pages/thesis.docx").exists() and (tmp_path / "pages/P1.html").read_text() == "x"
    for write in (add_pages, replace_pages):
        with pytest.raises(TableError, match="is a file"):
            write([("P1.html", "x")], tmp_path / "pages/P1.html")


def test_a_fault_half_way_leaves_the_former_pages(tmp_path: Path) -> None:
    replace_pages([("P1.html", "old")], tmp_path / "pages")

    def pages():
        yield "P1.html", "new"
        raise ArithmeticError

    for write in (add_pages, replace_pages):
        with pytest.raises(ArithmeticError):
            write(pages(), tmp_path / "pages")
    assert (tmp_path / "pages/P1.html").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["pages"]
