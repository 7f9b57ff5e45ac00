from __future__ import annotations

import polars as pl

from nociomics.models.permutation import permuted_outcomes


def people(n: int = 60) -> tuple[pl.DataFrame, pl.DataFrame]:
    rows = pl.DataFrame(
        {
            "patient_id": [f"P{i:02d}" for i in range(n)],
            "treatment": [("a", "b")[i % 2] for i in range(n)],
            "group": [("x", "y", None)[i % 3] for i in range(n)],
            "baseline": [float(i) for i in range(n)],
            "outcome": [float(i) / 2 if i % 7 else None for i in range(n)],
            "label": pl.Series([None] * n, dtype=pl.String),
            "response_value": [float(i) - float(i) / 2 if i % 7 else None for i in range(n)],
            "responded": [i % 5 == 0 if i % 7 else None for i in range(n)],
            "adverse_event": [float(i % 4 == 0) for i in range(n)],
        }
    )
    return rows, pl.DataFrame({"patient_id": rows["patient_id"], "age": [float(i * 7 % 31) for i in range(n)]})


def test_outcomes_move_together_within_treatment_and_group() -> None:
    rows, features = people()
    moved = permuted_outcomes(rows, features, 1)
    assert moved.columns == rows.columns
    assert moved.drop("outcome", "label", "response_value", "responded", "adverse_event").equals(
        rows.drop("outcome", "label", "response_value", "responded", "adverse_event")
    )
    together = ["treatment", "group", "outcome", "response_value", "responded", "adverse_event"]
    assert moved.select(together).sort(together).equals(rows.select(together).sort(together))
    assert not moved["outcome"].equals(rows["outcome"])


def test_seeds_differ_and_names_and_order_do_not_matter() -> None:
    rows, features = people()
    one = permuted_outcomes(rows, features, 1)
    assert one.equals(permuted_outcomes(rows, features, 1))
    assert not one.equals(permuted_outcomes(rows, features, 2))
    turned = permuted_outcomes(rows.reverse(), features.reverse(), 1)
    assert turned.reverse().equals(one)
    renamed = pl.col("patient_id").str.replace("P", "Q")
    other = permuted_outcomes(rows.with_columns(renamed), features.with_columns(renamed), 1)
    assert other.drop("patient_id").equals(one.drop("patient_id"))
