"""TMM factors against another tool, and without other people."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from nociomics.errors import TableError
from nociomics.harmonise.expression import log_expression
from nociomics.harmonise.tmm import tmm_factors


def counts(genes: int = 400, samples: int = 12, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    levels = random.lognormal(1.5, 2, genes)
    found = random.negative_binomial(2, 2 / (2 + levels * random.uniform(0.3, 3, (samples, 1)))).astype(float)
    found[:, :20] = 0
    return found


@pytest.mark.parametrize("seed", range(5))
def test_factors_are_those_of_rnanorm(seed: int) -> None:
    rnanorm = pytest.importorskip("rnanorm")
    table = counts(seed=seed)
    expected = rnanorm.TMM().fit(table).get_norm_factors(table)
    np.testing.assert_allclose(tmm_factors(table.astype(np.float32)), expected, rtol=1e-6)


def test_factors_of_a_small_table_as_rnanorm_gave_them() -> None:
    # rnanorm 2.2.0: TMM().fit(table).get_norm_factors(table)
    table = [[(7 * i * i + 13 * i * j + 5 * j) % (97 + 20 * j) * (1 + i % 5) for i in range(40)] for j in range(4)]
    found = tmm_factors(np.array(table, dtype=np.float64))
    np.testing.assert_allclose(found, [1.06408425, 0.83344048, 1.03014125, 1.09459287], atol=5e-9)


def test_factors_of_a_cohort_have_a_geometric_mean_of_one() -> None:
    assert np.exp(np.log(tmm_factors(counts())).mean()) == pytest.approx(1)


def test_a_fixed_reference_makes_everybody_independent() -> None:
    table, reference = counts(), counts(seed=9)[3]
    together = tmm_factors(table, reference)
    alone = [tmm_factors(table[row : row + 1], reference)[0] for row in range(len(table))]
    assert together.tolist() == alone
    assert tmm_factors(table[:1], table[0]).tolist() == [1.0]


def test_a_gene_that_is_not_counted_plays_no_part() -> None:
    table, reference = counts(), counts(seed=9)[3]
    gap = table.copy()
    gap[:, 50:60] = np.nan
    without = np.delete(table, np.s_[50:60], axis=1), np.delete(reference, np.s_[50:60])
    np.testing.assert_allclose(tmm_factors(gap, reference), tmm_factors(*without), rtol=1e-12)


def test_samples_and_references_without_reads_are_refused() -> None:
    table = counts()
    table[2:4] = 0
    with pytest.raises(TableError, match="2 samples have no reads at all"):
        tmm_factors(table)
    with pytest.raises(TableError, match="the reference of tmm has no reads"):
        tmm_factors(counts(), np.zeros(400))
    with pytest.raises(TableError, match="1 samples have no gene with reads in common"):
        tmm_factors(np.array([[0, 5.0], [3, 4]]), np.array([7, 0.0]))


def frame_of(table: np.ndarray) -> pl.DataFrame:
    genes = {f"G{number}": column for number, column in enumerate(table.T)}
    return pl.DataFrame({"patient_id": [f"p{row}" for row in range(len(table))], **genes})


def test_log_counts_take_the_factor_into_the_library_size() -> None:
    table, profile = counts(), counts(seed=9)[3]
    reference = pl.DataFrame({"gene": [f"G{number}" for number in range(400)], "count": profile})
    found = log_expression(frame_of(table), "counts", "tmm", reference)
    sizes = table.sum(axis=1) * tmm_factors(table, profile)
    expected = np.log2((table + 0.5) / (sizes[:, None] + 1) * 1e6)
    np.testing.assert_allclose(found.drop("patient_id").to_numpy(), expected, rtol=1e-5, atol=1e-5)
    alone = log_expression(frame_of(table[:1]), "counts", "tmm", reference)
    assert found.head(1).equals(alone)


def test_tmm_without_a_fitting_reference_is_refused() -> None:
    with pytest.raises(TableError, match="needs a fixed reference"):
        log_expression(frame_of(counts()), "counts", "tmm")
    other = pl.DataFrame({"gene": ["G1", "H2"], "count": [5.0, 6.0]})
    with pytest.raises(TableError, match="lacks 399 of 400 genes"):
        log_expression(frame_of(counts()), "counts", "tmm", other)
