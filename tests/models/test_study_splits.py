"""The folds of a study: made from its ids, or given by its author."""

import numpy as np
import polars as pl
import pytest

from nociomics.errors import StudyError
from nociomics.evaluate.discrimination import auroc
from nociomics.models.settings import SplitSettings
from nociomics.models.study_splits import given_splits, study_splits
from tests.models.small_study import small_study

PEOPLE = [f"SECRET-{number:02d}" for number in range(20)]
NO_PAIRS = pl.DataFrame(schema={"patient_a": pl.String, "patient_b": pl.String, "evidence": pl.String})


def sound() -> pl.DataFrame:
    places = list(range(20))
    both = [
        pl.DataFrame({"patient_id": PEOPLE, "repeat": repeat, "outer_fold": [(p + repeat) % 4 for p in places]})
        for repeat in (0, 1)
    ]
    return pl.concat(both).with_columns(inner_fold=pl.col("outer_fold") % 2)


def given(frame: pl.DataFrame, tmp_path, patients=PEOPLE, pairs=NO_PAIRS) -> pl.DataFrame:
    frame.write_parquet(tmp_path / "splits.parquet")
    return given_splits(tmp_path / "splits.parquet", patients, pairs)


def refusal(frame: pl.DataFrame, tmp_path, **study) -> str:
    with pytest.raises(StudyError) as refused:
        given(frame, tmp_path, **study)
    assert str(refused.value).startswith("splits: splits.parquet")
    assert "SECRET" not in str(refused.value)
    return str(refused.value)


def test_folds_that_the_study_fixes_are_taken_as_they_are(tmp_path):
    found = given(sound().sample(fraction=1, shuffle=True, seed=1), tmp_path)
    assert found.equals(sound().sort("repeat", "patient_id"))
    assert [str(kind) for kind in found.dtypes] == ["String", "Int64", "Int64", "Int64"]


def test_people_who_are_not_in_the_study_are_left_out_of_given_folds(tmp_path):
    assert set(given(sound(), tmp_path, patients=PEOPLE[:5])["patient_id"]) == set(PEOPLE[:5])


def test_folds_that_leave_people_out_are_refused_with_their_number(tmp_path):
    lacking = sound().filter(~((pl.col("repeat") == 1) & pl.col("patient_id").is_in(PEOPLE[:3])))
    message = refusal(lacking, tmp_path)
    assert "repeat 1 lacks 3 of 20 people" in message
    assert "repeat 0" not in message


def test_folds_that_part_one_persons_two_ids_are_refused(tmp_path):
    pairs = pl.DataFrame(
        {"patient_a": [PEOPLE[0], PEOPLE[4]], "patient_b": [PEOPLE[1], PEOPLE[8]], "evidence": ["genotype"] * 2}
    )
    # P0 and P1 lie in neighbouring folds in both repeats; P4 and P8 lie in the same fold
    assert "2 pairs of near-duplicate people lie in different folds" in refusal(sound(), tmp_path, pairs=pairs)


def test_all_problems_are_named_at_once(tmp_path):
    broken = sound().drop("inner_fold").with_columns(outer_fold=pl.lit("a"))
    message = refusal(broken, tmp_path)
    assert 'column "inner_fold" is missing' in message and 'column "outer_fold" holds String' in message


def test_a_person_twice_in_a_repeat_is_refused(tmp_path):
    assert "1 rows repeat the key (patient_id, repeat)" in refusal(pl.concat([sound(), sound()[:1]]), tmp_path)


@pytest.mark.parametrize("fold", ["outer_fold", "inner_fold"])
def test_a_single_fold_leaves_nobody_to_learn_from(fold, tmp_path):
    message = refusal(sound().with_columns(pl.lit(0).alias(fold)), tmp_path)
    assert f"repeat 1 needs at least 2 {fold.replace('_', ' ')}s" in message


