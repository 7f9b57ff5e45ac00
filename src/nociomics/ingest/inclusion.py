"""Apply the study's rules of inclusion, one after the other, and count who leaves."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from nociomics.errors import did_you_mean
from nociomics.ingest.notes import HIDDEN, Notes, listed
from nociomics.ingest.people import ID
from nociomics.knowledge.chronic_pain_code import (
    ROOT,
    is_known_family,
    load_chronic_pain_codes,
    pattern_of_family,
)
from nociomics.tables.study import Inclusion

_SCHEMA = {"step": pl.String, "people": pl.Int64, "left_out": pl.Int64, "reason": pl.String}
_SEVERAL = r"[;,|+]|\s\S"


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
        if rule.family is not None:
            _note_unlike_codes(people, column, rule.family, notes)
        meets = _meets(people[column], rule)
        unknown = people[column].null_count()
        left = people.filter(meets)
        out = people.height - left.height
        reason = f"{_words(column, rule)}: {out - unknown} do not meet it, {unknown} have no value"
        steps.append({"step": f"include {column}", "people": left.height, "left_out": out, "reason": reason})
        notes.step(None, "left out", people.height, left.height, f"include: {reason}")
        people = left
    if rules and people.height == 0:
        notes.fatal("include: leaves nobody in the study.", count=int(str(steps[0]["people"])))
    return people, pl.DataFrame(steps, schema=_SCHEMA)


def _can_apply(people: pl.DataFrame, column: str, rule: Inclusion, notes: Notes) -> bool:
    """Look for everything that keeps a rule from being applied; each is a fatal finding."""
    if column not in people.columns:
        known = [name for name in people.columns if name not in (ID, *HIDDEN)]
        notes.fatal(
            f'include: names the column "{column}", which the table patients lacks.{did_you_mean(column, known)} '
            "Rules take columns of the table patients only: add the column there.",
            column=column,
        )
        return False
    problems = []
    numeric = people[column].dtype.is_numeric()
    if (rule.at_least is not None or rule.at_most is not None) and not numeric:
        problems.append(f'include: "{column}" holds text; at_least and at_most need numbers, take one_of.')
    if rule.family is not None and numeric:
        problems.append(f'include: "{column}" holds numbers; family: needs codes such as {ROOT}.0.')
    for code in rule.family or []:
        if code.strip().upper().startswith(ROOT) and not is_known_family(code):
            near = did_you_mean(code, load_chronic_pain_codes())
            problems.append(f'include: "{code}" is no code of ICD-11 under {ROOT} (chronic pain).{near}')
    for problem in problems:
        notes.fatal(problem, column=column)
    return not problems


def _note_unlike_codes(people: pl.DataFrame, column: str, family: list[str], notes: Notes) -> None:
    """Say which codes only spaces, case or company keep from matching; nothing is guessed."""
    codes = people[column]
    inside = _below(codes, family)
    nearly = _below(codes.str.strip_chars().str.to_uppercase(), [code.upper() for code in family]) & ~inside
    what = "would meet family: if spaces and case were the same; correct the codes. They count as not meeting it."
    notes.rows("warning", people, nearly, what, column=column)
    several = codes.str.strip_chars().str.contains(_SEVERAL) & ~inside
    what = "hold several codes and count as not meeting family:. Give one code, the first diagnosis, in this column."
    notes.rows("warning", people, several, what, column=column)


def _below(codes: pl.Series, family: list[str]) -> pl.Series:
    return codes.str.contains("|".join(pattern_of_family(code) for code in family)).fill_null(False)


def _meets(values: pl.Series, rule: Inclusion) -> pl.Series:
    meets = values.is_not_null()
    if rule.at_least is not None:
        meets &= (values >= rule.at_least).fill_null(False)
    if rule.at_most is not None:
        meets &= (values <= rule.at_most).fill_null(False)
    if rule.one_of is not None:
        meets &= _is_one_of(values, rule.one_of)
    if rule.none_of is not None:
        meets &= ~_is_one_of(values, rule.none_of)
    if rule.family is not None:
        meets &= _below(values, rule.family)
    return meets


def _is_one_of(values: pl.Series, words: list[str]) -> pl.Series:
    if not values.dtype.is_numeric():
        return values.is_in(words).fill_null(False)
    wanted = pl.Series(words, dtype=pl.String).cast(pl.Float64, strict=False).drop_nulls()
    return values.is_in(wanted.to_list()).fill_null(False)


def _words(column: str, rule: Inclusion) -> str:
    parts = [f"at least {rule.at_least:g}"] if rule.at_least is not None else []
    parts += [f"at most {rule.at_most:g}"] if rule.at_most is not None else []
    parts += [f"one of {listed(rule.one_of)}"] if rule.one_of is not None else []
    parts += [f"none of {listed(rule.none_of)}"] if rule.none_of is not None else []
    parts += [f"in the family {listed([_named(code) for code in rule.family])}"] if rule.family is not None else []
    return f"{column} {' and '.join(parts)}"


def _named(code: str) -> str:
    known = load_chronic_pain_codes().get(code)
    return f"{code} ({known.name})" if known else code
