"""The study file: which tables there are, where, and what is to be predicted."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Scalar = str | int | float | bool


class Strict(BaseModel):
    """A frozen model that refuses unknown keys, so that a misspelt one is named."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def _path_or_mapping(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


def _list_of_sources(value: Any) -> Any:
    if value is None:
        return []
    items = value if isinstance(value, list) else [value]
    return [_path_or_mapping(item) for item in items]


class SampleMap(Strict):
    """A table that says whose sample is whose, and when it was taken."""

    path: str = Field(description="file with one row per sample")
    sample_id: str = Field("sample_id", description="its sample column, as in the measured table")
    patient_id: str = Field("patient_id", description="its person column")
    where: dict[str, Scalar | list[Scalar]] = Field({}, description="keep only samples with these values")
    keep: dict[str, str] = Field({}, description="further columns to carry over: their name -> ours")


class TimeBetween(Strict):
    """An age or a duration from two date columns of the same table: in years or in months."""

    years_from: str | None = Field(None, description="column with the earlier date; the result is in years")
    years_to: str | None = Field(None, description="column with the later date")
    months_from: str | None = Field(None, description="column with the earlier date; the result is in months")
    months_to: str | None = Field(None, description="column with the later date")

    @model_validator(mode="after")
    def _one_pair(self) -> TimeBetween:
        years, months = (self.years_from, self.years_to), (self.months_from, self.months_to)
        if sorted([years.count(None), months.count(None)]) != [0, 2]:
            raise ValueError("give years_from and years_to, or months_from and months_to")
        return self

    @property
    def ends(self) -> tuple[str, str]:
        """Columns of the earlier and the later date."""
        return (self.years_from or self.months_from or "", self.years_to or self.months_to or "")


class TableSource(Strict):
    """One file of one table, and how its columns and values are to be understood."""

    path: str = Field(description="relative to data_root")
    columns: dict[str, str] = Field({}, description="their column name -> ours")
    keep: list[str] | None = Field(None, description="after renaming, take only these columns; all when left out")
    drop: list[str] = Field([], description="after renaming, leave these columns out")
    missing: list[str] = Field([], description="tokens that mean missing, beside empty, NA and NaN")
    values_map: dict[str, dict[str, str]] = Field({}, description="column -> {their value: our value}")
    where: dict[str, Scalar | list[Scalar]] = Field({}, description="keep only rows with these values")
    layout: Literal["long", "wide"] | None = Field(None, description="found out when left out")
    repeats: Literal["refuse", "equal"] = Field(
        "refuse",
        description="several rows of one person in patients, treatments or outcomes: an error, or once where all kept "
        "columns agree",
    )
    sheet: str | None = Field(None, description="sheet of an Excel file; the first when left out")
    delimiter: str | None = Field(None, description="found out when left out")
    decimal: Literal[".", ","] | None = Field(
        None, description="decimal mark; found out when left out, and refused where 1,234 could be either"
    )
    as_text: list[str] = Field([], description="after renaming, columns that are labels though they look like numbers")
    visits: dict[str, str] = Field({}, description="their visit -> ours; only baseline becomes features")
    unit: str | dict[str, str] | None = Field(None, description="unit of all values, or column -> unit")
    names_from: list[str] = Field([], description="long to wide: the columns whose values name the new column")
    values_from: str | None = Field(None, description="long to wide: the column that holds the value")
    samples: Annotated[SampleMap | None, BeforeValidator(_path_or_mapping)] = Field(
        None, description="maps samples to people (expression: also their batch)"
    )
    derive: dict[str, TimeBetween] = Field({}, description="new column -> years or months between two date columns")
    label: dict[str, str] = Field({}, description="new column -> one text for all rows of this file, such as a cohort")
    measured_at: str | dict[str, str] = Field(
        "baseline", description="when it was measured: one word for all columns, or column (or pattern*) -> word"
    )
    transform: Literal["none", "log2", "log10", "log1p", "m_value", "clr"] = Field(
        "none",
        description="of a block's or outcome's values; m_value: methylation beta to M; clr: centred log-ratio",
    )
    lod_from: str | None = Field(
        None, description="long block: column with the limit of detection, in the values' own unit"
    )
    within: str | None = Field(
        None, description="column of patients: values are only comparable within it and are standardised within it"
    )
    value_set: str | None = Field(None, description="EQ-5D-5L: name of the country's value set; never guessed")
    values: Literal["counts", "tpm", "log2"] = Field("counts", description="what an expression table holds")
    normalise: Literal["log_cpm", "tmm"] = Field(
        "log_cpm", description="of expression counts; tmm needs reference:, so that nobody's values depend on others"
    )
    reference: str | None = Field(None, description="expression: table gene, count of the fixed reference for tmm")
    build: Literal["auto", "GRCh37", "GRCh38"] = Field("auto", description="genome build of a genotype file")
    variants: Literal["auto", "all", "none"] | str = Field(
        "auto",
        description="which variants of a genotype file become features: all, none, the path of a list of variants, or "
        "auto: all of a small file, else the known pain variants",
    )

    @property
    def files(self) -> list[str]:
        """Every file that this source reads, as the study writes it."""
        listed = self.variants if self.variants not in ("auto", "all", "none") else None
        further = (self.samples.path if self.samples else None, listed, self.reference)
        return [self.path, *(path for path in further if path is not None)]


