"""One of several parts of a step's work: which of the things to do are its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from nociomics.errors import StudyError

_WRITTEN = re.compile(r"([1-9]\d*)-of-([1-9]\d*)")
_Thing = TypeVar("_Thing")


@dataclass(frozen=True)
class Part:
    """One of several parts, which do neighbouring things.

    What is one thing (a fold, a block of people, a refit) is settled by the step before it is divided, so that nothing
    that is computed knows the number of parts.

    Attributes
    ----------
    number, of : int
        The first one is 1.
    """

    number: int
    of: int

    @classmethod
    def read(cls, text: str) -> Part:
        """Read a part as the workflow writes it.

        Raises
        ------
        StudyError
            When it is none.

        Examples
        --------
        >>> Part.read("2-of-7")
        Part(number=2, of=7)
        """
        found = _WRITTEN.fullmatch(text)
        if found is None or int(found[1]) > int(found[2]):
            raise StudyError(f'--part is "{text[:20]}"; a part is written as 2-of-7, and no part is above the last.')
        return cls(int(found[1]), int(found[2]))

    def places(self, count: int) -> range:
        """Which of so many things are this part's; none where there are fewer things than parts.

        Examples
        --------
        >>> [list(Part(number, 3).places(7)) for number in (1, 2, 3)]
        [[0, 1], [2, 3], [4, 5, 6]]
        """
        return range(count * (self.number - 1) // self.of, count * self.number // self.of)

    def take(self, things: Sequence[_Thing]) -> list[_Thing]:
        """Which of these things are this part's, in their order."""
        return [things[place] for place in self.places(len(things))]


WHOLE = Part(1, 1)
