"""The dials of the pain profile: each with its value, place in the cohort, published band, source and date."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from markupsafe import Markup

from nociomics.knowledge.dial import DialScale, load_dials
from nociomics.knowledge.instrument import Cutoff, Instrument, Scale
from nociomics.report import plots
from nociomics.report.formats import is_null, number, quantity

_SURE = {"checked": "", "general": ", from general knowledge", "project_default": ", our own default"}
_OF_BANDS = re.compile(r"\bbands?\b", re.IGNORECASE)
_OF_CUTOFFS = re.compile(r"cut-?off|threshold", re.IGNORECASE)


@dataclass(frozen=True)
class DialRow:
    """One part of a dial that was measured.

    Parameters
    ----------
    dial, name, plain_name : str
    instrument : str
        Short name of the questionnaire, with the scale's own name.
    value, of : str
        The score, and the possible scores.
    band, source : str
        What published bands or a cut-off make of it, and whose they are; "" where none is known.
    percentile : str
        Within the cohort; "" where it is not known.
    measured : str
        Visit, and the date where it was recorded.
    better : str
        Which end is the better one.
    strip : Markup
    """

    dial: str
    name: str
    plain_name: str
    instrument: str
    value: str
    of: str
    band: str
    source: str
    percentile: str
    measured: str
    better: str
    strip: Markup


@dataclass(frozen=True)
class Dials:
    """The dials of one person: those that were measured, and the names of the others."""

    rows: list[DialRow]
    absent: list[str]
    plain_absent: list[str]

    @property
    def measured(self) -> str:
        """When, said once where it is the same for all; else ""."""
        found = {row.measured for row in self.rows}
        return next(iter(found)) if len(found) == 1 else ""

    @property
    def sources(self) -> list[str]:
        """Whose the bands are."""
        told = [(row.instrument.partition(",")[0], row.source) for row in self.rows if row.band]
        return [f"{name}: {source}" for name, source in dict.fromkeys(told)]


def dials_view(
    values: Mapping[str, Any],
    percentiles: Mapping[str, float | None],
    measured_at: Mapping[str, str],
    dates: Mapping[str, str],
) -> Dials:
    """Read each part of each dial from the first scale of its list that was measured.

    Parameters
    ----------
    values, percentiles : mapping of feature to value, and to 0-100
        One person's; null = not measured.
    measured_at : mapping of feature to str
        Visit, as in `FEATURE_CATALOGUE`.
    dates : mapping of group to str
        When this person answered a questionnaire, where it was recorded.
    """
    rows, absent, plain = [], [], []
    for part, scales in _parts().items():
        chosen = next((one for one in scales if not is_null(values.get(one.feature))), None)
        if chosen is None:
            absent.append(part if part == scales[0].dial else f"{scales[0].dial}: {scales[0].name}")
            plain.append(scales[0].plain_name)
            continue
        rows.append(_row(chosen, values, percentiles, measured_at, dates))
    return Dials(rows, absent, plain)


@cache
def _parts() -> dict[str, tuple[DialScale, ...]]:
    parts: dict[str, tuple[DialScale, ...]] = {}
    for row in load_dials():
        parts[row.part] = (*parts.get(row.part, ()), row)
    return parts


def dial_features(known: Collection[str]) -> list[str]:
    """Features that a dial may be read from, of those that there are."""
    return [row.feature for row in load_dials() if row.feature in known]


def _row(
    chosen: DialScale,
    values: Mapping[str, Any],
    percentiles: Mapping[str, float | None],
    measured_at: Mapping[str, str],
    dates: Mapping[str, str],
) -> DialRow:
    value, scale = float(values[chosen.feature]), chosen.scored
    label, source = _band(chosen.instrument, chosen.scale, value)
    percentile = percentiles.get(chosen.feature)
    place = "" if is_null(percentile) else number(percentile, 0)
    date = dates.get(chosen.instrument)
    visit = measured_at.get(chosen.feature, "")
    shown = quantity(value, "score")
    of = " to ".join(number(end, 0 if end == int(end) else 1) for end in scale.range)
    name = chosen.definition.short_name
    told = f"{chosen.name}, {name}: {shown} of {of}{label and f', {label}'}"
    return DialRow(
        dial=chosen.dial,
        name=chosen.name,
        plain_name=chosen.plain_name,
        instrument=name if len(chosen.definition.scales) == 1 else f"{name}, {scale.name}",
        value=shown,
        of=of,
        band=label,
        source=source,
        percentile=place,
        measured=f"{visit}, {date}" if date else f"{visit}, date not recorded" if visit else "date not recorded",
        better={"higher_worse": "less is better", "higher_better": "more is better"}.get(scale.direction, ""),
        strip=plots.dial_strip(value, scale.low, scale.high, _edges(chosen.instrument, chosen.scale), told),
    )


@cache
def _facts(instrument: str, scale: str) -> tuple[Instrument, Scale, Cutoff | None]:
    definition = next(row.definition for row in load_dials() if row.instrument == instrument)
    scored = definition.scales[scale]
    cutoff = next((one for one in scored.cutoffs if one.op in (">=", ">")), None)
    return definition, scored, None if scored.bands else cutoff


@cache
def _edges(instrument: str, scale: str) -> tuple[float, ...]:
    """Where one band ends and the next begins."""
    _, scored, cutoff = _facts(instrument, scale)
    inner = [band.low for band in scored.bands if scored.low < band.low < scored.high and band.low > 0.001]
    return tuple(inner if scored.bands else [] if cutoff is None else [cutoff.value])


def _band(instrument: str, scale: str, value: float) -> tuple[str, str]:
    """Name the band or the side of the cut-off, and its source."""
    definition, scored, cutoff = _facts(instrument, scale)
    if scored.bands:
        return band_of(scored, value) or "", _source(definition, _OF_BANDS, None)
    if cutoff is None:
        return "", ""
    beyond = value >= cutoff.value if cutoff.op == ">=" else value > cutoff.value
    at = f"{cutoff.value:g} or more" if cutoff.op == ">=" else f"more than {cutoff.value:g}"
    label = f"{cutoff.label}: {at}" if beyond else f"short of {at} ({cutoff.label})"
    return label, _source(definition, _OF_CUTOFFS, cutoff.status)


def band_of(scale: Scale, value: float) -> str | None:
    """Name the band of a score; a score between two closed bands is rounded half up first.

    Parameters
    ----------
    scale : Scale
    value : float
        In the scale's own units.

    Returns
    -------
    str or None
        None when the scale has no band for it.
    """
    exact = round(value, 9)
    for tried in (exact, float(math.floor(exact + 0.5))):
        for band in scale.bands:
            below = tried <= band.high if band.high is not None else band.below is not None and tried < band.below
            if tried >= band.low and below:
                return band.label
    return None


def _source(definition: Instrument, what: re.Pattern[str], status: str | None) -> str:
    """Name the source of a band: the row of the instrument's file that speaks of it, else its paper."""
    found = next((one for one in definition.sources if what.search(one.what)), None)
    if found is None:
        return definition.citations[0].text + _SURE[status or definition.citations[0].status]
    return found.source + _SURE[status or found.status]
