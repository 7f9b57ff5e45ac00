"""Public data sets with known traps, each read through a study as a user would write it, with exact counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import yaml

from nociomics.harmonise.instrument_scores import score_responses
from nociomics.ingest.notes import Notes
from nociomics.ingest.sources import read_source
from nociomics.ingest.study_tables import IngestedStudy, read_study, write_ingested
from nociomics.knowledge.instrument import load_instruments
from nociomics.tables.study import Study, TableSource
from tests.conftest import shared

from .study_folder import fatal

CROSSOVER = """
study: amitriptyline
tables:
  patients:
    path: raw/Demographics.csv
    columns: {ID: patient_id, Age: age, "Education_>9yrs": education_over_9_years}
  outcomes:
    path: raw/ResponderAnalysis.csv
    columns: {ID: patient_id}
    keep: [Responder]
    values_map: {Responder: {Responder: "1", Non.responder: "0"}}
target: {kind: binary, outcome: Responder}
"""
RESILIENCE = """
study: resilience
tables:
  patients:
    - {path: demographics.csv, columns: {ID: patient_id}, missing: [],
       keep: [chronic_pain, age, sex, years_education, resilience_scale_score, eq5d_vas]}
    - {path: actigraphy.csv, columns: {id: patient_id}, keep: [median_activity]}
    - {path: activity_predictors.csv, columns: {" ID": patient_id}, keep: [bmi]}
    - {path: bpi_activity.csv, columns: {ID: patient_id, "Worst_pain ": worst_pain}, keep: [worst_pain]}
  blocks:
    - {name: resilience, path: resilience_scale_items.csv, columns: {ID: patient_id}}
"""
NHANES = """
study: nhanes
tables:
  patients:
    path: nhanes_2021_2023_merged.csv.gz
    columns: {SEQN: patient_id}
    keep: [age, PAD680, PAD810Q, PAD820, phq9_score]
  questionnaires:
    path: nhanes_2021_2023_merged.csv.gz
    columns: {SEQN: patient_id, DPQ010: phq_9_1, DPQ020: phq_9_2, DPQ030: phq_9_3, DPQ040: phq_9_4, DPQ050: phq_9_5,
              DPQ060: phq_9_6, DPQ070: phq_9_7, DPQ080: phq_9_8, DPQ090: phq_9_9}
    keep: [phq_9_1, phq_9_2, phq_9_3, phq_9_4, phq_9_5, phq_9_6, phq_9_7, phq_9_8, phq_9_9]
"""
BLUES = """
study: beat-the-blues
tables:
  patients: {path: beat_the_blues_bdi.csv, keep: [drug, length, bdi.pre]}
  treatments: {path: beat_the_blues_bdi.csv, columns: {treatment: arm}, keep: [arm], label: {assignment: randomised}}
  outcomes: {path: beat_the_blues_bdi.csv, keep: [bdi.2m, bdi.3m, bdi.5m, bdi.8m]}
target: {kind: change, outcome: bdi.8m, baseline: bdi.pre, treatment: arm}
"""
NECK = """
study: neck-pain
tables:
  patients:
    {path: neck_pain_laser_rct.csv, columns: {id: patient_id}, where: {time: 1}, keep: [laser], as_text: [laser]}
  questionnaires:
    path: neck_pain_laser_rct.csv
    columns: {id: patient_id, time: visit, vas: pcs_1}
    visits: {"1": baseline, "2": week4, "3": week8}
    keep: [visit, pcs_1]
"""
DIARY = """
study: migraine
tables:
  patients: {path: migraine_diary.csv, columns: {id: patient_id}, keep: [age, sex, hatype]}
"""
LIVER = """
study: liver
tables:
  patients: {path: treatment.csv, columns: {animal_id: patient_id}, as_text: [Animal.Number], drop: [Treatment.Group]}
  outcomes: {path: clinical_chemistry.csv, columns: {animal_id: patient_id}}
  expression: {path: gene_expression.csv.gz, columns: {animal_id: patient_id}, values: log2}
