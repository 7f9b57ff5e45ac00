"""Read a further numeric block: proteins, methylation, imaging, wearables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from nociomics.ingest.leak_guard import baseline_columns, before_treatment
from nociomics.ingest.notes import HIDDEN, Notes
from nociomics.ingest.people import ID, matched, once_each
from nociomics.ingest.sources import combined, read_source
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
    whole = combined(frames)
    if whole is None:
        return None
    if whole.width == len((ID, *HIDDEN)):
        notes.fatal("no column of this block can be used.")
    return matched(once_each(whole, notes), people, notes).drop(HIDDEN, strict=False)
