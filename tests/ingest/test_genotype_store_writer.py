"""The writer of the genotype store: names, repeats, drafts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nociomics.ingest import store_writer
from nociomics.ingest.store_writer import SITES, StoreWriter
from nociomics.tables.genotype_store import GenotypeStore

SAMPLES = pl.DataFrame({"sample": ["S1", "S2", "S3", "S4", "S5"], "sex": [None, "F", "M", None, None]})
# name, chrom, pos, ref, alt, filtered, many -> the variant's name, None when it repeats another
NAMED = """
rs1  1   10 A C .  .   rs1
rs2  1   20 A C .  .   1_20_A_C
rs2  1   20 A G .  .   1_20_A_G
rs3  1   30 A C .  many rs3_C
rs3  1   30 A G .  many rs3_G
own  1   40 A C .  .   1_40_A_C
.    1   50 A C .  .   1_50_A_C
rs4  1   60 A C .  .   1_60_A_C
rs4  1   60 A C .  .   -
rs5  1   70 A C q  .   1_70_A_C
rs5  2   70 A C .  .   rs5
rs6  1   80 A C q  .   rs6
.    1   90 A C q  .   -
.    1   90 A C .  .   1_90_A_C
"""


def sites() -> pl.DataFrame:
    rows = [line.split() for line in NAMED.split("\n") if line]
    table = [(r[0] if r[0] != "." else None, r[1], int(r[2]), r[3], r[4], r[5] == "q", r[6] == "many") for r in rows]
    return pl.DataFrame(table, schema=SITES, orient="row")


def wanted() -> list[str]:
    return [line.split()[7] for line in NAMED.split("\n") if line]


@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_variants_are_named_once_each_whatever_the_chunks(
    chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_writer, "_SITES_PER_CHUNK", chunk)
    copies = np.random.default_rng(1).integers(-1, 3, (14, 5)).astype(np.int8)
    with StoreWriter(tmp_path / "store", SAMPLES) as writer:
        for start in range(0, 14, 2):
            writer.add(sites()[start : start + 2], copies[start : start + 2])
        store = writer.finish({"records": 14})
    kept = [place for place, name in enumerate(wanted()) if name != "-"]
    assert store.variants["variant"].to_list() == [wanted()[place] for place in kept]
    assert np.array_equal(store.copies(slice(None)), copies[kept])
    assert writer.repeated == store.manifest["repeated_variants"] == 2
    assert (store.manifest["variants"], store.manifest["samples"], store.manifest["records"]) == (12, 5, 14)
    assert set(store.manifest["files"]) == {"samples.parquet", "variants.parquet", "calls.bed"}


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([None, "rs1", "rs2", "x"]),
            st.sampled_from(["1", "2"]),
            st.integers(1, 2),
            st.just("A"),
            st.sampled_from("CG"),
            st.booleans(),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_names_are_never_repeated(rows: list[tuple[object, ...]]) -> None:
    table = pl.DataFrame(rows, schema=SITES, orient="row")
    folder = Path(store_writer.tempfile.mkdtemp())
    try:
        with StoreWriter(folder / "store", SAMPLES) as writer:
            writer.add(table, np.zeros((len(rows), 5), np.int8))
            store = writer.finish({})
        assert store.variants["variant"].is_unique().all()
        assert store.variants.height + writer.repeated == len(rows)
        alleles = table.select("chrom", "pos", "ref", "alt").unique().height
        assert store.variants.select("chrom", "pos", "ref", "alt").unique().height == alleles
    finally:
        store_writer.shutil.rmtree(folder)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_nothing_and_the_old_store_as_it_was(error: type[BaseException], tmp_path: Path) -> None:
    for number in range(2):
        try:
            with StoreWriter(tmp_path / "store", SAMPLES) as writer:
                writer.add(sites(), np.full((14, 5), number, np.int8))
                if number:
                    raise error
                writer.finish({})
        except error:
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
    assert GenotypeStore(tmp_path / "store").copies(slice(None)).max() == 0


def test_a_new_store_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    for number in range(2):
        with StoreWriter(tmp_path / "store", SAMPLES) as writer:
            if not number:
                (writer.draft / "pharmacogene_genotypes.parquet").write_bytes(b"old")
            writer.add(sites(), np.full((14, 5), number, np.int8))
            store = writer.finish({})
    assert store.copies(slice(None)).min() == 1
    assert not (tmp_path / "store" / "pharmacogene_genotypes.parquet").exists()
