"""Features to model columns."""

import json

import numpy as np
import polars as pl
import pytest

from nociomics.errors import LeakageError, StudyError
from nociomics.models.feature_blocks import FeatureBlocks
from nociomics.models.settings import BlockSettings
from tests.models.small_study import GENES, catalogue_of, numeric_study, small_study

NARROW = BlockSettings(raw_up_to=100)


def correlated(people: int = 60, genes: int = 50, seed: int = 1) -> np.ndarray:
    """Genes that follow three drivers."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(people, 3)) @ rng.normal(size=(3, genes)) + 0.1 * rng.normal(size=(people, genes))


def genes_study(values: np.ndarray, within: str | None = None) -> tuple[pl.DataFrame, pl.DataFrame]:
    features, catalogue = numeric_study({f"gene_{g:02d}": values[:, g] for g in range(values.shape[1])}, "expression")
    if within is None:
        return features, catalogue
    batch = catalogue_of([(within, "expression", within, "category", "category", None, None, None)])
    numeric = catalogue.with_columns(within=pl.lit(within))
    return features, pl.concat([numeric, batch])


def test_a_narrow_modality_stays_as_it_is():
    features, catalogue = numeric_study({"pcs_total": np.arange(20.0), "dn4_total": np.full(20, 3.0)})
    blocks = FeatureBlocks().fit(features, catalogue)
    assert [column.name for column in blocks.columns_] == ["pcs_total"]  # dn4_total never varies
    assert blocks.transform(features).values[:, 0].tolist() == list(np.arange(20.0))


def test_components_are_the_principal_ones_each_of_variance_one():
    values = correlated()
    features, catalogue = genes_study(values)
    encoded = FeatureBlocks(BlockSettings(components=3)).fit(features, catalogue).transform(features)
    assert [column.name for column in encoded.columns] == [f"expression_component_{i:02d}" for i in (1, 2, 3)]
    assert {column.group for column in encoded.columns} == {"expression components"}
    np.testing.assert_allclose(encoded.values.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(encoded.values.std(axis=0), 1, rtol=1e-9)
    standard = (values - values.mean(axis=0)) / values.std(axis=0)
    left, _, _ = np.linalg.svd(standard, full_matrices=False)
    for component in range(3):
        reference = left[:, component] * np.sqrt(len(values))
        assert abs(reference @ encoded.values[:, component]) / len(values) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("mirrored", [1.0, -1.0])
def test_the_gene_that_weighs_most_in_a_component_has_a_positive_weight(mirrored):
    features, catalogue = genes_study(mirrored * correlated())
    loadings = np.asarray(FeatureBlocks(BlockSettings(components=3)).fit(features, catalogue).parts_[0].loadings)
    strongest = loadings[np.abs(loadings).argmax(axis=0), np.arange(3)]
    assert (strongest > 0).all()


def test_the_number_of_components_is_limited_by_the_people():
    features, catalogue = genes_study(correlated(people=25))
    assert len(FeatureBlocks(BlockSettings(components=10)).fit(features, catalogue).columns_) == 2


def test_what_was_not_measured_stays_not_measured():
    values = correlated()
    values[0] = np.nan
    values[1, :40] = np.nan
    features, catalogue = genes_study(values)
    wide = FeatureBlocks().fit(features, catalogue).transform(features).values
    assert np.isnan(wide[0]).all()
    assert np.isfinite(wide[1:]).all()
    raw = FeatureBlocks(NARROW).fit(features, catalogue).transform(features).values
    np.testing.assert_array_equal(raw, values)


def test_a_person_without_the_block_does_not_move_its_components():
    values = correlated()
    features, catalogue = genes_study(values)
    empty = features[:1].with_columns(pl.lit(None, dtype=pl.Float64).alias(name) for name in features.columns[1:])
    more = pl.concat([features, empty])
    encoded = [FeatureBlocks().fit(one, catalogue).transform(features).values for one in (features, more)]
    np.testing.assert_allclose(encoded[1], encoded[0], atol=1e-9)


def test_a_slope_that_may_be_negative_is_no_amount_and_stays_as_it_is():
    features, catalogue = numeric_study({"cortisol_slope": np.array([-0.2, 0.1, -0.05, 0.3, np.nan])}, "biomarkers")
    values = FeatureBlocks().fit(features, catalogue).transform(features).values[:, 0]
    np.testing.assert_array_equal(values, features["cortisol_slope"].to_numpy())


def test_analytes_are_taken_as_log2_and_what_has_no_logarithm_is_not_measured():
    features, catalogue = numeric_study({"il6_pg_per_ml": np.array([1.0, 2.0, 8.0, 0.0, np.nan])}, "biomarkers")
    catalogue = catalogue.with_columns(low=pl.lit(0.0))
    values = FeatureBlocks().fit(features, catalogue).transform(features).values[:, 0]
    np.testing.assert_array_equal(values, [0, 1, 3, np.nan, np.nan])


def test_flags_of_analytes_are_not_logged():
    features, catalogue = numeric_study({"il6_below_lod": np.array([0.0, 1.0, 1.0])}, "biomarkers")
    flags = catalogue.with_columns(kind=pl.lit("binary"))
    assert FeatureBlocks().fit(features, flags).transform(features).values[:, 0].tolist() == [0, 1, 1]


def batched(people: int = 40) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Batch b2 measures three times as wide, ten higher; b3 has five people only."""
    rng = np.random.default_rng(2)
    batch = np.array(["b1"] * 20 + ["b2"] * 15 + ["b3"] * 5)
    level = rng.normal(size=(people, 1))
    values = np.where(batch == "b2", 3.0, 1.0)[:, None] * level + np.where(batch == "b2", 10.0, 0.0)[:, None]
    features, catalogue = genes_study(values, within="batch")
    return features.with_columns(batch=pl.Series(batch)), catalogue


