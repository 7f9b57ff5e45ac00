"""What is missing: by modality, by combination of modalities, by item."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from nociomics.knowledge.instrument import load_instruments
from nociomics.tables.data_quality import MISSINGNESS

_ID = "patient_id"
BASELINE = "baseline"


def missing_by_person(features: Mapping[str, pl.DataFrame], people: pl.Series) -> pl.DataFrame:
    """Count each person's missing features in every modality.

    Parameters
    ----------
    features : mapping of modality to DataFrame, one row per person
        Its features alone, in the order of ``people``.
    people : Series of String
        Ids.

    Returns
    -------
    DataFrame, one row per person
        One UInt32 column per modality.
    """
    counts = {
        name: frame.select(pl.sum_horizontal(pl.all().is_null().cast(pl.UInt32))).to_series().alias(name)
        for name, frame in features.items()
    }
    return pl.DataFrame([people.alias(_ID), *counts.values()])


def missingness(missing: pl.DataFrame, sizes: Mapping[str, int]) -> pl.DataFrame:
    """Sum up a modality.

    Parameters
    ----------
    missing : DataFrame, one row per person
        As of `missing_by_person`.
    sizes : mapping of modality to int
        Number of its features.

    Returns
    -------
    DataFrame, one row per modality
        As in `MISSINGNESS`.
    """
    rows = [_modality(name, missing[name], size) for name, size in sizes.items()]
    kinds = {"text": pl.String, "integer": pl.Int64, "number": pl.Float64}
    return pl.DataFrame(rows, schema={c.name: kinds[c.kind] for c in MISSINGNESS.columns}, orient="row")


def _modality(name: str, missing: pl.Series, size: int) -> tuple[str, int, int, int, int, float, float | None]:
    any_of_it = missing < size
    measured = missing.filter(any_of_it)
    people, with_any = missing.len(), measured.len()
    cells, cells_measured = people * size, with_any * size
    share = float(missing.sum()) / cells if cells else 0.0
    among = float(measured.sum()) / cells_measured if cells_measured else None
    return name, size, people, with_any, int((missing == 0).sum()), share, among


def missing_patterns(missing: pl.DataFrame, sizes: Mapping[str, int]) -> pl.DataFrame:
    """Count people by the modalities of which they have anything.

    Returns
    -------
    DataFrame, one row per combination, the most frequent first
        As in `MISSING_PATTERNS`.

    Examples
    --------
    >>> missing = pl.DataFrame({"patient_id": ["a", "b"], "clinical": [0, 1], "expression": [9, 0]})
    >>> missing_patterns(missing, {"clinical": 2, "expression": 9}).rows()
    [('clinical', 1), ('clinical;expression', 1)]
    """
    if not sizes:
        return pl.DataFrame(schema={"modalities": pl.String, "people": pl.Int64})
    names = [pl.when(pl.col(name) < size).then(pl.lit(name)) for name, size in sizes.items()]
    have = missing.select(modalities=pl.concat_str(names, separator=";", ignore_nulls=True))
    counted = have.group_by("modalities").agg(people=pl.len().cast(pl.Int64))
    return counted.sort("people", "modalities", descending=[True, False])


def missing_items(responses: pl.DataFrame) -> pl.DataFrame:
    """Count missing answers by item, among those who answered anything of the instrument at that visit.

    Items that are not part of the study's form (nobody answered one) are left out: the whole form may be a
    short one.

    Returns
    -------
    DataFrame, one row per instrument, visit and item
        As in `MISSING_ITEMS`, items in the order of the instrument's file.
    """
    answered = responses.filter(pl.col("response").is_not_null())
    form = ["instrument", "visit"]
    people = answered.group_by(form).agg(people=pl.col(_ID).n_unique().cast(pl.Int64))
    given = answered.group_by(*form, "item").agg(given=pl.col(_ID).n_unique().cast(pl.Int64))
    rows = given.join(people, on=form).with_columns(missing=pl.col("people") - pl.col("given"))
    place = pl.DataFrame(_places(rows["instrument"].unique().to_list()), schema=_PLACES, orient="row")
    rows = rows.join(place, on=["instrument", "item"], how="left")
    ordered = rows.sort("instrument", pl.col("visit") != BASELINE, "visit", "place", "item")
    return ordered.select("instrument", "visit", "item", "people", "missing")


_PLACES = {"instrument": pl.String, "item": pl.String, "place": pl.Int64}


def _places(instruments: Iterable[str]) -> list[tuple[str, str, int]]:
    known = load_instruments()
    named = [known[name] for name in instruments if name in known]
    return [(form.id, item, number) for form in named for number, item in enumerate(form.items)]
