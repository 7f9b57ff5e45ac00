"""Strata described on invented cohorts in which it is known what makes people differ."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from nociomics.evaluate.strata_description import FoundStrata, StrataDescription
from nociomics.tables.results import STRATA_ASSOCIATIONS, STRATA_CONCENTRATIONS, STRATA_MARKERS
from tests.evaluate.strata_cohorts import (
    ANALYTES,
    ARMS,
    PROTEINS,
    SCORES,
    Cohort,
    catalogue_of,
    cohort,
    described,
    found_strata,
)


def checked(found: StrataDescription) -> StrataDescription:
    """Everything keeps its contract, and is plain JSON."""
    STRATA_ASSOCIATIONS.check(found.associations)
    STRATA_CONCENTRATIONS.check(found.concentrations)
    STRATA_MARKERS.check(found.markers)
    json.dumps([found.report, found.scorecard], allow_nan=False)
    return found


def of_truth(one: Cohort) -> FoundStrata:
    """Strata as the invented truth has them, so that a test does not depend on finding them."""
    names = [f"S{kind + 1}" for kind in one.truth]
    frame = pl.DataFrame(
        {
            "patient_id": one.features["patient_id"],
            "stratum": names,
            "p_S1": (one.truth == 0).astype(float),
            "p_S2": (one.truth == 1).astype(float),
            "entropy": 0.0,
            "atypical": False,
            "between": False,
        }
    )
    scores = found_strata(one).scores
    return FoundStrata(frame, scores, 2)


def one_stratum(one: Cohort) -> FoundStrata:
    """The same people when one stratum was found."""
    found = of_truth(one)
    rows = found.assignments.drop("p_S2").with_columns(stratum=pl.lit("S1"), p_S1=pl.lit(1.0))
    return FoundStrata(rows, found.scores, 1)


@pytest.fixture(scope="module")
def types() -> StrataDescription:
    """Two types of people, and nothing else."""
    one = cohort(types=3.5, effect=1.0)
    return checked(described(one, of_truth(one)))


@pytest.fixture(scope="module")
def plates() -> StrataDescription:
    """No types, but plates so far apart that they make a cluster."""
    one = cohort(batch=5.0)
    found = found_strata(one)
    assert found.k > 1, "the fixture must mislead the strata model"
    return checked(described(one, found))


def test_a_cluster_that_is_a_batch_is_named_as_batch_and_not_as_stratum(plates: StrataDescription) -> None:
    report = plates.report
    assert report["batch_cluster"] is True
    assert report["clusters"][0]["variable"] == "plate"
    assert report["clusters"][0]["value"] > 0.8
    assert report["words"][0].startswith("The strata are a batch cluster, not strata of patients")
    assert {entry["kind"] for entry in report["names"].values()} == {"batch cluster"}
    assert all("batch cluster: plate plate" in entry["name"] for entry in report["names"].values())
    row = plates.associations.row(by_predicate=pl.col("variable") == "plate", named=True)
    assert (row["role"], row["verdict"]) == ("batch", "batch cluster")


def test_it_says_which_stratum_is_in_which_batch(plates: StrataDescription) -> None:
    crowded = plates.concentrations.filter(pl.col("concentrated") & (pl.col("variable") == "plate"))
    assert sorted(crowded["level"]) == ["plate0", "plate1"]
    assert crowded["share"].min() > 0.8  # type: ignore[operator]


def test_its_markers_do_not_name_it_although_they_differ(plates: StrataDescription) -> None:
    assert plates.markers.filter("names")["feature"].is_in(ANALYTES).any()
    assert not any(name in str(plates.report["names"]) for name in ("'name': 'inflammatory'",))


def test_true_types_are_no_batch_and_get_the_names_that_their_markers_allow(types: StrataDescription) -> None:
    report = types.report
    assert not report["batch_cluster"] and not report["site_cluster"] and not report["missingness_cluster"]
    assert report["names"]["S1"]["mechanisms"] == ["inflammatory"]
    assert "neuropathic" in report["names"]["S2"]["mechanisms"]
    assert "dn4_total" in report["names"]["S2"]["because"]


def test_halves_and_seeds_agree_on_what_is_that_far_apart(plates: StrataDescription) -> None:
    """A batch is found again in every half: that strata are stable does not make them strata of patients."""
    assert plates.report["agreement"]["halves"]["ari"] > 0.8
    assert plates.report["agreement"]["seeds"]["ari"] > 0.9


def test_the_card_asks_what_tells_the_types(types: StrataDescription) -> None:
    card = types.scorecard
    assert 1 <= len(card["variables"]) <= 6
    assert "dn4_total" in {entry["feature"] for entry in card["variables"]}
    assert not {entry["feature"] for entry in card["variables"]} & set(ANALYTES)
    assert card["kappa"]["lower"] < card["kappa"]["value"] < card["kappa"]["upper"]
    assert card["kappa"]["value"] > 0.6


def test_treatment_is_shown_and_not_judged(types: StrataDescription) -> None:
    roles = dict(types.associations.select("variable", "role").iter_rows())
    assert roles["arm"] == "treatment"
    assert {roles[name] for name in ("outcome", "outcome as modelled")} == {"outcome"}
    assert set(types.associations.filter(pl.col("role") == "outcome")["verdict"]) == {"not judged"}


def test_a_dimension_that_moderates_is_called_a_dimension(types: StrataDescription) -> None:
    found = types.report["interaction"]
    assert found["better"] == "dimensions"
    assert found["factors"]["gain"] > found["strata"]["gain"]
    assert found["arms"].keys() == set(ARMS)


def test_one_stratum_gives_the_same_tables_for_the_factors_and_says_so() -> None:
    one = cohort(batch=5.0)
    found = checked(described(one, one_stratum(one)))
    assert set(found.associations["of"]) == set(found.markers["of"]) == {"factor_1", "factor_2"}
    assert found.report["of"] == "factors"
    assert found.report["names"] == {} and found.concentrations.is_empty()
    assert found.scorecard["kind"] == "weights"
    assert any("One stratum was found" in words for words in found.report["words"])
    # the factor that is a plate is said to be one
    assert found.report["batch_cluster"] is True
    assert "read it as a batch effect" in found.report["words"][0]


def test_row_order_and_ids_change_nothing() -> None:
    one = cohort(people=160, types=3.5)
    order = np.random.default_rng(3).permutation(160).tolist()
    shuffled = one.changed(
        features=one.features[order], target=one.target[order], tables=one.tables, truth=one.truth[order]
    )
    first, second = described(one, of_truth(one)), described(shuffled, of_truth(shuffled))
    assert first.associations.equals(second.associations)
    assert first.scorecard == second.scorecard


# ---- bad input


def lost(one: Cohort, names: tuple[str, ...], share: float, seed: int = 2) -> Cohort:
    """The cohort with a share of the people not measured in these features."""
    gone = pl.Series(np.random.default_rng(seed).random(one.features.height) < share)
    return one.changed(features=one.features.with_columns(pl.when(~gone).then(pl.col(names))))


def test_below_fifty_people_reasons_stand_where_figures_would() -> None:
    one = cohort(people=40, types=3.5)
    found = checked(described(one, of_truth(one)))
    assert "too few" in found.report["agreement"]["halves"]["reason"]
    assert "too few" in found.scorecard["reason"]
    assert "few" in found.report["interaction"]["reason"]


def test_one_block_only() -> None:
    one = cohort(people=150, types=3.5)
    kept = one.features.drop([*ANALYTES, *PROTEINS])
    one = one.changed(features=kept, catalogue=catalogue_of(kept))
    found = checked(described(one, of_truth(one)))
    assert set(found.markers["modality"]) == {"clinical", "questionnaires"}


def test_a_constant_block_has_no_markers_and_breaks_nothing() -> None:
    one = cohort(people=150, types=3.5)
    one = one.changed(features=one.features.with_columns(pl.lit(1.0).alias(name) for name in ANALYTES))
    found = checked(described(one, of_truth(one)))
    assert not found.markers["feature"].is_in(ANALYTES).any()


def test_more_missing_than_observed_by_type_is_a_missingness_cluster() -> None:
    one = cohort(people=300, types=0.0)
    kind = pl.Series(one.truth == 1)
    one = one.changed(features=one.features.with_columns(pl.when(kind).then(pl.col(ANALYTES))))
    one = lost(one, SCORES[1:], 0.7)
    found = checked(described(one, of_truth(one)))
    assert found.report["missingness_cluster"] is True
    assert {entry["kind"] for entry in found.report["names"].values()} == {"missingness cluster"}


def test_people_who_stand_there_twice_are_counted_as_they_stand() -> None:
    one = cohort(people=120, types=3.5)
    twice = one.features.with_columns(pl.col("patient_id") + "b")
    rows = one.target.with_columns(pl.col("patient_id") + "b")
    patients = one.tables["patients"].with_columns(pl.col("patient_id") + "b")
    both = one.changed(
        features=pl.concat([one.features, twice]),
        target=pl.concat([one.target, rows]),
        tables={**one.tables, "patients": pl.concat([one.tables["patients"], patients])},
        truth=np.tile(one.truth, 2),
    )
    assert checked(described(both, of_truth(both))).report["people"] == 240


def test_all_patients_of_one_site_cannot_be_a_site_cluster_and_it_is_said() -> None:
    one = cohort(people=150, types=3.5, sites=1)
    found = checked(described(one, of_truth(one)))
    row = found.associations.row(by_predicate=pl.col("variable") == "site", named=True)
    assert (row["value"], row["verdict"]) == (None, "one group")
    assert any("All people are of one site" in words for words in found.report["words"])


def test_a_study_without_target_and_treatment() -> None:
    one = cohort(people=150, types=3.5)
    kinds = {name: kind for name, kind in one.target.schema.items() if name != "patient_id"}
    empty = one.target.with_columns(pl.lit(None).cast(kind).alias(name) for name, kind in kinds.items())
    one = one.changed(target=empty, study=one.study.model_copy(update={"target": None}))
    found = checked(described(one, of_truth(one)))
    assert found.report["interaction"] == {"reason": "the study has no outcome"}
    assert not found.associations["role"].is_in(["outcome", "treatment"]).any()
    assert "Strata by treatment: the study has no outcome." in found.report["words"]


def test_nobody_could_be_placed() -> None:
    """Too few measurements for any factor: the strata stage leaves everybody without a stratum."""
    one = cohort(people=60)
    found = of_truth(one)
    kinds = {name: kind for name, kind in found.assignments.drop("p_S2").schema.items() if name != "patient_id"}
    rows = found.assignments.select(
        "patient_id", *(pl.lit(None).cast(kind).alias(name) for name, kind in kinds.items())
    )
    nobody = FoundStrata(rows, found.scores.select("patient_id").clear(), 1)
    result = checked(described(one, nobody))
    assert result.report["people"] == 0
    assert result.report["words"][0].startswith("Strata were not looked for")
    assert result.associations.is_empty()
    assert "reason" in result.scorecard and "reason" in result.report["interaction"]
