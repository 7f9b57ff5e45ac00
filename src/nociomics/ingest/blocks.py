"""Read a further numeric block: proteins, methylation, imaging, wearables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from nociomics.ingest.leak_guard import baseline_columns, before_treatment
from nociomics.ingest.notes import HIDDEN, Notes
from nociomics.ingest.people import ID, matched, once_each
from nociomics.ingest.sources import combined, described_rows, open_source, read_source
from nociomics.ingest.transforms import transformed
from nociomics.ingest.values import number_columns
from nociomics.tables.study import BlockSource

_ABOUT_SAMPLES = ("collected_at", "batch", "plate", "sample_id")


def read_block(
    sources: Sequence[BlockSource],
    root: Path,
    people: pl.Series | None,
    treatments: pl.DataFrame | None,
    outcome: str | None,
    notes: Notes,
) -> pl.DataFrame | None:
    """Read the files of one block.

    Parameters
    ----------
    sources : sequence of BlockSource
        All with the same name.
    people : Series of String or None
        Ids of the study.
    treatments : DataFrame or None
        For the start of treatment, where samples have ``collected_at``.
    outcome : str or None
        Column that a block may not hold.

    Returns
    -------
    DataFrame or None, one row per person
        ``patient_id`` and Float64 columns, transformed as the source says.
    """
    frames = []
    for source in sources:
        frame = read_source(source, root, notes)
        if frame is None:
            continue
        frame = before_treatment(frame, treatments, notes).drop(_ABOUT_SAMPLES, strict=False)
        columns = [name for name in frame.columns if name not in (ID, *HIDDEN)]
        kept = baseline_columns(frame, columns, [source], notes, outcome)
        numbers = number_columns(frame.select(*HIDDEN, ID, *kept), kept, notes)
        frames.append(transformed(numbers, source.transform, notes))
    _compare_units(sources, root, notes)
    whole = combined(frames)
    if whole is None:
        return None
    if whole.width == len((ID, *HIDDEN)):
        notes.fatal("no column of this block can be used.")
    return matched(once_each(whole, notes), people, notes).drop(HIDDEN, strict=False)


def _compare_units(sources: Sequence[BlockSource], root: Path, notes: Notes) -> None:
    """Refuse to stack files in different units, unless their values stay within their own cohort."""
    units = [_units(source, root) for source in sources]
    known = [found for found in units if found]
    if all(found == known[0] for found in known):
        return
    named = "; ".join(
        f"{source.path}: {', '.join(sorted(found))}" for source, found in zip(sources, units, strict=True) if found
    )
    within = {source.within for source in sources}
    if None in within:
        notes.fatal(
            f"its files report different units ({named}), and this program cannot convert them. Convert them first, or "
            "say within: COLUMN (a column of patients that tells the files apart) to standardise each on its own."
        )
    else:
        notes.warning(
            f"its files report different units ({named}). They are never put on one scale: values are standardised "
            f"within {', '.join(sorted(str(name) for name in within))}, and differences between these are lost.",
            count=len(sources),
        )


def _units(source: BlockSource, root: Path) -> frozenset[str]:
    """Units that the source declares, or that its own column ``unit`` holds."""
    if isinstance(source.unit, str):
        return frozenset({source.unit})
    if not source.names_from:
        return frozenset()
    raw = open_source(source, root, Notes("unit"))
    if raw is None or "unit" not in raw.columns:
        return frozenset()
    rows = described_rows(raw, source, Notes("unit"))
    return frozenset(rows["unit"].drop_nulls().str.strip_chars().unique().to_list())
