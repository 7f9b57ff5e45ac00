"""Predictions and effects from a bundle: which columns, who is answered, and what is recommended."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm

from nociomics.errors import NociomicsError
from nociomics.export.bundle import Bundle
from nociomics.export.prediction import predict_people
from nociomics.tables.results import EFFECTS, PREDICTIONS
from tests.export.bundles import CLOSED, HALF_WIDTH, OPEN, small_bundle
from tests.models.small_study import ARMS, CLASSES, GENES, SmallStudy, small_study

FIRST = ["patient_id", "treatment", "expected", "lower", "upper", "p_response"]
THREE = ("cbt", "nsaid", "snri")


@pytest.fixture(scope="module")
def study() -> SmallStudy:
    return small_study(people=120, arms=THREE, effect=2.0)


@pytest.fixture(scope="module")
def bundle(study, tmp_path_factory) -> Bundle:
    return small_bundle(study, tmp_path_factory.mktemp("open"))


@pytest.fixture(scope="module")
def closed(study, tmp_path_factory) -> Bundle:
    return small_bundle(study, tmp_path_factory.mktemp("closed"), CLOSED)


def asked(bundle: Bundle, features: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    predictions, effects = predict_people(bundle, features, bundle.baseline(features))
    return PREDICTIONS.check(predictions), EFFECTS.check(effects)


def spoilt(study: SmallStudy, feature: str, value: float | None) -> pl.DataFrame:
    """The study's people; the first has this value."""
    first = pl.int_range(pl.len()) == 0
    return study.features.with_columns(
        pl.when(first).then(pl.lit(value, pl.Float64)).otherwise(pl.col(feature)).alias(feature)
    )


