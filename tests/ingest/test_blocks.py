"""Further blocks: each with its own transformation and its own checks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nociomics.ingest.blocks import read_block
from nociomics.ingest.notes import Notes
from nociomics.tables.study import BlockSource
from tests.conftest import shared


def block(folder: Path, text: str | None = None, **described: object) -> tuple[pl.DataFrame | None, Notes]:
    if text is not None:
        (folder / "b.csv").write_text(text)
    notes = Notes("block b")
    source = BlockSource.model_validate({"name": "b", "path": "b.csv", **described})
    return read_block([source], folder, None, None, None, notes), notes


def told(notes: Notes) -> list[tuple[str, int]]:
    return [(finding.severity, finding.count) for finding in notes.findings]


def test_betas_become_m_values(tmp_path: Path) -> None:
    frame, notes = block(tmp_path, "patient_id,cg1,cg2\nA,0.5,0.8\nB,0,\nC,1,0.2\n", transform="m_value")
    assert frame is not None
    assert frame["cg1"].to_list() == pytest.approx([0, np.log2(0.0001 / 0.9999), np.log2(0.9999 / 0.0001)])
    assert frame["cg2"].to_list() == [pytest.approx(2.0), None, pytest.approx(-2.0)]
    assert told(notes) == [("info", 2)] and "exactly 0 or 1" in notes.findings[0].message


def test_sites_in_rows_are_turned_round(tmp_path: Path) -> None:
    frame, notes = block(tmp_path, "ID_REF,A,B\ncg1,0.5,0.8\ncg2,0.2,\n", transform="m_value")
    assert frame is not None and notes.findings == []
    assert frame["cg1"].to_list() == pytest.approx([0, 2]) and frame["cg2"].to_list() == [pytest.approx(-2), None]
    _, notes = block(tmp_path, "ID_REF,A,B\ncg1,0.5,0.8\ncg1,0.2,\n")
    assert [finding.message for finding in notes.findings if finding.severity == "fatal"] == [
        "b.csv: 1 rows repeat a feature that stands above. Rename or remove them."
    ]


def test_counts_become_centred_log_ratios_within_each_person(tmp_path: Path) -> None:
    frame, notes = block(tmp_path, "patient_id,a,b,c\nA,0,10,3\nB,7,7,7\n", transform="clr")
    assert frame is not None and notes.findings == []
    logs = np.log(np.array([0, 10, 3]) + 0.5)
    assert frame.row(0)[1:] == pytest.approx(logs - logs.mean())
    assert frame.row(1)[1:] == pytest.approx([0, 0, 0])
    alone, _ = block(tmp_path, "patient_id,a,b,c\nA,0,10,3\n", transform="clr")
    assert alone is not None and alone.row(0) == frame.row(0)


def test_a_long_table_of_counts_that_lists_no_zero_leaves_zeros_out(tmp_path: Path) -> None:
    described = {"names_from": ["taxon"], "values_from": "n", "transform": "clr"}
    frame, notes = block(tmp_path, "patient_id,taxon,n\nA,x,3\nA,y,5\nB,x,2\n", **described)
    assert frame is not None and told(notes) == [("info", 1)]
    assert frame["y"][1] == pytest.approx(np.log(0.5) - (np.log(0.5) + np.log(2.5)) / 2)
    frame, notes = block(tmp_path, "patient_id,taxon,n\nA,x,3\nA,y,0\nB,x,2\n", **described)
    assert frame is not None and frame["y"][1] is None and notes.findings == []


IMPOSSIBLE = {
    "a beta above 1": ("m_value", "A,0.5,0.8\nB,1.2,0.1\n", "1 row (first: line 3) are below 0 or above 1"),
    "a negative count": ("clr", "A,1,2\nB,-1,3\n", "1 row (first: line 3) are no counts"),
    "a fraction as count": ("clr", "A,0.5,2\nB,1,3\n", "1 row (first: line 2) are no counts"),
    "a sample without reads": ("clr", "A,1,2\nB,0,0\n", "1 row (first: line 3) have no count above 0"),
    "the logarithm of zero": ("log10", "A,1,2\nB,0,3\n", "1 row (first: line 3) are 0 or less and have no log10"),
    "log1p of -1": ("log1p", "A,-1,2\nB,1,3\n", "1 row (first: line 2) are -1 or less and have no log1p"),
}


@pytest.mark.parametrize(("transform", "rows", "words"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_values_without_a_transformed_value_are_fatal(tmp_path: Path, transform: str, rows: str, words: str) -> None:
    _, notes = block(tmp_path, "patient_id,x,y\n" + rows, transform=transform)
    fatal = [finding.message for finding in notes.findings if finding.severity == "fatal"]
    assert len(fatal) == 1 and words in fatal[0]


PROTEINS = """patient_id,Assay,NPX,LOD,QC_Warning
A,IL6,1.0,0.5,PASS
B,IL6,0.2,0.5,PASS
C,IL6,0.9,0.5,PASS
A,TNF,0.1,0.5,PASS
B,TNF,0.2,0.5,PASS
C,TNF,0.9,0.5,WARN
"""
OLINK = {"names_from": ["Assay"], "values_from": "NPX", "lod_from": "LOD"}


def test_proteins_below_their_limit_stay_and_are_told(tmp_path: Path) -> None:
    frame, notes = block(tmp_path, PROTEINS, **OLINK)
    assert frame is not None and frame.rows() == [("A", 1.0, 0.1), ("B", 0.2, 0.2), ("C", 0.9, 0.9)]
    assert told(notes) == [("info", 3), ("warning", 1)]
    assert "3 of 6 values" in notes.findings[0].message and "TNF 67 %, IL6 33 %" in notes.findings[0].message
    assert "(TNF)" in notes.findings[1].message


def test_rows_with_a_quality_warning_can_be_left_out(tmp_path: Path) -> None:
    frame, notes = block(tmp_path, PROTEINS, **OLINK, where={"QC_Warning": "PASS"})
    assert frame is not None and frame["TNF"].to_list() == [0.1, 0.2, None]
    assert "3 of 5 values" in notes.findings[0].message


def test_a_limit_that_the_file_lacks_is_named(tmp_path: Path) -> None:
    _, notes = block(tmp_path, PROTEINS, **{**OLINK, "lod_from": "LODD"})
    assert told(notes) == [("fatal", 1)] and 'Did you mean "LOD"?' in notes.findings[0].message
    _, notes = block(tmp_path, "patient_id,x\nA,1\n", lod_from="LOD")
    assert told(notes) == [("fatal", 1)] and "is for a long file" in notes.findings[0].message


def test_a_block_remembers_its_file_and_what_was_done(tmp_path: Path) -> None:
    _, notes = block(tmp_path, "patient_id,x\nA,1\nB,2\n", transform="log2")
    assert notes.origins == [{"table": "block_b", "name": "*", "file": "b.csv", "column": None}]
    assert [(step["step"], step["rows_out"]) for step in notes.readings][-1] == ("converted", 2)


def test_a_code_for_missing_among_the_values_is_remarked(tmp_path: Path) -> None:
    _, notes = block(tmp_path, "patient_id,x,y\nA,1,1\nB,-999,2\nC,3,3\nD,2,4\n")
    assert told(notes) == [("warning", 1)] and notes.findings[0].column == "x"


def test_several_samples_of_a_person_are_refused_or_their_median_is_taken(tmp_path: Path) -> None:
    text = "patient_id,a,b\nA,1,\nB,5,\nA,3,8\nA,8,\n"
    _, refused = block(tmp_path, text)
    assert told(refused) == [("fatal", 2)]
    frame, notes = block(tmp_path, text, replicates="median")
    assert frame is not None and frame.rows() == [("A", 3.0, 8.0), ("B", 5.0, None)]
    assert told(notes) == [("warning", 1)]


def test_a_large_file_is_kept_in_single_precision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nociomics.ingest.blocks._LARGE_BYTES", 10)
    frame, notes = block(tmp_path, "patient_id,x\nA,1.5\nB,2\n")
    assert frame is not None and frame["x"].dtype == pl.Float32 and "single precision" in notes.findings[0].message


def test_real_proteins_of_the_first_sample_of_each_person() -> None:
    folder = shared("data/olink-covid-severity")
    samples = {"path": "breda_samples.csv", "where": {"timepoint": "T1"}}
    notes = Notes("block b")
    source = BlockSource.model_validate({"name": "b", "path": "breda_npx.csv", "samples": samples})
    frame = read_block([source], folder, None, None, None, notes)
    assert frame is not None and frame.width == 63
    # Two people gave two first samples; the study has to choose.
    assert [finding.count for finding in notes.findings if finding.severity == "fatal"] == [2]
    assert frame["patient_id"].is_unique().all()


def test_real_genera_and_real_sequence_variants() -> None:
    folder = shared("data/fibromyalgia-microbiome")
    renamed = {"sample_id": "patient_id"}
    wide = BlockSource.model_validate(
        {"name": "genera", "path": "genus_counts.csv", "columns": renamed, "transform": "clr"}
    )
    frame = read_block([wide], folder, None, None, None, Notes("g"))
    assert frame is not None and frame.shape == (101, 280)
    np.testing.assert_allclose(frame.drop("patient_id").to_numpy().mean(axis=1), 0, atol=1e-12)
    described = {"names_from": ["asv"], "values_from": "count", "columns": renamed, "transform": "clr"}
    long = BlockSource.model_validate({"name": "asv", "path": "asv_counts_long.csv.gz", **described})
    notes = Notes("a")
    frame = read_block([long], folder, None, None, None, notes)
    assert frame is not None and frame.shape == (101, 6994)
    assert told(notes) == [("info", 101 * 6993 - 16063)]


def test_real_clinical_chemistry_beside_expression() -> None:
    folder = shared("data/liver-acetaminophen")
    described = {"path": "clinical_chemistry.csv", "columns": {"animal_id": "patient_id"}, "transform": "log2"}
    notes = Notes("block chemistry")
    frame = read_block(
        [BlockSource.model_validate({"name": "chemistry", **described})], folder, None, None, None, notes
    )
    assert frame is not None and frame.shape == (64, 11) and notes.findings == []
    assert frame["ALT.IU.L."][0] == pytest.approx(np.log2(73))
