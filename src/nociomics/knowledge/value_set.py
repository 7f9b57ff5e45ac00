"""National value sets of the EQ-5D-5L: what each level of each dimension is worth."""

from __future__ import annotations

import csv
from functools import cache

from nociomics.errors import NociomicsError, did_you_mean
from nociomics.knowledge.instrument import instruments_folder
from nociomics.knowledge.instrument_item import Fact, Status


class ValueSet(Fact):
    """Coefficients of one national EQ-5D-5L value set, by term."""

    value_set: str
    paper: str
    source: str
    status: Status
    version: int
    terms: dict[str, float]


@cache
def load_value_sets() -> dict[str, ValueSet]:
    """Return the EQ-5D-5L value sets by name."""
    facts = ("value_set", "paper", "source", "status", "version")
    found = {}
    with instruments_folder().joinpath("eq5d5l_value_sets.csv").open("r", encoding="utf-8") as handle:
        for row in csv.DictReader(handle):
            terms = {term: float(value) for term, value in row.items() if term not in facts and value}
            record = {name: row[name] for name in facts}
            found[row["value_set"]] = ValueSet.model_validate({**record, "terms": terms})
    return found


def load_value_set(name: str) -> ValueSet:
    """Return one EQ-5D-5L value set by name (case is forgiven; ``Japan`` finds ``Japan_cTTO``).

    Raises
    ------
    NociomicsError
        When there is none of this name, with the names there are.
    """
    sets = load_value_sets()
    wanted = name.strip().lower()
    near = [known for known in sets if known.lower() == wanted or known.lower().split("_")[0] == wanted]
    if not near:
        raise NociomicsError(
            f'there is no EQ-5D-5L value set "{name}".{did_you_mean(name, sets)} Known: {", ".join(sets)}.'
        )
    return sets[near[0]]
