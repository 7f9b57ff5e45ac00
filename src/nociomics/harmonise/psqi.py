"""The seven components of the Pittsburgh Sleep Quality Index, from its named fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

_DISTURBANCES = tuple(f"disturb_{letter}" for letter in "bcdefghij")
COMPONENTS = (
    "c1_quality",
    "c2_latency",
    "c3_duration",
    "c4_efficiency",
    "c5_disturbance",
    "c6_medication",
    "c7_daytime",
)


def _classes(value: pl.Expr, limits: tuple[float, float, float]) -> pl.Expr:
    """Class 0 to 3: how many of the rising limits the value has passed; null stays null."""
    passed = pl.sum_horizontal([(value > limit).cast(pl.Float64) for limit in limits])
    return pl.when(value.is_not_null()).then(passed)


def _latency(item: Callable[[str], pl.Expr]) -> pl.Expr:
    return _classes(_classes(item("latency_min"), (15, 30, 60)) + item("cannot_sleep_30min"), (0, 2, 4))


def _duration(item: Callable[[str], pl.Expr]) -> pl.Expr:
    hours = item("sleep_hours")
    return pl.when(hours > 7).then(0.0).when(hours >= 6).then(1.0).when(hours >= 5).then(2.0).when(hours >= 0).then(3.0)


def efficiency(item: Callable[[str], pl.Expr]) -> pl.Expr:
    """Percent of the time in bed spent asleep; null when someone slept longer than in bed."""
    in_bed = (item("getup_time") - item("bed_time")) % 24  # the night crosses midnight
    percent = 100 * item("sleep_hours") / in_bed
    return pl.when((in_bed > 0) & (percent <= 100)).then(percent)


def _efficiency_class(item: Callable[[str], pl.Expr]) -> pl.Expr:
    percent = efficiency(item)
    return (
        pl.when(percent >= 85).then(0.0).when(percent >= 75).then(1.0).when(percent >= 65).then(2.0).when(percent >= 0)
    ).then(3.0)


def _disturbance(item: Callable[[str], pl.Expr]) -> pl.Expr:
    # The author lets the tenth disturbance count 0 when it is empty; every other one is needed.
    needed = sum((item(name) for name in _DISTURBANCES[:-1]), pl.lit(0.0))
    return _classes(needed + item("disturb_j").fill_null(0.0), (0, 9, 18))


def psqi_score(scale: str, item: Callable[[str], pl.Expr]) -> pl.Expr:
    """Score one component, the efficiency, or the global index.

    Parameters
    ----------
    scale : str
        Scale id of the instrument's file.
    item : callable
        Gives the column of an item by its id.

    Returns
    -------
    Expr
        Null when a needed answer is missing, or the hours asleep do not fit into the night.

    References
    ----------
    ``sources`` of knowledge/instruments/psqi.yaml.
    """
    parts = {
        "c1_quality": item("overall_quality"),
        "c2_latency": _latency(item),
        "c3_duration": _duration(item),
        "c4_efficiency": _efficiency_class(item),
        "c5_disturbance": _disturbance(item),
        "c6_medication": item("sleep_medicine"),
        "c7_daytime": _classes(item("stay_awake_trouble") + item("enthusiasm_problem"), (0, 2, 4)),
        "efficiency_percent": efficiency(item),
    }
    if scale == "global":
        return sum((parts[name] for name in COMPONENTS), pl.lit(0.0))
    return parts[scale]
