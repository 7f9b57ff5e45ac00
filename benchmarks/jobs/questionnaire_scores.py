"""Score 60 items of five questionnaires for a million people from one wide Parquet file, 2 % of whose rows stand twice.

The same job on both sides: refuse answers outside their range, drop repeated rows, turn reversed items round, score
every scale by its missing rule (prorated sums and means), and write score and number of answers as Parquet. Both sides
are imported before the clock runs: it is the work that is compared, not the start of a process.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from benchmarks.jobs import Absent

from nociomics.harmonise.wide_scores import checked_answers, wide_answers, wide_scores
from nociomics.knowledge.instrument import load_instrument

try:
    import pandas as pd
    import pyarrow.parquet  # noqa: F401
except ImportError:
    pd = None

_PEOPLE = int(os.environ.get("NOCIOMICS_BENCH_PEOPLE", "1000000"))
_INSTRUMENTS = {name: load_instrument(name) for name in ("pcs", "bdi_ii", "bpi_sf", "cpaq_8", "gad_7")}
_ROW_GROUP = 25_000  # what a reader holds in memory at once; a file of one large group costs more


def _items() -> list[tuple[str, str, str]]:
    return [
        (f"{name}_{item}".lower(), name, item)
        for name, instrument in _INSTRUMENTS.items()
        for item in instrument.items
        if (name, item) != ("bpi_sf", "8")  # belongs to no score
    ]


def MAKE(folder: Path) -> None:
    """Write invented answers; 2 % are missing, 2 % of the rows stand twice, in random order."""
    rng = np.random.default_rng(1)
    columns = {}
    for column, name, item in _items():
        asked = _INSTRUMENTS[name].items[item]
        points = pl.Series(rng.integers(int(asked.low), int(asked.high) + 1, _PEOPLE).astype(np.int8))
        columns[column] = points.set(pl.Series(rng.random(_PEOPLE) < 0.02), None)
    people = pl.DataFrame({"patient_id": [f"P{number:07d}" for number in range(_PEOPLE)], **columns})
    twice = people[np.sort(rng.choice(_PEOPLE, _PEOPLE // 50, replace=False))]
    rows = pl.concat([people, twice])
    rows[rng.permutation(rows.height)].write_parquet(folder / "answers.parquet", row_group_size=_ROW_GROUP)


def _ours(folder: Path) -> Any:
    answers, _ = checked_answers(wide_answers(pl.scan_parquet(folder / "answers.parquet"), _INSTRUMENTS))
    output = folder / "ours.parquet"
    wide_scores(answers, ("score", "n_valid")).sink_parquet(output, engine="streaming", compression="snappy")
    return _check(output)


def _pandas(folder: Path) -> Any:
    if pd is None:
        raise Absent("pandas")
    table = pd.read_parquet(folder / "answers.parquet")
    table = table.drop_duplicates("patient_id")
    scores = {"patient_id": table["patient_id"]}
    for name, instrument in _INSTRUMENTS.items():
        for scale in instrument.scales.values():
            block = table[[f"{name}_{item}".lower() for item in scale.items]]
            lows = [instrument.items[item].low for item in scale.items]
            highs = [instrument.items[item].high for item in scale.items]
            if (block.min() < lows).any() or (block.max() > highs).any():
                raise ValueError("answers outside their range")
            for item, low, high in zip(scale.items, lows, highs, strict=True):
                if item in scale.reversed:
                    block = block.assign(**{f"{name}_{item}".lower(): low + high - block[f"{name}_{item}".lower()]})
            answered = block.notna().sum(axis=1)
            mean = block.sum(axis=1) / answered
            score = mean if scale.method == "mean" else mean * len(scale.items)
            prefix = f"{instrument.feature_prefix}_{scale.id}"
            scores[prefix] = score.where(answered >= scale.min_valid)
            scores[f"{prefix}_n_valid"] = answered
    output = folder / "pandas.parquet"
    pd.DataFrame(scores).to_parquet(output, index=False)
    return _check(output)


def _check(output: Path) -> Any:
    """Rows, and sum and number of every column: read after the fact, the same way for both."""
    numbers = pl.all().exclude("patient_id")
    table = pl.scan_parquet(output)
    found = table.select(pl.len(), numbers.sum(), numbers.count().name.suffix(":count"))
    values: pl.DataFrame = found.collect(engine="streaming")
    return {name: float(values[name][0]) for name in sorted(values.columns)}


CASES = {"nociomics": _ours, "pandas": _pandas}
OURS = "nociomics"
AIMS = {"pandas": ("at_least", 4)}
