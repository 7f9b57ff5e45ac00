"""What harmonise hands to the models: one row of features per person, and what each feature is."""

from __future__ import annotations

from nociomics.tables.contract import Column, Contract

FEATURES = Contract(
    "features",
    (Column("patient_id"),),
    key=("patient_id",),
    open=True,
    row="one person; numbers as Float64 (genes and large blocks as Float32), categories as text, null = not measured",
)

FEATURE_CATALOGUE = Contract(
    "feature_catalogue",
    (
        Column("feature", meaning="column of features"),
        Column(
            "modality", meaning="clinical, genotype, pgx, expression, biomarkers, questionnaires, or a block's name"
        ),
        Column("group", meaning="what it is shown with: an instrument, an analyte, a gene"),
        Column("unit", meaning="unit, 'count', 'score', '0/1' or 'category'"),
        Column("measured_at", meaning="'baseline', else the feature may not be used"),
        Column("description"),
        Column("missing_share", "number", low=0, high=1),
        Column("kind", allowed=("numeric", "binary", "category")),
        Column("within", null=True, meaning="category feature within which its values are comparable"),
        Column("low", "number", null=True, meaning="smallest value that is possible, in its unit"),
        Column("high", "number", null=True, meaning="largest value that is possible, in its unit"),
        Column("source_file", null=True, required=False, meaning="files that it came from, joined by a semicolon"),
        Column("source_column", null=True, required=False, meaning="columns of these files"),
    ),
    key=("feature",),
    row="one feature",
)

TARGET_ROWS = Contract(
    "target_rows",
    (
        Column("patient_id"),
        Column("treatment", null=True, meaning="arm received, null in a study without treatments"),
        Column("assignment", null=True),
        Column("baseline", "number", null=True),
        Column("outcome", "number", null=True, meaning="as observed; class index for classes"),
        Column("label", null=True, meaning="class name for classes"),
        Column("response_value", "number", null=True, meaning="what is modelled: baseline - outcome for a change"),
        Column("responded", "number", null=True, meaning="0/1 by the response rule"),
        Column("adverse_event", "number", null=True),
        Column("group", null=True, meaning="value of target.groups"),
    ),
    key=("patient_id",),
    row="one person of the study, with or without an outcome",
)

COHORT_FLOW = Contract(
    "cohort_flow",
    (Column("step"), Column("people", "integer", low=0), Column("left_out", "integer", low=0), Column("reason")),
    row="one step from everyone to those who can be analysed",
)

SAFETY_ITEMS = Contract(
    "safety_items",
    (
        Column("patient_id", meaning="the study's own id"),
        Column("visit"),
        Column("instrument", meaning="id of knowledge/instruments, or of the study's own"),
        Column("item", meaning="item id of the instrument file"),
        Column("points", "number", meaning="points of the answer, before any reversal"),
        Column("at_least", "number", meaning="points from which the answer must be seen"),
        Column("concern", meaning="what it may tell of"),
        Column("provenance", allowed=("checked", "general", "project_default"), meaning="how sure the rule is"),
    ),
    key=("patient_id", "visit", "instrument", "item"),
    row="one answer that a clinician must look at; for the people who care for the patient, never for a log",
)
