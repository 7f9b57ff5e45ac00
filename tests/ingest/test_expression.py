"""Expression in the shapes in which laboratories hand it over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nociomics.ingest.expression import read_expression, read_reference
from nociomics.ingest.gene_names import clean_genes
from nociomics.ingest.notes import Notes
from nociomics.tables.study import TableSource
from tests.conftest import examples, shared


def read(
    folder: Path, text: str, people: list[str] | None = None, **described: object
) -> tuple[pl.DataFrame | None, Notes]:
    (folder / "e.tsv").write_text(text)
    notes = Notes("expression")
    source = TableSource.model_validate({"path": "e.tsv", **described})
    ids = None if people is None else pl.Series("patient_id", people)
    frame, _ = read_expression([source], folder, ids, None, notes)
    assert not any("SECRET" in finding.message for finding in notes.findings)
    return frame, notes


def told(notes: Notes) -> list[tuple[str, int]]:
    return [(finding.severity, finding.count) for finding in notes.findings]


def test_versions_counters_and_repeated_genes(tmp_path: Path) -> None:
    text = (
        "gene\tA\tB\nENSG00000139618.15\t1\t2\nENSG00000139618.16\t10\t20\nCOMT\t5\t\nCOMT\t7\t1\n"
        "ENSG00000002586.20\t1\t1\nENSG00000002586.20_PAR_Y\t2\t2\n__no_feature\t900\t900\nN_unmapped\t9\t9\n"
    )
    frame, notes = read(tmp_path, text)
    assert frame is not None
    assert frame.to_dict(as_series=False) == {
        "patient_id": ["A", "B"],
        "ENSG00000139618": [11.0, 22.0],
        "COMT": [12.0, None],
        "ENSG00000002586": [1.0, 1.0],
        "ENSG00000002586_PAR_Y": [2.0, 2.0],
    }
    assert frame["COMT"].dtype == pl.Float32
    assert told(notes) == [("info", 2), ("info", 4), ("info", 2)]
    assert "lie in no gene" in notes.findings[0].message and "added up" in notes.findings[2].message
    assert [reading["step"] for reading in notes.readings] == ["read", "turned round", "combined"]
    assert notes.origins == [{"table": "expression", "name": "*", "file": "e.tsv", "column": None}]


def test_repeated_genes_on_the_log_scale_are_added_on_the_linear_one(tmp_path: Path) -> None:
    frame, notes = read(tmp_path, "gene\tA\nG\t3\nG\t3\nH\t-1.5\n", values="log2")
    assert frame is not None and frame.row(0) == ("A", 4.0, -1.5)
    assert "log2(sum of 2^x)" in notes.findings[0].message


@settings(max_examples=examples(15), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.sampled_from(["G1", "G2.1", "ENSG00000000001.1", "ENSG00000000001.2"]), min_size=1, max_size=8))
def test_no_person_changes_another_when_genes_are_put_together(names: list[str]) -> None:
    values = np.arange(2.0 * len(names)).reshape(len(names), 2)
    for measure in ("counts", "log2"):
        both = clean_genes(names, values.copy(), measure, "f", Notes("e"))
        alone = clean_genes(names, values[:, :1].copy(), measure, "f", Notes("e"))
        assert both[0] == alone[0] and np.array_equal(both[1][:, :1], alone[1])


WAYS_ROUND = {
    "genes in rows": "gene\tP1\tP2\nG1\t1\t2\nG2\t3\t4\n",
    "people in rows": "patient_id\tG1\tG2\nP1\t1\t3\nP2\t2\t4\n",
    "a counting program": "Geneid\tP1\tP2\nG1\t1\t2\nG2\t3\t4\n",
    "featureCounts": (
        "# Program:featureCounts v2.0.1; Command:x\nGeneid\tChr\tStart\tEnd\tStrand\tLength\tP1\tP2\n"
        "G1\tchr1;chr1\t1;5\t2;9\t+;+\t7\t1\t2\nG2\tchr2\t1\t2\t-\t2\t3\t4\n"
    ),
    "R row names of genes": "P1\tP2\nG1\t1\t2\nG2\t3\t4\n",
    "R row names of people": "G1\tG2\nP1\t1\t3\nP2\t2\t4\n",
    "a series matrix": (
        '!Series_title\t"x"\n!series_matrix_table_begin\n"ID_REF"\t"P1"\t"P2"\n"G1"\t1\t2\n"G2"\t3\t4\n'
        "!series_matrix_table_end\n"
    ),
}


@pytest.mark.parametrize("text", WAYS_ROUND.values(), ids=WAYS_ROUND)
def test_files_stand_any_way_round(tmp_path: Path, text: str) -> None:
    frame, notes = read(tmp_path, text, people=["P1", "P2"])
    assert frame is not None and not notes.has_fatal
    assert frame.rows() == [("P1", 1.0, 3.0), ("P2", 2.0, 4.0)] and frame.columns[1:] == ["G1", "G2"]


BROKEN = {
    "a ragged row": ("gene\tSECRET-1\tSECRET-2\nG1\t1\t2\nG2\t3\n", "1 rows (first: line 3, with 2 fields)"),
    "text for a number": (
        "gene\tSECRET-1\tSECRET-2\nG1\t1\t2\nG2\tSECRET\t4\n",
        "1 row (first: line 3) hold text where a number belongs",
    ),
    "text in the first row": ("gene\tSECRET-1\tSECRET-2\nG1\tx\t2\nG2\t3\t4\n", "1 row (first: line 2) hold text"),
    "a row without a gene": ("gene\tSECRET-1\tSECRET-2\nG1\t1\t2\n\t3\t4\n", "1 row (first: line 3) name no gene"),
    "negative counts": ("gene\tSECRET-1\nG1\t-1\n", "1 values are negative"),
    "log2 values as counts": ("gene\tSECRET-1\nG1\t1.5\nG2\t12.25\n", "these look like log2 values"),
    "expected counts": ("gene\tSECRET-1\nG1\t1.5\nG2\t1200\n", "Expected counts (RSEM, salmon) are estimates"),
}


@pytest.mark.parametrize(("text", "words"), BROKEN.values(), ids=BROKEN)
def test_broken_tables_have_one_clear_message(tmp_path: Path, text: str, words: str) -> None:
    _, notes = read(tmp_path, text)
    fatal = [finding.message for finding in notes.findings if finding.severity == "fatal"]
    assert len(fatal) == 1 and words in fatal[0]


def test_log2_values_that_cannot_be_log2_are_remarked(tmp_path: Path) -> None:
    _, notes = read(tmp_path, "gene\tA\tB\nG1\t1\t2000\nG2\t3\t4\n", values="log2")
    assert told(notes) == [("warning", 1)] and "above 50" in notes.findings[0].message


def test_genes_are_chosen_by_where_keep_and_drop(tmp_path: Path) -> None:
    text = "gene\tkind\tA\nG1\tcoding\t1\nG2\tpseudo\t2\nG3\tcoding\t3\n"
    frame, notes = read(tmp_path, text, where={"kind": "coding"}, drop=["G3"])
    assert frame is not None and frame.rows() == [("A", 1.0)] and notes.findings == []
    frame, notes = read(tmp_path, text, drop=["kind", "G1"])
    assert frame is not None and frame.columns == ["patient_id", "G2", "G3"] and notes.findings == []


def test_a_whole_person_table_goes_through_its_samples(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("sample_id,patient_id,batch\nS2,B,y\nS1,A,x\n")
    frame, notes = read(tmp_path, "gene\tS1\tS9\tS2\nG1\t1\t9\t2\n", ["A", "B"], samples="s.csv")
    assert frame is not None and frame.rows() == [("A", 1.0), ("B", 2.0)] and told(notes) == [("warning", 1)]


def test_tmm_needs_a_fixed_reference(tmp_path: Path) -> None:
    text = "gene\tA\nG1\t1\n"
    _, notes = read(tmp_path, text, normalise="tmm")
    assert told(notes) == [("fatal", 1)] and "needs reference:" in notes.findings[0].message
    _, notes = read(tmp_path, text, normalise="tmm", reference="r.csv", values="tpm")
    assert told(notes) == [("fatal", 1)] and "is for counts" in notes.findings[0].message


def test_the_reference_is_a_table_of_genes_and_counts(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("gene,count\nENSG00000139618.15,5\nENSG00000139618.16,7\nG2,0\n")
    source = TableSource.model_validate({"path": "e", "normalise": "tmm", "reference": "r.csv"})
    profile = read_reference([source], tmp_path, Notes("expression"))
    assert profile is not None and profile.rows() == [("ENSG00000139618", 12.0), ("G2", 0.0)]
    (tmp_path / "r.csv").write_text("gene,count\nG1,-5\nG2,x\n")
    notes = Notes("expression")
    read_reference([source], tmp_path, notes)
    assert notes.has_fatal
    plain = TableSource.model_validate({"path": "e"})
    assert read_reference([plain], tmp_path, Notes("expression")) is None


def test_runs_of_a_real_cohort_that_belong_to_nobody_are_counted(tmp_path: Path) -> None:
    folder = shared("data/geuvadis-genotype-expression")
    pairs = (folder / "Geuvadis_CEU_gte.txt").read_text()
    (tmp_path / "map.tsv").write_text("patient_id\tsample_id\n" + pairs)
    (tmp_path / "runs.txt.gz").write_bytes((folder / "expression/Geuvadis_CEU_YRI_Expr.txt.gz").read_bytes())
    source = TableSource.model_validate(
        {"path": "runs.txt.gz", "columns": {"-": "gene"}, "values": "log2", "samples": "map.tsv"}
    )
    notes = Notes("expression")
    frame, _ = read_expression([source], tmp_path, None, None, notes)
    # 805 rows, of which two are one gene: its id stands once with a version and once without.
    assert frame is not None and frame.shape == (90, 805)
    assert told(notes) == [("warning", 88), ("info", 1), ("info", 1)]


def test_probes_of_a_real_study_with_people_in_rows() -> None:
    folder = shared("data/liver-acetaminophen")
    source = TableSource.model_validate(
        {"path": "gene_expression.csv.gz", "columns": {"animal_id": "patient_id"}, "values": "log2"}
    )
    notes = Notes("expression")
    frame, _ = read_expression([source], folder, None, None, notes)
    assert frame is not None and frame.shape == (64, 3117) and notes.findings == []
    assert frame["A_43_P14555"][0] == pytest.approx(0.05169)
