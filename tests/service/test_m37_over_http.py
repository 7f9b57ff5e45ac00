"""Inputs that a mere signature lets through, or refuses for nothing: each by every way in, and what is said of it.

A person is answered, or named with the reason; a value is never changed, and the other people of the request are
answered as if the one that was refused were not there (docs/decisions/0026).
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from typer.testing import CliRunner

import nociomics
from nociomics.cli.app import app
from nociomics.errors import NociomicsError
from nociomics.service.app import Settings, make_app
from nociomics.service.champion import Reigning
from tests.export.bundles import write_small_bundle
from tests.service.asgi_client import Client

GOOD = {"age": 50.0, "sex": "F", "bpi_severity": 6.0, "pcs_total": 20.0, "crp_mg_per_l": 0.9, "il6_pg_per_ml": 2.0}
NUMBERS = ("expected", "lower", "upper", "p_response")
ABSENT = object()
NOT_IN_JSON = (float("nan"), float("inf"), float("-inf"))

CRP, PCS = "crp_mg_per_l is not within 0 to 500 mg/L", "pcs_total is not within 0 to 52 score"
# what comes -> what is said of the person; the first word is the status
TABLE: list[tuple[str, dict[str, Any], str]] = [
    ("a column is missing", {"age": ABSENT}, "ok"),
    ("text for a number", {"age": "50"}, "rejected: age is not a number"),
    ("a comma in a number", {"age": "50,5"}, "rejected: age is not a number"),
    ("true for a whole number", {"age": True}, "rejected: age is not a number"),
    ("a list for a number", {"age": [50]}, "rejected: age is not a number"),
    ("an object for a number", {"age": {}}, "rejected: age is not a number"),
    ("further columns", {"shoe_size": 43, "x": "y"}, "ok"),
    ("a whole number for a number", {"age": 50}, "ok"),
    ("12.0 for a whole number", {"pcs_total": 12.0}, "ok"),
    ("1 for a number", {"bpi_severity": 1}, "ok"),
    ("minus nothing", {"crp_mg_per_l": -0.0}, "ok"),
    ("null for a number", {"pcs_total": None}, "ok"),
    ("NaN for a whole number", {"pcs_total": float("nan")}, "ok"),
    ("NaN for a number", {"crp_mg_per_l": float("nan")}, "ok"),
    ("no category", {"sex": None}, "ok"),
    ("an unknown category", {"sex": "X"}, "rejected: sex is none of the model's 2 categories (schema)"),
    ("another spelling of a category", {"sex": "f"}, "rejected: sex is none of the model's 2 categories (schema)"),
    ("a number for a category", {"sex": 1.5}, "rejected: sex is none of the model's 2 categories (schema)"),
    ("true for a category", {"sex": True}, "rejected: sex is none of the model's 2 categories (schema)"),
    ("+inf", {"crp_mg_per_l": float("inf")}, f"rejected: {CRP}"),
    ("-inf", {"crp_mg_per_l": float("-inf")}, f"rejected: {CRP}"),
    ("the word inf", {"crp_mg_per_l": "inf"}, "rejected: crp_mg_per_l is not a number"),
    ("CRP in mg/dL", {"crp_mg_per_l": 0.09}, "rejected: check the unit of crp_mg_per_l: "
     "it would be an ordinary value in mg/dL"),
    ("PCS = 999", {"pcs_total": 999}, f"rejected: {PCS}"),
    ("PCS just above its range", {"pcs_total": 52.001}, f"rejected: {PCS}"),
    ("PCS at the end of its range", {"pcs_total": 52}, "ok"),
    ("CRP = -4", {"crp_mg_per_l": -4}, f"rejected: {CRP}"),
    ("CRP = 1e308", {"crp_mg_per_l": 1e308}, f"rejected: {CRP}"),
    ("a number beyond all floats", {"age": 10**400}, "rejected: age is not within 0 to 120 years"),
    ("a number beyond 64 bits", {"age": -(1 << 70)}, "rejected: age is not within 0 to 120 years"),
    ("the smallest float", {"crp_mg_per_l": 5e-324}, "ok"),
    ("another scale where there is no range", {"gene_07": 25_000.0}, "rejected: gene_07 is not within "),
    ("yes or no as true", {"il6_below_lod": True}, "ok"),
    ("yes or no as 2", {"il6_below_lod": 2}, "rejected: il6_below_lod is not within 0 to 1 0/1"),
    ("two at once", {"pcs_total": 999, "age": -1}, f"rejected: age is not within 0 to 120 years; {PCS}"),
    ("nothing at all", dict.fromkeys(GOOD, ABSENT), "abstained: nothing that the model uses was measured"),
]  # fmt: skip
NAMES = [name for name, _, _ in TABLE]
SENDABLE = [row for row in TABLE if not any(value in NOT_IN_JSON or value != value for value in row[1].values())]


def person(change: dict[str, Any], name: str = "a") -> dict[str, Any]:
    return {"patient_id": name, **{key: value for key, value in {**GOOD, **change}.items() if value is not ABSENT}}


def told(rows: list[dict[str, Any]]) -> dict[str, str]:
    """The one status of each person."""
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["patient_id"], set()).add(row["status"])
    assert all(len(statuses) == 1 for statuses in found.values())
    return {name: statuses.pop() for name, statuses in found.items()}


def is_right(answer: Any, said: str) -> bool:
    """Whether an answer says what belongs, has no number for who is not answered, and sound ones for who is."""
    (status,) = told(answer["predictions"]).values()
    values = [row[name] for row in answer["predictions"] for name in NUMBERS]
    if status == "ok":
        chances = [row["p_response"] for row in answer["predictions"]]
        return said == "ok" and bool(np.isfinite(values).all()) and all(0 <= chance <= 1 for chance in chances)
    silent = [row["recommended"] for row in answer["effects"]] + [row["stratum"] for row in answer["strata"]]
    return status.startswith(said) and values == [None] * len(values) and set(silent) <= {None}


@pytest.fixture(scope="module")
def model(exported):
    return nociomics.load_model(exported)


@pytest.fixture(scope="module")
def everybody(client):
    """The answer to one request with every row of the table, and good people between them."""
    rows = []
    for place, (_, change, _) in enumerate(SENDABLE):
        rows += [person(change, f"bad-{place:02d}")] + ([person({}, f"good-{place:02d}")] if place % 3 == 0 else [])
    answer = client.post("/predict", {"rows": rows})
    assert answer.status == 200, answer.content
    return answer.json()


@pytest.mark.parametrize(("change", "said"), [row[1:] for row in SENDABLE], ids=[row[0] for row in SENDABLE])
def test_one_person_over_http(client, change, said):
    answer = client.post("/predict", {"rows": [person(change)]})
    assert answer.status == 200, answer.content
    assert is_right(answer.json(), said), told(answer.json()["predictions"])


def test_each_person_of_a_batch_has_their_own_status(everybody):
    found = told(everybody["predictions"])
    for place, (name, _, said) in enumerate(SENDABLE):
        assert found[f"bad-{place:02d}"].startswith(said), name


def test_good_people_of_a_batch_are_answered_as_if_the_others_were_not_there(client, everybody):
    alone = client.post("/predict", {"rows": [person({}, "good-00")]}).json()
    good = [f"good-{place:02d}" for place in range(0, len(SENDABLE), 3)]
    for table in ("predictions", "effects", "strata"):
        for name in good:
            found = [{**row, "patient_id": "good-00"} for row in everybody[table] if row["patient_id"] == name]
            assert len(found) == len(alone[table]) > 0
            for one, other in zip(found, alone[table], strict=True):
                assert one == pytest.approx(other, abs=1e-9, nan_ok=False)


def test_nobody_is_answered_from_a_value_cut_to_its_range(client):
    """The person at the end of the range is answered, the one beyond it is not: nothing was cut."""
    rows = [person({"pcs_total": value}, str(value)) for value in (52, 53, 999)]
    found = client.post("/predict", {"rows": rows}).json()["predictions"]
    numbers = {row["patient_id"]: row["expected"] for row in found}
    assert numbers["52"] is not None and numbers["53"] is None and numbers["999"] is None


@pytest.mark.parametrize("path", ["/strata", "/explain"])
def test_every_endpoint_has_the_same_gate(client, path):
    found = client.post(path, {"rows": [person({"pcs_total": 999}, "bad"), person({}, "good")]}).json()
    if path == "/strata":
        assert {row["patient_id"]: row["stratum"] is None for row in found["strata"]} == {"bad": True, "good": False}
    else:
        assert {row["patient_id"] for row in found["explanations"]} == {"good"}


@pytest.mark.parametrize(
    "make",
    [
        lambda row: [row],
        lambda row: {name: [value] for name, value in row.items()},
        lambda row: pd.DataFrame([row]),
        lambda row: pd.DataFrame([row]).astype(object),
    ],
    ids=["objects", "columns", "pandas", "pandas of objects"],
)
@pytest.mark.parametrize(("change", "said"), [row[1:] for row in TABLE], ids=NAMES)
def test_one_person_in_python(model, make, change, said):
    found = model.answer(make(person(change)))
    tables = {name: getattr(found, name).to_dicts() for name in ("predictions", "effects", "strata")}
    assert is_right(tables, said), told(tables["predictions"])


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_of_json_is_refused_with_a_sentence(client, word):
    answer = client.post("/predict", content=f'{{"rows": [{{"crp_mg_per_l": {word}}}]}}'.encode())
    assert (answer.status, answer.json()["error"]["code"]) == (400, "not_json")
    assert "send null" in answer.json()["error"]["message"]


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" * 400])
def test_a_number_too_large_for_json_programs_is_the_persons_alone(client, number):
    content = f'{{"rows": [{{"patient_id": "bad", "age": {number}}}, {{"patient_id": "good", "age": 50}}]}}'.encode()
    answer = client.post("/predict", content=content)
    assert told(answer.json()["predictions"]) == {"bad": "rejected: age is not within 0 to 120 years", "good": "ok"}


def test_a_name_twice_is_refused_by_every_way_in(client, model, exported, tmp_path):
    answer = client.post("/predict", content=b'{"rows": [{"age": 50, "age": 60}]}')
    assert answer.status == 400 and "the same name twice" in answer.json()["error"]["message"]
    raw = b'{"tables": {"patients": [{"patient_id": "a", "age": 50, "age": 60}]}}'
    assert client.post("/predict", content=raw).status == 400
    with pytest.raises(NociomicsError, match="1 column names occur more than once"):
        model.predict(pd.DataFrame([["a", 1.0, 2.0]], columns=["patient_id", "age", "age"]))
    said, found = commanded(exported, tmp_path, "patient_id,age,age\na,50,60\n")
    assert found is None and "1 column names appear more than once" in said


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([[50.0, 1.0]], "bad_row"),
        ({"age": [50.0]}, "bad_rows"),
        ([50.0], "bad_row"),
        ([None], "bad_row"),
        ("a", "no_rows"),
    ],
)
def test_values_without_names_are_refused(client, model, rows, code):
    answer = client.post("/predict", {"rows": rows})
    assert (answer.status, answer.json()["error"]["code"]) == (422, code)


@pytest.mark.parametrize("rows", [np.zeros((2, 3)), [[50.0, 1.0]], [50.0], "a"], ids=["array", "lists", "list", "text"])
def test_values_without_names_are_refused_in_python(model, rows):
    with pytest.raises(NociomicsError, match="has no named columns"):
        model.predict(rows)


def test_order_and_further_columns_change_nothing_and_are_told(client):
    plain = client.post("/predict", {"rows": [person({})]}).json()
    turned = client.post("/predict", {"rows": [dict(reversed(person({"shoe_size": 43}).items()))]}).json()
    assert turned["predictions"] == plain["predictions"]
    assert "1 columns are not used by this model and were left out: shoe_size" in turned["notes"]
    narrow = pl.DataFrame([person({})], schema_overrides={"age": pl.Int32, "pcs_total": pl.Int8}, strict=False)
    assert client.post("/predict", {"rows": narrow.to_dicts()}).json()["predictions"] == plain["predictions"]


def test_what_is_absent_is_told(client):
    notes = client.post("/predict", {"rows": [person({"age": ABSENT, "sex": ABSENT})]}).json()["notes"]
    assert any("inputs are absent and count as not measured: age, " in note for note in notes)


@pytest.mark.parametrize("nobody", [[], {}, pl.DataFrame(), pd.DataFrame()])
def test_nobody_is_no_fault(client, model, nobody):
    assert model.predict(nobody).is_empty()
    assert client.post("/predict", {"rows": []}).json()["error"]["code"] == "no_rows"


def test_an_empty_row_is_a_person_of_whom_nothing_is_known(client):
    found = client.post("/predict", {"rows": [{}, {"age": 50}]}).json()
    assert told(found["predictions"]) == {"1": "abstained: nothing that the model uses was measured", "2": "ok"}


def test_a_whole_batch_in_another_unit_is_named_where_no_single_value_is_strange(client, study):
    """Many a CRP in mg/dL lies within what training people had in mg/L: only the table as a whole shows it."""
    (entry,) = [one for one in client.get("/model").json()["schema"] if one["feature"] == "crp_mg_per_l"]
    people = study.features.filter(pl.col("crp_mg_per_l").is_not_null()).sort("crp_mg_per_l")
    wrong = people.slice((people.height - 41) // 2, 41).with_columns(pl.col("crp_mg_per_l") / 10)
    ordinary = wrong.filter(pl.col("crp_mg_per_l") > entry["usual_low"]).head(1).to_dicts()
    assert set(told(client.post("/predict", {"rows": ordinary}).json()["predictions"]).values()) == {"ok"}
    found = told(client.post("/predict", {"rows": wrong.to_dicts()}).json()["predictions"])
    assert all(status.startswith("rejected: check the unit of crp_mg_per_l: ") for status in found.values())
    assert found[ordinary[0]["patient_id"]].endswith("the values look as if in mg/dL")


@pytest.fixture(scope="module")
def strict(study, tmp_path_factory):
    """A service whose model answers nobody without an age."""
    folder = write_small_bundle(study, tmp_path_factory.mktemp("strict"), required=["age"])
    reigning = Reigning(folder)
    assert reigning.reload(), reigning.refused
    found = Client(make_app(reigning, Settings()))
    yield found
    found.close()


@pytest.mark.parametrize("change", [{"age": ABSENT}, {"age": None}])
def test_what_must_not_be_missing_is_named(strict, change):
    for others in ([], [person({}, "good")]):
        found = told(strict.post("/predict", {"rows": [person(change, "bad"), *others]}).json()["predictions"])
        assert found["bad"] == "rejected: age is missing" and found.get("good", "ok") == "ok"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([person({}), person({})], "1 patient_id occur in more than one row"),
        ([person({}), {**person({}), "patient_id": None}], "1 rows have no patient_id"),
        ([person({}), GOOD], "1 rows have no patient_id"),
        ([{**person({}), "patient_id": [1]}], 'column "patient_id": holds an object or a list'),
    ],
)
def test_people_that_cannot_be_told_apart_are_refused_whole(client, rows, said):
    answer = client.post("/predict", {"rows": rows})
    assert answer.status == 422 and said in answer.json()["error"]["message"]


# raw tables: CRP of one person as a laboratory would send it -> what is said; None where nobody can be read
RAW = [
    ("mg/dL, stated", 0.09, "mg/dL", "ok"),
    ("mg/dL, said to be mg/L", 0.09, "mg/L", "rejected: check the unit of crp_mg_per_l: it would be an ordinary"),
    ("1e308", 1e308, "mg/L", f"rejected: {CRP}"),
    ("a number as text", "0.9", "mg/L", "ok"),
    ("null", None, "mg/L", "ok"),
    ("NaN", "NaN", "mg/L", "ok"),
    ("-4", -4, "mg/L", None),
    ("+inf", "inf", "mg/L", None),
    ("-inf", "-inf", "mg/L", None),
    ("true", "true", "mg/L", None),
    ("words", "a lot", "mg/L", None),
    ("no unit", 0.9, None, None),
    ("an unknown unit", 0.9, "furlong", None),
]


@pytest.mark.parametrize(("value", "unit", "said"), [row[1:] for row in RAW], ids=[row[0] for row in RAW])
def test_raw_tables_over_http_and_by_the_command(client, exported, tmp_path, value, unit, said):
    patients = [{"patient_id": name, "age": 50, "sex": "F"} for name in ("a", "b")]
    measured = [{"patient_id": "a", "analyte": "CRP", "value": value, "unit": unit}]
    answer = client.post("/predict", {"tables": {"patients": patients, "biomarkers": measured}})
    cells = ["" if cell is None else str(cell) for cell in measured[0].values()]
    text, found = commanded(
        exported, tmp_path, "patient_id,age,sex\na,50,F\nb,50,F\n", f"{','.join(measured[0])}\n{','.join(cells)}\n"
    )
    if said is None:
        assert answer.status == 422 and found is None
        assert "biomarkers" in answer.json()["error"]["message"] and "biomarkers" in text
    else:
        assert answer.status == 200, answer.content
        by_http = told(answer.json()["predictions"])
        assert by_http["a"].startswith(said) and by_http["b"] == "ok"
        assert found is not None and told(found) == by_http


@pytest.mark.parametrize(
    ("patients", "said"),
    [
        ([{"patient_id": "a", "age": "fifty"}], "hold text where a number belongs"),
        ([{"patient_id": "a", "age": True}], "hold text where a number belongs"),
        ([{"patient_id": "a", "age": 999}], "are outside 0 to 130 years"),
        ([{"patient_id": "a", "age": 50}, {"patient_id": "a", "age": 51}], "repeat an id that stands above"),
        ([{"age": 50}], 'has no column "patient_id"'),
        ([{}], "has no rows with columns"),
        ([[50]], "every row must be an object"),
        ([{"patient_id": "a", "": 1}], "a column has no usable name"),
    ],
)
def test_raw_people_that_cannot_be_read_are_named(client, patients, said):
    answer = client.post("/predict", {"tables": {"patients": patients}})
    assert answer.status == 422 and said in answer.json()["error"]["message"], answer.content


@pytest.mark.parametrize(
    ("patients", "said"),
    [
        ("", "the file is empty"),
        ("patient_id,age,sex\n", "has a header but no rows"),
        ("a,50,F\nb,60,M\n", 'has no column "patient_id"'),
        ("patient_id,age\na,inf\n", "hold text where a number belongs"),
        ("patient_id,age\na,1e999\n", "hold text where a number belongs"),
        ("patient_id,age\na,true\n", "hold text where a number belongs"),
        ("patient_id,age\na,999\n", "are outside 0 to 130 years"),
    ],
)
def test_files_that_cannot_be_read_are_named(exported, tmp_path, patients, said):
    text, found = commanded(exported, tmp_path, patients)
    assert found is None and said in text


def test_a_questionnaire_answer_that_cannot_be_is_named(client):
    answers = {f"pcs_{item}": 999 if item == 1 else 2 for item in range(1, 14)}
    tables = {"patients": [{"patient_id": "a", "age": 50}], "questionnaires": [{"patient_id": "a", **answers}]}
    answer = client.post("/predict", {"tables": tables})
    assert answer.status == 422 and 'column "pcs_1"' in answer.json()["error"]["message"]
    assert "nothing is cut to the range" in answer.json()["error"]["message"]


def commanded(model: Any, folder: Any, patients: str, biomarkers: str = "") -> tuple[str, list[dict[str, Any]] | None]:
    """Run `nociomics predict`; return what it said, and its predictions where there are any."""
    tables = {"patients": patients, "biomarkers": biomarkers}
    named = [name for name, text in tables.items() if text or name == "patients"]
    for name in named:
        (folder / f"{name}.csv").write_text(tables[name], encoding="utf-8")
    listed = "".join(f"  {name}: {name}.csv\n" for name in named)
    (folder / "study.yaml").write_text(f"study: new\ntables:\n{listed}", encoding="utf-8")
    out = folder / "predictions.parquet"
    done = CliRunner().invoke(app, ["predict", str(model), str(folder / "study.yaml"), "-o", str(out)])
    said = f"{done.output}{done.exception or ''}"
    assert "Traceback" not in said and (done.exception is None or isinstance(done.exception, NociomicsError)), said
    return said, pl.read_parquet(out).to_dicts() if out.is_file() else None


def test_the_table_holds_what_json_cannot_say():
    """The rows that are left out over HTTP are those of NaN and infinity alone."""
    left = [name for name, _, _ in TABLE if name not in [row[0] for row in SENDABLE]]
    assert left == ["NaN for a whole number", "NaN for a number", "+inf", "-inf"]
    json.dumps([person(change) for _, change, _ in SENDABLE], allow_nan=False)
