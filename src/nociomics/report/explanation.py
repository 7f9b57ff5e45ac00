"""Why the model says what it says for one person: its own sum, part by part, and the contrast of two treatments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import polars as pl
from markupsafe import Markup

from nociomics.knowledge.biomarker import load_biomarkers
from nociomics.knowledge.instrument import load_instruments
from nociomics.report.formats import NOT_MEASURED, is_null, number, plural, quantity
from nociomics.report.plots import Scale, axis_strip, span_strip
from nociomics.report.wording import modality_words

_TOP_GROUPS, _TOP_FEATURES, _MOST_NOTED = 6, 12, 3
OTHER = "other"


@dataclass(frozen=True)
class Part:
    """One step of the sum.

    Parameters
    ----------
    label, note : str
    size : float
        Signed.
    text, spread : str
        The size in words, and how far it moves between refits of the model; "" where that is not known.
    strip : Markup
    """

    label: str
    note: str
    size: float
    text: str
    spread: str
    strip: Markup


@dataclass(frozen=True)
class Explanation:
    """Parts that add up from the average estimate to the person's estimate (or from one difference to the other)."""

    subject: str
    base: float | None
    total: float | None
    by_modality: list[tuple[str, float]]
    modalities: list[Part]
    modality_axis: Markup
    groups: list[Part]
    group_axis: Markup
    features: list[Part]
    feature_axis: Markup
    has_spread: bool


@dataclass(frozen=True)
class _Row:
    """One feature's value in one sum."""

    feature: str
    modality: str
    group: str
    size: float
    sd: float | None


@dataclass(frozen=True)
class _Bar:
    label: str
    note: str
    size: float
    sd: float | None = None
    is_bound: bool = False


def explain_one(
    shap: pl.DataFrame,
    base: pl.DataFrame | None,
    treatment: str | None,
    values: Mapping[str, Any],
    units: Mapping[str, str],
    class_: str | None = None,
) -> Explanation | None:
    """Sum one treatment's attributions by modality, by group and by feature.

    Parameters
    ----------
    shap, base : DataFrame
        The person's rows of `SHAP_VALUES`, and `BASE_VALUES`.
    treatment : str or None
        Treatment explained; null in a study without treatments.
    values, units : mapping
        Feature -> the person's value, and its unit.
    class_ : str, optional
        Class explained.

    Returns
    -------
    Explanation or None
        None when there are no rows. Signed values are summed before anything is called large.
    """
    rows = _rows_of(shap, treatment, class_)
    if not rows:
        return None
    return _explanation(treatment or class_ or "the outcome", rows, base_value(base, treatment, class_), values, units)


def explain_contrast(
    shap: pl.DataFrame,
    first: str,
    second: str,
    values: Mapping[str, Any],
    units: Mapping[str, str],
    base: pl.DataFrame | None = None,
) -> Explanation | None:
    """Attribute the difference of two treatments: attribution for the first less that for the second.

    Parameters
    ----------
    shap, base : DataFrame
        The person's rows of `SHAP_VALUES`, and `BASE_VALUES`: with these the parts add up to the effect.
    first, second : str
        Treatments.
    values, units : mapping
        As in `explain_one`.
    """
    a, b = (_rows_of(shap, arm, None) for arm in (first, second))
    if not a or not b:
        return None
    left, right = ({(row.feature, row.modality): row for row in rows} for rows in (a, b))
    rows = []
    for key in {**left, **right}:
        one, other = left.get(key), right.get(key)
        known = one or other
        if known is not None:
            size = (one.size if one else 0.0) - (other.size if other else 0.0)
            rows.append(_Row(known.feature, known.modality, known.group, size, None))
    starts = [base_value(base, arm, None) for arm in (first, second)]
    start = None if starts[0] is None or starts[1] is None else starts[0] - starts[1]
    return _explanation(f"{first} rather than {second}", rows, start, values, units)


def base_value(base: pl.DataFrame | None, treatment: str | None, class_: str | None) -> float | None:
    """Average estimate that a sum starts from; None when it is not known."""
    if base is None:
        return None
    found = _chosen(base, treatment, class_)["base_value"].to_list()
    return float(found[0]) if found else None