def without(features: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    return features.with_columns(pl.lit(None, dtype=features.schema[name]).alias(name) for name in names)


def with_harm(study: SmallStudy, share: dict[str, float] | None = None) -> SmallStudy:
    """Adverse events whose chance depends on the treatment alone, and a target that names them."""
    chance = share or {"snri": 0.6, "nsaid": 0.3, "cbt": 0.1}
    rng = np.random.default_rng(8)
    drawn = [float(rng.random() < chance.get(arm, 0.0)) for arm in study.rows["treatment"]]
    rows = study.rows.with_columns(adverse_event=pl.Series(drawn))
    return study.changed(rows=rows, target=study.target.model_copy(update={"adverse_event": "adverse"}))


def without_anything(features: pl.DataFrame) -> pl.DataFrame:
    return features.with_columns(
        pl.lit(None, dtype=t).alias(n) for n, t in features.schema.items() if n != "patient_id"
    )


@pytest.mark.parametrize("arms", [ARMS, ()], ids=["arms", "no arms"])
@pytest.mark.parametrize("kind", ["change", "continuous", "binary", "multiclass"])
def test_the_columns_of_each_kind_of_study(kind, arms, tmp_path):
    study = small_study(kind, people=72, arms=arms)
    bundle = small_bundle(study, tmp_path)
    predictions, effects = asked(bundle, study.features)
    classes = [f"p_{name}" for name in sorted(CLASSES)] if kind == "multiclass" else []
    assert predictions.columns == [*FIRST, *classes, "status", "caution"]
    assert predictions.height == 72 * max(len(arms), 1)
    empty = {"multiclass": ["expected", "lower", "upper", "p_response"]}.get(kind, [])
    for name in predictions.columns[2:-1]:
        missing = predictions[name].null_count()
        assert missing == (predictions.height if name in empty else 0), name
    assert predictions["status"].unique().to_list() == ["ok"]
    assert (predictions["treatment"].null_count() == 0) == bool(arms)
    assert effects.height == (72 if arms and kind != "multiclass" else 0)
    if kind == "binary":
        assert predictions["p_response"].equals(predictions["expected"].alias("p_response"))
    if kind == "multiclass":
        np.testing.assert_allclose(predictions.select(classes).sum_horizontal().to_numpy(), 1)


def test_intervals_of_points_are_the_conformal_ones(bundle, study):
    predictions, _ = asked(bundle, study.features)
    for bound, sign in (("lower", -1), ("upper", 1)):
        np.testing.assert_allclose(predictions[bound] - predictions["expected"], sign * HALF_WIDTH, atol=1e-12)


def test_intervals_of_probabilities_hold_the_probability_and_stay_between_0_and_1(tmp_path):
    study = small_study("binary", people=72)
    predictions, _ = asked(small_bundle(study, tmp_path), study.features)
    assert (predictions["lower"] <= predictions["expected"]).all()
    assert (predictions["expected"] <= predictions["upper"]).all()
    assert predictions["lower"].min() >= 0 and predictions["upper"].max() <= 1


def test_an_effect_is_the_difference_of_two_expectations(bundle, study):
    predictions, effects = asked(bundle, study.features)
    expected = {
        (one, arm): value for one, arm, value in predictions.select("patient_id", "treatment", "expected").iter_rows()
    }
    pairs = set(effects.select("treatment_a", "treatment_b").iter_rows())
    assert pairs == {("cbt", "nsaid"), ("cbt", "snri"), ("nsaid", "snri")}
    for row in effects.iter_rows(named=True):
        a, b = expected[row["patient_id"], row["treatment_a"]], expected[row["patient_id"], row["treatment_b"]]
        assert row["effect"] == pytest.approx(a - b, abs=1e-12)
        assert row["upper"] - row["effect"] == pytest.approx(row["effect"] - row["lower"])
        assert (row["p_better"] > 0.5) == (row["effect"] > 0)


def test_effects_along_a_triangle_close(bundle, study):
    _, effects = asked(bundle, study.features)
    sides = effects.with_columns(pair=pl.col("treatment_a") + "-" + pl.col("treatment_b"))
    wide = sides.pivot("pair", index="patient_id", values="effect")
    np.testing.assert_allclose(wide["cbt-nsaid"] + wide["nsaid-snri"], wide["cbt-snri"], atol=1e-12)


def test_the_interval_of_an_effect_is_the_spread_over_refits(bundle, study):
    _, effects = asked(bundle, study.features[:1])
    refits = bundle.model.refit_expected(bundle.model.encode(study.features[:1]))[:, 0]
    spread = (refits[:, 0] - refits[:, 1]).std(ddof=1)
    row = effects.row(0, named=True)
    assert row["upper"] - row["effect"] == pytest.approx(norm.ppf(0.95) * spread)
    assert row["p_better"] == pytest.approx(norm.cdf(row["effect"] / spread))


def test_behind_a_closed_gate_everybody_is_recommended_the_best_arm_for_all(closed, study):
    _, effects = asked(closed, study.features)
    assert effects["recommended"].unique().to_list() == [CLOSED["best_fixed"]]
    assert effects["status"].unique().to_list() == ["ok"]


def test_behind_a_closed_gate_nobody_is_told_a_chance_that_one_treatment_is_better(closed, bundle, study):
    _, effects = asked(closed, study.features)
    assert effects["p_better"].null_count() == effects.height
    assert asked(bundle, study.features)[1]["p_better"].null_count() == 0


def test_each_treatment_has_the_width_of_its_own_where_it_has_one(bundle, study):
    own = {"level": 0.9, "half_width": 2.5, "by_treatment": {"snri": 4.0}}
    predictions, _ = asked(replace(bundle, interval=own), study.features)
    widths = predictions.with_columns(half=(pl.col("upper") - pl.col("lower")) / 2).group_by("treatment").agg("half")
    for arm, halves in widths.iter_rows():
        np.testing.assert_allclose(halves, 4.0 if arm == "snri" else 2.5)


def test_someone_unlike_everyone_is_abstained_from_and_the_prediction_says_so(bundle, study):
    far = study.features.head(1).with_columns(
        pl.lit("far").alias("patient_id"), pl.lit(0.0).alias("pcs_total"),
        *[pl.lit(40.0 * (-1) ** n).alias(g) for n, g in enumerate(GENES)],
    )  # fmt: skip
    predictions, effects = asked(bundle, pl.concat([far, study.features]))
    own = effects.filter(pl.col("patient_id") == "far")
    assert own["recommended"].null_count() == own.height
    assert own["status"].str.starts_with("abstained: atypical").all()
    told = predictions.filter(pl.col("patient_id") == "far")
    assert told["status"].unique().to_list() == ["ok"] and told["expected"].null_count() == 0
    assert told["caution"].str.contains("atypical").all()


def test_someone_without_what_the_choice_leans_on_is_abstained_from_by_name(bundle, study):
    """IL-6 and catastrophising make the difference between treatments in this study."""
    bare = without(study.features, ["pcs_total", "il6_pg_per_ml", "crp_mg_per_l", "il6_below_lod"])
    _, effects = asked(bundle, bare)
    assert effects["recommended"].null_count() == effects.height
    assert effects["status"].str.contains("% of what weighs in the model was not measured").all()
    assert effects["status"].str.contains("nothing of biomarkers was measured").any()
    _, whole = asked(bundle, study.features)
    assert whole["recommended"].null_count() < whole.height


def test_weights_are_shares_and_the_features_that_matter_weigh_most(bundle):
    weights = bundle.reliance.weights
    assert sum(weights.values()) == pytest.approx(1.0)
    assert weights["pcs_total"] + weights["il6_pg_per_ml"] > 0.5
    assert weights["il6_pg_per_ml"] > weights["age"]


class NobodyGot:
    """Stands where a model of who got which treatment would: people with IL-6 above 3 never got cbt."""

    def outside_overlap(self, features: pl.DataFrame, arms: list[str]) -> np.ndarray:
        high = (features["il6_pg_per_ml"].fill_null(0.0) > 3).to_numpy()
        return np.column_stack([high & (arm == "cbt") for arm in arms])


def test_outside_overlap_there_is_no_comparison(bundle, study):
    _, effects = asked(replace(bundle, propensity=NobodyGot()), study.features)
    high = set(study.features.filter(pl.col("il6_pg_per_ml") > 3)["patient_id"])
    for patient, status, named in effects.select("patient_id", "status", "recommended").iter_rows():
        assert ("hardly anyone like this person got cbt: no comparison" in status) == (patient in high)
        assert patient not in high or named is None
    for patient, one, other, effect, lower in effects.select(
        "patient_id", "treatment_a", "treatment_b", "effect", "lower"
    ).iter_rows():
        without = patient in high and "cbt" in (one, other)
        assert (effect is None, lower is None) == (without, without)


def test_where_a_smaller_outcome_is_better_the_smallest_is_recommended(tmp_path):
    study = small_study("continuous", people=120, arms=THREE, effect=2.0)
    predictions, effects = asked(small_bundle(study, tmp_path), study.features)
    best = dict(
        predictions.sort("expected").group_by("patient_id", maintain_order=True).agg(pl.col("treatment").first()).rows()
    )
    named = effects.drop_nulls("recommended")
    assert named.height > 0
    assert all(best[patient] == arm for patient, arm in named.select("patient_id", "recommended").iter_rows())
    assert ((effects["p_better"] > 0.5) == (effects["effect"] < 0)).all()


def test_those_who_are_answered_get_the_right_treatment_more_often_than_all_would(tmp_path):
    """The truth is known here: catastrophising decides under cbt, IL-6 under snri; 1,000 people are new."""
    bundle = small_bundle(small_study(people=150, effect=1.0), tmp_path)
    new = small_study(people=1000, effect=1.0, seed=9).features.drop_nulls(["pcs_total", "il6_pg_per_ml"])
    snri = np.log2(new["il6_pg_per_ml"].to_numpy()) - 1 > (new["pcs_total"].to_numpy() - 29) / 11
    truth = dict(zip(new["patient_id"], np.where(snri, "snri", "cbt"), strict=True))
    predictions, effects = asked(bundle, new)
    best = predictions.sort("expected", descending=True).group_by("patient_id", maintain_order=True).first()
    right_of_all = np.mean([truth[one] == arm for one, arm in best.select("patient_id", "treatment").iter_rows()])
    named = effects.drop_nulls("recommended").select("patient_id", "recommended").rows()
    right_of_named = np.mean([truth[one] == arm for one, arm in named])
    assert 200 < len(named) < 0.95 * new.height
    assert right_of_named > right_of_all + 0.03


def test_harm_stands_beside_benefit(tmp_path):
    study = with_harm(small_study(people=120, arms=THREE, effect=2.0))
    bundle = small_bundle(study, tmp_path)
    predictions, _ = asked(bundle, study.features)
    assert predictions["p_adverse"].null_count() == 0
    assert predictions["p_adverse"].is_between(0, 1).all()
    harm = dict(predictions.group_by("treatment").agg(pl.col("p_adverse").mean()).rows())
    assert harm["snri"] > harm["cbt"] + 0.2  # as it was drawn
    assert (tmp_path / "model" / "adverse" / "model.json").is_file()


def test_harm_that_was_too_rare_to_model_is_null_and_benefit_stays(tmp_path):
    study = with_harm(small_study(people=72, arms=THREE), share={"snri": 0.03})
    predictions, _ = asked(small_bundle(study, tmp_path), study.features)
    assert predictions["p_adverse"].null_count() == predictions.height
    assert predictions["expected"].null_count() == 0
    assert not (tmp_path / "model" / "adverse").exists()


def test_behind_an_open_gate_a_person_gets_the_best_arm_or_none(bundle, study):
    predictions, effects = asked(bundle, study.features)
    best = {}
    for person, rows in predictions.group_by("patient_id"):
        best[person[0]] = rows.sort("expected", descending=True)["treatment"][0]
    told = abstained = 0
    for person, rows in effects.group_by("patient_id"):
        assert rows["recommended"].n_unique() == 1 and rows["status"].n_unique() == 1
        if rows["recommended"][0] is None:
            abstained += 1
            assert rows["status"][0].startswith("abstained: ")
        else:
            told += 1
            assert rows["status"][0] == "ok" and rows["recommended"][0] == best[person[0]]
        assert rows["effect"].null_count() == 0  # the numbers stay: only the advice is withheld
    assert told > 10 and abstained > 10


@pytest.mark.parametrize(
    ("feature", "value", "said"),
    [
        ("pcs_total", 999.0, "pcs_total is not within 0 to 52 score"),
        ("crp_mg_per_l", -4.0, "crp_mg_per_l is not within 0 to 500 mg/L"),
        ("age", float("inf"), "age is not within 0 to 120 years"),
        ("crp_mg_per_l", 1e308, "crp_mg_per_l is not within 0 to 500 mg/L"),
        ("gene_07", float("inf"), "gene_07 is not within "),
        ("gene_07", -float("inf"), "gene_07 is not within "),
        ("gene_07", 1e308, "gene_07 is not within "),
        ("bpi_severity", float("inf"), "bpi_severity is not within 0 to 10 score"),
    ],
)
def test_a_person_with_an_impossible_value_is_rejected_by_the_features_name(bundle, study, feature, value, said):
    people = spoilt(study, feature, value)
    person = people["patient_id"][0]
    for found, sound in zip(asked(bundle, people), asked(bundle, study.features), strict=True):
        own = found.filter(pl.col("patient_id") == person)
        assert own["status"].str.starts_with(f"rejected: {said}").all()
        assert str(value) not in own["status"][0]
        numbers = own.select(pl.selectors.numeric(), *[name for name in ("recommended",) if name in own.columns])
        assert all(count == own.height for count in numbers.null_count().row(0))
        others = pl.col("patient_id") != person
        assert found.filter(others).equals(sound.filter(others))


def test_a_value_at_the_edge_of_its_range_is_answered(bundle, study):
    for value in (0.0, 52.0):
        predictions, _ = asked(bundle, spoilt(study, "pcs_total", value))
        assert predictions["status"].unique().to_list() == ["ok"]


def test_several_impossible_values_are_all_named(bundle, study):
    people = spoilt(study, "pcs_total", -1.0).with_columns(age=pl.lit(400.0))[:1]
    predictions, _ = asked(bundle, people)
    assert "age" in predictions["status"][0] and "pcs_total" in predictions["status"][0]


def test_a_person_of_whom_nothing_was_measured_is_abstained_from(bundle, closed, study):
    nobody = without_anything(study.features[:1])
    for one in (bundle, closed):
        predictions, effects = asked(one, pl.concat([nobody, study.features[1:]]))
        for found in (predictions, effects):
            own = found.filter(pl.col("patient_id") == nobody["patient_id"][0])
            assert own["status"].str.starts_with("abstained: nothing that the model uses").all()
        assert predictions.filter(pl.col("status") != "ok")["expected"].null_count() == 3
        assert effects.filter(pl.col("effect").is_null())["recommended"].null_count() == 3


def test_a_cohort_without_a_table_is_answered_with_what_there_is(bundle, study):
    fewer = study.features.select("patient_id", "age", "pcs_total")
    predictions, _ = asked(bundle, fewer)
    answered = fewer["patient_id"]
    assert predictions["status"].unique().to_list() == ["ok"]
    assert predictions["patient_id"].n_unique() == len(answered)
    assert predictions.select("expected", "p_response").null_count().row(0) == (0, 0)


def test_a_person_twice_is_refused(bundle, study):
    twice = pl.concat([study.features[:3], study.features[:1]])
    with pytest.raises(NociomicsError, match="1 patient_id") as refused:
        predict_people(bundle, twice, bundle.baseline(twice))
    assert study.features["patient_id"][0] not in str(refused.value)


def test_nobody_is_asked_about_and_nobody_is_answered(bundle, study):
    predictions, effects = asked(bundle, study.features[:0])
    assert predictions.is_empty() and effects.is_empty()


def test_numbers_that_come_as_whole_numbers_are_the_same_numbers(bundle, study):
    whole = study.features.with_columns(
        age=pl.col("age").round(), cyp2d6_activity_score=pl.col("cyp2d6_activity_score")
    )
    as_int = whole.with_columns(pl.col("age", "cyp2d6_activity_score").cast(pl.Int64))
    for one, other in zip(asked(bundle, whole), asked(bundle, as_int), strict=True):
        assert one.equals(other)


def test_an_open_gate_is_what_the_bundle_says(bundle):
    assert bundle.gate == OPEN
