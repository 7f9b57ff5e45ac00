"""How much one request may ask for, and how many are served at once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of the service; all are project defaults.

    Parameters
    ----------
    body_bytes : int
        Longest body, counted while it arrives.
    rows : int
        Most rows that the answer would be about: people of a batch, rows of ``rows``.
    cells : int
        Most rows of any one table of a request, such as biomarkers with many rows per person.
    depth : int
        Deepest nesting of the JSON.
    seconds : float
        Longest time until an answer.
    body_seconds : float
        Longest time for a body to arrive.
    working : int
        Requests that are computed at the same time.
    waiting : int
        Requests that may wait for their turn; more are told to come back.
    """

    body_bytes: int = 32 * 1024 * 1024
    rows: int = 10_000
    cells: int = 1_000_000
    depth: int = 64
    seconds: float = 60.0
    body_seconds: float = 30.0
    working: int = 2
    waiting: int = 256