def _chosen(frame: pl.DataFrame, treatment: str | None, class_: str | None) -> pl.DataFrame:
    same = pl.col("treatment").is_null() if treatment is None else pl.col("treatment") == treatment
    if "class" in frame.columns and class_ is not None:
        same &= pl.col("class") == class_
    return frame.filter(same)


def _rows_of(shap: pl.DataFrame, treatment: str | None, class_: str | None) -> list[_Row]:
    found = _chosen(shap, treatment, class_)
    spread = found["shap_sd"].to_list() if "shap_sd" in found.columns else [None] * found.height
    columns = [found[name].to_list() for name in ("feature", "modality", "group", "shap_value")]
    return [
        _Row(feature, modality or OTHER, group or OTHER, size, None if is_null(sd) else sd)
        for feature, modality, group, size, sd in zip(*columns, spread, strict=True)
    ]


def _explanation(
    subject: str,
    rows: Sequence[_Row],
    base: float | None,
    values: Mapping[str, Any],
    units: Mapping[str, str],
) -> Explanation:
    by_modality = _sums((row.modality, row.size) for row in rows)
    total = None if base is None else base + sum(size for _, size in by_modality)
    modalities, modality_axis = _steps([_Bar(modality_words(name), "", size) for name, size in by_modality], base or 0)
    groups, group_axis = _bars(_group_bars(rows, values, units))
    features, feature_axis = _bars(_feature_bars(rows, values, units))
    spread = any(row.sd is not None for row in rows)
    return Explanation(
        subject, base, total, by_modality, modalities, modality_axis, groups, group_axis, features, feature_axis, spread
    )


