"""Reading by index gives the records that reading the whole file gives; a bad index is noticed and not trusted."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nociomics.ingest.bgzf_index import DamagedIndex, read_index
from nociomics.ingest.indexed_panel import Region, panel_regions, read_panel
from nociomics.ingest.notes import Notes
from nociomics.ingest.pharmacogene_calls import places, touches
from nociomics.ingest.vcf import Record, VcfReading, read_records
from nociomics.knowledge.pharmacogene import load_positions
from tests.conftest import examples, shared

HEADER = "\n".join(
    [
        "##fileformat=VCFv4.2",
        *(f"##contig=<ID={name},length=200000000>" for name in ("chr1", "chr2", "chrX")),
        '##INFO=<ID=END,Number=1,Type=Integer,Description="x">',
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="x">',
        '##FORMAT=<ID=PS,Number=1,Type=String,Description="x">',
        "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", "A", "B", "C"]),
    ]
)


@pytest.fixture(autouse=True)
def _tools() -> None:
    for tool in ("bgzip", "tabix", "bcftools"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not on the path")


def compressed(folder: Path, rows: list[str], kind: str = "tbi") -> Path:
    """Write rows sorted, in blocks, with an index of a kind: tbi, csi, or bcf (with csi)."""
    plain, path = folder / "g.vcf", folder / ("g.bcf" if kind == "bcf" else "g.vcf.gz")
    plain.write_text(HEADER + "\n" + "".join(row + "\n" for row in rows))
    for old in folder.glob("g.*.*i"):
        old.unlink()
    if kind == "bcf":
        subprocess.run(["bcftools", "view", "-Ob", "-o", path, plain], check=True, capture_output=True)
    else:
        with path.open("wb") as stream:
            subprocess.run(["bgzip", "-c", plain], stdout=stream, check=True)
    subprocess.run(["bcftools", "index", "-f", "-t" if kind == "tbi" else "-c", path], check=True)
    return path


def row(chrom: str, pos: int, ref: str, span: int, calls: str) -> str:
    alt, info = ("<NON_REF>", f"END={pos + span}") if span else ("C" if ref[0] != "C" else "G", ".")
    return "\t".join([chrom, str(pos), ".", ref, alt, ".", "PASS", info, "GT:PS", *calls.split()])


def told(records: list[Record]) -> list[tuple[object, ...]]:
    """Everything of a record but its line number, which an index does not know."""
    return [
        (r.chrom, r.pos, r.name, r.ref, r.alts, r.filtered, r.end, r.first.tolist(), r.second.tolist(),
         r.phased.tolist(), r.phase_sets())
        for r in records
    ]  # fmt: skip


def of_panel(path: Path, regions: list[Region]) -> tuple[list[Record], VcfReading, Notes]:
    reading, notes = VcfReading(path.name), Notes("genotype")
    return list(read_panel(path, regions, reading, notes)), reading, notes


def sequential(path: Path, regions: list[Region]) -> list[Record]:
    found = []
    for record in read_records(path, VcfReading(path.name)):
        end = record.end if record.end > record.pos else record.pos + len(record.ref) - 1
        if any(c == record.chrom and a <= end and record.pos <= b for c, a, b in regions):
            found.append(record)
    return found


_CALLS = st.sampled_from(["0/0 0|1:7 1/1", "./. 1 .", "./1 1|0:. 0/0"])
_ROWS = st.lists(
    st.tuples(
        st.sampled_from(["chr1", "chr2", "chrX"]),
        st.integers(1, 60) | st.integers(16_300, 16_500) | st.integers(1, 190_000_000),
        st.sampled_from(["A", "C", "ACGT", "A" * 40_000]),
        st.sampled_from([0, 0, 0, 5, 20_000, 3_000_000]),
        _CALLS,
    ),
    min_size=1,
    max_size=60,
)
_REGIONS = st.lists(
    st.tuples(st.sampled_from(["chr1", "chr2", "chrX"]), st.integers(1, 20_000) | st.integers(1, 190_000_000),
              st.sampled_from([0, 1, 100, 5_000_000])),
    max_size=6,
)  # fmt: skip


@pytest.mark.parametrize("kind", ["tbi", "csi", "bcf"])
@given(rows=_ROWS, regions=_REGIONS, exact=st.lists(st.integers(0, 59), max_size=5))
@settings(max_examples=examples(12), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_index_gives_what_the_whole_file_gives(
    tmp_path: Path, kind: str, rows: list[tuple[str, int, str, int, str]], regions: list[tuple[str, int, int]],
    exact: list[int],
) -> None:  # fmt: skip
    lines = [row(*fields) for fields in sorted(rows, key=lambda r: (r[0], r[1]))]
    path = compressed(tmp_path, lines, kind)
    wanted = [(chrom, first, first + length) for chrom, first, length in regions]
    wanted += [(chrom, pos, pos) for chrom, pos, *_ in (rows[i % len(rows)] for i in exact)]
    found, reading, notes = of_panel(path, wanted)
    assert notes.findings == []
    expected = told(sequential(tmp_path / "g.vcf", wanted))
    assert told(found) == expected
    assert told(of_panel(tmp_path / "g.vcf", wanted)[0]) == expected
    assert reading.samples == ["A", "B", "C"] and len(reading.contigs) == 3


ROWS = [row("chr1", 1 + 500 * n, "A", 0, "0/0 0/1 1/1") for n in range(5000)]
WANTED = [("chr1", 1_000_001, 1_000_001), ("1", 5, 5), ("chr1", 2_400_000, 2_401_000)]


def test_the_prefix_of_a_chromosome_does_not_matter(tmp_path: Path) -> None:
    found, _, notes = of_panel(compressed(tmp_path, ROWS), WANTED)
    assert [record.pos for record in found] == [1_000_001, 2_400_001, 2_400_501] and notes.findings == []


def test_only_the_blocks_of_the_index_are_read(tmp_path: Path) -> None:
    path = compressed(tmp_path, ROWS)
    reading = of_panel(path, WANTED)[1]
    assert reading.counts["records"] == 3


def _cut(index: Path) -> None:
    index.write_bytes(index.read_bytes()[: index.stat().st_size // 2])


def _garbage(index: Path) -> None:
    index.write_bytes(b"no index at all")


def _of_another_file(index: Path) -> None:
    folder = index.parent / "other"
    folder.mkdir()
    other = compressed(folder, [row("chr1", 7 * n + 1, "ACGT", 0, "0|0 ./. 1/1") for n in range(60_000)])
    shutil.copy(other.with_name(other.name + ".tbi"), index)


def _empty(index: Path) -> None:
    index.write_bytes(b"")


@pytest.mark.parametrize("damage", [_cut, _garbage, _of_another_file, _empty])
def test_a_damaged_index_is_noticed_and_the_whole_file_read(tmp_path: Path, damage: object) -> None:
    path = compressed(tmp_path, ROWS)
    expected = told(of_panel(path, WANTED)[0])
    damage(tmp_path / "g.vcf.gz.tbi")  # type: ignore[operator]
    found, reading, notes = of_panel(path, WANTED)
    assert told(found) == expected and reading.counts["records"] == len(ROWS)
    (finding,) = notes.findings
    assert finding.severity == "warning" and "g.vcf.gz.tbi is damaged or of another file" in finding.message


def test_an_index_older_than_its_file_is_not_used(tmp_path: Path) -> None:
    path = compressed(tmp_path, ROWS)
    os.utime(tmp_path / "g.vcf.gz.tbi", (1, path.stat().st_mtime - 60))
    found, reading, notes = of_panel(path, WANTED)
    assert len(found) == 3 and reading.counts["records"] == len(ROWS)
    assert "is older than the file" in notes.findings[0].message and notes.findings[0].severity == "warning"


@pytest.mark.parametrize("kind", ["tbi", "bcf"])
def test_without_an_index_the_whole_file_is_read(tmp_path: Path, kind: str) -> None:
    path = compressed(tmp_path, ROWS, kind)
    for index in tmp_path.glob("g.*.*i"):
        index.unlink()
    found, reading, notes = of_panel(path, WANTED)
    assert len(found) == 3 and reading.counts["records"] == len(ROWS)
    assert [finding.severity for finding in notes.findings] == ["info"]


def test_a_malformed_line_on_the_panel_keeps_its_number(tmp_path: Path) -> None:
    rows = [*ROWS[:2000], ROWS[2000].replace("\tA\t", "\tM\t"), *ROWS[2001:]]
    reading = of_panel(compressed(tmp_path, rows), WANTED)[1]
    assert list(reading.malformed.values()) == [[1, 2000 + len(HEADER.splitlines()) + 1]]


@pytest.mark.parametrize("name", ["chr22.vcf.gz", "chr7-sub.vcf.gz", "hapmap_exome_chr22.vcf.gz"])
def test_real_indexes_give_the_records_of_the_pharmacogenes_and_more(tmp_path: Path, name: str) -> None:
    for file in shared("data/genotype-ingest/vcf").glob(name + "*"):
        shutil.copyfile(file, tmp_path / file.name)
    path, wanted = tmp_path / name, places(load_positions())
    everything = list(read_records(path, VcfReading(name)))
    some = [(record.chrom, record.pos, record.pos) for record in everything[:: max(1, len(everything) // 50)]]
    found, _, _ = of_panel(path, [*panel_regions(wanted), *some])
    assert told([r for r in found if touches(r, wanted)]) == told([r for r in everything if touches(r, wanted)])
    assert {place[1] for place in some} <= {record.pos for record in found}


def test_what_is_no_index_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "x.tbi").write_bytes(b"\x1f\x8bwhatever")
    with pytest.raises(DamagedIndex):
        read_index(tmp_path / "x.tbi")
