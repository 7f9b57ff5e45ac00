"""The one way from a study's tables to its features."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nociomics.errors import NociomicsError, TableError
from nociomics.preparation import Prepared, prepare, read_new_people
from nociomics.tables.study import Study
from tests.ingest.study_folder import PEOPLE, STUDY, csv_text, sound_files
from tests.knowledge.test_instrument_file import OWN

WEIGHTS = "rsID\tchr_name\tchr_position\teffect_allele\tother_allele\teffect_weight\nrs4680\t22\t19963748\tA\tG\t0.5\n"


def prepared(folder: Path, more: dict[str, str], tables: dict[str, Any]) -> Prepared:
    """Write the small study with further files and tables, and prepare its people."""
    study = deepcopy(STUDY)
    study["tables"] |= tables
    for name, text in (sound_files() | more).items():
        (folder / name).write_text(text)
    return read_new_people(Study.model_validate(study), folder)


def test_a_polygenic_score_becomes_a_feature(tmp_path: Path) -> None:
    score = {"path": "weights.txt", "name": "comt"}
    found = prepared(tmp_path, {"weights.txt": WEIGHTS}, {"polygenic_scores": [score]})
    copies = found.features["snp_rs4680"]
    assert copies.sum() == 20
    assert (found.features["pgs_comt"] == 0.5 * copies).all()
    row = found.catalogue.filter(pl.col("feature") == "pgs_comt").row(0, named=True)
    assert (row["modality"], row["source_file"]) == ("genotype", "weights.txt; genotypes.vcf")


def test_weights_without_genotypes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="need genotypes, and the study names none"):
        tables = {"polygenic_scores": [{"path": "weights.txt", "name": "comt"}], "genotype": []}
        prepared(tmp_path, {"weights.txt": WEIGHTS}, tables)


def test_earlier_drugs_become_counts(tmp_path: Path) -> None:
    rows = [f"{PEOPLE[0]},Ibuprofen,partial", f"{PEOPLE[0]},Tramadol,none", f"{PEOPLE[1]},ibuprofen,none"]
    history = csv_text("patient_id,drug,response", rows)
    found = prepared(tmp_path, {"history.csv": history}, {"treatment_history": "history.csv"})
    counts = found.features.select("history_drugs_tried", "history_drugs_helped").head(3).rows()
    assert counts == [(2.0, 1.0), (1.0, 0.0), (None, None)]


def test_a_fixed_reference_changes_the_scale_of_each_sample_alone(tmp_path: Path) -> None:
    genes = [f"G{number}" for number in range(40)]
    lines = [",".join([who, *(str(5 + (3 * i + j) % 17) for j in range(len(genes)))]) for i, who in enumerate(PEOPLE)]
    counts = csv_text(",".join(["patient_id", *genes]), lines)
    reference = csv_text("gene,count", [f"{gene},{10 + number % 7}" for number, gene in enumerate(genes)])
    files = {"expression.csv": counts, "reference.csv": reference}
    plain = {"expression": {"path": "expression.csv", "samples": "samples.csv"}}
    scaled = {"expression": plain["expression"] | {"normalise": "tmm", "reference": "reference.csv"}}
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    columns = [f"expression_{gene}" for gene in genes]
    one = prepared(tmp_path / "a", files, plain).features.select(columns).to_numpy()
    two = prepared(tmp_path / "b", files, scaled).features.select(columns).to_numpy()
    shift = two - one
    assert abs(shift - shift[:, :1]).max() < 1e-4, "every gene of a person moves by the same factor"
    assert abs(shift).max() > 0.001


def test_every_feature_says_where_it_came_from(tmp_path: Path) -> None:
    found = prepared(tmp_path, {}, {})
    unknown = found.catalogue.filter(pl.col("source_file").is_null() | pl.col("source_column").is_null())
    assert unknown["feature"].to_list() == []


def test_scores_without_the_converted_files_are_refused() -> None:
    study = Study.model_validate({**STUDY, "tables": {"patients": "p.csv"}})
    one = pl.DataFrame({"patient_id": ["a"]})
    weights = pl.DataFrame({"score": ["x"]})
    people = pl.DataFrame({"patient_id": ["a"], "sample": ["a"], "store": ["1"]})
    flow = pl.DataFrame({"step": ["s"], "people": [1], "left_out": [0], "reason": [""]})
    tables = {"patients": one, "score_weights": weights, "genotype_people": people, "flow": flow}
    with pytest.raises(TableError, match="converted genotype files"):
        prepare(tables, study.model_copy(update={"target": None}), None)


def answers(header: str, row: str) -> dict[str, str]:
    return {"questionnaires.csv": csv_text(f"patient_id,{header}", [f"{who},{row}" for who in PEOPLE])}


def test_a_questionnaire_of_the_studys_own_is_scored(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN)
    study = deepcopy(STUDY) | {"instruments": ["own.yaml"]}
    for name, text in (sound_files() | answers("own_scale_1,own_scale_2,own_scale_3", "7,1,6")).items():
        (tmp_path / name).write_text(text)
    found = read_new_people(Study.model_validate(study), tmp_path)
    assert found.features["own_total"].unique().to_list() == [20.0]
    source = found.catalogue.filter(pl.col("feature") == "own_total").row(0, named=True)
    assert source["modality"] == "questionnaires"


def test_a_questionnaire_whose_example_does_not_come_out_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN.replace("total: 21", "total: 20"))
    study = deepcopy(STUDY) | {"instruments": ["own.yaml"]}
    for name, text in sound_files().items():
        (tmp_path / name).write_text(text)
    with pytest.raises(NociomicsError, match="worked examples of own_scale do not come out"):
        read_new_people(Study.model_validate(study), tmp_path)


def test_a_missing_definition_is_a_finding_among_the_others(tmp_path: Path) -> None:
    study = deepcopy(STUDY) | {"instruments": ["nowhere.yaml"]}
    for name, text in sound_files().items():
        (tmp_path / name).write_text(text)
    with pytest.raises(TableError, match=r"instruments: .*nowhere\.yaml"):
        read_new_people(Study.model_validate(study), tmp_path)


def test_an_answer_that_must_be_seen_is_listed_whatever_the_total(tmp_path: Path) -> None:
    found = prepared(tmp_path, answers("phq_9_1,phq_9_9", "0,2"), {})
    assert found.safety_items.height == len(PEOPLE)
    assert set(found.safety_items["item"]) == {"9"}
    told = [finding for finding in found.findings if "a clinician must see" in finding.message]
    assert [finding.count for finding in told] == [len(PEOPLE)]
    assert "SECRET" not in told[0].message


@pytest.mark.parametrize("value_set", [None, "canada"])
def test_the_index_of_eq_5d_needs_a_value_set_by_name(value_set: str | None, tmp_path: Path) -> None:
    columns = "eq_5d_5l_mo,eq_5d_5l_sc,eq_5d_5l_ua,eq_5d_5l_pd,eq_5d_5l_ad"
    source = {"path": "questionnaires.csv"} | ({"value_set": value_set} if value_set else {})
    found = prepared(tmp_path, answers(columns, "1,1,1,1,1"), {"questionnaires": source})
    named = [name for name in found.features.columns if name.startswith("eq_5d_5l") and "index" in name]
    if value_set is None:
        assert named == [] and any("no value set is named" in finding.message for finding in found.findings)
    else:
        assert found.features[named[0]].unique().to_list() == [0.949]
