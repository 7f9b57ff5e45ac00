"""The cohort at the size of a biobank: its sizes, and genotypes that a reader gets back as they were drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nociomics.simulate.biobank import GENES, PANEL, simulate_biobank
from nociomics.simulate.cohort import Cohort, simulate_cohort
from nociomics.simulate.folder import write_cohort


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return simulate_biobank(60, 3, 0, "endotypes", "randomised", 1.0)


def test_twelve_analytes_hundred_and_fifty_answers_five_hundred_genes(cohort: Cohort) -> None:
    assert cohort.biomarkers["analyte"].n_unique() == 12
    assert cohort.questionnaires.width == 1 + 150
    assert cohort.expression.width == 1 + GENES == 501


def test_the_people_are_those_of_the_cohort(cohort: Cohort) -> None:
    plain = simulate_cohort(60, 3)
    assert cohort.outcomes.equals(plain.outcomes) and cohort.genotypes.equals(plain.genotypes)
    assert cohort.questionnaires.select(plain.questionnaires.columns).equals(plain.questionnaires)


def test_the_panel_holds_ten_thousand_variants_with_the_cohorts_own_among_them(cohort: Cohort, tmp_path: Path) -> None:
    write_cohort(cohort, tmp_path, panel=True)
    sites = [line.split("\t")[1] for line in (tmp_path / "genotypes.bim").read_text().splitlines()]
    people = len((tmp_path / "genotypes.fam").read_text().splitlines())
    assert len(sites) == PANEL and people == cohort.genotypes.height
    width = (people + 3) // 4
    calls = np.fromfile(tmp_path / "genotypes.bed", dtype=np.uint8)[3:].reshape(PANEL, width)
    codes = np.stack([calls >> shift & 3 for shift in (0, 2, 4, 6)], axis=-1).reshape(PANEL, -1)[:, :people]
    copies = np.array([2.0, np.nan, 1.0, 0.0])[codes]  # A1 is ALT
    place = {name: row for row, name in enumerate(sites)}
    for name in cohort.variants["variant"]:
        drawn = cohort.genotypes[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        np.testing.assert_array_equal(copies[place[name]], drawn)
    assert "training_sample" in (tmp_path / "study.yaml").read_text()
