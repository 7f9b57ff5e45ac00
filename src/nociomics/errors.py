"""Errors that a user can mend; everything else is a bug and keeps its traceback."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class NociomicsError(Exception):
    """Something the user can mend: the command line prints it without a traceback and exits 1.

    The text says what is wrong, where (file, column, how many rows, first row number), what is
    allowed and what to do. It never holds a patient identifier, an answer or a genotype.
    """


class StudyError(NociomicsError):
    """The study file or the configuration is wrong."""


class TableError(NociomicsError):
    """A table breaks its contract, or cannot be read or written."""


class LeakageError(NociomicsError):
    """Something measured after the start of treatment was to become a feature."""


class BundleError(NociomicsError):
    """An exported model is incomplete, changed, or does not fit the data."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return " Did you mean "x"?" for the nearest known word, or an empty string.

    Examples
    --------
    >>> did_you_mean("outcom", ["outcome", "baseline"])
    ' Did you mean "outcome"?'
    >>> did_you_mean("zzz", ["outcome"])
    ''
    """
    near = get_close_matches(word, list(known), n=1)
    return f' Did you mean "{near[0]}"?' if near else ""
