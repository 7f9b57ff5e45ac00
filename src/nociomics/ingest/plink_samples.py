"""Read and check the samples of a PLINK set: .fam (PLINK 1) or .psam (PLINK 2)."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from nociomics.ingest.notes import ROW, Notes
from nociomics.ingest.plain_fields import WIDTH, encoding_of, field_chunks

_FAM = ("FID", "IID", "PAT", "MAT", "SEX", "PHENO")
_ID_COLUMNS = ("FID", "IID", "SID")
_SEXES = {"1": "M", "m": "M", "male": "M", "2": "F", "f": "F", "female": "F"}


def read_fam(path: Path, shown: str, notes: Notes) -> pl.DataFrame | None:
    """Read the samples of a .fam, which has no header; its last column, the phenotype, may be left out.

    Returns
    -------
    DataFrame or None, one row per sample
        As `read_psam` returns it.
    """
    return _samples(path, shown, _FAM, 0, notes)


def read_psam(path: Path, shown: str, notes: Notes) -> pl.DataFrame | None:
    """Read the samples of a .psam.

    A sample is called by its own id (IID) where these are unlike each other, else by its family's and its own. A file
    without a header line is read as a .fam.

    Returns
    -------
    DataFrame or None, one row per sample
        As in `STORE_SAMPLES`; sex is null where the file lacks it. None after a fatal finding.
    """
    skipped, names = _header(path)
    if names is None:
        return _samples(path, shown, _FAM, skipped, notes)
    if "IID" not in names:
        notes.fatal(f"{shown}: line {skipped}, the header, names no column IID. Begin it with #FID and IID, or #IID.")
        return None
    return _samples(path, shown, tuple(names), skipped, notes)


def _header(path: Path) -> tuple[int, list[str] | None]:
    """Lines before the first sample, and the columns that the last of them names."""
    with path.open(encoding=encoding_of(path)) as stream:
        for number, line in enumerate(stream):
            if not line.startswith("#"):
                return number, None
            if line.startswith(("#FID", "#IID")):
                return number + 1, line[1:].split()
    return 0, None


def _samples(path: Path, shown: str, names: tuple[str, ...], skipped: int, notes: Notes) -> pl.DataFrame | None:
    schema = {ROW: pl.Int64, WIDTH: pl.Int64, **dict.fromkeys(names, pl.String)}
    frame = pl.concat([pl.DataFrame(schema=schema), *field_chunks(path, names, skipped)])
    if frame.height == 0:
        notes.fatal(f"{shown}: holds no samples. Give the one that belongs to these genotypes.")
        return None
    aside = Notes(notes.table)
    widths = (len(names), len(names) - 1) if names == _FAM else (len(names),)
    width = frame[WIDTH][0] if frame[WIDTH][0] in widths else len(names)
    _note(shown, aside, frame, pl.col(WIDTH) != width, f"do not have the {width} fields of the others")
    ids = [name for name in _ID_COLUMNS if name in names]
    again = ~pl.struct(ids).is_first_distinct()
    _note(shown, aside, frame, again, f"repeat the {' and '.join(ids)} of a line above; give each sample its own")
    named = None if aside.has_fatal else _named(frame, ids, shown, aside)
    notes.findings += aside.findings
    return None if aside.has_fatal else named


def _named(frame: pl.DataFrame, ids: list[str], shown: str, notes: Notes) -> pl.DataFrame:
    """Name the samples: by IID alone where that is enough."""
    name = pl.col("IID")
    repeated = frame.height - frame["IID"].n_unique()
    if repeated:
        name = pl.concat_str(ids, separator="_")
        clash = ~name.is_first_distinct()
        _note(shown, notes, frame, clash, f"have a name that stands above, once {' and '.join(ids)} are joined")
        notes.info(
            f"{shown}: {repeated} samples repeat the IID of another, so all are named {'_'.join(ids)}.", count=repeated
        )
    sex = pl.col("SEX").str.to_lowercase().replace_strict(_SEXES, default=None) if "SEX" in frame.columns else None
    return frame.select(name.alias("sample"), (pl.lit(None) if sex is None else sex).cast(pl.String).alias("sex"))


def _note(shown: str, notes: Notes, frame: pl.DataFrame, which: pl.Expr, what: str) -> None:
    rows = frame.filter(which)
    if rows.height:
        lines = f"{rows.height} {'line' if rows.height == 1 else 'lines'} (first: line {rows[ROW][0]})"
        notes.fatal(f"{shown}: {lines} {what}.", count=rows.height)
