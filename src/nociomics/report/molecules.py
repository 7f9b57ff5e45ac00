"""The molecules of one person: value, unit, reference interval where one is known, and place in the cohort."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from markupsafe import Markup

from nociomics.knowledge.biomarker import Biomarker, load_biomarkers
from nociomics.report.formats import is_null, number, quantity
from nociomics.report.plots import percentile_strip

BELOW = "below the limit of detection"
ABOVE = "above what the test can measure"
_SURE = {"checked": "", "general": " (general knowledge)", "project_default": " (our own default)"}


@dataclass(frozen=True)
class Molecule:
    """One analyte that was measured.

    Parameters
    ----------
    name : str
    value : str
        With its unit; a non-detect as "< limit unit".
    note : str
        That it is a non-detect or above the test, else "".
    reference, side, context, source : str
        The laboratory's interval in the unit of the value, on which side of it the value lies, what it depends on, and
        who says so; "" where the knowledge has none.
    percentile : str
        Within the cohort; "" where it is not known.
    strip : Markup or ""
    measured : str
        When the sample was taken; "" where it was not recorded.
    """

    name: str
    feature: str
    value: str
    note: str
    reference: str
    side: str
    context: str
    source: str
    percentile: str
    strip: Markup | str
    measured: str


@dataclass(frozen=True)
class Molecules:
    """The analytes of one person, and the names of those of the study that were not measured.

    ``measured`` is when all samples were taken, where that is one day or was never recorded; else "".
    """

    rows: list[Molecule]
    absent: list[str]

    @property
    def measured(self) -> str:
        """When, said once for all."""
        days = {row.measured or "date not recorded" for row in self.rows}
        return next(iter(days)) if len(days) == 1 else ""

    @property
    def sources(self) -> list[str]:
        """Who says what each interval is, and what it depends on."""
        told = [(row.name, row.source, row.context) for row in self.rows if row.reference]
        return [f"{name}: {source}{context and f' ({context})'}" for name, source, context in told]


def molecules_view(
    catalogue: Iterable[Mapping[str, Any]],
    values: Mapping[str, Any],
    percentiles: Mapping[str, float | None],
    dates: Mapping[str, str],
) -> Molecules:
    """List the analytes; a flag of non-detection stands with its analyte, not as a row of its own.

    Parameters
    ----------
    catalogue : iterable of rows of `FEATURE_CATALOGUE`
        Of the modality ``biomarkers``.
    values, percentiles : mapping of feature to value, and to 0-100
        One person's; null = not measured.
    dates : mapping of group to str
        When this person's samples were taken, where that was recorded.
    """
    rows, absent = [], []
    for row in catalogue:
        if row["kind"] != "numeric" or row["unit"] == "h":
            continue
        name = row["description"] or row["feature"]
        if is_null(values.get(row["feature"])):
            absent.append(name)
        else:
            rows.append(_molecule(row, name, values, percentiles, dates))
    return Molecules(rows, absent)


def _molecule(
    row: Mapping[str, Any],
    name: str,
    values: Mapping[str, Any],
    percentiles: Mapping[str, float | None],
    dates: Mapping[str, str],
) -> Molecule:
    feature, unit = row["feature"], row["unit"]
    value, percentile = float(values[feature]), percentiles.get(feature)
    marker = _marker(feature, row["description"] or "")
    stem = marker.feature if marker is not None else row["group"]
    below, above = (values.get(f"{stem}_{flag}") == 1 for flag in ("below_lod", "above_limit"))
    shown = f"{'<' if below else '>' if above else ''}{quantity(value, unit)} {unit}"
    place = "" if is_null(percentile) else number(percentile, 0)
    interval = None if marker is None else _interval(marker.id)
    return Molecule(
        name=name,
        feature=feature,
        value=shown,
        note=BELOW if below else ABOVE if above else "",
        reference="" if interval is None else f"{_limits(interval)} {unit}",
        side="" if interval is None else _side(value, interval, below=below, above=above),
        context="" if marker is None or interval is None else marker.reference.context,
        source="" if marker is None or interval is None else marker.source + _SURE[marker.reference.status],
        percentile=place,
        strip=percentile_strip(percentile, f"{name}: percentile {place}") if place else "",
        measured=dates.get(row["group"], ""),
    )


@cache
def _by_feature() -> dict[str, tuple[Biomarker, ...]]:
    found: dict[str, tuple[Biomarker, ...]] = {}
    for marker in load_biomarkers().values():
        found[marker.feature_name] = (*found.get(marker.feature_name, ()), marker)
    return found


def _marker(feature: str, description: str) -> Biomarker | None:
    """Find the analyte of a feature; of several that share it, the one that it is described as."""
    found = _by_feature().get(feature, ())
    if len(found) < 2:
        return next(iter(found), None)
    return next((marker for marker in found if description == f"{marker.name}, {marker.matrix}"), None)


@cache
def _interval(analyte: str) -> tuple[float | None, float | None] | None:
    """Convert the reference limits to the base unit; None when there is none, or its unit cannot be converted."""
    marker = load_biomarkers()[analyte]
    factor = marker.factor(marker.reference.unit)
    low, high = marker.reference.low, marker.reference.high
    if factor is None or (low is None and high is None):
        return None
    return (None if low is None else low * factor), (None if high is None else high * factor)


def _limits(interval: tuple[float | None, float | None]) -> str:
    low, high = interval
    if low is None:
        return f"up to {quantity(high)}"
    if high is None:
        return f"from {quantity(low)}"
    return f"{quantity(low)} to {quantity(high)}"


def _side(value: float, interval: tuple[float | None, float | None], *, below: bool, above: bool) -> str:
    """Say on which side a value lies; what is only known to be below or above a limit is placed when it can be."""
    low, high = interval
    if below:
        if low:
            return "below" if value <= low else "cannot tell"
        return "within" if high is None or value <= high else "cannot tell"
    if high is not None and value > high:
        return "above"
    if above:
        return "cannot tell"
    return "below" if low is not None and value < low else "within"
