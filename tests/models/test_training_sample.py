"""The sample that models learn from: random, told by the seed alone, and with its target."""

from __future__ import annotations

import polars as pl

from nociomics.models.training_sample import draw_training_sample

PEOPLE = pl.DataFrame({"patient_id": [f"P{number}" for number in range(300)], "age": [20 + n / 5 for n in range(300)]})
TARGET = PEOPLE.select("patient_id", outcome=pl.col("age") * 2)


def test_as_many_as_asked_for_with_their_own_target():
    features, target = draw_training_sample(PEOPLE, TARGET, 100, 1)
    assert features.height == target.height == 100
    assert features["patient_id"].to_list() == target["patient_id"].to_list()
    assert target["outcome"].to_list() == (features["age"] * 2).to_list()


def test_neither_ids_nor_order_choose_but_the_seed_does():
    ages = set(draw_training_sample(PEOPLE, TARGET, 100, 1)[0]["age"])
    renamed = PEOPLE.with_columns(pl.col("patient_id").reverse()).reverse()
    assert set(draw_training_sample(renamed, TARGET, 100, 1)[0]["age"]) == ages
    assert set(draw_training_sample(PEOPLE, TARGET, 100, 2)[0]["age"]) != ages


def test_fewer_people_than_asked_for_are_all_taken():
    assert draw_training_sample(PEOPLE, TARGET, 1000, 1)[0].equals(PEOPLE)
