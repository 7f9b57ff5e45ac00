"""Units that no single value betrays: looked for in whole columns, sites and plates; nothing is changed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from nociomics.knowledge.biomarker import load_biomarkers
from nociomics.tables.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nociomics.knowledge.biomarker import Biomarker

_FEWEST = 5  # a group smaller than this says nothing about its unit
_SHARE = 0.5
_FAR_APART = 0.9  # log10: a factor of about 8, the least that a wrong unit makes
_CLOSE = 0.2  # log10: how near a group's distance must lie to the factor
_CERTAIN = 5.0  # standard errors between the group and the others
_PARTS = ("site", "plate")


@dataclass(frozen=True)
class _Sums:
    """Counts and sums of the decimal logarithms of some measured values, in the base unit."""

    count: int
    low: int
    outside: int
    total: float
    squares: float

    @property
    def mean(self) -> float:
        return self.total / self.count

    @property
    def error(self) -> float:
        """Squared standard error of the mean."""
        return max(self.squares - self.count * self.mean**2, 0.0) / max(self.count - 1, 1) / self.count


_Groups = dict[tuple[str, str], dict[str | None, _Sums]]


def suspicious_units(measured: pl.LazyFrame, whole: _Groups) -> list[Finding]:
    """Look for groups of values that only another unit explains.

    Two signs: more than half of a group lies outside the plausible range (or below what assays
    detect) but inside it after the factor of another known unit; or the geometric mean of a group lies from
    the middle of the others by just such a factor, far beyond chance.

    Parameters
    ----------
    measured : LazyFrame, one row per measured value above 0, no non-detects
        ``id`` (analyte), ``written_unit`` (normalised), ``in_base`` (value in the base unit); optional
        ``site`` and ``plate``. Only counts and sums per group are held.
    whole : dict
        From `group_sums` of the same rows.

    Returns
    -------
    list of Finding
        At most one warning per analyte, unit and group.
    """
    parts = {part: group_sums(measured, part) for part in _PARTS if part in measured.collect_schema().names()}
    found = []
    for (analyte, unit), groups in whole.items():
        marker, sums = load_biomarkers()[analyte], groups[None]
        other = _outside(sums, marker, unit, measured, None, None)
        if other is not None:
            found.append(_suspicion(marker, unit, "the whole column", sums.count, other))
        else:
            found += list(_suspect_parts(marker, unit, parts, measured))
    return found


def below_range(whole: _Groups) -> list[Finding]:
    """Count the measured values below the plausible range, which is no error: a blunted axis is possible."""
    counts: dict[str, int] = {}
    for (analyte, _), groups in whole.items():
        counts[analyte] = counts.get(analyte, 0) + groups[None].low
    return [
        Finding("biomarkers", "value", "info", count, f"{analyte}: {count} rows lie below the plausible range")
        for analyte, count in counts.items()
        if count
    ]


def _low(marker: Biomarker) -> float:
    """Return the lower end of the range; a 0 says nothing of too little: what assays usually detect takes its place."""
    return marker.plausible_low or marker.typical_lod or 0.0


def _with_logs(measured: pl.LazyFrame) -> pl.LazyFrame:
    markers = load_biomarkers().values()
    ranges = {"id": [m.id for m in markers], "least": [m.plausible_low for m in markers]}
    table = pl.LazyFrame({**ranges, "low": [_low(m) for m in markers], "high": [m.plausible_high for m in markers]})
    logs = measured.join(table, on="id", how="left").with_columns(log=pl.col("in_base").log10())
    return logs.with_columns(
        below=pl.col("in_base") < pl.col("least"),
        outside=~pl.col("in_base").is_between("low", "high"),
        square=pl.col("log") * pl.col("log"),
    )


def group_sums(measured: pl.LazyFrame, part: str | None = None) -> _Groups:
    """Count and sum the values of every analyte and unit, or of every site or plate within them."""
    logs = _with_logs(measured)
    keys = ["id", "written_unit", *([part] if part else [])]
    rows = logs if part is None else logs.filter(pl.col(part).is_not_null())
    sums = rows.group_by(keys).agg(
        pl.len(), *(pl.col(name).sum() for name in ("below", "outside", "log", "square")), pl.col("order").min()
    )
    found: _Groups = {}
    for row in sums.sort("order").collect(engine="streaming").iter_rows():
        analyte, unit, name = row[0], row[1], row[2] if part else None
        found.setdefault((analyte, unit), {})[name] = _Sums(*row[len(keys) : len(keys) + 5])
    return found


def _outside(
    sums: _Sums, marker: Biomarker, unit: str, measured: pl.LazyFrame, part: str | None, name: str | None
) -> str | None:
    """Find the unit that would bring most of a group into range, when most of it lies outside."""
    if sums.count < _FEWEST or sums.outside <= _SHARE * sums.count or unit not in marker.factors:
        return None
    rows = measured.filter((pl.col("id") == marker.id) & (pl.col("written_unit") == unit))
    rows = rows if part is None else rows.filter(pl.col(part) == name)
    ratios = {other: factor / marker.factors[unit] for other, factor in marker.factors.items()}
    inside = rows.select(
        (pl.col("in_base") * ratio).is_between(_low(marker), marker.plausible_high).mean().alias(other)
        for other, ratio in ratios.items()
        if ratio != 1
    )
    shares = inside.collect(engine="streaming").row(0, named=True)
    fitting = [other for other, share in shares.items() if share > _SHARE]
    usual = math.log10(_usual(marker))
    return min(fitting, key=lambda other: abs(sums.mean + math.log10(ratios[other]) - usual), default=None)


def _usual(marker: Biomarker) -> float:
    """Middle of the reference range in the base unit, else of the plausible range, on the log scale.

    Where the specimen is not stated, that of the first row of the family counts: serum, which is most usual.
    """
    if marker.specimen == "unstated":
        marker = next(one for one in load_biomarkers().values() if one.family == marker.id and one.id != marker.id)
    factor, reference = marker.factors.get(marker.reference.unit), marker.reference
    if factor is not None and reference.high is not None:
        low = reference.low or _low(marker) / factor or reference.high / 10
        return math.sqrt(low * reference.high) * factor
    return math.sqrt(max(_low(marker), marker.plausible_high / 1e4) * marker.plausible_high)


def _suspect_parts(
    marker: Biomarker, unit: str, parts: Mapping[str, _Groups], measured: pl.LazyFrame
) -> Iterator[Finding]:
    for part, groups in parts.items():
        # All groups of the analyte, whatever their unit: they are in the base unit.
        every = [one for (name, _), sums in groups.items() if name == marker.id for one in sums.values()]
        others = _Middle(every)
        for name, sums in groups.get((marker.id, unit), {}).items():
            other = _outside(sums, marker, unit, measured, part, name)
            if other is None:
                other = _far(sums, others, marker, unit)
            if other is not None:
                yield _suspicion(marker, unit, f'{part} "{name}"', sums.count, other)


class _Middle:
    """The weighted median of the means of some groups, with any one of them left out."""

    def __init__(self, groups: list[_Sums]) -> None:
        ordered = sorted(groups, key=lambda one: one.mean)
        self.means = np.array([one.mean for one in ordered])
        self.ends = np.cumsum([one.count for one in ordered])
        self.within = sum(one.error * one.count * (one.count - 1) for one in groups if one.count > 1)

    def without(self, group: _Sums) -> tuple[int, float]:
        """Return how many values the others have, and the median of their means."""
        count = int(self.ends[-1]) - group.count
        place = int(np.searchsorted(self.means, group.mean))
        before = int(self.ends[place - 1]) if place else 0
        half = count / 2 if count / 2 <= before else count / 2 + group.count
        return count, float(self.means[min(int(np.searchsorted(self.ends, half)), self.means.size - 1)])


def _far(group: _Sums, others: _Middle, marker: Biomarker, unit: str) -> str | None:
    """Find the unit whose factor explains how far a group lies from the others."""
    count, middle = others.without(group)
    if group.count < _FEWEST or count < _FEWEST or unit not in marker.factors:
        return None
    distance = middle - group.mean
    error = group.error + others.within / (count + group.count) / count
    if abs(distance) < _FAR_APART or abs(distance) < _CERTAIN * math.sqrt(error):
        return None
    misfit = {
        other: abs(math.log10(factor / marker.factors[unit]) - distance) for other, factor in marker.factors.items()
    }
    best = min(misfit, key=lambda other: misfit[other])
    return best if misfit[best] <= _CLOSE else None


def _suspicion(marker: Biomarker, unit: str, where: str, count: int, other: str) -> Finding:
    message = (
        f"{marker.id} in {unit}, {where}: the {count} values look as if they were in {other}. "
        "Nothing was changed: check the laboratory's report and correct the unit."
    )
    return Finding("biomarkers", "unit", "warning", count, message)
