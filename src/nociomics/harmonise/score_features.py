"""Questionnaire scores as features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from nociomics.harmonise.feature import BASELINE, Feature, Part, clean_name, wide_by_person
from nociomics.knowledge.instrument import load_instruments
from nociomics.tables.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nociomics.knowledge.instrument import Instrument, Scale


def score_features(scores: pl.DataFrame, instruments: Mapping[str, Instrument] | None = None) -> Part:
    """Questionnaire scores at baseline, as ``<prefix>_<scale>``: ``bpi_severity``, ``pcs_total``.

    Parameters
    ----------
    scores : DataFrame, one row per patient, visit, instrument and scale
        Scored here or scored elsewhere; a label in digits (EQ-5D profile) is no feature.
    instruments : mapping of str to Instrument, optional
        The shipped ones when left out; `instrument_file.load_with_own` adds the study's own.
    """
    known = load_instruments() if instruments is None else instruments
    baseline = scores.filter(pl.col("visit") == BASELINE)
    pairs = baseline.select("instrument", "scale").unique(maintain_order=True)
    named = [_score(known, *pair) for pair in pairs.iter_rows()]
    names = pl.DataFrame(
        [(instrument, scale, entry.feature) for instrument, scale, entry in named if entry is not None],
        schema={"instrument": pl.String, "scale": pl.String, "feature": pl.String},
        orient="row",
    )
    features = list({entry.feature: entry for *_, entry in named if entry is not None}.values())
    rows = baseline.join(names, on=["instrument", "scale"], how="inner", maintain_order="left")
    frame = wide_by_person(rows, "score", [entry.feature for entry in features], "questionnaires")
    return Part(frame, features, _out_of_range(frame, features, "questionnaires"))


def _score(instruments: Mapping[str, Instrument], instrument: str, scale: str) -> tuple[str, str, Feature | None]:
    known = instruments.get(instrument)
    if known is None or scale not in known.scales:
        name = f"{clean_name(known.feature_prefix if known else instrument)}_{clean_name(scale)}"
        words = f"{instrument}: {scale.replace('_', ' ')}"
        return instrument, scale, Feature(name, "questionnaires", instrument, "score", words)
    fact: Scale = known.scales[scale]
    name, words = f"{known.feature_prefix}_{scale}", f"{known.short_name}: {fact.name}"
    entry = Feature(name, "questionnaires", known.id, "score", words, low=fact.low, high=fact.high)
    return instrument, scale, entry if fact.feature else None


def _out_of_range(frame: pl.DataFrame, features: Sequence[Feature], table: str) -> list[Finding]:
    """Name scores that cannot be; they stay as they are."""
    found = []
    for entry in features:
        if entry.low is None or entry.high is None:
            continue
        count = int((~frame[entry.feature].is_between(entry.low, entry.high)).sum())
        if count:
            text = f"{count} values of {entry.feature} lie outside {entry.low:g} to {entry.high:g}; none was changed"
            found.append(Finding(table, entry.feature, "warning", count, text))
    return found