target: {kind: continuous, outcome: ALT.IU.L.}
"""
MICROBIOME = """
study: microbiome
tables:
  patients: {path: samples.csv, columns: {sample_id: patient_id}, drop: [group]}
  outcomes: {path: samples.csv, columns: {sample_id: patient_id}, keep: [group]}
  blocks: [{name: genera, path: genus_counts.csv, columns: {sample_id: patient_id}, transform: none}]
target: {kind: multiclass, outcome: group}
"""
BACK_PAIN = """
study: back-pain
tables:
  patients:
    path: Ashar2022_outcomes_demographics.csv
    columns: {id: patient_id, gender: sex}
    where: {time: 1, group: [1, 2, 3]}
    keep: [age, sex, current_opioid_use]
"""


def read(text: str, folder: str, **changes: Any) -> IngestedStudy:
    described = yaml.safe_load(text)
    described["tables"].update(changes)
    return read_study(Study.model_validate(described), shared(f"data/{folder}"))


def said(study: IngestedStudy, table: str, severity: str = "warning") -> list[str]:
    return [finding.message for finding in study.findings if finding.table == table and finding.severity == severity]


def test_files_with_carriage_returns_only_are_read_as_their_clean_copies(tmp_path: Path) -> None:
    raw = read(CROSSOVER, "amitriptyline-crossover")
    clean = read(CROSSOVER.replace("raw/", ""), "amitriptyline-crossover")
    assert fatal(raw) == [] and raw.patients is not None and raw.outcomes is not None
    assert raw.patients.height == 124 and raw.patients.equals(clean.patients)
    assert dict(raw.outcomes["Responder"].value_counts().rows()) == {1.0: 52, 0.0: 70}
    write_ingested(raw, tmp_path)


def test_ids_of_another_kind_are_reported_and_never_matched_by_guess() -> None:
    block = [{"name": "rescue", "path": "RescueMeds.csv", "columns": {"ID": "patient_id"}}]
    study = read(CROSSOVER, "amitriptyline-crossover", blocks=block)
    assert [finding.message for finding in fatal(study)] == [
        'RescueMeds.csv, column "patient_id": none of 122 rows match an id of the table patients. '
        "Ids are compared as they are written; use the same ids in both tables, or give samples:, "
        "a table of sample_id and patient_id."
    ]


def test_three_spellings_of_the_id_column_lose_nobody(tmp_path: Path) -> None:
    study = read(RESILIENCE, "hivpain-resilience")
    assert fatal(study) == [] and study.patients is not None
    people = study.patients
    assert people.height == 197 and people["patient_id"].n_unique() == 197
    assert people["median_activity"].is_not_null().sum() == 68
    assert people["worst_pain"].is_not_null().sum() == 37
    items = study.blocks["resilience"]
    answers = [name for name in items.columns if name not in ("patient_id", "Q11", "Q20")]
    sums = items.select("patient_id", pl.sum_horizontal(answers).alias("sum"))
    both = people.select("patient_id", "chronic_pain", "resilience_scale_score").join(sums, on="patient_id")
    stated = people.group_by("chronic_pain").agg(
        pl.col("resilience_scale_score").mean().round(1).alias("mean"),
        pl.col("resilience_scale_score").std().round(1).alias("sd"),
        pl.col("eq5d_vas").median().alias("vas"),
    )
    assert sorted(stated.rows()) == [("No", 155.7, 12.1, 80.0), ("Yes", 143.6, 19.1, 50.0)]
    # The authors left two items out and took the mean of the other 23 times 25.
    assert both.height == 151
    assert (both["sum"] * 25 / 23 - both["resilience_scale_score"]).abs().max() <= 0.5
    write_ingested(study, tmp_path)


def test_codes_for_missing_are_counted_and_the_questionnaire_agrees_on_all_rows(tmp_path: Path) -> None:
    study = read(NHANES, "nhanes-crp-phq9")
    assert fatal(study) == [] and study.patients is not None and study.responses is not None
    assert study.patients.height == 5455
    codes = {(f.column, f.count) for f in study.findings if "far outside the others" in f.message}
    assert codes == {("PAD680", 1), ("PAD680", 30), ("PAD810Q", 1), ("PAD810Q", 19), ("PAD820", 5)}
    assert study.patients["PAD680"].max() == 9999  # told, but never taken as missing without a word
    scores = score_responses(study.responses, load_instruments()).filter(pl.col("scale") == "total")
    both = study.patients.join(scores.select("patient_id", "score"), on="patient_id")
    assert both.height == 5455 and (both["score"] == both["phq9_score"]).sum() == 5455
    write_ingested(study, tmp_path)


def test_named_codes_for_missing_are_empty_and_no_longer_told() -> None:
    named = NHANES.replace("keep: [age", 'missing: ["7777", "9999"]\n    keep: [age')
    study = read(named, "nhanes-crp-phq9")
    assert study.patients is not None and study.patients["PAD680"].max() == 1380
    assert not any("far outside the others" in finding.message for finding in study.findings)


def test_dropout_over_the_visits_is_counted() -> None:
    study = read(BLUES, "pain-mood-longitudinal")
    assert fatal(study) == [] and study.patients is not None and study.outcomes is not None
    there = [study.patients["bdi.pre"].is_not_null().sum()]
    there += [study.outcomes[name].is_not_null().sum() for name in ("bdi.2m", "bdi.3m", "bdi.5m", "bdi.8m")]
    assert there == [100, 97, 73, 58, 52]
    assert any("48 of 100 people have no outcome" in message for message in said(study, "outcomes", "info"))


def test_visits_are_renamed_and_only_baseline_keeps_its_word() -> None:
    source = TableSource.model_validate(yaml.safe_load(NECK)["tables"]["questionnaires"])
    frame = read_source(source, shared("data/pain-mood-longitudinal"), Notes("questionnaires"))
    assert frame is not None
    assert dict(frame["visit"].value_counts().rows()) == {"baseline": 90, "week4": 84, "week8": 90}


def test_a_diary_is_no_table_of_people() -> None:
    study = read(DIARY, "pain-mood-longitudinal")
    (message,) = fatal(study)
    assert message.count == 4152 - 133 - 1 and "repeat an id" in message.message
    assert any("1 row (first: line" in text and "in every column" in text for text in said(study, "patients"))


def test_the_rats_share_their_ids_over_three_tables(tmp_path: Path) -> None:
    study = read(LIVER, "liver-acetaminophen")
    assert fatal(study) == [] and study.patients is not None and study.expression is not None
    assert study.patients.schema["Animal.Number"] == pl.String
    assert study.patients.schema["Dose.Group"] == pl.Float64
    assert study.patients.height == 64 and study.expression.shape == (64, 3117)
    assert study.outcomes is not None and study.outcomes.shape == (64, 11)
    write_ingested(study, tmp_path)


def test_the_microbiome_keeps_its_bands_and_genera(tmp_path: Path) -> None:
    study = read(MICROBIOME, "fibromyalgia-microbiome")
    assert fatal(study) == [] and study.outcomes is not None
    bands = dict(study.outcomes["group"].value_counts().rows())
    assert bands == {"ctl": 51, "fbm_12_20": 16, "fbm_21_25": 18, "fbm_26_31": 16}
    assert study.blocks["genera"].shape == (101, 280)
    write_ingested(study, tmp_path)


def test_two_missing_codes_in_one_table_are_both_named_and_both_taken() -> None:
    study = read(BACK_PAIN, "prt-backpain-rct")
    stopped = fatal(study)
    assert [finding.column for finding in stopped] == ["current_opioid_use"]
    assert 'such as missing: ["<undefined>"]' in stopped[0].message
    named = read(BACK_PAIN.replace("where:", 'missing: ["<undefined>"]\n    where:'), "prt-backpain-rct")
    assert fatal(named) == [] and named.patients is not None
    assert named.patients.height == 151
