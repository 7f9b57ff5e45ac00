"""Figures about the service for Prometheus: counts, times, statuses; nothing of any patient."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from nociomics.errors import NociomicsError

if TYPE_CHECKING:
    from nociomics.service.champion import Reigning

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class ExtraError(NociomicsError):
    """An optional part of the installation is absent."""


def require_extra() -> None:
    """Say which extra is absent, before anything else is done.

    Raises
    ------
    ExtraError
        When FastAPI, uvicorn or prometheus_client is not installed.
    """
    try:
        import fastapi  # noqa: F401
        import prometheus_client  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise ExtraError(
            f"The service needs {error.name}, which is not installed. Run: pip install 'nociomics[serve]'"
        ) from error


class Figures:
    """Counters of one service, in a registry of their own."""

    def __init__(self, reigning: Reigning) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self.registry = CollectorRegistry()
        self._reigning = reigning
        self.requests = Counter(
            "nociomics_requests", "Requests by endpoint and status.", ["path", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "nociomics_request_seconds", "Time to answer.", ["path"], buckets=_SECONDS, registry=self.registry
        )
        self.refusals = Counter(
            "nociomics_refusals", "Requests that were refused, by reason.", ["code"], registry=self.registry
        )
        self.cards = Counter("nociomics_cards", "CDS Hooks cards shown.", ["indicator"], registry=self.registry)
        self.unknown_codes = Counter(
            "nociomics_unknown_drug_codes", "Codes of drugs in orders that are not known.", registry=self.registry
        )
        self.feedback = Counter(
            "nociomics_card_feedback", "What became of cards.", ["outcome", "reason"], registry=self.registry
        )
        people = Gauge("nociomics_people", "People asked about, of the model that answers.", registry=self.registry)
        people.set_function(self._people)
        for name in ("loaded", "refused"):
            gauge = Gauge(f"nociomics_models_{name}", f"Models that were {name}.", registry=self.registry)
            gauge.set_function(partial(self._reloads, name))
        ready = Gauge("nociomics_ready", "1 while a model answers.", registry=self.registry)
        ready.set_function(lambda: float(reigning.take() is not None))

    def _people(self) -> float:
        champion = self._reigning.take()
        return 0.0 if champion is None else float(champion.counts.people)

    def _reloads(self, name: str) -> float:
        return float(self._reigning.reloads[name])

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        from prometheus_client import generate_latest

        found: Any = generate_latest(self.registry)
        return bytes(found)