def test_a_file_that_is_no_parquet_or_not_there_is_refused(tmp_path):
    (tmp_path / "splits.parquet").write_text("patient_id,repeat\n", encoding="utf-8")
    for name in ("splits.parquet", "nowhere.parquet"):
        with pytest.raises(StudyError, match=f"splits: {name} cannot be read as Parquet"):
            given_splits(tmp_path / name, PEOPLE, NO_PAIRS)


def test_features_never_move_a_fold():
    study = small_study()
    shuffled = study.features.with_columns(pl.exclude("patient_id").shuffle(1))
    made = [
        study_splits(study.rows, frame, study.catalogue, None, SplitSettings(), 1)[0]
        for frame in (study.features, shuffled)
    ]
    assert made[0].equals(made[1])


def test_people_without_expression_are_nobodys_duplicate():
    study = small_study()
    blank = [pl.lit(None, dtype=pl.Float64).alias(name) for name in study.features.columns if name.startswith("gene_")]
    _, pairs = study_splits(study.rows, study.features.with_columns(blank), study.catalogue, None, SplitSettings(), 1)
    assert pairs.is_empty()


def test_people_who_are_one_by_their_whole_genotype_file_share_a_fold():
    study = small_study()
    rows, features, catalogue = study.rows, study.features, study.catalogue
    ids = rows["patient_id"].to_list()
    same = pl.DataFrame(
        {
            "patient_a": [ids[0], ids[2]],
            "patient_b": [ids[1], ids[3]],
            "evidence": ["genotype", "questionnaires"],
            "visit": [None, "baseline"],
            "compared": [900, 40],
            "share": [0.99, 1.0],
        }
    )
    folds, pairs = study_splits(rows, features, catalogue, None, SplitSettings(), 1, same)
    assert pairs.rows() == [(ids[0], ids[1], "genotype")], "equal answers alone tie nobody together"
    of = dict(folds.filter(pl.col("repeat") == folds["repeat"].min()).select("patient_id", "outer_fold").iter_rows())
    assert of[ids[0]] == of[ids[1]]


def share_by_chance(seed: int, people: int = 120) -> float:
    """AUROC of naming each held-out person's chance by their treatment, learned in the other folds; all is noise."""
    rng = np.random.default_rng(seed)
    responded = rng.integers(0, 2, people).astype(float)
    study = small_study("change", people=people)
    arm = rng.choice(["cbt", "drug", "rest", "snri"], people)
    rows = study.rows.with_columns(treatment=pl.Series(arm), responded=pl.Series(responded))
    settings = SplitSettings(outer_folds=5, inner_folds=2, repeats=1)
    splits, _ = study_splits(rows, study.features.select("patient_id"), study.catalogue.clear(), None, settings, 1)
    fold = rows.join(splits, on="patient_id", how="left", maintain_order="left")["outer_fold"].to_numpy()
    found = []
    for one in range(5):
        held = fold == one
        chance = {name: responded[~held & (arm == name)].mean() for name in np.unique(arm[~held])}
        if 0 < responded[held].mean() < 1:
            found.append(auroc(responded[held], np.array([chance.get(name, 0.5) for name in arm[held]])))
    return float(np.mean(found))


def test_chance_differences_between_treatments_do_not_carry_to_the_held_out_fold():
    """Balanced over treatment and response at once, every fold had them: a mean AUROC of 0.57 here, of pure noise."""
    assert np.mean([share_by_chance(seed) for seed in range(60)]) < 0.515


@pytest.mark.parametrize("kind", ["change", "binary"])
def test_folds_are_balanced_over_classes_else_over_treatments(kind):
    study = small_study(kind, people=90)
    settings = SplitSettings(outer_folds=5, inner_folds=3, repeats=2)
    splits, _ = study_splits(
        study.rows, study.features.select("patient_id"), study.catalogue.clear(), None, settings, 1
    )
    column = "label" if kind == "binary" else "treatment"
    joined = splits.join(study.rows, on="patient_id")
    for fold in ("outer_fold", "inner_fold"):
        count = joined.drop_nulls(column).group_by("repeat", fold, column).len()
        spread = count.group_by("repeat", column).agg(pl.col("len").max() - pl.col("len").min())
        assert spread["len"].max() <= 1
