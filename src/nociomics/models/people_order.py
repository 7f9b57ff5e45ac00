"""An order of people that depends on what was measured of them, not on their ids or their place in a file."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl


def content_order(frame: pl.DataFrame, leave_out: tuple[str, ...] = ("patient_id",)) -> np.ndarray:
    """Return row positions sorted by a hash of each row's content, columns taken in the order of their names.

    Fitting in this order makes a result independent of the order of rows and columns and of the ids:
    floating-point sums and bootstrap draws then meet the same people in the same places.
    """
    columns = sorted(name for name in frame.columns if name not in leave_out)
    numeric = [name for name in columns if frame[name].dtype.is_numeric() or frame[name].dtype == pl.Boolean]
    texts = [name for name in columns if name not in numeric]
    numbers = frame.select(pl.col(numeric).cast(pl.Float64).fill_null(float("nan"))).to_numpy() if numeric else None
    words = frame.select(pl.col(texts).cast(pl.String).fill_null("\x00")).rows() if texts else None
    keys = []
    for row in range(frame.height):
        digest = hashlib.sha256()
        if numbers is not None:
            digest.update(np.ascontiguousarray(numbers[row]).tobytes())
        if words is not None:
            digest.update("\x1f".join(words[row]).encode())
        keys.append(digest.digest())
    return np.array(sorted(range(frame.height), key=keys.__getitem__), dtype=int)
