"""Apply the study's rules of inclusion, one after the other, and count who leaves."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from nociomics.errors import did_you_mean
from nociomics.ingest.notes import HIDDEN, Notes
from nociomics.ingest.people import ID
from nociomics.tables.study import Inclusion

_SCHEMA = {"step": pl.String, "people": pl.Int64, "left_out": pl.Int64, "reason": pl.String}


def included(
    people: pl.DataFrame | None, rules: Mapping[str, Inclusion], notes: Notes
) -> tuple[pl.DataFrame | None, pl.DataFrame]:
    """Keep who meets every rule.

    Parameters
    ----------
    people : DataFrame or None, one row per person
        Typed table of patients.
    rules : mapping of str to Inclusion
        Column of patients to condition; who lacks the value is left out and counted.

    Returns
    -------
    DataFrame or None
        The people who are in.
    DataFrame, one row per step
        As in the contract ``COHORT_FLOW``: ``people`` is how many are left after the step.
    """
    if people is None:
        return None, pl.DataFrame(schema=_SCHEMA)
    steps: list[dict[str, object]] = [
        {"step": "table patients", "people": people.height, "left_out": 0, "reason": "everyone in the table"}
    ]
    for column, rule in rules.items():
        if not _can_apply(people, column, rule, notes):
            continue
        meets = _meets(people[column], rule)
        unknown = people[column].null_count()
        left = people.filter(meets)
        out = people.height - left.height
        reason = f"{_words(column, rule)}: {out - unknown} do not meet it, {unknown} have no value"
        steps.append({"step": f"include {column}", "people": left.height, "left_out": out, "reason": reason})
        people = left
    if rules and people.height == 0:
        notes.fatal("include: leaves nobody in the study.", count=int(str(steps[0]["people"])))
    return people, pl.DataFrame(steps, schema=_SCHEMA)


def _can_apply(people: pl.DataFrame, column: str, rule: Inclusion, notes: Notes) -> bool:
    if column not in people.columns:
        known = [name for name in people.columns if name not in (ID, *HIDDEN)]
        notes.fatal(
            f'include: names the column "{column}", which the table patients lacks.{did_you_mean(column, known)}',
            column=column,
        )
        return False
    if (rule.at_least is not None or rule.at_most is not None) and not people[column].dtype.is_numeric():
        notes.fatal(f'include: "{column}" holds text; at_least and at_most need numbers, take one_of.', column=column)
        return False
    return True


def _meets(values: pl.Series, rule: Inclusion) -> pl.Series:
    meets = values.is_not_null()
    if rule.at_least is not None:
        meets &= (values >= rule.at_least).fill_null(False)
    if rule.at_most is not None:
        meets &= (values <= rule.at_most).fill_null(False)
    if rule.one_of is not None:
        if values.dtype.is_numeric():
            wanted = pl.Series(rule.one_of, dtype=pl.String).cast(pl.Float64, strict=False).drop_nulls()
            meets &= values.is_in(wanted.to_list()).fill_null(False)
        else:
            meets &= values.is_in(rule.one_of).fill_null(False)
    return meets


def _words(column: str, rule: Inclusion) -> str:
    parts = [f"at least {rule.at_least:g}"] if rule.at_least is not None else []
    parts += [f"at most {rule.at_most:g}"] if rule.at_most is not None else []
    parts += [f"one of {', '.join(rule.one_of)}"] if rule.one_of is not None else []
    return f"{column} {' and '.join(parts)}"
