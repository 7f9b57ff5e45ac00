"""What each reader makes of a well-formed file: text in, contract rows out."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nociomics.harmonise.covariate_features import covariate_features
from nociomics.ingest.biomarkers import read_biomarkers
from nociomics.ingest.blocks import read_block
from nociomics.ingest.diplotypes import read_diplotypes
from nociomics.ingest.expression import read_expression
from nociomics.ingest.notes import Notes
from nociomics.ingest.patients import covariates, read_patients
from nociomics.ingest.questionnaires import read_questionnaires
from nociomics.tables.study import BlockSource, TableSource
from tests.conftest import examples


def source(folder: Path, text: str, name: str = "t.csv", **described: object) -> list[TableSource]:
    (folder / name).write_text(text)
    return [TableSource.model_validate({"path": name, **described})]


def messages(notes: Notes) -> list[tuple[str, int]]:
    return [(finding.severity, finding.count) for finding in notes.findings]


# --- biomarkers ---------------------------------------------------------------------------------------------------


def test_a_value_with_a_less_than_sign_is_a_non_detect(tmp_path: Path) -> None:
    text = (
        "patient_id,analyte,value,unit,below_lod,lod\n"
        "A,IL-6,<0.4,pg/mL,,\nB,IL-6,2.5,pg/mL,no,0.4\nC,IL-6,0.2,pg/mL,yes,0.4\nD,IL-6,,pg/mL,true,0.5\nE,IL-6,,pg/mL,,\n"
    )
    notes = Notes("biomarkers")
    frame = read_biomarkers(source(tmp_path, text), tmp_path, None, None, notes)
    assert frame is not None and notes.findings == []
    assert frame.select("patient_id", "analyte", "value", "below_lod", "lod").rows() == [
        ("A", "il6", 0.4, True, 0.4),
        ("B", "il6", 2.5, False, 0.4),
        ("C", "il6", 0.4, True, 0.4),
        ("D", "il6", 0.5, True, 0.5),
        ("E", "il6", None, False, None),
    ]


def test_wide_and_long_biomarkers_are_the_same(tmp_path: Path) -> None:
    wide = source(tmp_path, "patient_id,IL6,CRP\nA,1,2\nB,<3,\n", "w.csv", unit={"IL6": "pg/mL", "CRP": "mg/L"})
    text = "patient_id,analyte,value,unit\nA,IL6,1,pg/mL\nB,IL6,<3,pg/mL\nA,CRP,2,mg/L\nB,CRP,,mg/L\n"
    one = read_biomarkers(wide, tmp_path, None, None, Notes("b"))
    two = read_biomarkers(source(tmp_path, text), tmp_path, None, None, Notes("b"))
    assert one is not None and two is not None and one.rows() == two.rows()


# --- questionnaires -----------------------------------------------------------------------------------------------


def test_wide_and_long_answers_are_the_same(tmp_path: Path) -> None:
    wide = source(tmp_path, "patient_id,pcs_1,bpi_sev_1\nA,4,7\nB,,10\n", "w.csv")
    text = (
        "patient_id,visit,instrument,item,response\n"
        "A,V0,pcs,1,4\nB,V0,pcs,1,\nA,screening,bpi_sf,3,7\nB,0,bpi_sf,bpi_sev_1,10\n"
    )
    one, _ = read_questionnaires(wide, tmp_path, None, Notes("q"))
    two, scores = read_questionnaires(source(tmp_path, text), tmp_path, None, Notes("q"))
    key = ["instrument", "item", "patient_id"]
    assert one.sort(key).rows() == two.sort(key).rows()
    assert one["visit"].unique().to_list() == ["baseline"] and scores.height == 0


def test_other_visits_keep_their_word(tmp_path: Path) -> None:
    text = "patient_id,visit,pcs_1\nA,baseline,4\nA,week12,2\n"
    notes = Notes("q")
    answers, _ = read_questionnaires(source(tmp_path, text), tmp_path, None, notes)
    assert answers["visit"].to_list() == ["baseline", "week12"]
    assert messages(notes) == [("info", 1)]


def test_scores_are_read_and_held_to_their_range(tmp_path: Path) -> None:
    text = "patient_id,instrument,scale,score\nA,PCS,total,30\nB,pcs,total,53\n"
    notes = Notes("q")
    answers, scores = read_questionnaires(source(tmp_path, text), tmp_path, None, notes)
    assert answers.height == 0 and scores.row(0) == ("A", "baseline", "pcs", "total", 30.0)
    assert messages(notes) == [("fatal", 1)]


# --- expression, blocks, diplotypes -------------------------------------------------------------------------------


def test_genes_in_rows_and_people_in_rows_are_the_same(tmp_path: Path) -> None:
    people = source(tmp_path, "patient_id,COMT,OPRM1\nA,1,2\nB,3,\n", "p.csv")
    genes = source(tmp_path, "gene,A,B\nCOMT,1,3\nOPRM1,2,\n", "g.csv")
    one, batch = read_expression(people, tmp_path, None, None, Notes("e"))
    two, _ = read_expression(genes, tmp_path, None, None, Notes("e"))
    assert one is not None and two is not None and batch is not None
    assert one.rows() == two.rows() == [("A", 1.0, 2.0), ("B", 3.0, None)]
    assert batch.rows() == [("A", None), ("B", None)]


def test_samples_are_given_to_people_and_strangers_are_counted(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("sample,who,day,batch\nS1,A,0,x\nS2,A,7,x\nS3,B,0,y\nS4,,0,y\n")
    samples = {"path": "s.csv", "sample_id": "sample", "patient_id": "who", "where": {"day": 0}}
    notes = Notes("expression")
    described = source(tmp_path, "sample,G1\nS1,1\nS2,2\nS3,3\nS4,4\nS9,9\n", samples=samples)
    frame, batch = read_expression(described, tmp_path, None, None, notes)
    assert frame is not None and batch is not None
    assert frame.rows() == [("A", 1.0), ("B", 3.0)] and batch.rows() == [("A", "x"), ("B", "y")]
    assert messages(notes) == [("warning", 1), ("info", 1), ("warning", 1)]


def block(folder: Path, text: str, **described: object) -> tuple[pl.DataFrame | None, Notes]:
    (folder / "b.csv").write_text(text)
    notes = Notes("block b")
    given = [BlockSource.model_validate({"name": "b", "path": "b.csv", **described})]
    return read_block(given, folder, None, None, None, notes), notes


def test_a_long_block_becomes_wide_and_transformed(tmp_path: Path) -> None:
    text = "patient_id,isotype,antigen,value\nA,IgG,PT,8\nA,IgG,FHA,2\nB,IgG,PT,4\n"
    described = {"names_from": ["isotype", "antigen"], "values_from": "value", "transform": "log2"}
    frame, notes = block(tmp_path, text, **described, columns={"IgG_PT": "pt"})
    assert frame is not None and notes.findings == []
    assert frame.to_dict(as_series=False) == {"patient_id": ["A", "B"], "pt": [3.0, 2.0], "IgG_FHA": [1.0, None]}
    frame, notes = block(tmp_path, text + "A,IgG,PT,9\n", **described)
    assert messages(notes) == [("fatal", 1)] and "name one more column under names_from" in notes.findings[0].message


def test_outside_calls_wide_and_long_are_the_same(tmp_path: Path) -> None:
    wide = source(tmp_path, "patient_id,cyp2d6_diplotype\nA,*1x2/*4\nB,\n", "w.csv")
    long = source(tmp_path, "patient_id\tgene\tdiplotype\nA\tCYP2D6\t*1x2/*4\nB\tCYP2D6\t\n", "l.csv")
    rows = [("A", "CYP2D6", "*1x2/*4"), ("B", "CYP2D6", None)]
    for given_ in (wide, long):
        frame = read_diplotypes(given_, tmp_path, None, Notes("diplotypes"))
        assert frame is not None and frame.rows() == rows


# --- patients -----------------------------------------------------------------------------------------------------


def test_columns_of_people_become_numbers_or_stay_text(tmp_path: Path) -> None:
    text = "patient_id;age;sex;site;weight;smoker\n01;30;female;1;70,5;yes\n02;;W;2;80,25;no\n3;40;divers;1;;\n"
    notes = Notes("patients")
    frame = read_patients(source(tmp_path, text), tmp_path, notes)
    assert frame is not None
    assert frame.drop("__file", "__row").to_dict(as_series=False) == {
        "patient_id": ["01", "02", "3"],
        "age": [30.0, None, 40.0],
        "sex": ["F", "F", "divers"],
        "site": ["1", "2", "1"],
        "weight": [70.5, 80.25, None],
        "smoker": ["yes", "no", None],
    }
    assert messages(notes) == [("info", 2)]


def test_a_comma_that_may_part_thousands_is_not_guessed(tmp_path: Path) -> None:
    notes = Notes("patients")
    read_patients(source(tmp_path, "patient_id;weight\nA;1,234\nB;2,345\n"), tmp_path, notes)
    assert messages(notes) == [("fatal", 2)] and "may part thousands" in notes.findings[0].message


@pytest.mark.parametrize(
    ("cells", "count", "said"),
    [
        (["2", "-1", "", "-0.5"], 2, "are negative or not finite. A weight is 0 or more"),
        (["2", "much", "", "0"], 1, "hold text where a number belongs"),
        (["2", "0", "", "1.5"], 0, ""),
    ],
)
def test_a_persons_weight_of_harm_is_a_number_of_0_or_more(
    cells: list[str], count: int, said: str, tmp_path: Path
) -> None:
    notes = Notes("patients")
    rows = "".join(f"P{place},50,{cell}\n" for place, cell in enumerate(cells))
    frame = read_patients(source(tmp_path, f"patient_id,age,harm_weight\n{rows}"), tmp_path, notes)
    fatal = [finding for finding in notes.findings if finding.severity == "fatal"]
    assert [finding.count for finding in fatal] == ([count] if count else [])
    assert all(said in finding.message and finding.column == "harm_weight" for finding in fatal)
    assert frame is not None and frame.schema["harm_weight"] == pl.Float64


def test_a_persons_weight_of_harm_is_no_covariate(tmp_path: Path) -> None:
    described = source(tmp_path, "patient_id,age,harm_weight\nA,50,2\nB,60,\n")
    frame = read_patients(described, tmp_path, Notes("patients"))
    assert frame is not None
    notes = Notes("patients")
    kept, told = covariates(frame, described, notes, None)
    assert kept.columns == ["patient_id", "age", "harm_weight"] and told["column"].to_list() == ["age"]
    assert "own weight of harm" in notes.findings[0].message
    for when in (told, None):
        assert covariate_features(kept, when).frame.columns == ["patient_id", "age"]


def test_rows_values_and_years_are_taken_as_described(tmp_path: Path) -> None:
    text = "id,time,gender,born,seen\nA,1,1,2000-01-01,2020-01-01\nA,2,1,2000-01-01,2021-01-01\nB,1.0,2,x,2020-01-01\n"
    described = {
        "columns": {"id": "patient_id", "gender": "sex"},
        "where": {"time": 1},
        "values_map": {"sex": {"1": "M", "2": "F"}},
        "derive": {"age": {"years_from": "born", "years_to": "seen"}},
        "label": {"cohort": "first"},
        "missing": ["x"],
        "keep": ["sex", "age", "cohort"],
    }
    notes = Notes("patients")
    frame = read_patients(source(tmp_path, text, **described), tmp_path, notes)
    assert frame is not None and notes.findings == []
    assert frame.drop("__file", "__row").rows() == [("A", "M", 20.0, "first"), ("B", "F", None, "first")]


@settings(max_examples=examples(15), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(order=st.permutations(["patient_id", "age", "sex", "weight"]), rows=st.permutations(range(4)))
def test_the_order_of_columns_and_rows_changes_nothing(tmp_path: Path, order: list[str], rows: list[int]) -> None:
    table = pl.DataFrame(
        {
            "patient_id": ["A", "B", "C", "D"],
            "age": ["1", "2", None, "4"],
            "sex": ["F", "M", "F", None],
            "weight": ["5"] * 4,
        }
    )
    text = table[rows].select(order).write_csv()
    frame = read_patients(source(tmp_path, text), tmp_path, Notes("patients"))
    assert frame is not None
    read = frame.drop("__file", "__row").select("patient_id", "age", "sex", "weight").sort("patient_id")
    assert read["age"].to_list() == [1.0, 2.0, None, 4.0]
    assert read["sex"].to_list() == ["F", "M", "F", None] and read["weight"].to_list() == [5.0] * 4


@pytest.mark.parametrize(("ids", "hint"), [(" A", "spaces"), ("00A", "leading zeros"), ("A.0", 'trailing ".0"')])
def test_nearly_matching_ids_are_hinted_at_and_not_changed(tmp_path: Path, ids: str, hint: str) -> None:
    notes = Notes("diplotypes")
    described = source(tmp_path, f'patient_id,gene,diplotype\n"{ids}",CYP2D6,*1/*1\n')
    frame = read_diplotypes(described, tmp_path, pl.Series(["A", "B"]), notes)
    assert frame is not None and frame.height == 0
    assert messages(notes) == [("fatal", 1)] and hint in notes.findings[0].message
