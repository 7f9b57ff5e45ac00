"""Why the model says what it says for one person: its own sum, part by part, and the contrast of two treatments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
from markupsafe import Markup

from nociomics.report.formats import NOT_MEASURED, number, plural, quantity
from nociomics.report.plots import Scale, axis_strip, span_strip
from nociomics.report.wording import modality_words

_TOP = 8


@dataclass(frozen=True)
class Part:
    """One step of the sum."""

    label: str
    note: str
    size: float
    text: str
    strip: Markup


@dataclass(frozen=True)
class Explanation:
    """Parts that add up from the average estimate to the person's estimate."""

    subject: str
    base: float | None
    total: float | None
    by_modality: list[tuple[str, float]]
    modalities: list[Part]
    modality_axis: Markup
    features: list[Part]
    feature_axis: Markup


def _rows_of(frame: pl.DataFrame, treatment: str | None) -> pl.DataFrame:
    same = pl.col("treatment").is_null() if treatment is None else pl.col("treatment") == treatment
    return frame.filter(same)


def _one_class(frame: pl.DataFrame, class_: str | None) -> pl.DataFrame:
    if "class" not in frame.columns or class_ is None:
        return frame
    return frame.filter(pl.col("class") == class_)


def explain_one(
    shap: pl.DataFrame,
    base: pl.DataFrame | None,
    treatment: str | None,
    values: Mapping[str, Any],
    units: Mapping[str, str],
    class_: str | None = None,
) -> Explanation | None:
    """Sum one treatment's attributions by modality, and list the largest features.

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
    rows = _one_class(_rows_of(shap, treatment), class_)
    if not rows.height:
        return None
    start = None
    if base is not None:
        found = _one_class(_rows_of(base, treatment), class_)["base_value"].to_list()
        start = float(found[0]) if found else None
    return _explanation(treatment or class_ or "the outcome", rows, start, values, units)


def explain_contrast(
    shap: pl.DataFrame, first: str, second: str, values: Mapping[str, Any], units: Mapping[str, str]
) -> Explanation | None:
    """Attribute the difference of two treatments: attribution for the first less that for the second.

    Parameters
    ----------
    shap : DataFrame
        The person's rows of `SHAP_VALUES`.
    first, second : str
        Treatments.
    values, units : mapping
        As in `explain_one`.
    """
    keys = ["feature", "modality"]
    a, b = (_rows_of(shap, arm).select(*keys, "shap_value") for arm in (first, second))
    if not a.height or not b.height:
        return None
    rows = a.join(b, on=keys, how="full", suffix="_b", coalesce=True, maintain_order="left").with_columns(
        shap_value=pl.col("shap_value").fill_null(0.0) - pl.col("shap_value_b").fill_null(0.0)
    )
    return _explanation(f"{first} rather than {second}", rows, None, values, units)


def _explanation(
    subject: str, rows: pl.DataFrame, base: float | None, values: Mapping[str, Any], units: Mapping[str, str]
) -> Explanation:
    by_modality = _sums(rows, "modality")
    by_feature = _sums(rows, "feature")
    total = None if base is None else base + sum(size for _, size in by_modality)
    modalities, modality_axis = _steps([(modality_words(name), "", size) for name, size in by_modality], base or 0.0)
    shown = [(name, _value_note(name, values, units), size) for name, size in by_feature[:_TOP]]
    rest = by_feature[_TOP:]
    if rest:
        shown.append((f"all other {plural(len(rest), 'feature')}", "", sum(size for _, size in rest)))
    features, feature_axis = _bars(shown)
    return Explanation(subject, base, total, by_modality, modalities, modality_axis, features, feature_axis)


def _sums(rows: pl.DataFrame, by: str) -> list[tuple[str, float]]:
    """Signed sums, the largest in size first; a feature without a group of its own is 'other'."""
    table = rows.group_by(pl.col(by).fill_null("other")).agg(size=pl.col("shap_value").sum())
    return sorted(table.iter_rows(), key=lambda pair: (-abs(pair[1]), pair[0]))


def _value_note(feature: str, values: Mapping[str, Any], units: Mapping[str, str]) -> str:
    if feature not in values:
        return ""
    unit = units.get(feature, "")
    shown = quantity(values[feature], unit)
    return shown if shown == NOT_MEASURED or unit in ("0/1", "category", "") else f"{shown} {unit}"


def _steps(parts: list[tuple[str, str, float]], start: float) -> tuple[list[Part], Markup]:
    """Draw a waterfall: each part begins where the one before ended."""
    ends = [start]
    for _, _, size in parts:
        ends.append(ends[-1] + size)
    scale = Scale.around(ends)
    drawn = [
        _part(part, span_strip(begin, end, scale, _told(part)))
        for part, begin, end in zip(parts, ends[:-1], ends[1:], strict=True)
    ]
    return drawn, axis_strip(scale, "Scale of the model's estimate")


def _bars(parts: list[tuple[str, str, float]]) -> tuple[list[Part], Markup]:
    scale = Scale.around([size for _, _, size in parts], include=[0])
    drawn = [_part(part, span_strip(0, part[2], scale, _told(part), zero=0)) for part in parts]
    return drawn, axis_strip(scale, "Scale of contributions")


def _told(part: tuple[str, str, float]) -> str:
    return f"{part[0]}: {number(part[2], signed=True)}"


def _part(part: tuple[str, str, float], strip: Markup) -> Part:
    label, note, size = part
    return Part(label, note, size, number(size, signed=True), strip)
