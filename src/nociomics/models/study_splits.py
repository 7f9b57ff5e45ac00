"""The folds of a study: made from its ids, or given by its author."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from nociomics.errors import StudyError
from nociomics.models.settings import SplitSettings
from nociomics.models.splits import find_duplicates, make_splits, person_groups
from nociomics.tables.results import SPLITS


def study_splits(
    rows: pl.DataFrame,
    features: pl.DataFrame,
    catalogue: pl.DataFrame,
    dosages: pl.DataFrame | None,
    settings: SplitSettings,
    seed: int,
    same_people: pl.DataFrame | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Make a study's folds and the pairs of ids that had to be kept together.

    Folds are balanced over the class of the outcome where it has classes, else over the treatment received, else over
    the response; never over outcome and treatment at once. Else every fold would have the treatments' chance
    differences of the whole study, and a model that learned them from the others would look right about the held-out
    one: the treatment alone had an AUROC of 0.53 where nothing was to be found.

    Parameters
    ----------
    same_people : DataFrame, optional
        As in `tables.genotype_quality.SAME_PEOPLE`, from the whole genotype file, of which ``dosages`` may hold but
        a few variants. Equal answers alone do not tie two ids together: skewed questionnaires coincide by chance.

    Returns
    -------
    splits, duplicates : DataFrame
        As in `tables.results.SPLITS` and `DUPLICATES`.
    """
    genes = catalogue.filter((pl.col("modality") == "expression") & (pl.col("kind") == "numeric"))["feature"].to_list()
    expression = (
        features.select("patient_id", *genes).filter(~pl.all_horizontal(pl.col(genes).is_null())) if genes else None
    )
    pairs = _with_genotyped_twice(find_duplicates(dosages, expression, settings), same_people)
    patients = rows["patient_id"].to_list()
    groups = person_groups(patients, pairs)
    balanced = rows.select(
        "patient_id",
        pl.coalesce("label", "treatment", pl.col("responded").cast(pl.String), pl.lit("")).alias("stratum"),
    )
    splits = make_splits(patients, groups, dict(balanced.iter_rows()), settings, seed)
    return splits, pairs


def _with_genotyped_twice(pairs: pl.DataFrame, same_people: pl.DataFrame | None) -> pl.DataFrame:
    if same_people is None:
        return pairs
    found = same_people.filter(pl.col("evidence") == "genotype").select(pairs.columns)
    both = pl.concat([pairs, found]).unique(["patient_a", "patient_b"], keep="first", maintain_order=True)
    return both.sort("patient_a", "patient_b")


def group_splits(rows: pl.DataFrame, splits: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """Make folds that leave one group of `target.groups`, such as a site, out of training at a time.

    A person enrolled under two ids counts with the group of the smaller id, so that nobody is on both sides.

    Parameters
    ----------
    rows, splits, pairs : DataFrame
        As in `TARGET_ROWS`, `SPLITS` (its first repeat gives the inner folds) and `DUPLICATES`.

    Returns
    -------
    DataFrame, one row per person
        As in `SPLITS` with one repeat; no rows when there are fewer than two groups.
    """
    first = person_groups(rows["patient_id"].to_list(), pairs)
    group_of = dict(rows.select("patient_id", pl.col("group").fill_null("")).iter_rows())
    own = [group_of[first[patient]] for patient in rows["patient_id"]]
    place = {group: index for index, group in enumerate(sorted(set(own)))}
    inner = splits.filter(pl.col("repeat") == pl.col("repeat").min()).select("patient_id", "repeat", "inner_fold")
    folds = rows.select("patient_id").with_columns(
        outer_fold=pl.Series([place[group] for group in own], dtype=pl.Int64)
    )
    whole = folds.join(inner, on="patient_id", how="left").select("patient_id", "repeat", "outer_fold", "inner_fold")
    return whole if len(place) > 1 else whole.clear()


def given_splits(path: Path, patients: list[str], pairs: pl.DataFrame) -> pl.DataFrame:
    """Read folds that the study fixes, and refuse those that miss people or part one person's two ids.

    Raises
    ------
    StudyError
        When the file is not a splits table, leaves people out, or separates near-duplicates.
    """
    try:
        splits = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StudyError(f"splits: {path.name} cannot be read as Parquet ({type(error).__name__}).") from error
    problems = SPLITS.problems(splits)
    if not problems:
        for repeat, part in splits.group_by("repeat", maintain_order=True):
            absent = len(set(patients) - set(part["patient_id"]))
            if absent:
                problems.append(f"repeat {repeat[0]} lacks {absent} of {len(patients)} people")
            few = [name for name in ("outer_fold", "inner_fold") if part[name].n_unique() < 2]
            problems += [f"repeat {repeat[0]} needs at least 2 {name.replace('_', ' ')}s" for name in few]
        problems += _parted(splits, pairs)
    if problems:
        raise StudyError(f"splits: {path.name}: " + "; ".join(problems) + ".")
    return (
        splits.filter(pl.col("patient_id").is_in(patients))
        .sort("repeat", "patient_id")
        .select(pl.col("patient_id"), *(pl.col(name).cast(pl.Int64) for name in ("repeat", "outer_fold", "inner_fold")))
    )


def _parted(splits: pl.DataFrame, pairs: pl.DataFrame) -> list[str]:
    folds = splits.select("patient_id", "repeat", "outer_fold")
    both = pairs.join(folds, left_on="patient_a", right_on="patient_id").join(
        folds, left_on=["patient_b", "repeat"], right_on=["patient_id", "repeat"], suffix="_b"
    )
    parted = both.filter(pl.col("outer_fold") != pl.col("outer_fold_b")).height
    return (
        [f"{parted} pairs of near-duplicate people lie in different folds; one person must not be on both sides"]
        if parted
        else []
    )
