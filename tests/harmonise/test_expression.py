"""Expression on the log2 scale."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nociomics.errors import TableError
from nociomics.harmonise.expression import log_expression
from tests.conftest import examples

COUNTS = pl.DataFrame({"patient_id": ["a", "b"], "G1": [10, 0], "G2": [90, 5]})


def test_log_counts_per_million_by_hand():
    found = log_expression(COUNTS, "counts")
    expected = [np.log2(10.5 / 101 * 1e6), np.log2(0.5 / 6 * 1e6)]
    assert found["G1"].to_list() == pytest.approx(expected, rel=1e-6)
    assert found["patient_id"].to_list() == ["a", "b"]
    assert found["G1"].dtype == pl.Float32


def test_tpm_and_log2():
    assert log_expression(COUNTS, "tpm")["G2"].to_list() == pytest.approx([np.log2(91), np.log2(6)], rel=1e-6)
    assert log_expression(COUNTS, "log2")["G2"].to_list() == [90, 5]


def test_a_gene_that_was_not_counted_stays_empty():
    found = log_expression(COUNTS.with_columns(G3=pl.Series([None, 2.0])), "counts")
    assert found["G3"][0] is None
    assert found["G1"][0] == pytest.approx(np.log2(10.5 / 101 * 1e6), rel=1e-6)


def test_the_input_is_not_changed_and_negative_counts_are_refused():
    before = COUNTS.clone()
    log_expression(COUNTS, "counts")
    assert COUNTS.equals(before)
    with pytest.raises(TableError, match="1 genes hold values below 0"):
        log_expression(COUNTS.with_columns(G1=-pl.col("G1").cast(pl.Int64)), "counts")


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=6))
def test_no_person_changes_another(counts):
    alone = pl.DataFrame({"patient_id": ["a"], **{f"G{n}": [count] for n, count in enumerate(counts)}})
    other = alone.with_columns(patient_id=pl.lit("b"), G0=pl.lit(7, dtype=pl.Int64))
    together = log_expression(pl.concat([alone, other]), "counts")
    assert together.head(1).equals(log_expression(alone, "counts"))


@settings(deadline=None, max_examples=examples(15))
@given(st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_large_counts_and_many_genes_change_nobody_else(people, seed):
    random = np.random.default_rng(seed)
    counts = random.integers(0, 3_000_000, (people, 700)).astype(np.float32)
    genes = {f"G{number}": column for number, column in enumerate(counts.T)}
    table = pl.DataFrame({"patient_id": [f"p{row}" for row in range(people)], **genes})
    assert log_expression(table, "counts").head(1).equals(log_expression(table.head(1), "counts"))
