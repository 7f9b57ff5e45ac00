"""Questionnaires as clinics hand them over: visits in any words, dates, repeated rows, several files."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from nociomics.harmonise.instrument_scores import score_responses
from nociomics.ingest.notes import Notes
from nociomics.ingest.questionnaires import read_questionnaires
from nociomics.knowledge.instrument import load_instruments
from nociomics.knowledge.instrument_file import load_with_own
from nociomics.tables.ingested import RESPONSES, SCORES
from nociomics.tables.study import TableSource
from tests.conftest import shared
from tests.knowledge.test_instrument_file import OWN

ALL = load_instruments()


def described(folder: Path, text: str, name: str = "q.csv", **more: object) -> TableSource:
    (folder / name).write_text(text)
    return TableSource.model_validate({"path": name, **more})


def answers_of(folder: Path, *sources: TableSource, **more: object) -> tuple[pl.DataFrame, Notes]:
    notes = Notes("questionnaires")
    responses, scores = read_questionnaires(sources, folder, None, notes, **more)  # type: ignore[arg-type]
    assert SCORES.problems(scores) == []
    assert RESPONSES.problems(responses) == []
    return responses, notes


def told(notes: Notes, severity: str) -> list[str]:
    return [finding.message for finding in notes.findings if finding.severity == severity]


def by_visit(responses: pl.DataFrame) -> list[tuple[str, str, str, float | None]]:
    return sorted(responses.select("patient_id", "visit", "item", "response").rows(), key=str)


# --- visits ---------------------------------------------------------------------------------------------------------


def test_words_of_visits_are_those_of_the_study(tmp_path: Path) -> None:
    text = "patient_id,visit,pcs_1\nA,T0,4\nA,Screening,3\nA, t1 ,2\nA,M6,1\n"
    responses, notes = answers_of(tmp_path, described(tmp_path, text, visits={"t0": "baseline", "T1": "week12"}))
    assert responses["visit"].to_list() == ["baseline", "Screening", "week12", "M6"]
    assert told(notes, "fatal") == []


def test_without_a_mapping_the_usual_words_mean_baseline(tmp_path: Path) -> None:
    text = "patient_id,visit,pcs_1\nA,Baseline,4\nB, V0,3\nC,screening,2\nD,week 12,1\n"
    responses, notes = answers_of(tmp_path, described(tmp_path, text))
    assert responses["visit"].to_list() == ["baseline", "baseline", "baseline", "week 12"]
    assert [finding.count for finding in notes.findings if finding.severity == "info"] == [1]


def test_a_mapped_word_that_is_not_there_is_named_with_its_neighbour(tmp_path: Path) -> None:
    text = "patient_id,visit,pcs_1\nA,baseline,4\nA,week12,3\n"
    _, notes = answers_of(tmp_path, described(tmp_path, text, visits={"week 12": "week12"}))
    assert (
        'visits: names "week 12"' in told(notes, "warning")[0] and 'Did you mean "week12"' in told(notes, "warning")[0]
    )


def test_no_baseline_at_all_is_a_warning(tmp_path: Path) -> None:
    _, notes = answers_of(tmp_path, described(tmp_path, "patient_id,visit,pcs_1\nA,T1,4\nB,T2,3\n"))
    assert "are of no baseline visit" in told(notes, "warning")[0]


@pytest.mark.parametrize(
    "mapped",
    [{"visits": {"v1": "baseline", "week4": "week4"}}, {"measured_at": {"*_v1": "baseline", "*_week4": "week4"}}],
)
def test_a_visit_in_the_name_of_a_column_counts_where_the_study_maps_it(tmp_path: Path, mapped: dict) -> None:
    text = "patient_id,pcs_1_v1,bpi_sev_1_week4,pcs_1_week4\nA,4,7,3\nB,,10,\n"
    responses, notes = answers_of(tmp_path, described(tmp_path, text, **mapped))
    assert told(notes, "fatal") == []
    assert by_visit(responses) == [
        ("A", "baseline", "1", 4.0), ("A", "week4", "1", 3.0), ("A", "week4", "3", 7.0),
        ("B", "baseline", "1", None), ("B", "week4", "1", None), ("B", "week4", "3", 10.0),
    ]  # fmt: skip


def test_a_visit_in_the_name_of_a_column_that_is_not_mapped_is_fatal(tmp_path: Path) -> None:
    text = "patient_id,pcs_1_v1,pcs_2_week4\nA,4,7\n"
    responses, notes = answers_of(tmp_path, described(tmp_path, text))
    assert responses.height == 0
    first, second = told(notes, "fatal")
    assert "is no item of a known questionnaire" in first
    assert "looks measured after treatment. Name its visit under visits:" in second


def test_visits_that_are_mapped_but_nowhere_to_be_found_are_fatal(tmp_path: Path) -> None:
    _, notes = answers_of(tmp_path, described(tmp_path, "patient_id,visite,pcs_1\nA,v1,4\n", visits={"v1": "baseline"}))
    assert (
        'visits: needs the column "visit", or columns that end in _v1. Did you mean "visite"' in told(notes, "fatal")[0]
    )


# --- dates ----------------------------------------------------------------------------------------------------------

STARTED = pl.DataFrame({"patient_id": ["A", "B", "C"], "started_at": [datetime(2024, 1, 10)] * 3})


def test_a_baseline_answered_after_treatment_start_is_fatal(tmp_path: Path) -> None:
    text = (
        "patient_id,visit,answered_at,pcs_1\nA,baseline,2024-01-10,4\nB,baseline,2024-01-11,3\n"
        "C,baseline,,2\nA,week12,2024-04-10,1\n"
    )
    responses, notes = answers_of(tmp_path, described(tmp_path, text), treatments=STARTED)
    (message,) = told(notes, "fatal")
    assert 'q.csv, column "answered_at": 1 row (first: line 3) are called baseline' in message
    assert "B" not in message.replace("Baseline", "") and responses["patient_id"].to_list() == ["A", "C", "A"]
    assert responses["answered_at"].to_list() == [datetime(2024, 1, 10), None, datetime(2024, 4, 10)]


@pytest.mark.parametrize("name", ["answered_at", "completed_at", "collected_at", "date"])
def test_long_answers_and_every_name_of_the_date_are_guarded(tmp_path: Path, name: str) -> None:
    text = f"patient_id,{name},instrument,item,response\nA,2024-02-01,pcs,1,4\nB,2024-01-01,pcs,1,4\n"
    responses, notes = answers_of(tmp_path, described(tmp_path, text), treatments=STARTED)
    assert len(told(notes, "fatal")) == 1 and f'column "{name}"' in told(notes, "fatal")[0]
    assert responses["patient_id"].to_list() == ["B"]


def test_a_date_may_belong_to_the_visit_in_the_name_of_a_column(tmp_path: Path) -> None:
    text = "patient_id,pcs_1_v1,answered_at_v1,pcs_1_v2,answered_at_v2\nA,4,2024-03-01,3,2024-03-02\n"
    source = described(tmp_path, text, visits={"v1": "baseline", "v2": "week8"})
    responses, notes = answers_of(tmp_path, source, treatments=STARTED)
    assert "answered after treatment start" in told(notes, "fatal")[0]
    assert responses["visit"].to_list() == ["week8"]


def test_a_date_that_cannot_be_read_is_fatal(tmp_path: Path) -> None:
    _, notes = answers_of(tmp_path, described(tmp_path, "patient_id,date,pcs_1\nA,03/04/2024,4\n"))
    assert "are not dates" in told(notes, "fatal")[0]


def test_without_dates_there_is_no_column_of_dates(tmp_path: Path) -> None:
    responses, _ = answers_of(tmp_path, described(tmp_path, "patient_id,pcs_1\nA,4\n"), treatments=STARTED)
    assert "answered_at" not in responses.columns


# --- repeated rows --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "patient_id,visit,pcs_1,pcs_2,date\nA,V0,4,3,2024-01-01\nA,baseline,4,3,2024-01-01\n",
        "patient_id,visit,instrument,item,response\nA,V0,pcs,1,4\nA,baseline,pcs,pcs_1,4.0\nA,baseline,pcs,2,3\n",
    ],
    ids=["wide", "long"],
)
def test_a_row_that_only_repeats_another_is_dropped_and_counted(tmp_path: Path, text: str) -> None:
    responses, notes = answers_of(tmp_path, described(tmp_path, text))
    assert by_visit(responses) == [("A", "baseline", "1", 4.0), ("A", "baseline", "2", 3.0)]
    assert told(notes, "fatal") == []
    assert ["only repeat another row" in message for message in told(notes, "warning")] == [True]
    assert "left out" in [reading["step"] for reading in notes.readings]


@pytest.mark.parametrize(
    "text",
    [
        "patient_id,pcs_1,pcs_2\nSECRET,4,3\nSECRET,4,2\n",
        "patient_id,date,pcs_1\nSECRET,2024-01-01,3\nSECRET,2024-01-02,3\n",
        "patient_id,instrument,item,response\nSECRET,pcs,1,4\nSECRET,pcs,1,3\n",
        "patient_id,instrument,scale,score\nSECRET,pcs,total,4\nSECRET,pcs,total,3\n",
    ],
    ids=["wide", "dates", "long", "scores"],
)
def test_rows_that_contradict_each_other_are_fatal(tmp_path: Path, text: str) -> None:
    _, notes = answers_of(tmp_path, described(tmp_path, text))
    (message,) = told(notes, "fatal")
    assert "1 row (first: line 3) answer differently" in message and "SECRET" not in message


def test_the_same_item_in_two_files_is_compared(tmp_path: Path) -> None:
    one = described(tmp_path, "patient_id,pcs_1,pcs_2\nA,4,3\nB,1,1\n", "one.csv")
    same = described(tmp_path, "patient_id,instrument,item,response\nA,pcs,1,4\n", "same.csv")
    other = described(tmp_path, "patient_id,pcs_1\nA,2\n", "other.csv")
    responses, notes = answers_of(tmp_path, one, same)
    assert responses.height == 4 and told(notes, "fatal") == [] and len(told(notes, "warning")) == 1
    _, notes = answers_of(tmp_path, one, other)
    assert "answer differently" in told(notes, "fatal")[0]


def test_two_columns_of_one_item_are_fatal(tmp_path: Path) -> None:
    _, notes = answers_of(tmp_path, described(tmp_path, "patient_id,bpi_sf_3,bpi_sev_1\nA,4,4\n"))
    assert 'the columns "bpi_sf_3" and "bpi_sev_1" are both item 3 of bpi_sf' in told(notes, "fatal")[0]


# --- answers --------------------------------------------------------------------------------------------------------


def test_answers_that_are_not_allowed_are_counted_per_item_and_never_shown(tmp_path: Path) -> None:
    wide = "patient_id,pcs_1,pcs_2,dn4_1\nA,4,77,yes\nB,often,4.0,no\nC,2.5,1e0,2\n"
    responses, notes = answers_of(tmp_path, described(tmp_path, wide))
    messages = told(notes, "fatal")
    assert [finding.count for finding in notes.findings if finding.severity == "fatal"] == [2, 1, 1]
    assert 'column "pcs_1": 2 rows (first: line 3)' in messages[0]
    assert not any(word in message for message in messages for word in ("77", "often", "2.5"))
    assert responses.filter(pl.col("item") == "2")["response"].drop_nulls().to_list() == [4.0, 1.0]


def test_long_answers_of_many_items_are_read_at_once(tmp_path: Path) -> None:
    text = (
        "patient_id,instrument,item,response\nA,BDI-II,16,2a\nA,bdi,9,1\nA,EQ-5D-5L,mo,5\nA,,pcs_3,4\nA,pcs,14,1\n"
        "A,pss,1,1\nA,pcs,4,9\n"
    )
    responses, notes = answers_of(tmp_path, described(tmp_path, text))
    assert responses.drop_nulls().select("instrument", "item", "response").rows() == [
        ("bdi_ii", "16", 2.0),
        ("bdi_ii", "9", 1.0),
        ("eq_5d_5l", "MO", 5.0),
        ("pcs", "3", 4.0),
    ]
    assert [finding.column for finding in notes.findings if finding.severity == "fatal"] == [
        "item",
        "instrument",
        "pcs_4",
    ]


def test_where_every_answer_came_from_is_kept(tmp_path: Path) -> None:
    _, notes = answers_of(
        tmp_path, described(tmp_path, "patient_id,PCS 1,bpi_sev_1\nA,4,7\n", columns={"PCS 1": "pcs_1"})
    )
    found = {(origin["table"], origin["name"], origin["file"]) for origin in notes.origins}
    assert {("responses", "pcs/1", "q.csv"), ("responses", "bpi_sf/3", "q.csv")} <= found


def test_a_questionnaire_of_the_study_is_read_and_scored(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN)
    known = load_with_own([tmp_path / "own.yaml"])
    source = described(tmp_path, "patient_id,own_scale_1,own_scale_2,own_scale_3\nA,7,1,7\n")
    responses, notes = answers_of(tmp_path, source, instruments=known)
    assert told(notes, "fatal") == []
    assert score_responses(responses, known)["score"].to_list() == [21.0]
    _, notes = answers_of(tmp_path, source)
    assert len(told(notes, "fatal")) == 3


# --- real cohorts ---------------------------------------------------------------------------------------------------


def test_phq_9_of_5455_people_is_the_published_score() -> None:
    folder = shared("data/nhanes-crp-phq9")
    name = "nhanes_2021_2023_merged.csv.gz"
    items = {f"DPQ0{number}0": f"phq_9_{number}" for number in range(1, 10)}
    source = {"path": name, "columns": {"SEQN": "patient_id", **items}, "keep": list(items.values())}
    responses, notes = answers_of(folder, TableSource.model_validate(source))
    assert told(notes, "fatal") == []
    totals = score_responses(responses, ALL).select("patient_id", "score")
    published = pl.read_csv(folder / name).select(pl.col("SEQN").cast(pl.String).alias("patient_id"), "phq9_score")
    both = published.join(totals, on="patient_id")
    assert both.height == published.height == 5455
    assert (both["score"] == both["phq9_score"]).all()
    assert round(100 * (both["score"] >= 10).mean(), 1) == 13.3


def _resilience(folder: Path) -> Path:
    """Lay the Resilience Scale (25 items, 1 to 7, summed) out as a study would."""
    numbers = ", ".join(f"'{number}'" for number in range(1, 26))
    text = (
        OWN.replace("own_scale", "resilience_scale")
        .replace("'1', '2', '3'", numbers)
        .replace("reversed: ['2']\n  ", "")
    )
    text = text.replace("[3, 21]", "[25, 175]").replace("min_valid: 3", "min_valid: 25")
    (folder / "resilience.yaml").write_text(text[: text.index("examples:")] + "examples: []\n")
    return folder / "resilience.yaml"


def test_resilience_of_people_with_and_without_pain(tmp_path: Path) -> None:
    """Known results: 143.6 (19.1) with chronic pain, 155.7 (12.1) without, from the total that came with the people."""
    folder = shared("data/hivpain-resilience")
    known = load_with_own([_resilience(tmp_path)])
    items = {f"Q{number}": f"resilience_scale_{number}" for number in range(1, 26)}
    source = {"path": "resilience_scale_items.csv", "columns": {"ID": "patient_id", **items}}
    responses, notes = answers_of(folder, TableSource.model_validate(source), instruments=known)
    assert told(notes, "fatal") == []
    scores = score_responses(responses, known)
    people = pl.read_csv(folder / "demographics.csv").with_columns(pl.col("ID").cast(pl.String))
    both = people.join(scores.drop_nulls("score"), left_on="ID", right_on="patient_id")
    # The total of the table of people is not the sum of the items: it differs by -9 to 3 points, 2.7 lower on average.
    difference = both["score"] - both["resilience_scale_score"]
    assert (both.height, difference.min(), difference.max()) == (151, -9, 3)
    raw = pl.read_csv(folder / "resilience_scale_items.csv")
    plain = raw.select(pl.col("ID").cast(pl.String), total=pl.sum_horizontal(pl.exclude("ID")).cast(pl.Float64))
    assert both.join(plain, on="ID").select((pl.col("score") == pl.col("total")).all()).item()
    groups = people.group_by("chronic_pain").agg(
        pl.col("resilience_scale_score").mean().round(1).alias("mean"),
        pl.col("resilience_scale_score").std().round(1).alias("sd"),
    )
    assert set(groups.rows()) == {("Yes", 143.6, 19.1), ("No", 155.7, 12.1)}
    means = both.group_by("chronic_pain").agg(pl.col("score").mean())
    assert abs(dict(means.iter_rows())["Yes"] - 143.6) < 5 and abs(dict(means.iter_rows())["No"] - 155.7) < 5


def test_scores_of_a_trial_come_as_scores(tmp_path: Path) -> None:
    folder = shared("data/prt-backpain-rct")
    raw = pl.read_csv(folder / "Ashar2022_outcomes_demographics.csv", infer_schema=False).filter(
        pl.col("is_patient") == "1"
    )
    long = pl.concat(
        raw.select(
            patient_id="id",
            visit=pl.col("time"),
            instrument=pl.lit(name),
            scale=pl.lit(scale),
            score=pl.col(column).replace("NaN", None),
        )
        for column, name, scale in [("pcs", "pcs", "total"), ("tsk11", "tsk_11", "total"), ("odi", "odi", "percent")]
    )
    long.write_csv(tmp_path / "scores.csv")
    notes = Notes("questionnaires")
    source = TableSource.model_validate({"path": "scores.csv", "visits": {"1": "baseline", "2": "week4"}})
    _, scores = read_questionnaires([source], tmp_path, None, notes)
    assert told(notes, "fatal") == [] and SCORES.problems(scores) == []
    assert set(scores["visit"]) == {"baseline", "week4"}
    pcs = scores.filter((pl.col("instrument") == "pcs") & (pl.col("visit") == "baseline"))
    expected = raw.filter(pl.col("time") == "1")["pcs"].cast(pl.Float64, strict=False).fill_nan(None)
    assert pcs["score"].mean() == pytest.approx(expected.mean())


def test_visits_in_the_columns_of_beat_the_blues(tmp_path: Path) -> None:
    """BDI totals at five visits of 100 people; 100, 97, 73, 58 and 52 are there."""
    folder = shared("data/pain-mood-longitudinal")
    raw = pl.read_csv(folder / "beat_the_blues_bdi.csv", infer_schema=False, null_values=["", "NA"])
    visits = {"bdi.pre": "baseline", "bdi.2m": "month2", "bdi.3m": "month3", "bdi.5m": "month5", "bdi.8m": "month8"}
    long = raw.unpivot(list(visits), index="patient_id", variable_name="visit", value_name="score")
    long.with_columns(instrument=pl.lit("bdi"), scale=pl.lit("total")).write_csv(tmp_path / "bdi.csv")
    notes = Notes("questionnaires")
    source = TableSource.model_validate({"path": "bdi.csv", "visits": visits})
    _, scores = read_questionnaires([source], tmp_path, None, notes)
    assert told(notes, "fatal") == []
    there = scores.drop_nulls("score").group_by("visit").len()
    assert dict(there.iter_rows()) == {"baseline": 100, "month2": 97, "month3": 73, "month5": 58, "month8": 52}
