"""Requests that nobody would write by hand: for the property here, and for the benchmark that tries more of them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NAMES = ("age", "sex", "pain_type", "bpi_severity", "pcs_total", "il6_pg_per_ml", "crp_mg_per_l", "il6_below_lod",
         "cyp2d6_activity_score", "cyp2d6_phenotype", "expression_batch", "gene_00", "gene_49")  # fmt: skip
_NUMBERS = st.one_of(
    st.floats(0, 100),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(10**30), 10**30),
    st.sampled_from([0, -0.0, 999, -4, 1e308, -1e308, 5e-324, 10**400, 12.0]),
)
_WORDS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["F", "M", "poor", "NaN", "inf", "1,5", "<0.4", "", " ", "=1+1", "b1", "é", "\x00", "*4/*4", "NA"]),
)
_CELLS = st.one_of(st.none(), st.booleans(), _NUMBERS, _WORDS, st.lists(st.integers(), max_size=1), st.just({}))
_ROWS = st.lists(
    st.dictionaries(st.one_of(st.sampled_from((*NAMES, "patient_id")), st.text(max_size=6)), _CELLS, max_size=8),
    max_size=4,
)
_LIKELY = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(NAMES, st.one_of(st.none(), st.floats(-1, 120), _NUMBERS)),
            "sex": st.sampled_from(["F", "M", None, "x"]),
            "pain_type": st.sampled_from(["back", "head", "nerve", "new", None]),
            "cyp2d6_phenotype": st.sampled_from(["poor", "normal", None]),
            "expression_batch": st.sampled_from(["b1", "b2", "b9", None]),
        },
    ),
    min_size=1,
    max_size=4,
)
_IDS = st.sampled_from(["a", "b", "c", 1, None])


def _table(**cells: Any) -> Any:
    named = {name: st.one_of(_CELLS, own) for name, own in cells.items()}
    return st.lists(st.fixed_dictionaries({"patient_id": _IDS}, optional=named), max_size=4)


_TABLES = st.fixed_dictionaries(
    {"patients": _table(age=st.floats(0, 120), sex=st.sampled_from(["F", "M"]), site=_WORDS)},
    optional={
        "biomarkers": _table(
            analyte=st.sampled_from(["IL-6", "CRP", "IL6", "nonsense"]),
            value=st.one_of(st.floats(0, 100), st.sampled_from(["<0.4", "2.5"])),
            unit=st.sampled_from(["pg/mL", "mg/L", "mg/dL", "furlong"]),
        ),
        "questionnaires": _table(**{f"pcs_{item}": st.integers(-1, 6) for item in range(1, 14)}),
        "diplotypes": _table(gene=st.sampled_from(["CYP2D6", "cyp2c19", "HLA-B", "X"]), diplotype=_WORDS),
        "treatment_history": _table(drug=_WORDS),
        "expression": _table(gene_00=st.floats(0, 20)),
        "blocks": st.dictionaries(st.sampled_from(["proteins", "X", ""]), _table(p1=st.floats(0, 1)), max_size=1),
        "nonsense": st.none(),
    },
)
REQUESTS = st.one_of(
    st.builds(lambda rows: {"rows": rows}, _LIKELY),
    st.builds(lambda rows: {"rows": rows}, _ROWS),
    st.builds(lambda tables: {"tables": tables}, _TABLES),
    st.recursive(_CELLS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner)),
)
"""Bodies of /predict, likely and absurd."""


_RESOURCES = st.fixed_dictionaries(
    {"resourceType": st.sampled_from(["Bundle", "Observation", "MedicationRequest", "Consent", "Patient", ""])},
    optional={
        "id": st.one_of(st.just("1"), _CELLS),
        "status": st.one_of(st.sampled_from(["draft", "active", "final"]), _CELLS),
        "entry": st.lists(st.fixed_dictionaries({"resource": _CELLS}), max_size=2),
        "code": st.one_of(_CELLS, st.just({"coding": [{"system": "http://loinc.org", "code": "84413-4"}]})),
        "medicationCodeableConcept": st.one_of(_CELLS, st.just({"text": "codeine"}), st.just({"coding": [None]})),
        "valueCodeableConcept": st.one_of(_CELLS, st.just({"text": "CYP2D6 *4/*4"})),
        "component": st.one_of(_CELLS, st.lists(_CELLS, max_size=2)),
        "provision": st.one_of(_CELLS, st.just({"type": "permit", "period": {"end": "soon"}})),
        "subject": st.one_of(_CELLS, st.sampled_from([{"reference": 5}, {"reference": "Patient/p1"}])),
    },
)
_BUNDLES = st.builds(
    lambda resources: {"resourceType": "Bundle", "entry": [{"resource": one} for one in resources]},
    st.lists(st.one_of(_RESOURCES, _CELLS), max_size=3),
)
_CALLS = st.fixed_dictionaries(
    {
        "hook": st.one_of(st.sampled_from(["order-sign", "order-select", "patient-view"]), _CELLS),
        "hookInstance": st.one_of(st.just("d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"), _CELLS),
        "context": st.one_of(
            _CELLS,
            st.fixed_dictionaries(
                {"patientId": st.one_of(st.just("p1"), _CELLS), "userId": st.one_of(st.just("Practitioner/x"), _CELLS)},
                optional={"draftOrders": st.one_of(_BUNDLES, _CELLS), "selections": st.lists(_WORDS, max_size=2)},
            ),
        ),
    },
    optional={
        "prefetch": st.one_of(_CELLS, st.dictionaries(_WORDS, st.one_of(_BUNDLES, _RESOURCES, _CELLS), max_size=2)),
        "feedback": st.one_of(_CELLS, st.lists(st.dictionaries(_WORDS, _CELLS, max_size=2), max_size=2)),
    },
)
_ORDERS = st.fixed_dictionaries(
    {"resourceType": st.just("MedicationRequest"), "id": st.just("1"), "status": st.just("draft")},
    optional={
        "medicationCodeableConcept": st.sampled_from([{"text": "codeine"}, {"coding": [None]}, {}, {"coding": "x"}]),
        "subject": st.sampled_from([{"reference": "Patient/p1"}, {"reference": "Patient/p2"}, {"reference": 5}, None]),
        "medicationReference": st.sampled_from([{"reference": "#1"}, {"reference": 1}, []]),
        "contained": st.one_of(_CELLS, st.lists(_RESOURCES, max_size=1)),
    },
)
_DRAFTS = st.builds(
    lambda order, others: {"resourceType": "Bundle", "entry": [{"resource": one} for one in (order, *others)]},
    _ORDERS,
    st.lists(st.one_of(_RESOURCES, _CELLS), max_size=2),
)
CALLS_OF_HOOKS = st.fixed_dictionaries(
    {
        "hook": st.sampled_from(["order-sign", "order-select", "patient-view"]),
        "hookInstance": st.just("d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"),
        "context": st.fixed_dictionaries(
            {
                "patientId": st.just("p1"),
                "userId": st.just("Practitioner/x"),
                "draftOrders": _DRAFTS,
                "selections": st.just(["MedicationRequest/1"]),
            }
        ),
        "prefetch": st.one_of(
            st.dictionaries(_WORDS, st.one_of(_BUNDLES, _RESOURCES, _CELLS), max_size=3),
            st.fixed_dictionaries({name: _BUNDLES for name in ("genomics", "consent", "medications", "statements")}),
        ),
    }
)
QUESTIONS_OF_ADVICE = st.fixed_dictionaries(
    {
        "tables": st.fixed_dictionaries(
            {
                "diplotypes": st.lists(
                    st.fixed_dictionaries(
                        {
                            "patient_id": st.sampled_from(["a", "b", "c"]),
                            "gene": st.sampled_from(["CYP2D6", "CYP2C19", "HLA-B", "COMT"]),
                            "diplotype": st.one_of(st.sampled_from(["*1/*1", "*4/*4", "*1/*2x3", "*999/*1"]), _WORDS),
                        }
                    ),
                    min_size=1,
                    max_size=3,
                )
            }
        )
    },
    optional={"drugs": st.lists(st.one_of(st.just("codeine"), _WORDS), max_size=2), "indication": _WORDS},
)
_DRUGS = st.one_of(_CELLS, st.lists(st.one_of(st.just("codeine"), _CELLS), max_size=2))
ANYWHERE = st.one_of(
    CALLS_OF_HOOKS,
    _CALLS,
    QUESTIONS_OF_ADVICE,
    REQUESTS,
    st.builds(lambda tables, drugs: {"tables": tables, "drugs": drugs, "indication": drugs}, _TABLES, _DRUGS),
)
"""Bodies of the other endpoints: calls of hooks, drugs to be advised about, people."""


def problems(answer: Any) -> list[str]:
    """Say what is wrong with an answer, whatever was asked: a fault, NaN in JSON, a probability that is none."""
    if answer.status >= 500:
        return [f"status {answer.status}"]
    value = answer.json()
    if answer.status != 200:
        return [] if value["error"]["code"] and value["error"]["message"] else ["no reason"]
    found = []
    for table in ("predictions", "effects", "strata"):
        for row in value.get(table, []):
            chances = [row[name] for name in row if name.startswith("p_") and row[name] is not None]
            if any(not 0 <= chance <= 1 for chance in chances):
                found.append(f"a probability of {table}")
    if any(not row["status"] for row in value.get("predictions", [])):
        found.append("a row without a status")
    return found
