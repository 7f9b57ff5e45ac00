"""What inhibitors on a medication list do to an enzyme's activity: shown beside the genetic result, never instead."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

import polars as pl

from nociomics.knowledge.enzyme_inhibitor import (
    NO_MEDICATION,
    Inhibitor,
    drugs_named,
    inhibited_genes,
    inhibitors_named,
    is_in_doubt,
    load_inhibitors,
)
from nociomics.knowledge.pharmacogene import load_drug_gene_pairs
from nociomics.pharmacogenomics.gene_call import joined
from nociomics.pharmacogenomics.phenotype import ActivityScore, read_score, score_phenotype

_log = logging.getLogger(__name__)

INHIBITOR_SCHEMA: dict[str, pl.DataType] = {
    "medication_state": pl.String(),
    "inhibitors": pl.String(),
    "activity_score_with_inhibitors": pl.String(),
    "phenotype_with_inhibitors": pl.String(),
    "inhibitor_source": pl.String(),
}
"""Columns that `with_inhibitors` adds to the calls, in their order."""

NOT_GIVEN, NOT_LISTED, UNCLEAR, READ = "not_given", "not_listed", "unclear", "read"
"""Words of ``medication_state``; only ``read`` without inhibitors says that none is taken."""

_ID = "patient_id"
_ON_SKIN = ("topical", "cutaneous", "dermal", "skin", "cream", "gel", "ointment", "nail", "ophthalmic", "eye")
_QUARTER = 4  # activity values come in steps of a quarter


@dataclass(frozen=True)
class MedicationCounts:
    """How the rows of a medication list were understood.

    Parameters
    ----------
    rows : int
        Rows that name something.
    inhibitors : int
        Rows of an inhibitor that is taken.
    unclear : int
        Rows of an inhibitor whose dates or words do not say whether it is taken.
    unknown : int
        Rows that name a drug of no pharmacogene table; they change nothing.
    unknown_names : int
        Different entries among these.
    """

    rows: int
    inhibitors: int
    unclear: int
    unknown: int
    unknown_names: int


def current_medications(medications: pl.DataFrame, reference: pl.DataFrame | None = None) -> pl.DataFrame:
    """Say of every row of a medication list whether the drug is taken at the reference day.

    A list without columns of dates is taken as what people take. Else a row counts
    when it began by the reference day and has not ended before it; without a
    reference day, when it began and has no end. What dates or words leave open is
    null, such as a row without a start where the list has a column for it.

    Parameters
    ----------
    medications : DataFrame, one row per (patient_id, drug) as written
        Optional ``started_at``, ``stopped_at`` (dates, times, or text that starts
        with an ISO date) and ``route``; a drug given on the skin is not counted.
    reference : DataFrame, one row per patient_id, optional
        ``started_at``: the day to look at, such as the start of the study's treatment.

    Returns
    -------
    DataFrame, one row per row of medications
        ``patient_id, drug, is_current``; ``is_current`` null where it cannot be told.

    Examples
    --------
    >>> rows = {"patient_id": ["P1", "P1"], "drug": ["codeine", "paroxetine"], "started_at": ["2026-01-05", None],
    ...         "stopped_at": [None, None]}
    >>> current_medications(pl.DataFrame(rows, schema_overrides={"stopped_at": pl.String}))["is_current"].to_list()
    [True, None]
    """
    rows = medications.filter(pl.col("drug").is_not_null())
    dates = [_day(rows, name).alias(f"_{name}") for name in ("started_at", "stopped_at")]
    rows = rows.with_columns(dates)
    if reference is None or "started_at" not in reference.columns:
        rows = rows.with_columns(_at=pl.lit(None, dtype=pl.Date))
    else:
        day = reference.select(_ID, _at=_day(reference, "started_at")).unique(_ID, keep="first", maintain_order=True)
        rows = rows.join(day, on=_ID, how="left", maintain_order="left")
    current = _is_current({"started_at", "stopped_at"} & set(medications.columns))
    on_skin = pl.lit(False)
    if "route" in rows.columns:
        on_skin = pl.col("route").str.to_lowercase().str.contains_any(list(_ON_SKIN)).fill_null(False)
    rows = _with_words(rows, in_doubt=is_in_doubt)
    return rows.select(_ID, "drug", is_current=pl.when(on_skin).then(False).when(~pl.col("in_doubt")).then(current))


def _is_current(dated: set[str]) -> pl.Expr:
    start, stop, at = pl.col("_started_at"), pl.col("_stopped_at"), pl.col("_at")
    began = start.is_not_null() if "started_at" in dated else pl.lit(True)
    goes_on = stop.is_null() | at.is_not_null()
    return pl.when((start > at) | (stop < at)).then(False).when(began & goes_on).then(True)


def _day(frame: pl.DataFrame, column: str) -> pl.Expr:
    if column not in frame.columns:
        return pl.lit(None, dtype=pl.Date)
    if frame.schema[column] == pl.String:
        return pl.col(column).str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    return pl.col(column).cast(pl.Date)


def count_medications(current: pl.DataFrame) -> MedicationCounts:
    """Count how the rows of `current_medications` were understood."""
    named = _understood(current)
    unknown = named.filter(~pl.col("is_known"))
    return MedicationCounts(
        named.height,
        named.filter(pl.col("is_inhibitor") & pl.col("is_current")).height,
        named.filter(pl.col("is_inhibitor") & pl.col("is_current").is_null()).height,
        unknown.height,
        unknown["drug"].str.to_lowercase().n_unique(),
    )


def _understood(current: pl.DataFrame) -> pl.DataFrame:
    return _with_words(current, is_inhibitor=lambda text: bool(inhibitors_named(text)), is_known=_is_known)


def _with_words(rows: pl.DataFrame, **tests: Callable[[str], bool]) -> pl.DataFrame:
    """Add what a test of its words says of each entry; every distinct entry is tested once."""
    entries = rows["drug"].unique(maintain_order=True)
    columns = {name: [test(text) for text in entries] for name, test in tests.items()}
    table = pl.DataFrame({"drug": entries, **columns}, schema_overrides=dict.fromkeys(tests, pl.Boolean))
    return rows.join(table, on="drug", how="left", maintain_order="left")


def _is_known(text: str) -> bool:
    named = drugs_named(text)
    none = text.strip().lower() in NO_MEDICATION
    return none or bool(inhibitors_named(text)) or (bool(named) and set(named) <= _drugs_of_tables())


@cache
def _drugs_of_tables() -> frozenset[str]:
    return frozenset(load_drug_gene_pairs()["drug"])


def with_inhibitors(calls: pl.DataFrame, current: pl.DataFrame | None) -> pl.DataFrame:
    """Add to the calls what the inhibitors on a medication list do to the enzyme's activity.

    The strongest inhibitor decides: a strong one takes every known score to 0, a
    moderate one halves it, and several moderate ones halve it once, since no source
    says how they add. A score that is not known as a number stays ``n/a``.

    Parameters
    ----------
    calls : DataFrame, one row per (sample, gene)
        From `calling.call_pharmacogenes`; its columns stay as they are.
    current : DataFrame, optional
        From `current_medications`; None when no list was given.

    Returns
    -------
    DataFrame
        ``calls`` with the columns of `INHIBITOR_SCHEMA`, null but for genes that have
        inhibitors in the tables. ``medication_state``: ``not_given`` (no list),
        ``not_listed`` (the list has no row of this person), ``unclear`` (an inhibitor
        is named, but dates or words do not say whether it is taken) or ``read``.
        Sets are joined by ``|``. Score and phenotype are null without an inhibitor
        and for a gene that is not called.

    References
    ----------
    ``source`` and ``multiplier_source`` of `knowledge/pgx/inhibitors.csv`.
    """
    people = calls.select("sample").unique(maintain_order=True)
    taken = people.join(_taken(people, current), on="sample", how="left", maintain_order="left")
    has = pl.col("gene").is_in(list(inhibited_genes()))
    rows = calls.join(taken, on="sample", how="left", maintain_order="left")
    rows = rows.with_columns(
        medication_state=pl.when(has).then("medication_state"), inhibitors=pl.when(has).then("inhibitors")
    )
    keys = ["gene", "call_state", "activity_score_candidates", "inhibitors"]
    met = rows.filter(pl.col("inhibitors").is_not_null()).select(keys).unique(maintain_order=True)
    found = [(*row, *_adjusted(*row)) for row in met.iter_rows()]
    added = ("activity_score_with_inhibitors", "phenotype_with_inhibitors", "inhibitor_source")
    effect = pl.DataFrame(found, schema=dict.fromkeys((*keys, *added), pl.String), orient="row")
    result = rows.join(effect, on=keys, how="left", nulls_equal=True, maintain_order="left")
    if current is not None:
        _log.info(
            "inhibitors: %d medication rows in, %d people of %d take one",
            current.height,
            result.filter(pl.col("inhibitors").is_not_null())["sample"].n_unique(),
            people.height,
        )
    return result.select(*calls.columns, *INHIBITOR_SCHEMA)


def _taken(people: pl.DataFrame, current: pl.DataFrame | None) -> pl.DataFrame:
    """Return each person's inhibitors, strongest first, and what is known of the medication."""
    if current is None:
        return people.with_columns(medication_state=pl.lit(NOT_GIVEN), inhibitors=pl.lit(None, dtype=pl.String))
    rows = people.join(_understood(current).rename({_ID: "sample"}), on="sample", how="left")
    listed = rows.group_by("sample").agg(
        pl.col("drug").filter(pl.col("is_current") & pl.col("is_inhibitor")).alias("entries"),
        open=(pl.col("is_inhibitor") & pl.col("is_current").is_null()).any(),
        listed=pl.col("drug").is_not_null().any(),
    )
    state = pl.when(~pl.col("listed")).then(pl.lit(NOT_LISTED)).when("open").then(pl.lit(UNCLEAR))
    names = pl.col("entries").map_elements(_names, return_dtype=pl.String)
    return listed.select("sample", medication_state=state.otherwise(pl.lit(READ)), inhibitors=names)


