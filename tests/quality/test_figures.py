"""All figures of a small study at once."""

from __future__ import annotations

import polars as pl
import pytest

from nociomics.quality.figures import CONTRACTS, DataFigures, crossed_pairs, measure_data, person_groups, person_medians
from nociomics.tables.study import Study

IDS = [f"P{number:02d}" for number in range(24)]
STUDY = Study.model_validate(
    {
        "study": "small",
        "tables": {"patients": "p.csv", "expression": {"path": "e.csv", "values": "counts"}, "biomarkers": "b.csv"},
        "target": {"kind": "binary", "outcome": "better", "treatment": "arm", "groups": "site"},
    }
)


def tables() -> dict[str, pl.DataFrame]:
    genes = {f"G{gene}": [float((number * (gene + 3)) % 17) for number in range(24)] for gene in range(30)}
    return {
        "patients": pl.DataFrame({"patient_id": IDS, "age": [40.0 + n for n in range(24)], "site": ["n", "s"] * 12}),
        "expression": pl.DataFrame({"patient_id": IDS, **genes}),
        "expression_samples": pl.DataFrame({"patient_id": IDS, "batch": ["1", "2"] * 12}),
        "biomarkers": pl.DataFrame(
            {
                "patient_id": IDS + IDS[:2],
                "analyte": ["crp"] * 26,
                "value": [float(n + 1) for n in range(26)],
                "unit": ["mg/L"] * 26,
                "below_lod": [False] * 26,
                "lod": pl.Series([None] * 26, dtype=pl.Float64),
                "plate": ["x"] * 12 + ["y"] * 14,
            }
        ),
    }


def features() -> pl.DataFrame:
    made = tables()
    return made["patients"].join(
        made["expression"].rename({f"G{gene}": f"expression_G{gene}" for gene in range(30)}), on="patient_id"
    )


def catalogue() -> pl.DataFrame:
    rows = [("age", "clinical", "numeric"), ("site", "clinical", "category")]
    rows += [(f"expression_G{gene}", "expression", "numeric") for gene in range(30)]
    frame = pl.DataFrame(rows, schema=["feature", "modality", "kind"], orient="row")
    return frame.with_columns(
        group="feature",
        unit=pl.lit("u"),
        description="feature",
        low=pl.lit(None, pl.Float64),
        high=pl.lit(None, pl.Float64),
    )


def target() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "patient_id": IDS,
            "treatment": ["drug", "drug", "other", "other"] * 6,
            "outcome": [1.0, 0.0, 1.0, None] * 6,
            "label": pl.Series([None] * 24, dtype=pl.String),
            "responded": [1.0, 0.0, 1.0, None] * 6,
        }
    )


@pytest.fixture(scope="module")
def figures() -> DataFigures:
    return measure_data(tables(), features(), catalogue(), target(), STUDY)


def test_every_table_keeps_its_contract(figures: DataFigures) -> None:
    for name, contract in CONTRACTS.items():
        contract.check(getattr(figures, name), name)


def test_no_table_names_a_person(figures: DataFigures) -> None:
    for name in CONTRACTS:
        frame = getattr(figures, name)
        texts = {text for column in frame.select(pl.col(pl.String)).get_columns() for text in column.to_list()}
        assert not texts & set(IDS) and "patient_id" not in frame.columns


def test_a_person_is_on_the_plate_with_most_measurements() -> None:
    groups = person_groups(tables(), features(), target(), STUDY)
    assert groups.columns == ["patient_id", "plate", "expression batch", "site", "arm", "outcome", "followed up"]
    assert groups["plate"].to_list()[2:] == ["x"] * 10 + ["y"] * 12
    assert groups["followed up"].to_list()[:4] == ["yes", "yes", "yes", "no"]


def test_batches_that_are_sites_are_warned_of(figures: DataFigures) -> None:
    warned = figures.measured_findings.filter(pl.col("column") == "expression batch")
    assert sum("and site go together" in text for text in warned["message"]) == 1


def test_the_effect_of_treatment_is_no_matter_of_data_quality(figures: DataFigures) -> None:
    assert ("arm", "outcome") not in set(figures.cross_tables.select("first", "second").iter_rows())
    assert ("arm", "followed up") in crossed_pairs(["arm", "outcome", "followed up"])


def test_genes_are_summed_up_and_not_listed(figures: DataFigures) -> None:
    names = figures.distributions.filter(pl.col("modality") == "expression")["name"].unique().sort().to_list()
    assert names == ["all genes", "sum per sample"]


def test_the_order_of_people_changes_no_count(figures: DataFigures) -> None:
    turned = {name: frame.reverse() for name, frame in tables().items()}
    again = measure_data(turned, features().reverse(), catalogue(), target().reverse(), STUDY)
    for name in ("distributions", "histograms", "missingness", "missing_patterns", "cross_tables", "associations"):
        assert getattr(again, name).equals(getattr(figures, name)), name


def test_somebody_without_values_has_no_median() -> None:
    frame = pl.DataFrame({"a": [1.0, None, 3.0], "b": [3.0, None, None]})
    assert person_medians(frame).to_list() == [2.0, None, 3.0]
