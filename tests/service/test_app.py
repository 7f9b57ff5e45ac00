"""The endpoints: what they answer, and what they refuse with which status and word."""

import json
import logging

import numpy as np
import polars as pl
import pytest

from nociomics.export.bundle import load_bundle
from nociomics.export.prediction import predict_people
from nociomics.service.app import Settings, make_app
from nociomics.service.champion import Reigning
from nociomics.service.doorkeeper import OPEN_PATHS
from nociomics.service.structured_log import JsonLines
from tests.service.asgi_client import Client
from tests.service.conftest import SECRET

PATIENTS = [{"patient_id": "SECRET-1", "age": 52, "sex": "F"}, {"patient_id": "SECRET-2", "age": "61.5", "sex": "M"}]
TABLES = {
    "patients": PATIENTS,
    "biomarkers": [{"patient_id": "SECRET-1", "analyte": "IL-6", "value": 2.5, "unit": "pg/mL"}],
    "questionnaires": [{"patient_id": "SECRET-1", **{f"pcs_{item}": 2 for item in range(1, 14)}}],
    "diplotypes": [{"patient_id": "SECRET-2", "gene": "CYP2D6", "diplotype": "*4/*4"}],
}


def rows_of(study, people=5):
    return study.features.head(people).to_dicts()


def test_raw_tables_are_answered_like_the_command_does(client, exported):
    answer = client.post("/predict", {"tables": TABLES})
    assert answer.status == 200, answer.content
    found = answer.json()
    assert {"predictions", "effects", "strata"} <= set(found)
    assert {row["patient_id"] for row in found["predictions"]} == {"SECRET-1", "SECRET-2"}
    assert {row["treatment"] for row in found["predictions"]} == {"cbt", "snri"}
    assert len(found["effects"]) == 2 and len(found["strata"]) == 2
    assert found["lacking"]["expression"]["lacking"] == found["lacking"]["expression"]["of"]


def test_raw_tables_give_what_predict_gives(client, exported, tmp_path):
    from typer.testing import CliRunner

    from nociomics.cli.app import app

    for name, rows in TABLES.items():
        pl.DataFrame(rows, infer_schema_length=None, strict=False).write_csv(tmp_path / f"{name}.csv")
    tables = "".join(f"  {name}: {name}.csv\n" for name in TABLES)
    (tmp_path / "study.yaml").write_text(f"study: new\ntables:\n{tables}", encoding="utf-8")
    out = tmp_path / "predictions.parquet"
    done = CliRunner().invoke(app, ["predict", str(exported), str(tmp_path / "study.yaml"), "-o", str(out)])
    assert done.exit_code == 0, done.output
    found = client.post("/predict", {"tables": TABLES}).json()
    expected = pl.read_parquet(out).to_dicts()
    assert [row["status"] for row in found["predictions"]] == [row["status"] for row in expected]
    for one, other in zip(found["predictions"], expected, strict=True):
        assert one["expected"] == pytest.approx(other["expected"], abs=1e-9)


def test_harmonised_rows_are_answered_like_the_bundle_does(client, study, exported):
    found = client.post("/predict", {"rows": rows_of(study)}).json()
    bundle = load_bundle(exported)
    people = study.features.head(5)
    expected, _ = predict_people(bundle, people, bundle.baseline(people))
    assert [row["patient_id"] for row in found["predictions"]] == expected["patient_id"].to_list()
    np.testing.assert_allclose(
        [row["expected"] for row in found["predictions"]], expected["expected"].to_list(), atol=1e-9
    )


def test_one_person_needs_no_id_and_gets_a_status(client):
    found = client.post("/predict", {"rows": [{"age": 50.0, "pcs_total": 999.0}]}).json()
    assert {row["status"] for row in found["predictions"]} == {"rejected: pcs_total is not within 0 to 52 score"}
    assert all(row["expected"] is None for row in found["predictions"])


def test_a_column_that_the_model_does_not_know_is_told(client):
    found = client.post("/predict", {"rows": [{"age": 50.0, "shoe_size": 43}]}).json()
    assert any("shoe_size" in note for note in found["notes"])


def test_explanations_add_up(client, study):
    rows = rows_of(study, 2)
    found = client.post("/explain", {"rows": rows}).json()
    predicted = client.post("/predict", {"rows": rows}).json()["predictions"]
    base = {row["treatment"]: row["base_value"] for row in found["base_values"]}
    for row in predicted:
        own = [
            one["shap_value"]
            for one in found["explanations"]
            if (one["patient_id"], one["treatment"]) == (row["patient_id"], row["treatment"])
        ]
        assert base[row["treatment"]] + sum(own) == pytest.approx(row["expected"], abs=1e-4)