def _names(entries: Iterable[str]) -> str | None:
    found = {one for text in entries for one in inhibitors_named(text)}
    return joined(one.drug for one in sorted(found, key=lambda one: (one.multiplier, one.drug)))


@cache
def inhibitors_of(gene: str, names: str | None, without: str | None = None) -> tuple[Inhibitor, ...]:
    """Return the inhibitors of a gene that a set of names holds, less one drug."""
    wanted = set((names or "").split("|")) - {without}
    return tuple(one for one in load_inhibitors() if one.gene == gene and one.drug in wanted)


@cache
def inhibited_scores(scores: str | None, inhibitors: tuple[Inhibitor, ...]) -> tuple[str, ...]:
    """Return the scores that are left under inhibitors; those without a number stay as they are.

    Examples
    --------
    >>> inhibited_scores("1.25|≥3.0|n/a", inhibitors_of("CYP2D6", "duloxetine"))
    ('0.625', '≥1.5', 'n/a')
    >>> inhibited_scores("1.25|≥3.0|n/a", inhibitors_of("CYP2D6", "duloxetine|paroxetine"))
    ('0.0', 'n/a')
    """
    factor = min((one.multiplier for one in inhibitors), default=1.0)
    left = []
    for text in (scores or "").split("|"):
        score = read_score(text or None)
        if score is None:
            left += [text] if text else []
        else:
            value = score.value * factor
            left.append(str(ActivityScore(value, score.at_least and value > 0)))
    return tuple(dict.fromkeys(left))


