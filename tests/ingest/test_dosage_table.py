"""Tables of dosages: people in rows or variants in rows, whole copies or fractions, and what is refused."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nociomics.ingest.dosage_table import read_dosage_table
from nociomics.ingest.notes import Notes
from nociomics.tables.ingested import VARIANTS
from nociomics.tables.study import TableSource
from tests.conftest import examples


def read(folder: Path, text: str, **described: object) -> tuple[pl.DataFrame, pl.DataFrame, Notes]:
    (folder / "d.txt").write_text(text)
    notes = Notes("genotype")
    people = described.pop("people", None)
    source = TableSource.model_validate({"path": "d.txt", **described})
    found = read_dosage_table(source, folder, people, notes)  # type: ignore[arg-type]
    assert found is not None, notes.findings
    dosages, variants = found
    VARIANTS.check(variants)
    return dosages.drop("__file", "__row", strict=False), variants, notes


def refused(folder: Path, text: str, **described: object) -> str:
    (folder / "d.txt").write_text(text)
    notes = Notes("genotype")
    read_dosage_table(TableSource.model_validate({"path": "d.txt", **described}), folder, None, notes)
    assert notes.has_fatal
    return "\n".join(finding.message for finding in notes.findings if finding.severity == "fatal")


def test_whole_copies_stay_whole_and_fractions_are_taken(tmp_path: Path) -> None:
    dosages, variants, notes = read(tmp_path, "patient_id,rs1,rs2\nA,0,1.5\nB,2.0,NA\nC,,0.25\n")
    assert dosages.to_dict(as_series=False) == {
        "patient_id": ["A", "B", "C"],
        "rs1": [0, 2, None],
        "rs2": [1.5, None, 0.25],
    }
    assert dosages.dtypes[1:] == [pl.Int8, pl.Float64]
    assert variants["call_rate"].to_list() == pytest.approx([2 / 3, 2 / 3])
    assert variants["alt_frequency"].to_list() == pytest.approx([0.5, 1.75 / 4])
    assert not notes.has_fatal


BY_VARIANT = {
    "all that describes": "rsid\tchrom\tpos\tref\talt\tA\tB\nrs1\t1\t100\tA\tG\t0\t2\n.\t1\t200\tC\tT\t0.5\t\n",
    "upper case, other names": "SNP;CHR;BP;A2;A1;A;B\nrs1;1;100;A;G;0;2\n.;1;200;C;T;0,5;NA\n",
    "PLINK's .traw": "CHR SNP (C)M POS COUNTED ALT A B\n1 rs1 0 100 G A 0 2\n1 . 0 200 T C 0.5 NA\n".replace(" ", "\t"),
    "named by place alone": "chrom,pos,ref,alt,A,B\n1,100,A,G,0,2\n1,200,C,T,0.5,\n",
}


@pytest.mark.parametrize("text", BY_VARIANT.values(), ids=BY_VARIANT.keys())
def test_variants_in_rows_are_turned(tmp_path: Path, text: str) -> None:
    dosages, variants, notes = read(tmp_path, text)
    assert dosages["patient_id"].to_list() == ["A", "B"]
    assert dosages.to_numpy()[:, 1:].tolist() == [[0, 0.5], [2, None]] or dosages.rows() == [
        ("A", 0, 0.5),
        ("B", 2, None),
    ]
    first = "1_100_A_G" if "named by place" in text or text.startswith("chrom,") else "rs1"
    assert variants.select("variant", "chrom", "pos", "ref", "alt").rows() == [
        (first, "1", 100, "A", "G"),
        ("1_200_C_T", "1", 200, "C", "T"),
    ]
    assert variants["call_rate"].to_list() == [1.0, 0.5] and variants["alt_frequency"].to_list() == [0.5, 0.25]
    assert not notes.has_fatal


def test_samples_are_mapped_to_people(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("sample_id,patient_id\nS1,P1\nS2,P2\nS3,P3\n")
    people = pl.Series(["P1", "P2"])
    dosages, _, notes = read(tmp_path, "variant,S1,S2,S3\nrs1,0,1,2\n", samples="s.csv", people=people)
    assert dosages.rows() == [("P1", 0), ("P2", 1)]
    assert [(f.severity, f.count) for f in notes.findings if f.severity == "warning"] == [("warning", 1)]


def test_a_plink_export_with_people_in_rows(tmp_path: Path) -> None:
    text = "FID\tIID\tPAT\tMAT\tSEX\tPHENOTYPE\trs1_G\trs2_T\nf\tA\t0\t0\t1\t-9\t0\t1\nf\tB\t0\t0\t2\t-9\t2\tNA\n"
    dosages, _, _ = read(tmp_path, text)
    assert dosages.rows() == [("A", 0, 1), ("B", 2, None)]


def test_a_repeated_variant_is_kept_once(tmp_path: Path) -> None:
    dosages, _, notes = read(tmp_path, "variant,A,B\nrs1,0,1\nrs2,1,1\nrs1,2,2\n")
    assert dosages.rows() == [("A", 0, 1), ("B", 1, 1)]
    assert any("1 row (first: line 4) repeat a variant" in finding.message for finding in notes.findings)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("patient_id,rs1\nA,0\nB,3\nC,-9\n", 'column "rs1": 2 rows (first: line 3) lie outside 0 to 2'),
        ("patient_id,rs1\nA,0\nB,A/G\n", 'column "rs1": 1 row (first: line 3) hold text where a number belongs'),
        ("variant,SECRET-1,B\nrs1,0,1\nrs2,0,-1\n", "1 row (first: line 3) lie outside 0 to 2"),
        ("variant,SECRET-1,B\nrs1,0,1\nrs2,x,1\n", "1 row (first: line 3) hold text where a number belongs"),
        ("chrom,pos,SECRET-1,B\n1,x,0,1\n", "have no whole number as position"),
        ("variant,pos,SECRET-1,B\n,,0,1\n", "have neither a name nor a place"),
        ("person,rs1\nA,0\n", 'has no column "patient_id"'),
    ],
)
def test_what_is_no_dosage_is_refused(tmp_path: Path, text: str, words: str) -> None:
    message = refused(tmp_path, text)
    assert words in message and "SECRET" not in message


def test_many_wrong_columns_become_few_findings(tmp_path: Path) -> None:
    names = [f"rs{number}" for number in range(30)]
    message = refused(tmp_path, f"patient_id,{','.join(names)}\nA,{','.join(['9'] * 30)}\n")
    assert len(message.splitlines()) == 11 and "20 further columns" in message


_TABLES = st.integers(1, 6).flatmap(
    lambda width: st.lists(
        st.lists(st.sampled_from(["0", "1", "2", "0.5", "1.25", ""]), min_size=width, max_size=width),
        min_size=1,
        max_size=5,
    )
)


@given(_TABLES)
@settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_layouts_give_the_same(tmp_path: Path, cells: list[list[str]]) -> None:
    people, variants = [f"P{i}" for i in range(len(cells))], [f"rs{j}" for j in range(len(cells[0]))]
    by_person = [
        f"patient_id,{','.join(variants)}",
        *(f"{p},{','.join(row)}" for p, row in zip(people, cells, strict=True)),
    ]
    turned = [f"variant,{','.join(people)}"]
    turned += [f"{name},{','.join(row[j] for row in cells)}" for j, name in enumerate(variants)]
    one = read(tmp_path, "\n".join(by_person) + "\n")
    two = read(tmp_path, "\n".join(turned) + "\n")
    assert one[0].equals(two[0]) and one[1].equals(two[1])
