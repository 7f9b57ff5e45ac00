"""Real files as their studies describe them, against figures that others published or counted."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import yaml
from scipy.stats import spearmanr

from nociomics.ingest.expression import read_expression
from nociomics.ingest.notes import Notes
from nociomics.ingest.study_tables import IngestedStudy, read_study, write_ingested
from nociomics.tables.study import Study, TableSource
from tests.conftest import shared

from .study_folder import fatal

BACK_PAIN = """
study: prt-backpain-rct
tables:
  patients:
    path: Ashar2022_outcomes_demographics.csv
    columns: {id: patient_id, gender: sex, pain_avg: pain_avg_baseline, backpain_length: pain_years}
    missing: ["<undefined>"]
    where: {time: 1, group: [1, 2, 3]}
    values_map: {sex: {"1": M, "2": F}}
    drop: [time, group, is_patient, pgic, tx_satisfaction]
  treatments:
    path: Ashar2022_outcomes_demographics.csv
    columns: {id: patient_id, group: arm}
    where: {time: 1, group: [1, 2, 3]}
    values_map: {arm: {"1": prt, "2": placebo, "3": usual_care}}
    label: {assignment: randomised}
    keep: [arm, assignment]
  outcomes:
    path: Ashar2022_outcomes_demographics.csv
    columns: {id: patient_id, pain_avg: pain_avg_post}
    where: {time: 2, group: [1, 2, 3]}
    keep: [pain_avg_post]
target:
  {kind: change, outcome: pain_avg_post, baseline: pain_avg_baseline, response: {fall_percent: 30}, treatment: arm}
"""
DAY = "samples: {path: 2020LD_specimen.tsv, sample_id: specimen_id, patient_id: subject_id, where: {%s: %d}}"
BOOSTER = f"""
study: cmi-pb-booster
tables:
  patients:
    path: 2020LD_subject.tsv
    columns: {{subject_id: patient_id, biological_sex: sex}}
    derive: {{age: {{years_from: year_of_birth, years_to: date_of_boost}}}}
    keep: [age, sex, infancy_vac, ethnicity, race]
  outcomes:
    path: 2020LD_plasma_ab_titer.tsv.gz
    {DAY % ("planned_day_relative_to_boost", 14)}
    where: {{isotype: IgG, antigen: PT, is_antigen_specific: true}}
    names_from: [isotype, antigen]
    values_from: MFI_normalised
    columns: {{IgG_PT: igg_pt_day14}}
    transform: log2
  blocks:
    - name: antibodies
      path: 2020LD_plasma_ab_titer.tsv.gz
      {DAY % ("planned_day_relative_to_boost", 0)}
      where: {{is_antigen_specific: true}}
      names_from: [isotype, antigen]
      values_from: MFI_normalised
    - name: cytokines
      path: 2020LD_plasma_cytokine_concentration.tsv.gz
      {DAY % ("planned_day_relative_to_boost", 0)}
      names_from: [protein_id]
      values_from: protein_expression
target: {{kind: continuous, outcome: igg_pt_day14}}
"""
BREAST = """
study: breast-tcga-diablo
tables:
  patients:
    - {path: train_labels.csv, columns: {sample_id: patient_id}, keep: [cohort], label: {cohort: train}}
    - {path: test_labels.csv, columns: {sample_id: patient_id}, keep: [cohort], label: {cohort: test}}
  outcomes:
    - {path: train_labels.csv, columns: {sample_id: patient_id}}
    - {path: test_labels.csv, columns: {sample_id: patient_id}}
  blocks:
    - {name: mrna, path: train_mrna.csv, columns: {sample_id: patient_id}}
    - {name: mrna, path: test_mrna.csv, columns: {sample_id: patient_id}}
    - {name: protein, path: train_protein.csv, columns: {sample_id: patient_id}}
target: {kind: multiclass, outcome: subtype}
"""


def read(text: str, folder: Path) -> IngestedStudy:
    return read_study(Study.model_validate(yaml.safe_load(text)), folder)


def test_the_back_pain_trial_has_its_published_arms_and_means(tmp_path: Path) -> None:
    study = read(BACK_PAIN, shared("data/prt-backpain-rct"))
    assert fatal(study) == [] and study.treatments is not None and study.outcomes is not None
    assert sorted(study.treatments["arm"].value_counts().rows()) == [("placebo", 51), ("prt", 50), ("usual_care", 50)]
    both = study.treatments.join(study.outcomes, on="patient_id").drop_nulls("pain_avg_post")
    means = both.group_by("arm").agg(pl.col("pain_avg_post").mean())
    assert dict(means.rows()) == pytest.approx({"prt": 1.18, "placebo": 2.84, "usual_care": 3.13}, abs=0.005)
    assert [(f.severity, f.count) for f in study.findings if f.table == "outcomes"] == [("info", 16)]
    write_ingested(study, tmp_path)


def test_the_trial_refuses_what_was_asked_after_treatment() -> None:
    study = read(BACK_PAIN.replace(", pgic, tx_satisfaction]", "]"), shared("data/prt-backpain-rct"))
    assert sorted(finding.column or "" for finding in fatal(study)) == ["pgic", "tx_satisfaction"]


def test_the_booster_cohort_is_joined_through_its_specimens(tmp_path: Path) -> None:
    study = read(BOOSTER, shared("data/cmi-pb-booster"))
    assert fatal(study) == [] and study.outcomes is not None
    both = study.outcomes.join(study.blocks["antibodies"].select("patient_id", "IgG_PT"), on="patient_id")
    both = both.drop_nulls()
    assert both.height == 57
    assert spearmanr(both["igg_pt_day14"], both["IgG_PT"]).statistic == pytest.approx(0.56, abs=0.005)
    write_ingested(study, tmp_path)


def test_the_breast_cohort_keeps_people_without_proteins(tmp_path: Path) -> None:
    study = read(BREAST, shared("data/breast-tcga-diablo"))
    assert fatal(study) == [] and study.patients is not None
    assert study.patients.height == study.blocks["mrna"].height == 220
    assert study.blocks["mrna"].width == 201 and study.blocks["protein"].height == 150
    assert any(finding.message == "70 of 220 people have no row in this table." for finding in study.findings)
    write_ingested(study, tmp_path)


def test_genes_in_rows_of_a_real_cohort() -> None:
    folder = shared("data/geuvadis-genotype-expression/expression")
    source = TableSource.model_validate(
        {"path": "Geuvadis_CEU_Expr.txt.gz", "columns": {"-": "gene"}, "values": "log2"}
    )
    notes = Notes("expression")
    frame, _ = read_expression([source], folder, None, None, notes)
    assert frame is not None and frame.shape == (90, 805) and notes.findings == []
    row = frame.filter(frame["patient_id"] == "NA06984")
    assert row["ENSG00000007923"].item() == pytest.approx(0.211897565)