class BlockSource(TableSource):
    """A further numeric block, such as proteins or methylation."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="its modality in every result")
    replicates: Literal["refuse", "median"] = Field(
        "refuse", description="several samples of one person: an error, or the median of each transformed value"
    )


class PolygenicScoreSource(Strict):
    """A file of weights in the PGS Catalog's layout; becomes one feature per person."""

    path: str = Field(description="relative to data_root")
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="the feature is pgs_<name>")
    build: Literal["auto", "GRCh37", "GRCh38"] = Field("auto", description="genome build of its positions")
    min_coverage: float = Field(
        0.9, gt=0, le=1, description="share of the weights that a person's genotypes must cover"
    )

    @property
    def files(self) -> list[str]:
        """Every file that this source reads, as the study writes it."""
        return [self.path]


Sources = Annotated[list[TableSource], BeforeValidator(_list_of_sources)]
Blocks = Annotated[list[BlockSource], BeforeValidator(_list_of_sources)]


class Tables(Strict):
    """Every table of a study; all are optional but patients."""

    patients: Sources = Field(min_length=1, description="one row per person")
    genotype: Sources = Field([], description="VCF, BCF, PLINK 1 or 2, or a table of dosages")
    polygenic_scores: Annotated[list[PolygenicScoreSource], BeforeValidator(_list_of_sources)] = Field(
        [], description="weight files, applied to genotype"
    )
    diplotypes: Sources = Field([], description="star alleles called elsewhere")
    expression: Sources = Field([], description="counts, TPM or log2 values per gene")
    biomarkers: Sources = Field([], description="cytokines, hormones and other analytes")
    questionnaires: Sources = Field([], description="items or scores")
    treatments: Sources = Field([], description="arm per person")
    treatment_history: Sources = Field([], description="earlier treatments: drug, dose, dates, response, harm")
    outcomes: Sources = Field([], description="one column per outcome")
    blocks: Blocks = Field([], description="further numeric blocks")


class ResponseRule(Strict):
    """What counts as a response; exactly one rule."""

    fall_percent: float | None = Field(None, gt=0, le=100, description="a fall of at least this share of baseline")
    fall_points: float | None = Field(None, gt=0, description="a fall of at least this many points")
    at_most: float | None = Field(None, description="an outcome of at most this value")


class Target(Strict):
    """What is predicted."""

    kind: Literal["change", "continuous", "binary", "multiclass"] = Field(description="scale of the outcome")
    outcome: str = Field(description="column of outcomes")
    baseline: str | None = Field(None, description="score or column at baseline; kind change only")
    response: ResponseRule | None = Field(None, description="turns a change into a responder")
    treatment: str | None = Field(None, description="column of treatments; left out for a study without treatments")
    groups: str | None = Field(None, description="column of patients kept together in a second estimate, such as site")
    adverse_event: str | None = Field(None, description="0/1 column of outcomes, shown beside benefit")
    harm_weight: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="benefit (in points or units of the outcome; responses for kind: binary) that one adverse event "
        "outweighs: a second order of the options by benefit less weighted harm is shown beside the first; left out: "
        "no such order, but for people whose patients row has their own harm_weight",
    )


class Inclusion(Strict):
    """One condition on one column of patients."""

    at_least: float | None = None
    at_most: float | None = None
    one_of: list[str] | None = None
    none_of: list[str] | None = Field(None, description="these values are left out; a missing value too")
    family: list[str] | None = Field(None, description="codes that a code must be or lie below: MG30 takes MG30.01")


class Study(Strict):
    """A whole study: data, target, who is in."""

    study: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="name of the results folder")
    seed: int = Field(1, ge=0, description="every random number follows from it")
    data_root: str | None = Field(None, description="tables are relative to it; default: the folder of the study file")
    source: str | None = Field(None, description="where the data come from and how to get them, with licence")
    splits: str | None = Field(None, description="Parquet that fixes the folds")
    tables: Tables
    target: Target | None = Field(None, description="without it a run harmonises and finds strata only")
    indication: str | None = Field(
        None, description="what the drugs are for, where advice depends on it: neuropathic_pain or depression"
    )
    instruments: list[str] = Field(
        [], description="questionnaires of the study's own: files of definitions, relative to data_root"
    )
    include: dict[str, Inclusion] = Field({}, description="column of patients -> condition")
