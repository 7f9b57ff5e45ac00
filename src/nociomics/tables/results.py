"""What the stages after harmonise write: the results that users and services read."""

from __future__ import annotations

from nociomics.tables.contract import Column, Contract

_ID = Column("patient_id")
_ARM = Column("treatment", null=True, meaning="null in a study without treatments")

SPLITS = Contract(
    "splits",
    (_ID, Column("repeat", "integer"), Column("outer_fold", "integer"), Column("inner_fold", "integer")),
    key=("patient_id", "repeat"),
    row="one person in one repeat",
)

OUT_OF_FOLD = Contract(
    "out_of_fold",
    (
        _ID,
        Column("repeat", "integer"),
        Column("outer_fold", "integer"),
        _ARM,
        Column("expected", "number", null=True, meaning="points or units; null for multiclass"),
        Column("p_response", "number", null=True, low=0, high=1),
    ),
    key=("patient_id", "repeat", "treatment"),
    open=True,
    row="one person, repeat and treatment; one p_<class> column each for multiclass",
)

PREDICTIONS = Contract(
    "predictions",
    (
        _ID,
        _ARM,
        Column("expected", "number", null=True),
        Column("lower", "number", null=True),
        Column("upper", "number", null=True),
        Column("p_response", "number", null=True, low=0, high=1),
        Column("status", meaning="ok, or why there is no answer"),
    ),
    key=("patient_id", "treatment"),
    open=True,
    row="one person and treatment",
)

EFFECTS = Contract(
    "effects",
    (
        _ID,
        Column("treatment_a"),
        Column("treatment_b"),
        Column("effect", "number", null=True, meaning="expected(a) - expected(b)"),
        Column("lower", "number", null=True),
        Column("upper", "number", null=True),
        Column("p_better", "number", null=True, low=0, high=1),
        Column("recommended", null=True),
        Column("status"),
    ),
    key=("patient_id", "treatment_a", "treatment_b"),
    row="one person and pair of treatments",
)

ASSIGNMENTS = Contract(
    "assignments",
    (
        _ID,
        Column("stratum", null=True, meaning="S1, S2...; null when nothing of the person was measured"),
        Column("entropy", "number", null=True, low=0),
        Column("atypical", "boolean", null=True),
        Column("between", "boolean", null=True),
    ),
    key=("patient_id",),
    open=True,
    row="one person; one p_<stratum> column each",
)

SHAP_VALUES = Contract(
    "shap_values",
    (
        _ID,
        _ARM,
        Column("feature"),
        Column("modality"),
        Column("group"),
        Column("feature_value", "number", null=True),
        Column("shap_value", "number", meaning="in outcome points; probability for a class"),
        Column("class", null=True, required=False),
    ),
    row="one person, treatment (and class) and feature",
)

BASE_VALUES = Contract(
    "base_values",
    (_ARM, Column("base_value", "number"), Column("class", null=True, required=False)),
    row="one treatment (and class)",
)

PGX_CALLS = Contract("pgx_calls", (Column("sample"), Column("gene")), open=True, row="one person and gene")
PGX_RECOMMENDATIONS = Contract(
    "pgx_recommendations", (Column("sample"), Column("drug")), open=True, row="one person and drug"
)

FACTOR_SCORES = Contract(
    "factor_scores", (_ID,), key=("patient_id",), open=True, row="one person; one column factor_<n> each"
)

DUPLICATES = Contract(
    "duplicates",
    (Column("patient_a"), Column("patient_b"), Column("evidence", allowed=("genotype", "expression"))),
    key=("patient_a", "patient_b"),
    row="two ids that are probably one person",
)

ARMS = Contract(
    "arms",
    (_ARM, Column("people", "integer", low=0), Column("with_outcome", "integer", low=0)),
    open=True,
    row="one treatment: who got it, who has an outcome, what became of them",
)
