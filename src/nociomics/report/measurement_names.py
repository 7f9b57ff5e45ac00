"""Measurements by the names that a reader sees."""

from __future__ import annotations

import re

_UNIT = re.compile(r"_[a-z0-9]+_per_[a-z0-9]+$")


def plain_column(name: str) -> str:
    """Write the name of a measurement without its unit.

    Examples
    --------
    >>> plain_column("il6_pg_per_ml"), plain_column("pcs_total")
    ('il6', 'pcs total')
    """
    return _UNIT.sub("", name).replace("_", " ")