def _adjusted(gene: str, call_state: str, scores: str | None, names: str) -> tuple[str | None, str | None, str | None]:
    inhibitors = inhibitors_of(gene, names)
    source = joined(dict.fromkeys(text for one in inhibitors for text in (one.source, one.multiplier_source)))
    if call_state != "called":
        return None, None, source
    left = inhibited_scores(scores, inhibitors)
    return joined(left), joined(sorted({score_phenotype(gene, read_score(text)) for text in left})), source


def as_listed(gene: str, score: str) -> tuple[str, ...]:
    """Return the scores that the guideline tables list around one, of the same phenotype.

    Tables go by quarters; a halved score may lie between two of them.

    Examples
    --------
    >>> as_listed("CYP2D6", "0.625"), as_listed("CYP2D6", "0.125"), as_listed("CYP2D6", "1.0")
    (('0.5', '0.75'), ('0.25',), ('1.0',))
    """
    read = read_score(score)
    if read is None or read.at_least:
        return (score,)
    word = score_phenotype(gene, read)
    quarters = read.value * _QUARTER
    ends = dict.fromkeys(end / _QUARTER for end in (math.floor(quarters), math.ceil(quarters)))
    return tuple(str(end) for end in ends if score_phenotype(gene, ActivityScore(end)) == word)
