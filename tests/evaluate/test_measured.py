"""Patterns of missing modalities."""

import polars as pl

from nociomics.evaluate.measured import measured_patterns


def cohort(people: int = 100) -> tuple[pl.DataFrame, pl.DataFrame]:
    """30 people lack expression, 25 both expression and genotype, 4 genotype alone; all have an age."""
    place = pl.int_range(people)
    features = pl.select(
        patient_id=pl.format("P{}", place),
        age=pl.lit(50.0).repeat_by(people).explode(),
        gene=pl.when(place >= 55).then(1.0),
        other_gene=pl.when(place >= 55).then(place.cast(pl.Float64)),
        rs1=pl.when(~place.is_between(30, 54) & (place < 96)).then(0.0),
    )
    modality = ["clinical", "expression", "expression", "genotype"]
    return features, pl.DataFrame({"feature": features.columns[1:], "modality": modality})


def test_people_are_named_by_what_they_lack_and_small_patterns_are_one_group():
    features, catalogue = cohort()
    found = dict(measured_patterns(features, catalogue).group_by("measured").len().iter_rows())
    assert found == {"everything": 41, "without expression": 30, "without expression, genotype": 25, "other gaps": 4}


def test_one_value_of_a_modality_is_enough_to_have_it():
    features, catalogue = cohort()
    features = features.with_columns(gene=pl.lit(None, dtype=pl.Float64))
    assert measured_patterns(features, catalogue).equals(measured_patterns(*cohort()))


def test_a_study_in_which_nobody_lacks_anything_has_one_pattern():
    features, catalogue = cohort()
    found = measured_patterns(features.select("patient_id", "age"), catalogue)
    assert found["measured"].unique().to_list() == ["everything"]
