"""Whatever is asked: no fault, no NaN, no probability outside 0 to 1; and what a mere signature would let through.

300 requests of /predict are tried, and 6,000 with NOCIOMICS_NIGHTLY=1; ``--hypothesis-show-statistics`` says how many
were answered with which status.
"""

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tests.service.generated_requests import ANYWHERE, CALLS_OF_HOOKS, QUESTIONS_OF_ADVICE, REQUESTS, problems


@settings(max_examples=examples(300), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(body=REQUESTS)
def test_no_request_breaks_the_service(client, body):
    answer = client.post("/predict", body)
    event(f"answered {answer.status}")
    assert problems(answer) == [], answer.content[:500]


@pytest.mark.parametrize(
    ("path", "likely"),
    [
        ("/explain", REQUESTS),
        ("/strata", REQUESTS),
        ("/pgx", QUESTIONS_OF_ADVICE),
        ("/cds-services/pgx-order-sign", CALLS_OF_HOOKS),
        ("/cds-services/pgx-order-select", CALLS_OF_HOOKS),
        ("/cds-services/pain-patient-view", CALLS_OF_HOOKS),
        ("/cds-services/pgx-order-sign/feedback", ANYWHERE),
    ],
)
@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_no_request_breaks_another_endpoint(client, path, likely, data):
    body = data.draw(likely if data.draw(st.booleans()) else ANYWHERE)
    if isinstance(body, dict) and isinstance(body.get("hook"), str):
        body = {**body, "hook": path.split("/")[-1].removeprefix("pgx-").removeprefix("pain-")}
    answer = client.post(path, body)
    event(f"answered {answer.status}")
    assert problems(answer) == [], answer.content[:500]


GOOD = {"age": 50.0, "sex": "F", "bpi_severity": 6.0, "pcs_total": 20.0, "crp_mg_per_l": 1.5, "il6_pg_per_ml": 2.0}


def status_of(client, row):
    found = client.post("/predict", {"rows": [row]}).json()
    (status,) = {one["status"] for one in found["predictions"]}
    return status


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"age": "fifty"}, "age is not a number"),
        ({"age": True}, "age is not a number"),
        ({"pcs_total": 999.0}, "pcs_total is not within"),
        ({"crp_mg_per_l": -4.0}, "crp_mg_per_l is not within"),
        ({"crp_mg_per_l": 1e308}, "crp_mg_per_l is not within"),
        ({"sex": "unknown"}, "sex is none of the model's"),
        ({"sex": [1]}, "sex is none of the model's"),
    ],
)
def test_a_value_that_the_model_cannot_take_is_named(client, change, word):
    assert status_of(client, {**GOOD, **change}).startswith(f"rejected: {word}")


@pytest.mark.parametrize(
    "row",
    [
        dict(reversed(GOOD.items())),
        {**GOOD, "more": 1},
        {**GOOD, "age": 50},
        {**GOOD, "age": None},
        {name: value for name, value in GOOD.items() if name != "age"},
    ],
    ids=["another order", "more columns", "a whole number", "missing", "absent"],
)
def test_what_is_fine_is_answered(client, row):
    assert status_of(client, row) == "ok"