def test_a_single_column_is_standardised_within_its_batch():
    features, catalogue = batched()
    encoded = FeatureBlocks(NARROW).fit(features, catalogue).transform(features)
    assert [column.name for column in encoded.columns] == ["gene_00"]  # the batch itself is no column
    for rows in (slice(0, 20), slice(20, 35)):
        np.testing.assert_allclose(encoded.values[rows].mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(encoded.values[rows].std(axis=0), 1, rtol=1e-12)


@pytest.mark.parametrize("batch", ["unseen", None, "b3"])
def test_an_unknown_or_small_batch_takes_the_values_of_everybody(batch):
    features, catalogue = batched()
    blocks = FeatureBlocks(NARROW).fit(features, catalogue)
    person = features[:1].with_columns(batch=pl.lit(batch, dtype=pl.String))
    pooled = features.select("gene_00").to_numpy()
    expected = (person.select("gene_00").to_numpy() - pooled.mean(axis=0)) / pooled.std(axis=0)
    np.testing.assert_allclose(blocks.transform(person).values, expected, rtol=1e-12)


def test_people_of_a_cohort_without_the_batch_column_take_the_values_of_everybody():
    features, catalogue = batched()
    blocks = FeatureBlocks(NARROW).fit(features, catalogue)
    unknown = features.with_columns(batch=pl.lit("unseen"))
    np.testing.assert_array_equal(blocks.transform(features.drop("batch")).values, blocks.transform(unknown).values)


def shifted_batches(people: int = 90, genes: int = 30) -> tuple[pl.DataFrame, pl.DataFrame, np.ndarray]:
    """Two batches of 40, one of 10 that is shifted by 5; with what would have been seen without batches."""
    rng = np.random.default_rng(4)
    batch = np.array(["b1"] * 40 + ["b2"] * 40 + ["b3"] * (people - 80))
    clean = correlated(people, genes, seed=4)
    shift = {name: rng.normal(0, 1, genes) for name in ("b1", "b2")} | {"b3": rng.normal(5, 1, genes)}
    features, catalogue = genes_study(clean + np.array([shift[name] for name in batch]), within="batch")
    return features.with_columns(batch=pl.Series(batch)), catalogue, clean


def test_many_columns_have_their_batch_taken_out_by_combat():
    features, catalogue, clean = shifted_batches()
    blocks = FeatureBlocks(NARROW).fit(features, catalogue)
    assert blocks.parts_[0].combat is not None
    found = blocks.transform(features).values
    alike = [np.corrcoef(found[:, gene], clean[:, gene])[0, 1] for gene in range(clean.shape[1])]
    raw = features.select(pl.selectors.starts_with("gene")).to_numpy()
    before = [np.corrcoef(raw[:, gene], clean[:, gene])[0, 1] for gene in range(clean.shape[1])]
    assert np.median(alike) > 0.97 > 0.9 > np.median(before)


def test_people_of_a_batch_that_was_never_seen_are_told():
    features, catalogue, _ = shifted_batches()
    blocks = FeatureBlocks(NARROW).fit(features, catalogue)
    strange = features.with_columns(batch=pl.lit("unseen"))
    assert blocks.unseen_batches(strange).all()
    assert not blocks.unseen_batches(features).any()
    unmeasured = strange.with_columns(pl.lit(None, dtype=pl.Float64).alias(name) for name in features.columns[1:-1])
    assert not blocks.unseen_batches(unmeasured).any()  # there was nothing to bring to scale


def test_a_whole_new_batch_can_be_brought_to_scale_without_its_outcomes():
    features, catalogue, _ = shifted_batches()
    known, new = features[:80], features[80:]
    blocks = FeatureBlocks(NARROW).fit(known, catalogue)
    further = blocks.with_batches_of(new)
    assert not further.unseen_batches(new).any()
    assert blocks.unseen_batches(new).all()  # the model itself did not change
    np.testing.assert_array_equal(further.transform(known).values, blocks.transform(known).values)
    left = [np.abs(one.transform(new).values.mean(axis=0)).mean() for one in (blocks, further)]
    assert left[1] < 0.3 * left[0]


def test_combat_survives_json_exactly():
    features, catalogue, _ = shifted_batches()
    blocks = FeatureBlocks(BlockSettings(raw_up_to=10)).fit(features, catalogue)
    again = FeatureBlocks.from_dict(json.loads(json.dumps(blocks.to_dict(), allow_nan=False)))
    np.testing.assert_array_equal(again.transform(features).values, blocks.transform(features).values)


def categories(levels: list[str | None]) -> tuple[pl.DataFrame, pl.DataFrame]:
    features = pl.DataFrame({"patient_id": [f"P{i}" for i in range(len(levels))], "pain_type": levels})
    return features, catalogue_of([("pain_type", "clinical", "pain_type", "category", "category", None, None, None)])


@pytest.mark.parametrize(
    ("levels", "columns"),
    [
        (["back"] * 6, []),
        (["back"] * 6 + ["head"] * 6, ["pain_type_head"]),
        (["back"] * 6 + ["head"] * 5 + ["nerve"] * 7, ["pain_type_back", "pain_type_head", "pain_type_nerve"]),
        (["back"] * 6 + ["head"] * 6 + ["rare"] * 4, ["pain_type_head"]),
        ([None] * 8, []),
    ],
    ids=["one level", "two levels", "three levels", "a rare level", "nothing known"],
)
def test_levels_of_a_category(levels, columns):
    features, catalogue = categories(levels)
    assert [column.name for column in FeatureBlocks().fit(features, catalogue).columns_] == columns


def test_an_unknown_level_is_none_of_the_known_ones_and_a_missing_one_is_missing():
    features, catalogue = categories(["back"] * 6 + ["head"] * 6 + ["nerve"] * 6)
    blocks = FeatureBlocks().fit(features, catalogue)
    new, _ = categories(["head", "jaw", None])
    np.testing.assert_array_equal(blocks.transform(new).values, [[0, 1, 0], [0, 0, 0], [np.nan] * 3])
    np.testing.assert_array_equal(blocks.transform(new.drop("pain_type")).values, np.full((3, 3), np.nan))


def test_everything_learned_survives_json_exactly():
    study = small_study()
    blocks = FeatureBlocks().fit(study.features, study.catalogue)
    again = FeatureBlocks.from_dict(json.loads(json.dumps(blocks.to_dict(), allow_nan=False, sort_keys=True)))
    assert again.columns_ == blocks.columns_
    assert again.input_features() == blocks.input_features()
    np.testing.assert_array_equal(again.transform(study.features).values, blocks.transform(study.features).values)


def test_it_names_the_features_that_it_reads():
    study = small_study()
    names = FeatureBlocks().fit(study.features, study.catalogue).input_features()
    assert names == sorted(study.features.columns[1:])
    without = FeatureBlocks().fit(study.features, study.catalogue.filter(pl.col("modality") != "expression"))
    assert not set(without.input_features()) & {*GENES, "expression_batch"}


def test_features_of_a_cohort_that_lacks_some_count_as_not_measured():
    study = small_study()
    blocks = FeatureBlocks().fit(study.features, study.catalogue)
    fewer = blocks.transform(study.features.drop("pcs_total", *GENES)).values
    names = [column.name for column in blocks.columns_]
    assert np.isnan(fewer[:, names.index("pcs_total")]).all()
    assert np.isnan(fewer[:, names.index("expression_component_01")]).all()
    assert np.isfinite(fewer[:, names.index("age")]).all()


def test_text_where_numbers_were_learned_is_refused():
    study = small_study()
    blocks = FeatureBlocks().fit(study.features, study.catalogue)
    with pytest.raises(StudyError, match='Feature "age" holds text'):
        blocks.transform(study.features.with_columns(age=pl.lit("old")))


def test_a_late_feature_is_refused_by_name():
    features, catalogue = numeric_study({"odi_week12": np.arange(20.0)})
    with pytest.raises(LeakageError, match=r'"odi_week12" \(week12\)'):
        FeatureBlocks().fit(features, catalogue.with_columns(measured_at=pl.lit("week12")))
