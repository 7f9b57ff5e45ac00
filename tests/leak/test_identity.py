"""I5: the same person under two ids is found, nobody else is taken for one, and no pair is parted by a fold."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from nociomics.harmonise.expression import log_expression
from nociomics.models.settings import SplitSettings
from nociomics.models.splits import find_duplicates, person_groups
from nociomics.models.study_splits import study_splits
from nociomics.simulate.cohort import simulate_cohort
from tests.models.small_study import catalogue_of

PEOPLE, TWICE = 100, 25


@dataclass(frozen=True)
class Enrolled:
    """A cohort in which a quarter of the people came a second time under another id."""

    dosages: pl.DataFrame
    expression: pl.DataFrame
    pairs: set[tuple[str, str]]
    patients: list[str]


@pytest.fixture(scope="module", params=[1, 2])
def enrolled(request) -> Enrolled:
    rng = np.random.default_rng(request.param)
    cohort = simulate_cohort(PEOPLE + 2, seed=request.param)
    known = cohort.truth["duplicates"]["patient_id"].to_list()
    once = [one for one in cohort.patients["patient_id"] if one not in known][:PEOPLE]
    genotypes = cohort.genotypes.filter(pl.col("patient_id").is_in(once))
    expression = log_expression(cohort.expression, "counts").filter(pl.col("patient_id").is_in(once))
    with_both = sorted(set(genotypes["patient_id"]) & set(expression["patient_id"]))
    chosen = [str(one) for one in rng.choice(with_both, TWICE, replace=False)]
    second = {one: f"A{place:03d}" for place, one in enumerate(chosen)}
    return Enrolled(
        pl.concat([genotypes, _assayed_again(genotypes, second, rng, 0.005)]),
        pl.concat([expression, _measured_again(expression, second, rng)]),
        {(new, old) for old, new in second.items()},
        [*once, *second.values()],
    )


def _again(table: pl.DataFrame, second: dict[str, str]) -> pl.DataFrame:
    chosen = table.filter(pl.col("patient_id").is_in(list(second)))
    return chosen.with_columns(pl.col("patient_id").replace_strict(second))


def _assayed_again(
    genotypes: pl.DataFrame, second: dict[str, str], rng: np.random.Generator, wrong: float
) -> pl.DataFrame:
    """The same people's genotypes with a few calls wrong and a few lost."""
    again = _again(genotypes, second)
    calls = again.drop("patient_id").cast(pl.Float64).to_numpy()
    calls = np.where(rng.random(calls.shape) < wrong, rng.integers(0, 3, calls.shape), calls)
    calls = np.where(rng.random(calls.shape) < 0.02, np.nan, calls)
    names = genotypes.columns[1:]
    columns = [pl.Series(name, calls[:, g]).fill_nan(None).cast(genotypes.schema[name]) for g, name in enumerate(names)]
    return again.with_columns(columns)


def _measured_again(expression: pl.DataFrame, second: dict[str, str], rng: np.random.Generator) -> pl.DataFrame:
    """The same samples with technical noise: a correlation of about .99 with the first assay."""
    again = _again(expression, second)
    genes = expression.columns[1:]
    noisy = again.select(genes).to_numpy() + rng.normal(scale=0.08, size=(again.height, len(genes)))
    return again.with_columns(
        [pl.Series(gene, noisy[:, g]).cast(expression.schema[gene]) for g, gene in enumerate(genes)]
    )


def found_pairs(pairs: pl.DataFrame) -> set[tuple[str, str]]:
    return set(pairs.select("patient_a", "patient_b").iter_rows())


@pytest.mark.parametrize("evidence", ["genotype", "expression", "both"])
def test_second_enrolments_are_found_and_strangers_are_not(enrolled, evidence):
    dosages = None if evidence == "expression" else enrolled.dosages
    expression = None if evidence == "genotype" else enrolled.expression
    found = found_pairs(find_duplicates(dosages, expression, SplitSettings()))
    assert len(found & enrolled.pairs) >= 0.95 * len(enrolled.pairs)
    assert found <= enrolled.pairs


def test_a_person_with_genotypes_here_and_expression_there_is_no_pair(enrolled):
    new, old = min(enrolled.pairs)
    dosages = enrolled.dosages.filter(pl.col("patient_id") != new)
    expression = enrolled.expression.filter(pl.col("patient_id") != old)
    assert (new, old) not in found_pairs(find_duplicates(dosages, expression, SplitSettings()))


def test_no_pair_is_parted_by_an_outer_or_inner_fold(enrolled):
    people = enrolled.patients
    rng = np.random.default_rng(1)
    genes = enrolled.expression.columns[1:]
    entries = [(gene, "expression", gene, "log2", "numeric", None, None, None) for gene in genes]
    features = pl.DataFrame({"patient_id": people}).join(enrolled.expression, on="patient_id", how="left")
    nothing = pl.lit(None, dtype=pl.String)
    rows = pl.DataFrame({"patient_id": people, "responded": rng.integers(0, 2, len(people)).astype(float)})
    rows = rows.with_columns(label=nothing, treatment=pl.Series(rng.choice(["cbt", "snri"], len(people))))
    splits, pairs = study_splits(rows, features, catalogue_of(entries), enrolled.dosages, SplitSettings(), seed=1)
    assert splits["repeat"].n_unique() == 10
    assert found_pairs(pairs) >= enrolled.pairs
    fold = {(one, repeat): folds for one, repeat, *folds in splits.iter_rows()}
    for a, b in enrolled.pairs:
        assert all(fold[a, repeat] == fold[b, repeat] for repeat in range(10))


def test_without_grouping_most_pairs_would_be_parted(enrolled):
    """The test above can fail: folds that take every id for a person part nearly all of them."""
    people = enrolled.patients
    alone = person_groups(people, find_duplicates(None, None, SplitSettings()))
    assert len(set(alone.values())) == len(people)
    together = person_groups(people, find_duplicates(enrolled.dosages, None, SplitSettings()))
    assert len(set(together.values())) == len(people) - TWICE