def _sums(pairs: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    """Signed sums, the largest in size first."""
    found: dict[str, float] = {}
    for name, size in pairs:
        found[name] = found.get(name, 0.0) + size
    return sorted(found.items(), key=lambda pair: (-abs(pair[1]), pair[0]))


def _group_bars(rows: Sequence[_Row], values: Mapping[str, Any], units: Mapping[str, str]) -> list[_Bar]:
    """Sum what belongs together; what has no group of its own is 'other' and always shown, as is the rest."""
    members: dict[str, list[_Row]] = {}
    for row in rows:
        members.setdefault(row.group, []).append(row)
    order = sorted(members, key=lambda name: (-abs(sum(row.size for row in members[name])), name))
    shown = [name for name in order if name != OTHER][:_TOP_GROUPS]
    bars = [_group_bar(name, members[name], values, units) for name in shown]
    rest = [row for name in order if name not in shown and name != OTHER for row in members[name]]
    if rest:
        groups = len({row.group for row in rest})
        bars.append(_together(f"all other {plural(groups, 'group')}", rest))
    if OTHER in members:
        bars.append(_together(f"other ({plural(len(members[OTHER]), 'feature')} without a group)", members[OTHER]))
    return bars


def _group_bar(name: str, rows: list[_Row], values: Mapping[str, Any], units: Mapping[str, str]) -> _Bar:
    own = _value_note(name, values, units)
    measured = [row.feature for row in rows if not is_null(values.get(row.feature))]
    noted = [f"{feature} {_value_note(feature, values, units)}" for feature in measured[:_MOST_NOTED]]
    if len(measured) > _MOST_NOTED:
        noted.append(f"{len(measured) - _MOST_NOTED} more")
    if len(rows) == 1 and rows[0].feature in values:
        noted = [_value_note(rows[0].feature, values, units)]
    bar = _together(group_words(name), rows)
    return _Bar(bar.label, own or ", ".join(noted), bar.size, bar.sd, bar.is_bound)


def _together(label: str, rows: Sequence[_Row]) -> _Bar:
    """Sum rows. Their spreads are not independent: that of a sum is at most the sum of theirs, so this is a bound."""
    known = [row.sd for row in rows if row.sd is not None]
    whole = len(known) == len(rows)
    return _Bar(label, "", sum(row.size for row in rows), sum(known) if whole else None, len(rows) > 1)


def _feature_bars(rows: Sequence[_Row], values: Mapping[str, Any], units: Mapping[str, str]) -> list[_Bar]:
    order = sorted(rows, key=lambda row: (-abs(row.size), row.feature))
    bars = [
        _Bar(row.feature, _value_note(row.feature, values, units), row.size, row.sd) for row in order[:_TOP_FEATURES]
    ]
    rest = order[_TOP_FEATURES:]
    return [*bars, _together(f"all other {plural(len(rest), 'feature')}", rest)] if rest else bars


@cache
def _group_names() -> dict[str, str]:
    analytes = {marker.feature: marker.name.partition(",")[0] for marker in reversed(load_biomarkers().values())}
    return analytes | {name: instrument.short_name for name, instrument in load_instruments().items()}


def group_words(group: str) -> str:
    """Name a group of features as people do: a questionnaire, an analyte, a gene."""
    return _group_names().get(group, group.replace("_", " "))


def _value_note(feature: str, values: Mapping[str, Any], units: Mapping[str, str]) -> str:
    if feature not in values:
        return ""
    unit = units.get(feature, "")
    shown = quantity(values[feature], unit)
    return shown if shown == NOT_MEASURED or unit in ("0/1", "category", "score", "count", "") else f"{shown} {unit}"


def _steps(bars: list[_Bar], start: float) -> tuple[list[Part], Markup]:
    """Draw a waterfall: each part begins where the one before ended."""
    ends = [start]
    for bar in bars:
        ends.append(ends[-1] + bar.size)
    scale = Scale.around(ends)
    drawn = [
        _part(bar, span_strip(begin, end, scale, _told(bar)))
        for bar, begin, end in zip(bars, ends[:-1], ends[1:], strict=True)
    ]
    return drawn, axis_strip(scale, "Scale of the model's estimate")


def _bars(bars: list[_Bar]) -> tuple[list[Part], Markup]:
    reach = [bar.size + sign * (bar.sd or 0.0) for bar in bars if not bar.is_bound for sign in (-1, 1)]
    scale = Scale.around([*reach, *(bar.size for bar in bars)], include=[0])
    drawn = [
        _part(bar, span_strip(0, bar.size, scale, _told(bar), zero=0, spread=None if bar.is_bound else bar.sd))
        for bar in bars
    ]
    return drawn, axis_strip(scale, "Scale of contributions")


def _told(bar: _Bar) -> str:
    return f"{bar.label}: {number(bar.size, signed=True)} {_spread(bar)}".rstrip()


def _spread(bar: _Bar) -> str:
    if bar.sd is None:
        return ""
    return f"\N{PLUS-MINUS SIGN}{'at most ' if bar.is_bound else ''}{number(bar.sd)}"


def _part(bar: _Bar, strip: Markup) -> Part:
    return Part(bar.label, bar.note, bar.size, number(bar.size, signed=True), _spread(bar), strip)


def stability_words(stability: pl.DataFrame | None, treatment: str | None, class_: str | None = None) -> str:
    """Say how much one person's order of reasons moves when the model is fitted anew; "" where it was not looked at.

    Parameters
    ----------
    stability : DataFrame or None
        As in `EXPLANATION_STABILITY`.
    treatment, class_ : str or None
        As explained.
    """
    found = [] if stability is None else _chosen(stability, treatment, class_).to_dicts()
    row = found[0] if found else None
    if row is None or is_null(row["rank_correlation_halves"]):
        return "" if row is None else "How stable this order of reasons is could not be measured."
    halves = float(row["rank_correlation_halves"])
    # our own three words; 0.93 is what averages of 15 refits reach (methods M25)
    word = "stays much the same" if halves >= 0.9 else "changes in part" if halves >= 0.7 else "changes much"
    advice = (
        "" if halves >= 0.9 else " Read no more than the largest parts." if halves >= 0.7 else " Do not lean on it."
    )
    single = (
        "" if is_null(row["rank_correlation"]) else f"; between two single refits {number(row['rank_correlation'])}"
    )
    return (
        f"When the model is fitted anew to other draws of the same people, the order of one person's reasons {word}: "
        f"rank correlation {number(halves)} between two halves of {row['refits']} refits{single} "
        f"(mean of {plural(row['people'], 'person', 'people')}).{advice}"
    )
