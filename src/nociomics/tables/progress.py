"""Say how far a long step is: rows, rate and time left, in the log, a line every few seconds."""

from __future__ import annotations

import logging
import time

_LOG = logging.getLogger(__name__)
_SECONDS_BETWEEN_LINES = 5.0


class Progress:
    """Counts what a long step has done.

    Parameters
    ----------
    label : str
        What is worked on: a file as the study writes it, or a step.
    unit : str
        What is counted, in the plural: records, rows, people.
    total : int, optional
        How many there are in all; without it no share and no time left is said.

    Examples
    --------
    >>> progress = Progress("genotypes.vcf.gz", "records", total=10)
    >>> progress.advance(4)
    >>> progress.sentence(elapsed=2.0)
    'genotypes.vcf.gz: 4 of 10 records (40 %), 2 records/s, about 3 s left'
    """

    def __init__(self, label: str, unit: str, total: int | None = None) -> None:
        self.label, self.unit, self.total, self.done = label, unit, total, 0
        self._began = self._told = time.monotonic()

    def advance(self, number: int) -> None:
        """Count ``number`` more, and say so when the last line is some seconds old."""
        self.done += number
        now = time.monotonic()
        if now - self._told >= _SECONDS_BETWEEN_LINES:
            self._told = now
            _LOG.info(self.sentence(now - self._began))

    def sentence(self, elapsed: float) -> str:
        """Say where the step is after ``elapsed`` seconds."""
        rate = self.done / max(elapsed, 1e-9)
        speed = f"{rate:,.0f} {self.unit}/s"
        if not self.total:
            return f"{self.label}: {self.done:,} {self.unit}, {speed}"
        left = max(self.total - self.done, 0) / max(rate, 1e-9)
        share = 100 * self.done / self.total
        return (
            f"{self.label}: {self.done:,} of {self.total:,} {self.unit} ({share:.0f} %), {speed}, "
            f"about {_duration(left)} left"
        )


def _duration(seconds: float) -> str:
    """Write a duration as people say it.

    Examples
    --------
    >>> _duration(45), _duration(200)
    ('45 s', '3 min 20 s')
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
