"""Ages and durations as people count them: whole calendar months, then the part of the month that has begun."""

from __future__ import annotations

import polars as pl


def months_between(earlier: pl.Series, later: pl.Series) -> pl.Series:
    """Count calendar months between two dates, with a fraction for the month that is not full yet.

    15 January to 15 April is 3 months however many days they have, and an 18th birthday is 18 x 12 months. A month
    that lacks the day (31 January to 28 February) is full on its last day.

    Parameters
    ----------
    earlier, later : Series of Datetime or Date
        Times of day are left out.

    Returns
    -------
    Series of Float64
        Negative where ``later`` comes first; null where either is.

    Examples
    --------
    >>> from datetime import date
    >>> days = [(date(2025, 1, 15), date(2025, 4, 15)), (date(2025, 1, 31), date(2025, 2, 28))]
    >>> months_between(*(pl.Series(ends) for ends in zip(*days))).to_list()
    [3.0, 1.0]
    >>> months_between(pl.Series([date(2025, 4, 1)]), pl.Series([date(2025, 4, 16)])).to_list()
    [0.5]
    """
    ends = pl.DataFrame({"a": earlier.cast(pl.Date), "b": later.cast(pl.Date)})
    a, b = pl.col("a"), pl.col("b")
    apart = (b.dt.year().cast(pl.Int32) - a.dt.year()) * 12 + b.dt.month().cast(pl.Int32) - a.dt.month().cast(pl.Int32)
    full = ends.with_columns(apart=apart).with_columns(
        # The same day some months on; one month less when that is not reached yet.
        apart=pl.col("apart") - (_on(a, pl.col("apart")) > b).cast(pl.Int32)
    )
    reached, following = _on(a, pl.col("apart")), _on(a, pl.col("apart") + 1)
    part = (b - reached).dt.total_days() / (following - reached).dt.total_days()
    return full.select((pl.col("apart") + part).alias("months"))["months"]


def _on(day: pl.Expr, months: pl.Expr) -> pl.Expr:
    """Return the same day so many months later, or the last one of a shorter month."""
    return day.dt.offset_by(pl.concat_str(months.cast(pl.String), pl.lit("mo")))
