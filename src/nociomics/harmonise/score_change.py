"""How a score changed between two visits: how far, in which direction, past which thresholds, and how surely."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import polars as pl

from nociomics.errors import NociomicsError
from nociomics.harmonise.scale_expressions import band

if TYPE_CHECKING:
    from nociomics.knowledge.instrument import Change, Instrument, Scale

_KEY = ["patient_id", "instrument", "scale"]
_RELIABLE_AT = 1.96  # two standard normal deviates: 5 % by chance alone
_DIGITS = 9  # 100 * (10 - 7) / 10 is 30 and passes 30
_THRESHOLD = ["kind", "value", "direction", "label", "provenance", "source"]
_SCHEMA = {
    "patient_id": pl.String,
    "instrument": pl.String,
    "scale": pl.String,
    "from_visit": pl.String,
    "to_visit": pl.String,
    "from_score": pl.Float64,
    "to_score": pl.Float64,
    "change": pl.Float64,
    "percent": pl.Float64,
    "direction": pl.String,
    "reliable_change_index": pl.Float64,
    "reliable": pl.String,
}


@dataclass(frozen=True)
class Reliability:
    """How much a scale varies and how well it repeats itself, in a named group of people.

    Attributes
    ----------
    sd : float
        Standard deviation of the score at the first visit, in its own units; above 0.
    coefficient : float
        Test-retest reliability (or internal consistency), 0 to below 1.
    source : str
        Where both figures come from; results carry it.
    """

    sd: float
    coefficient: float
    source: str

    def __post_init__(self) -> None:
        if not self.sd > 0 or not 0 <= self.coefficient < 1:
            raise NociomicsError("a reliability needs sd above 0 and a coefficient from 0 to below 1.")

    @property
    def error_of_difference(self) -> float:
        """Standard error of the difference of two scores: sd * sqrt(2) * sqrt(1 - r)."""
        return self.sd * sqrt(2) * sqrt(1 - self.coefficient)


def score_changes(
    scores: pl.DataFrame,
    instruments: Mapping[str, Instrument],
    from_visit: str,
    to_visit: str,
    reliability: Mapping[tuple[str, str], Reliability] | None = None,
) -> pl.DataFrame:
    """Compare the scores of two visits.

    Parameters
    ----------
    scores : DataFrame, one row per patient, visit, instrument and scale
        With ``score``; null where there is none.
    instruments : mapping of str to Instrument
        Scales and their directions; scores of others are left out, and so are scales without a quantity.
    from_visit, to_visit : str
        The earlier and the later visit.
    reliability : mapping of (instrument, scale) to Reliability, optional
        For the reliable change index. The shipped files hold none: it belongs to a group of people, so it is the
        caller who names it.

    Returns
    -------
    DataFrame, one row per patient and scale that has a row at either visit
        ``change`` is later minus earlier, in the scale's units; ``percent`` is 100 * change / earlier score, null
        when the earlier score is 0 or below; ``direction`` is improved, worsened or unchanged by the scale's own
        direction, null for a scale that has none and where a score is missing. ``reliable_change_index`` is
        change / (sd * sqrt(2) * sqrt(1 - r)); ``reliable`` is improved, worsened, ``no reliable change``, or
        ``cannot tell`` without a reliability or a score.

    References
    ----------
    Jacobson and Truax 1991, J Consult Clin Psychol 59:12-19.
    """
    parts = [pl.DataFrame(schema=_SCHEMA)]
    for scale_rows, instrument, scale in _by_scale(scores, instruments):
        known = (reliability or {}).get((instrument.id, scale.id))
        parts.append(_changed(_paired(scale_rows, from_visit, to_visit), scale, known))
    return pl.concat(parts)


def _by_scale(
    scores: pl.DataFrame, instruments: Mapping[str, Instrument]
) -> list[tuple[pl.DataFrame, Instrument, Scale]]:
    named = scores.partition_by("instrument", "scale", as_dict=True, maintain_order=True)
    found = []
    for (instrument, scale), rows in named.items():
        known = instruments.get(str(instrument))
        if known is not None and scale in known.scales and known.scales[str(scale)].feature:
            found.append((rows, known, known.scales[str(scale)]))
    return found


def _paired(rows: pl.DataFrame, from_visit: str, to_visit: str) -> pl.DataFrame:
    """One row per person: the scores of both visits."""
    of = {
        side: rows.filter(pl.col("visit") == visit).select(*_KEY, pl.col("score").cast(pl.Float64).alias(side))
        for side, visit in (("from_score", from_visit), ("to_score", to_visit))
    }
    both = of["from_score"].join(of["to_score"], on=_KEY, how="full", coalesce=True, maintain_order="left_right")
    return both.with_columns(from_visit=pl.lit(from_visit), to_visit=pl.lit(to_visit))


def _changed(pairs: pl.DataFrame, scale: Scale, known: Reliability | None) -> pl.DataFrame:
    change = (pl.col("to_score") - pl.col("from_score")).round(_DIGITS)
    better = {"higher_worse": change < 0, "higher_better": change > 0, "neutral": pl.lit(None, dtype=pl.Boolean)}
    index = pl.lit(None, dtype=pl.Float64) if known is None else change / known.error_of_difference
    surely = pl.when(index.abs() < _RELIABLE_AT).then(pl.lit("no reliable change")).otherwise(pl.col("direction"))
    return (
        pairs.with_columns(
            change=change,
            percent=pl.when(pl.col("from_score") > 0).then((100 * change / pl.col("from_score")).round(_DIGITS)),
            direction=_words(change, better[scale.direction]),
            reliable_change_index=index,
        )
        .with_columns(
            reliable=pl.when(pl.col("reliable_change_index").is_null()).then(pl.lit("cannot tell")).otherwise(surely)
        )
        .select(pl.col(name).cast(dtype) for name, dtype in _SCHEMA.items())
    )


def _words(change: pl.Expr, better: pl.Expr) -> pl.Expr:
    return (
        pl.when(better.is_null())
        .then(pl.lit(None, dtype=pl.String))
        .when(change == 0)
        .then(pl.lit("unchanged"))
        .when(better)
        .then(pl.lit("improved"))
        .otherwise(pl.lit("worsened"))
    )


def threshold_changes(changes: pl.DataFrame, instruments: Mapping[str, Instrument]) -> pl.DataFrame:
    """Say for every change which published thresholds it meets; all are listed, none is chosen.

    A change of an NRS from 8 to 6 meets "2 points" and does not meet "30 percent": both rows stand side by side.

    Parameters
    ----------
    changes : DataFrame
        From `score_changes`.

    Returns
    -------
    DataFrame, one row per change and threshold of its scale
        Person, scale and visits, then the threshold as the instrument's file has it (``provenance`` tells whether
        it was checked), then ``met``: null when it cannot be told, because a score is missing or a percentage has
        no base.
    """
    keys = [*_KEY, "from_visit", "to_visit"]
    schema = {name: _SCHEMA[name] for name in keys} | dict.fromkeys(_THRESHOLD, pl.String) | {"met": pl.Boolean}
    schema["value"] = pl.Float64
    parts = [pl.DataFrame(schema=schema)]
    for rows, _, scale in _by_scale(changes, instruments):
        for threshold in scale.change:
            said = [threshold.kind, threshold.value, threshold.direction, threshold.label, threshold.status]
            facts = dict(zip(_THRESHOLD, [*said, threshold.source], strict=True))
            columns = [pl.lit(fact).cast(schema[name]).alias(name) for name, fact in facts.items()]
            parts.append(rows.select(*keys, *columns, _met(threshold, scale).alias("met")))
    return pl.concat(parts)


def _met(threshold: Change, scale: Scale) -> pl.Expr:
    later, earlier = pl.col("to_score"), pl.col("from_score")
    if threshold.direction == "state":
        return later.round(_DIGITS) <= threshold.value
    amount = pl.col("change" if threshold.kind == "absolute" else "percent")
    size = -amount if threshold.direction == "decrease" else amount
    reached = size > threshold.value if threshold.above else size >= threshold.value
    return reached & (band(scale, later) != band(scale, earlier)) if threshold.new_band else reached