def test_pgx_advice_without_a_model(exported):
    alone = Client(make_app(Reigning(exported), Settings()))
    assert alone.get("/ready").status == 503
    assert alone.post("/predict", {"rows": [{"age": 1}]}).status == 503
    body = {"tables": {"diplotypes": TABLES["diplotypes"]}, "drugs": ["codeine", "acetaminophen"]}
    found = alone.post("/pgx", body).json()["recommendations"]
    alone.close()
    assert [(row["drug"], row["category"]) for row in found] == [
        ("codeine", "AVOID"),
        ("acetaminophen", "NO_ACTIONABLE_PGX"),
    ]


def test_the_model_tells_its_card_schema_and_versions(client):
    found = client.get("/model").json()
    assert "Not for treating a person without a clinician" in found["card"]
    assert {entry["feature"] for entry in found["schema"]} >= {"age", "sex", "pcs_total"}
    assert found["manifest"]["libraries"]["polars"] and "files" not in found["manifest"]
    assert client.get(f"/model/{found['name']}").json() == found


@pytest.mark.parametrize("name", ["..%2f..%2fetc", "..", "a..b", "%2e%2e", "a%00b", "~root", ".hidden"])
def test_a_model_name_that_is_a_path_is_refused(client, name):
    answer = client.get(f"/model/{name}")
    assert (answer.status, answer.json()["error"]["code"]) == (400, "bad_model_name")


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/model/x/y", "/model/../../etc/passwd", "/../etc/passwd", "/cds-services/nothing/at/all"]
)
def test_an_unknown_path_is_404(client, path):
    assert client.get(path).status == 404


def test_the_wrong_method_is_405(client):
    assert client.get("/predict").status == 405
    assert client.post("/model", {}).status == 405


def test_health_ready_and_metrics(client):
    assert client.get("/health").json()["status"] == "alive"
    assert client.get("/ready").json()["ready"] is True
    text = client.get("/metrics").content.decode()
    assert 'nociomics_requests_total{path="/predict",status="200"}' in text
    assert "nociomics_ready 1.0" in text and "SECRET" not in text


