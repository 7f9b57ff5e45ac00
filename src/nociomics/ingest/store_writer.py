"""Write a store of genotypes while the variants come: calls at once, sites in chunks, the manifest last.

Memory does not grow with the calls, and with the sites only by three numbers each: names are made unique with hashes
of 64 bits, chunk by chunk, and only the names that repeat are compared letter by letter.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import polars as pl

from nociomics.errors import TableError
from nociomics.tables.files import write_json, write_table
from nociomics.tables.genotype_store import BED_MAGIC, FORMAT, STORE_SAMPLES, STORE_VARIANTS, CallsFile, GenotypeStore
from nociomics.tables.genotype_store import packed as packed_calls

SITES = {
    "name": pl.String,
    "chrom": pl.String,
    "pos": pl.Int64,
    "ref": pl.String,
    "alt": pl.String,
    "filtered": pl.Boolean,
    "many": pl.Boolean,
}
"""Columns of the sites: ``name`` is the file's ID (null for none), ``many`` says: one of several ALTs of a site."""
STORE_FILES = ("samples.parquet", "variants.parquet", "calls.bed", "pharmacogene_genotypes.parquet", "manifest.json")
_SITES_PER_CHUNK = 200_000
_BYTES_PER_COPY = 16 << 20


class StoreWriter:
    """Writes a `GenotypeStore` beside its place and moves it there when it is whole; a context manager.

    Parameters
    ----------
    folder : Path
        The store; files in it that are none of a store are left alone.
    samples : DataFrame, one row per sample
        As in `STORE_SAMPLES`, in the order of the calls.

    Raises
    ------
    TableError
        When the samples break their contract, or the operating system refuses.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp()) / "store"
    >>> samples = pl.DataFrame({"sample": ["S1", "S2"], "sex": [None, "F"]}, schema_overrides={"sex": pl.String})
    >>> site = pl.DataFrame([("rs1", "1", 7, "A", "G", False, False)], schema=SITES, orient="row")
    >>> with StoreWriter(folder, samples) as writer:
    ...     writer.add(site, np.array([[0, 2]], dtype=np.int8))
    ...     store = writer.finish({"records": 1})
    >>> store.variants["variant"].to_list(), store.copies(slice(None)).tolist()
    (['rs1'], [[0, 2]])
    """

    def __init__(self, folder: Path, samples: pl.DataFrame) -> None:
        self.folder = Path(folder)
        self.samples = STORE_SAMPLES.check(samples, str(folder))
        self.repeated = 0
        self.height = 0
        self._unspilled = 0
        self._waiting: list[pl.DataFrame] = []
        self._chunks: list[Path] = []

    def __enter__(self) -> StoreWriter:
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            made = tempfile.mkdtemp(dir=self.folder.parent, prefix=f".{self.folder.name}.", suffix=".part")
        except OSError as error:
            raise _refused(self.folder, error) from error
        self.draft = Path(made)
        """Where the store is made; further files put here become part of it."""
        try:
            self._spill = self.draft / "spilled"
            self._spill.mkdir()
            write_table(self.samples, STORE_SAMPLES, self.draft / "samples.parquet")
            self._calls = CallsFile(self.draft / "calls.bed")
            self._calls.__enter__()
        except BaseException:
            shutil.rmtree(self.draft, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._calls.__exit__(kind, error, trace)
        shutil.rmtree(self.draft, ignore_errors=True)
        if isinstance(error, OSError):
            raise _refused(self.folder, error) from error

    def add(self, sites: pl.DataFrame, copies: np.ndarray) -> None:
        """Append variants.

        Parameters
        ----------
        sites : DataFrame, one row per counted allele
            Columns of `SITES`.
        copies : ndarray of int8, shape (variants, samples)
            0, 1, 2 copies of ALT, or ``MISSING``.
        """
        self.add_packed(sites, packed_calls(copies))

    def add_packed(self, sites: pl.DataFrame, rows: np.ndarray) -> None:
        """Append variants whose calls are packed already: uint8 of shape (variants, ceil(samples / 4))."""
        width = -(-self.samples.height // 4)
        if rows.shape != (sites.height, width):
            raise ValueError(f"calls of shape {rows.shape} for {sites.height} sites and {self.samples.height} samples")
        self._calls.add_packed(rows)
        if dict(sites.schema) != SITES:
            sites = sites.select(pl.col(name).cast(kind) for name, kind in SITES.items())
        self._waiting.append(sites)
        self.height += sites.height
        self._unspilled += sites.height
        if self._unspilled >= _SITES_PER_CHUNK:
            self._spill_sites()

    def finish(self, manifest: dict[str, Any]) -> GenotypeStore:
        """Name the variants, write what is left, and move the store to its place.

        Parameters
        ----------
        manifest : dict
            What the reader counted; ``format``, ``variants``, ``samples``, ``repeated_variants`` and ``files`` (name
            to SHA-256) are added.

        Returns
        -------
        GenotypeStore
            The opened store. Of variants that repeat place and alleles the first that passed the file's own filter is
            kept, else the first; ``repeated`` counts the others.
        """
        self._spill_sites()
        self._calls.__exit__(None, None, None)
        kept = self._write_variants()
        if not kept.all():
            self.repeated = int((~kept).sum())
            _drop_calls(self.draft / "calls.bed", kept, -(-self.samples.height // 4))
        shutil.rmtree(self._spill)
        files = {path.name: _sha256(path) for path in sorted(self.draft.iterdir())}
        counted = {"variants": int(kept.sum()), "samples": self.samples.height, "repeated_variants": self.repeated}
        write_json({**manifest, **counted, "format": FORMAT, "files": files}, self.draft / "manifest.json")
        self._move_in_place()
        return GenotypeStore(self.folder)

    def _spill_sites(self) -> None:
        if self._waiting or not self._chunks:
            frame = pl.concat([pl.DataFrame(schema=SITES), *self._waiting])
            path = self._spill / f"{len(self._chunks):06}.arrow"
            frame.write_ipc(path, compression="uncompressed")
            self._chunks.append(path)
            self._waiting, self._unspilled = [], 0

    def _sites(self) -> Iterator[pl.DataFrame]:
        return (pl.read_ipc(path) for path in self._chunks)

    def _write_variants(self) -> np.ndarray:
        """Write ``variants.parquet``; returns which variants are kept, Boolean of shape (variants,)."""
        own = _own_names([_keys(sites) for sites in self._sites()])
        named, hashes, start = [], [], 0
        for number, sites in enumerate(self._sites()):
            mine = pl.Series(own[start : start + sites.height])
            frame = sites.with_columns(variant_names(mine)).select(column.name for column in STORE_VARIANTS.columns)
            start += sites.height
            named.append(self._spill / f"{number:06}.named")
            frame.write_ipc(named[-1], compression="uncompressed")
            hashes.append(frame.select(pl.col("variant").hash(), "filtered"))
        kept = _kept(pl.concat(hashes), named)
        if not kept.all():
            for path, frame in _with_mask(named, kept):
                frame.write_ipc(path, compression="uncompressed")
        pl.scan_ipc(named).sink_parquet(
            self.draft / "variants.parquet", maintain_order=True, compression="zstd", compression_level=1
        )
        return kept

    def _move_in_place(self) -> None:
        self.draft.chmod(0o755)
        if not self.folder.exists():
            os.replace(self.draft, self.folder)
            return
        # A store without its manifest is none, so the manifest goes first and comes last.
        for name in reversed(STORE_FILES):
            (self.folder / name).unlink(missing_ok=True)
        for path in sorted(self.draft.iterdir(), key=lambda path: path.name == "manifest.json"):
            os.replace(path, self.folder / path.name)


def variant_names(own: pl.Series) -> pl.Expr:
    """Name variants by rsID where it is one of their own, else by chrom_pos_ref_alt.

    Parameters
    ----------
    own : Series of Boolean
        Whether the ID is an rsID of this variant alone; at a site of several ALTs the allele is added to it.
    """
    place = pl.concat_str(
        pl.col("chrom").fill_null("."),
        pl.col("pos").cast(pl.String).fill_null("."),
        pl.col("ref").fill_null("."),
        pl.col("alt").fill_null("."),
        separator="_",
    )
    rsid = pl.when("many").then(pl.concat_str("name", "alt", separator="_")).otherwise("name")
    return pl.when(pl.lit(own)).then(rsid).otherwise(place).alias("variant")


def _keys(sites: pl.DataFrame) -> pl.DataFrame:
    """Give what decides whose an rsID is as numbers: 8 bytes each however long the alleles."""
    rsid = pl.col("name").str.contains(r"^rs\d+$").fill_null(False)
    return sites.select(
        pl.when(rsid).then(pl.col("name").hash()).alias("name"),
        pl.when(rsid).then(pl.concat_str("name", pl.col("alt").fill_null("."), separator="_").hash()).alias("allele"),
        "many",
        "filtered",
    )


def _own_names(keys: list[pl.DataFrame]) -> np.ndarray:
    """Whether each variant's rsID names it alone; what the file's filter refuses takes no name from what passed."""
    frame = pl.concat(keys)
    own = np.zeros(frame.height, dtype=bool)
    passed = ~frame["filtered"].to_numpy()
    for among, whose in ((passed, passed), (np.ones_like(passed), ~passed)):
        if whose.any():
            part = frame.filter(pl.Series(among))
            alone = part.select(
                (pl.col("allele").is_unique() & (pl.col("many") | pl.col("name").is_unique()))
                & pl.col("name").is_not_null()
            )
            found = np.zeros_like(own)
            found[among] = alone.to_series().to_numpy()
            own |= found & whose
    return own


def _kept(hashes: pl.DataFrame, named: list[Path]) -> np.ndarray:
    """Of each name keep the first variant that passed the filter, else the first."""
    kept = np.ones(hashes.height, dtype=bool)
    again = hashes["variant"].is_duplicated()
    if not again.any():
        return kept
    rows = np.flatnonzero(again.to_numpy())
    names = pl.concat([frame["variant"] for _, frame in _with_mask(named, again.to_numpy())])
    order = np.argsort(hashes["filtered"].to_numpy()[rows], kind="stable")
    kept[rows[order]] = names.gather(order).is_first_distinct().to_numpy()
    return kept


def _with_mask(paths: list[Path], wanted: np.ndarray) -> Iterator[tuple[Path, pl.DataFrame]]:
    """Yield each chunk with only its wanted rows."""
    start = 0
    for path in paths:
        frame = pl.read_ipc(path)
        yield path, frame.filter(pl.Series(wanted[start : start + frame.height]))
        start += frame.height


def _drop_calls(path: Path, kept: np.ndarray, width: int) -> None:
    """Write the calls again without the variants that repeat another."""
    step = max(1, _BYTES_PER_COPY // max(width, 1))
    draft = path.with_suffix(".kept")
    with path.open("rb") as old, draft.open("wb") as new:
        old.seek(len(BED_MAGIC))
        new.write(BED_MAGIC)
        for start in range(0, len(kept), step):
            some = kept[start : start + step]
            rows = np.frombuffer(old.read(len(some) * width), np.uint8).reshape(len(some), width)
            new.write(rows[some].tobytes())
    os.replace(draft, path)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _refused(folder: Path, error: OSError) -> TableError:
    return TableError(
        f"{folder}: cannot be written: {error.strerror or error}. Nothing was left behind. "
        "Free some space or choose another folder, then run the same command again."
    )
