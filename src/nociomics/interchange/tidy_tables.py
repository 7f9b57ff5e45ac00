"""A cohort as one long tidy table with a codebook: what every statistics program reads."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from nociomics.errors import TableError
from nociomics.interchange.cohort import ID, HarmonisedCohort, matched_cohort
from nociomics.tables.files import store_parquet, written_whole

_LONG = {ID: pl.String, "feature": pl.String, "value": pl.Float64, "label": pl.String}
_FILES = ("values.parquet", "codebook.csv", "people.csv")


def write_tidy(cohort: HarmonisedCohort, folder: Path) -> None:
    """Write ``values.parquet``, ``codebook.csv`` and ``people.csv`` into a folder.

    ``values`` has one row per person and measured feature: ``patient_id, feature, value, label`` (a number or a
    category); what was not measured has no row. ``codebook`` has the catalogue, ``people`` the target, one row each.
    """
    with written_whole(folder / "values.parquet") as draft:
        store_parquet(long_values(cohort), draft)
    for frame, name in ((cohort.catalogue, "codebook.csv"), (cohort.target, "people.csv")):
        with written_whole(folder / name) as draft:
            frame.write_csv(draft)


def long_values(cohort: HarmonisedCohort) -> pl.DataFrame:
    """One row per person and measured feature, people and features in their order."""
    place = {name: number for number, name in enumerate(cohort.catalogue["feature"].to_list())}
    rows = cohort.features.with_row_index("__person")
    parts = [
        rows.select("__person", ID, *names)
        .unpivot(names, index=["__person", ID], variable_name="feature", value_name=column)
        .drop_nulls(column)
        .with_columns(pl.lit(None, _LONG[other]).alias(other))
        .select("__person", *_LONG)
        for names, column, other in (
            (cohort.names("numbers"), "value", "label"),
            (cohort.names("labels"), "label", "value"),
        )
        if names
    ]
    if not parts:
        return pl.DataFrame(schema=_LONG)
    order = pl.col("feature").replace_strict(place, return_dtype=pl.Int64)
    return pl.concat(parts).sort("__person", order).drop("__person")


def read_tidy(folder: Path) -> HarmonisedCohort:
    """Read a cohort that `write_tidy` wrote: the same tables.

    Raises
    ------
    TableError
        When a file is missing or cannot be read.
    """
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if missing:
        raise TableError(f"{folder}: lacks {', '.join(missing)}; the three files belong together.")
    texts = {name: pl.String for name in ("feature", ID, "treatment", "assignment", "label", "group")}
    catalogue = _csv(folder / "codebook.csv", {"low": pl.Float64, "high": pl.Float64, "missing_share": pl.Float64})
    numbers = ("baseline", "outcome", "response_value", "responded", "adverse_event")
    target = _csv(folder / "people.csv", {**dict.fromkeys(numbers, pl.Float64), **texts})
    values = pl.read_parquet(folder / "values.parquet")
    kinds = dict(catalogue.select("feature", "kind").iter_rows())
    features = target.select(ID)
    for column, labels in (("value", False), ("label", True)):
        names = [name for name, kind in kinds.items() if (kind == "category") is labels]
        rows = values.filter(pl.col("feature").is_in(names))
        wide = rows.pivot(on="feature", on_columns=names, index=ID, values=column, aggregate_function="first")
        features = features.join(wide, on=ID, how="left", maintain_order="left") if names else features
    return matched_cohort(features.select(ID, *kinds), catalogue, target, str(folder))


def _csv(path: Path, numbers: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    header = pl.read_csv(path, n_rows=0).columns
    schema = {name: numbers.get(name, pl.String) for name in header}
    # An empty text is written in quotes and a missing one is not, so both come back as they were.
    return pl.read_csv(path, schema=schema)
