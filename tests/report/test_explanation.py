"""Why, for one person: sums that add up exactly, spreads that claim no more than is known, groups before sizes."""

from __future__ import annotations

import polars as pl
import pytest

from nociomics.report.explanation import explain_contrast, explain_one, group_words, stability_words

_ROWS = [
    ("pcs_total", "questionnaires", "pcs", 0.30, 0.10),
    ("pcs_rumination", "questionnaires", "pcs", -0.28, 0.20),
    ("crp_mg_per_l", "biomarkers", "crp", -0.25, 0.05),
    ("age", "clinical", None, 0.10, 0.02),
]


def _shap(**arms: float) -> pl.DataFrame:
    rows = [
        {"treatment": arm, "feature": f, "modality": m, "group": g, "shap_value": v * factor, "shap_sd": sd}
        for arm, factor in arms.items()
        for f, m, g, v, sd in _ROWS
    ]
    return pl.DataFrame(rows)


_BASE = pl.DataFrame({"treatment": ["a", "b"], "base_value": [2.0, 1.5]})


def test_correlated_items_are_summed_before_anything_is_called_large() -> None:
    found = explain_one(_shap(a=1.0), _BASE, "a", {}, {})
    assert found is not None
    told = {part.label: (part.size, part.spread) for part in found.groups}
    assert found.groups[0].label == "C-reactive protein"  # the two parts of PCS cancel
    assert told["PCS"] == (pytest.approx(0.02), "±at most 0.30")  # spreads are not independent: a bound
    assert told["C-reactive protein"] == (pytest.approx(-0.25), "±0.05")
    assert told["other (1 feature without a group)"] == (pytest.approx(0.10), "±0.02")


def test_every_table_adds_up_to_the_same_estimate() -> None:
    found = explain_one(_shap(a=1.0), _BASE, "a", {}, {})
    assert found is not None and found.total == pytest.approx(2.0 - 0.13)
    for parts in (found.modalities, found.groups, found.features):
        assert sum(part.size for part in parts) == pytest.approx(-0.13)


def test_other_is_always_shown_and_so_is_the_rest() -> None:
    many = pl.DataFrame(
        {
            "treatment": "a",
            "feature": [f"f{i}" for i in range(5000)],
            "modality": "expression",
            "group": ["" if i == 7 else f"G{i % 40}" for i in range(5000)],
            "shap_value": [1e-4 * (i % 7 - 3) for i in range(5000)],
        }
    )
    found = explain_one(many, None, "a", {}, {})
    assert found is not None and len(found.groups) == 8 and len(found.features) == 13
    assert found.groups[-2].label == "all other 34 groups" and found.groups[-1].label.startswith("other (1 feature")
    assert sum(part.size for part in found.groups) == pytest.approx(many["shap_value"].sum(), abs=1e-9)
    assert not found.has_spread


def test_a_contrast_is_exactly_the_difference_of_the_two_estimates() -> None:
    shap = _shap(a=1.0, b=0.4)
    one, other = (explain_one(shap, _BASE, arm, {}, {}) for arm in "ab")
    found = explain_contrast(shap, "a", "b", {}, {}, _BASE)
    assert found is not None and one is not None and other is not None
    assert one.total is not None and other.total is not None
    assert found.base == pytest.approx(0.5)
    assert found.total == pytest.approx(one.total - other.total, abs=1e-12)
    assert found.base + sum(part.size for part in found.groups) == pytest.approx(found.total, abs=1e-12)


def test_the_class_that_is_asked_for_is_explained() -> None:
    shap = _shap(a=1.0).with_columns(pl.lit(None, dtype=pl.String).alias("treatment"), pl.lit("mild").alias("class"))
    other = shap.with_columns(pl.lit("severe").alias("class"), shap_value=pl.lit(9.0))
    base = pl.DataFrame(
        {"treatment": [None, None], "base_value": [0.4, 0.6], "class": ["mild", "severe"]},
        schema_overrides={"treatment": pl.String},
    )
    found = explain_one(pl.concat([shap, other]), base, None, {}, {}, "mild")
    assert found is not None and found.subject == "mild" and found.total == pytest.approx(0.4 - 0.13)


def test_groups_have_the_names_that_people_use() -> None:
    assert [group_words(name) for name in ("bpi_sf", "il6", "CYP2D6", "genotype components")] == [
        "BPI-SF", "interleukin 6", "CYP2D6", "genotype components",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("halves", "words"), [(0.95, "stays much the same"), (0.8, "changes in part"), (0.3, "Do not lean on it")]
)
def test_stability_is_told_in_words_with_its_figures(halves: float, words: str) -> None:
    row = {"treatment": "a", "people": 1, "refits": 20, "rank_correlation": 0.5, "rank_correlation_halves": halves}
    said = stability_words(pl.DataFrame([row]), "a")
    assert words in said and f"{halves:.2f}" in said and "(mean of 1 person)" in said
    assert stability_words(pl.DataFrame([row]), "b") == "" == stability_words(None, "a")
    assert "could not be measured" in stability_words(pl.DataFrame([row | {"rank_correlation_halves": None}]), "a")