def test_openapi_lists_every_endpoint(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert {
        "/predict",
        "/explain",
        "/strata",
        "/pgx",
        "/model",
        "/health",
        "/ready",
        "/metrics",
        "/cds-services",
    } <= set(paths)
    assert "application/json" in paths["/predict"]["post"]["requestBody"]["content"]


@pytest.mark.parametrize("path", ["/model", "/metrics", "/cds-services", "/nothing", "/admin/counts"])
@pytest.mark.parametrize(
    "sent", [None, "Bearer wrong", f"Basic {SECRET}", f"Bearer {SECRET}x", f"bearer{SECRET}", "Bearer ", "Bearer é"]
)
def test_nothing_is_told_without_the_token(client, path, sent):
    answer = client.get(path, headers={"authorization": sent})
    assert (answer.status, answer.json()["error"]["code"]) == (401, "not_allowed")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_body_is_not_read_without_the_token(client):
    assert client.post("/predict", content=b"{", headers={"authorization": None}).status == 401


@pytest.mark.parametrize("path", sorted(OPEN_PATHS))
def test_what_anybody_may_read(client, path):
    assert client.get(path, headers={"authorization": None}).status == 200


def test_without_a_token_only_this_machine_is_answered(exported):
    alone = Client(make_app(Reigning(exported), Settings()))
    assert alone.get("/metrics", headers={"host": "127.0.0.1:8080"}).status == 200
    assert alone.get("/metrics", headers={"host": "evil.example"}).json()["error"]["code"] == "not_this_machine"
    alone.close()


@pytest.mark.parametrize(
    "kind", ["text/plain", None, "application/x-www-form-urlencoded", "application/json; charset=latin-1"]
)
def test_another_content_type_is_415(client, kind):
    assert client.post("/predict", {}, headers={"content-type": kind}).status == 415


def test_a_packed_body_is_415(client):
    assert client.post("/predict", {}, headers={"content-encoding": "gzip"}).status == 415


@pytest.mark.parametrize(
    "how",
    [
        {"content": b"x", "headers": {"content-length": "1000000000"}},
        {"content": b"x", "headers": {"content-length": "9" * 5000}},
        {"chunks": [b"[" * 60_000] * 4},
        {"chunks": [b"x" * 150_000] * 2, "headers": {"content-length": "5"}},
    ],
    ids=["announced", "announced without end", "in chunks", "longer than it says"],
)
def test_a_body_that_is_too_long_is_413(client, how):
    answer = client.post("/predict", **how)
    assert (answer.status, answer.json()["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"[" * 10_000, "too_deep"),
        (b'{"a":' * 10_000, "too_deep"),
        (b'{"a":' * 50 + b"1" + b"}" * 50, "too_deep"),
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"\xff\xfe", "not_json"),
        (b'{"rows": [{"age": NaN}]}', "not_json"),
        (b'{"rows": [{"age": -Infinity}]}', "not_json"),
        (b'{"rows": [], "rows": []}', "not_json"),
        (b'{"rows": [{"age": ' + b"1" * 5000 + b"}]}", "not_json"),
        (b"[]", "not_an_object"),
        (b'"x"', "not_an_object"),
    ],
)
def test_what_is_no_usable_json_is_400(client, content, code):
    answer = client.post("/predict", content=content)
    assert (answer.status, answer.json()["error"]["code"]) == (400, code)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "no_people"),
        ({"rows": [], "tables": {}}, "no_people"),
        ({"rows": []}, "no_rows"),
        ({"rows": 5}, "no_rows"),
        ({"rows": [5]}, "bad_row"),
        ({"rows": [{"": 1}]}, "bad_column"),
        ({"rows": [{"patient_id": "a"}, {"patient_id": "a"}]}, "unusable_tables"),
        ({"tables": {}}, "no_patients"),
        ({"tables": {"patients": []}}, "no_rows"),
        ({"tables": {"patients": [{"age": 1}]}}, "unusable_tables"),
        ({"tables": {"patients": PATIENTS, "patient": PATIENTS}}, "unknown_table"),
        ({"tables": {"patients": [{"patient_id": "a", "age": [1]}]}}, "bad_value"),
        ({"tables": {"patients": [{"patient_id": "a", "age": 500}]}}, "unusable_tables"),
        ({"tables": {"patients": {"rows": PATIENTS, "path": "/etc/passwd"}}}, "bad_table_option"),
        ({"tables": {"patients": {"rows": PATIENTS, "samples": "/etc/passwd"}}}, "bad_table_option"),
        ({"tables": {"patients": {"rows": PATIENTS, "layout": "diagonal"}}}, "bad_table_option"),
        ({"tables": {"patients": PATIENTS, "blocks": {"../x": []}}}, "bad_blocks"),
        ({"rows": [{"age": 50}], "harm_weight": 2}, "no_harm_to_weigh"),
        ({"rows": [{"age": 50}], "harm_weight": "much"}, "bad_harm_weight"),
    ],
)
def test_people_that_cannot_be_read_are_422(client, body, code):
    answer = client.post("/predict", body)
    assert (answer.status, answer.json()["error"]["code"]) == (422, code), answer.content


def test_too_many_people_are_413(client):
    rows = [{"age": 50.0}] * 51
    assert client.post("/predict", {"rows": rows}).json()["error"]["code"] == "too_many_rows"
    tables = {"patients": [{"patient_id": str(number)} for number in range(51)]}
    assert client.post("/predict", {"tables": tables}).status == 413


def test_a_refusal_shows_no_value(client):
    tables = {"patients": [{"patient_id": "SECRET-9", "age": "SECRET-AGE"}]}
    text = client.post("/predict", {"tables": tables}).content.decode()
    assert "SECRET" not in text and "age" in text and "/tmp" not in text and "/dev/shm" not in text


def test_the_log_has_neither_ids_nor_values(client, caplog):
    with caplog.at_level(logging.INFO):
        client.post("/predict", {"tables": TABLES})
        client.get("/model/SECRET-1")
        client.get("/SECRET-1")
    lines = [JsonLines().format(record) for record in caplog.records if record.name.startswith("nociomics.service")]
    assert len(lines) == 3 and not any("SECRET" in line for line in lines)
    told = [json.loads(line) for line in lines]
    assert [one["status"] for one in told] == [200, 404, 404]
    assert [one["path"] for one in told] == ["/predict", "/model/{name}", "other"]


def test_a_fault_is_500_without_its_text(exported, monkeypatch, caplog):
    reigning = Reigning(exported)
    assert reigning.reload()
    alone = Client(make_app(reigning, Settings()))

    def fail(*_: object) -> bytes:
        raise RuntimeError("SECRET-VALUE")

    monkeypatch.setattr("nociomics.service.answers.predict", fail)
    answer = alone.post("/predict", {"rows": [{"age": 1}]})
    alone.close()
    assert answer.status == 500 and b"SECRET" not in answer.content
    fault = next(record for record in caplog.records if record.exc_info)
    line = JsonLines().format(fault)
    assert "SECRET" not in line and json.loads(line)["fault"] == "RuntimeError"
