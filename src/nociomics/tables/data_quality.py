"""Figures about the data for the data-quality page: they describe the cohort and change no value of it."""

from __future__ import annotations

from nociomics.tables.contract import Column, Contract

_MODALITY = Column("modality", meaning="as in the feature catalogue")
_NAME = Column("name", meaning="feature, analyte or scale; 'all genes' and the like for what is wide")
_STAGE = Column("stage", allowed=("reported", "harmonised"), meaning="as the file has it, or as the feature has it")
_UNIT = Column("unit", meaning="unit of this stage, 'category' for labels")

DISTRIBUTIONS = Contract(
    "distributions",
    (
        _MODALITY,
        _NAME,
        _STAGE,
        _UNIT,
        Column("label", meaning="what it is, in words"),
        Column("scale", allowed=("linear", "log10", "category"), meaning="how the histogram's bins are spaced"),
        Column("values", "integer", low=0, meaning="values that are not missing, non-detects included"),
        Column("missing", "integer", low=0),
        Column("non_detects", "integer", null=True, low=0, meaning="null where there is no limit of detection"),
        Column("below", "integer", null=True, low=0, meaning="values under the plausible range; null without one"),
        Column("above", "integer", null=True, low=0, meaning="values over the plausible range; null without one"),
        Column("not_positive", "integer", low=0, meaning="values at or under 0, which a log axis cannot show"),
        Column("low", "number", null=True, meaning="lower end of the plausible range, in this unit"),
        Column("high", "number", null=True, meaning="upper end of the plausible range, in this unit"),
        Column("lower_quartile", "number", null=True),
        Column("median", "number", null=True, meaning="null for labels and for fewer than five values"),
        Column("upper_quartile", "number", null=True),
    ),
    key=("modality", "name", "stage", "unit"),
    row="one measured thing at one stage in one unit",
)

HISTOGRAMS = Contract(
    "histograms",
    (
        _MODALITY,
        _NAME,
        _STAGE,
        _UNIT,
        Column("bin", "integer", low=0, meaning="from 0, in rising order; for labels the most frequent first"),
        Column("level", null=True, meaning="the label; null for a bin of numbers"),
        Column("low", "number", null=True, meaning="lower edge, included; null: open"),
        Column("high", "number", null=True, meaning="upper edge, not included; null: open"),
        Column("count", "integer", low=0),
    ),
    key=("modality", "name", "stage", "unit", "bin"),
    row="one bin of one histogram; edges are round numbers, never a person's value",
)

MISSINGNESS = Contract(
    "missingness",
    (
        _MODALITY,
        Column("features", "integer", low=0),
        Column("people", "integer", low=0, meaning="people of the study"),
        Column("people_with_any", "integer", low=0, meaning="at least one feature of the modality"),
        Column("people_with_all", "integer", low=0, meaning="every feature of the modality"),
        Column("missing_share", "number", low=0, high=1, meaning="of all people and features"),
        Column("missing_share_measured", "number", null=True, low=0, high=1, meaning="among people with any of it"),
    ),
    key=("modality",),
    row="one modality",
)

MISSING_PATTERNS = Contract(
    "missing_patterns",
    (
        Column("modalities", meaning="modalities that these people have, joined by a semicolon; empty for none"),
        Column("people", "integer", low=1),
    ),
    key=("modalities",),
    row="one combination of modalities that people have",
)

MISSING_ITEMS = Contract(
    "missing_items",
    (
        Column("instrument"),
        Column("visit"),
        Column("item"),
        Column("people", "integer", low=0, meaning="people who answered anything of the instrument at the visit"),
        Column("missing", "integer", low=0, meaning="of them, those without an answer to this item"),
    ),
    key=("instrument", "visit", "item"),
    row="one item at one visit",
)

BATCHES = Contract(
    "batches",
    (
        _MODALITY,
        _NAME,
        Column("by", meaning="what the groups are: plate, batch, or a column of patients such as site"),
        Column("level", meaning="the group"),
        Column("scale", allowed=("linear", "log10"), meaning="log10: the figures are logs of the values"),
        Column("values", "integer", low=1),
        Column("low", "number", null=True, meaning="5th percentile; all five are null for fewer than five values"),
        Column("lower_quartile", "number", null=True),
        Column("median", "number", null=True),
        Column("upper_quartile", "number", null=True),
        Column("high", "number", null=True, meaning="95th percentile"),
    ),
    key=("modality", "name", "by", "level"),
    row="the values of one measured thing in one batch, plate or site",
)

BATCH_SHARES = Contract(
    "batch_shares",
    (
        _MODALITY,
        _NAME,
        Column("by"),
        Column("levels", "integer", low=2),
        Column("values", "integer", low=0),
        Column("share", "number", null=True, high=1, meaning="adjusted share of the spread that lies between groups"),
    ),
    key=("modality", "name", "by"),
    row="one measured thing and one way of grouping it",
)

COMPONENTS = Contract(
    "components",
    (
        _MODALITY,
        Column("by"),
        Column("level", null=True, meaning="group of the person; null when not known"),
        Column("first", "number"),
        Column("second", "number"),
        Column("share_first", "number", low=0, high=1, meaning="share of the spread along it"),
        Column("share_second", "number", low=0, high=1),
    ),
    row="one person without id on the first two principal components: a picture of the cohort, no feature",
)

CROSS_TABLES = Contract(
    "cross_tables",
    (
        Column("first", meaning="such as batch"),
        Column("second", meaning="such as site, arm or outcome"),
        Column("first_level"),
        Column("second_level"),
        Column("people", "integer", low=0),
    ),
    key=("first", "second", "first_level", "second_level"),
    row="one cell of a cross-table",
)

ASSOCIATIONS = Contract(
    "associations",
    (
        Column("first"),
        Column("second"),
        Column("people", "integer", low=0, meaning="people for whom both are known"),
        Column("cramers_v", "number", null=True, low=0, high=1, meaning="corrected for bias; null with one group only"),
        Column("nested", null=True, allowed=("first", "second", "both"), meaning="whose groups tell the other's"),
    ),
    key=("first", "second"),
    row="how far two groupings of people go together",
)

IDENTICAL_PEOPLE = Contract(
    "identical_people",
    (
        Column("table"),
        Column("columns", "integer", low=1, meaning="columns compared"),
        Column("people", "integer", low=0, meaning="people whose whole row equals another person's"),
    ),
    key=("table",),
    row="one table that was searched for people with the same measurements",
)

GENOTYPE_COUNTS = Contract(
    "genotype_counts",
    (
        Column("of", allowed=("variants", "people", "pairs"), meaning="what is counted"),
        Column("what", meaning="which of them"),
        Column("count", "integer", low=0),
        Column("total", "integer", null=True, low=0, meaning="of how many; null for pairs"),
        Column("doubtful", "boolean", meaning="whether one should look at them"),
    ),
    key=("of", "what"),
    row="one count over the genotype quality tables",
)
