"""The HTTP service: its endpoints, each of them read, compute, answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from nociomics import __version__
from nociomics.knowledge.drug_code import load_drug_codes
from nociomics.service import answers
from nociomics.service.champion import Champion, Reigning, require_model_name, settle_memory
from nociomics.service.doorkeeper import Doorkeeper
from nociomics.service.endpoint_notes import HOOK_BODY, NOTES, body_of
from nociomics.service.figures import Figures, require_extra
from nociomics.service.hook_cards import answer_hook, discovery, find_service
from nociomics.service.hook_clients import HookClients
from nociomics.service.hook_feedback import read_feedback
from nociomics.service.json_bodies import parse_json, read_body, require_json_type
from nociomics.service.limits import Limits
from nociomics.service.refusal import Refusal
from nociomics.service.tokens import Token
from nociomics.service.workplace import Workplace

_LOG = logging.getLogger(__name__)
_BETWEEN_WRITES = 30.0


@dataclass(frozen=True)
class Settings:
    """How a service is to run.

    Parameters
    ----------
    token : Token, optional
        None serves requests to this machine without one.
    limits : Limits
        What one request may ask for.
    counts : Path, optional
        File for counts of inputs; none are written without it.
    watch : float
        Seconds between looks for another model on disk; 0 never looks.
    consent_elsewhere : bool
        The callers of CDS Hooks send genetics of consenting people only.
    drug_codes : mapping
        Drugs by (system, code).
    hook_clients : HookClients, optional
        EHRs that may call CDS Hooks, by tokens that they sign; without it they send the token like everybody.
    """

    token: Token | None = field(default=None, repr=False)
    limits: Limits = field(default_factory=Limits)
    counts: Path | None = None
    watch: float = 0.0
    consent_elsewhere: bool = False
    drug_codes: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=load_drug_codes)
    hook_clients: HookClients | None = field(default=None, repr=False)


class Service:
    """State that the endpoints share: the model that answers, the threads, the figures."""

    def __init__(self, reigning: Reigning, settings: Settings) -> None:
        self.reigning, self.settings = reigning, settings
        self.work = Workplace(settings.limits)
        self.figures = Figures(reigning)

    async def body(self, request: Any) -> bytes:
        """Read a request's body within the limits."""
        require_json_type(request.headers.get("content-type"))
        return await read_body(request.headers, request.stream(), self.settings.limits)

    async def of_people(self, request: Any, answer: Callable[[Mapping[str, Any], Champion, Limits], bytes]) -> Any:
        """Answer about people with the model that reigned when the request came."""
        champion, limits = self.reigning.current, self.settings.limits
        content = await self.body(request)
        return _json_bytes(await self.work.run(lambda: answer(parse_json(content, limits), champion, limits)))

    async def health(self, request: Any) -> Any:
        """Say that the process lives."""
        return _json({"status": "alive", "nociomics": __version__})

    async def ready(self, request: Any) -> Any:
        """Say whether it can predict, and what became of the last reload."""
        champion, refused = self.reigning.take(), self.reigning.refused
        said: dict[str, Any] = {"ready": champion is not None}
        if champion is not None:
            said |= {"model": champion.name, "digest": champion.digest, "loaded_at": champion.loaded_at}
        if refused is not None:
            said["reload_refused"] = refused.replace(str(self.reigning.model), "the model's folder")
        return _json(said, 200 if champion is not None else 503)

    async def model(self, request: Any) -> Any:
        """Return card, schema and versions."""
        return _json(answers.model(self.reigning.current))

    async def named_model(self, request: Any) -> Any:
        """Return the same for a model by its name."""
        name = require_model_name(request.path_params["name"])
        if name != self.reigning.current.name:
            raise Refusal(404, "no_such_model", "This service has no model of that name; see /model.")
        return _json(answers.model(self.reigning.current))

    async def predict(self, request: Any) -> Any:
        """Predict people under every treatment."""
        return await self.of_people(request, answers.predict)

    async def explain(self, request: Any) -> Any:
        """Explain predictions."""
        return await self.of_people(request, answers.explain)

    async def strata(self, request: Any) -> Any:
        """Place people in the strata."""
        return await self.of_people(request, answers.strata)

    async def pgx(self, request: Any) -> Any:
        """Give pharmacogene calls and drug advice."""
        content, limits = await self.body(request), self.settings.limits
        return _json_bytes(await self.work.run(lambda: answers.pgx(parse_json(content, limits), limits)))

    async def metrics(self, request: Any) -> Any:
        """Return figures for Prometheus."""
        from starlette.responses import Response

        return Response(self.figures.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def counts(self, request: Any) -> Any:
        """Return the counts of inputs for `nociomics drift`, of ten people or more."""
        champion = self.reigning.current
        if not champion.counts.may_be_shown and champion.counts.people:
            raise Refusal(409, "too_few_people", "Counts of so few people would show single values. Ask later.")
        return _json(champion.counts.to_dict(champion.digest))

    async def reload(self, request: Any) -> Any:
        """Take another model from disk, after it was verified."""
        loaded = await asyncio.to_thread(self.take_new)
        if not loaded:
            raise Refusal(409, "model_refused", "The new model was refused; the one before goes on. See /ready.")
        return await self.ready(request)

    async def hook_services(self, request: Any) -> Any:
        """List the CDS Hooks services."""
        return _json(discovery())

    async def hook(self, request: Any) -> Any:
        """Answer a call of a CDS Hooks service."""
        name = find_service(request.path_params["service"]).id
        content = await self.body(request)
        found = await self.work.run(partial(self._cards, name, content))
        for card in found["cards"]:
            self.figures.cards.labels(card["indicator"]).inc()
        unknown = len(found["extension"]["org.nociomics"]["unknown_codes"])
        self.figures.unknown_codes.inc(unknown)
        if unknown:
            _LOG.warning("%d codes of ordered drugs are not known; they are listed in the answer", unknown)
        return _json(found)

    def _cards(self, name: str, content: bytes) -> dict[str, Any]:
        settings = self.settings
        body = parse_json(content, settings.limits)
        return answer_hook(name, body, settings.drug_codes, settings.consent_elsewhere)

    async def hook_feedback(self, request: Any) -> Any:
        """Count what became of cards."""
        find_service(request.path_params["service"])
        content = await self.body(request)
        for outcome, reason in read_feedback(parse_json(content, self.settings.limits)):
            self.figures.feedback.labels(outcome, reason).inc()
        return _json({})

    def take_new(self) -> bool:
        """Reload, and lay the counts of the model that went before away."""
        before = self.reigning.take()
        loaded = self.reigning.reload()
        after = self.reigning.take()
        path = self.settings.counts
        if loaded and before is not None and after is not None and path is not None and before.digest != after.digest:
            before.counts.write(path.with_name(f"{path.stem}-{before.digest[:12]}{path.suffix}"), before.digest)
        if loaded:
            before = None
            settle_memory()
        return loaded

    def write_counts(self) -> None:
        """Write the counts of inputs, where a file was named and enough people came."""
        champion, path = self.reigning.take(), self.settings.counts
        if champion is not None and path is not None and champion.counts.write(path, champion.digest):
            _LOG.info("counts of inputs written")

    def take_up_counts(self) -> None:
        """Go on from the counts that an earlier process wrote for the same model."""
        champion, path = self.reigning.take(), self.settings.counts
        if champion is not None and path is not None:
            champion.counts.take_up(path, champion.digest)


def make_app(reigning: Reigning, settings: Settings) -> Any:
    """Put the service together as an ASGI application.

    Parameters
    ----------
    reigning : Reigning
        Loaded already, or to be loaded by a reload: until then /ready answers 503.
    settings : Settings
        Token, limits, files.
    """
    require_extra()
    from fastapi import FastAPI
    from starlette.exceptions import HTTPException

    service = Service(reigning, settings)
    app = FastAPI(
        title="nociomics",
        version=__version__,
        description=NOTES["service"],
        docs_url=None,
        redoc_url=None,
        lifespan=lambda _: _life(service),
        redirect_slashes=False,
    )
    _add_endpoints(app, service)
    app.add_exception_handler(Refusal, _refused)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _not_served)  # type: ignore[arg-type]
    app.state.service = service
    app.add_middleware(
        Doorkeeper,  # type: ignore[arg-type]
        token=settings.token,
        figures=service.figures,
        hook_clients=settings.hook_clients,
    )
    return app


def _add_endpoints(app: Any, service: Service) -> None:
    for path, method, endpoint, content in (
        ("/health", "GET", service.health, None),
        ("/ready", "GET", service.ready, None),
        ("/metrics", "GET", service.metrics, None),
        ("/model", "GET", service.model, None),
        ("/model/{name}", "GET", service.named_model, None),
        ("/predict", "POST", service.predict, "people"),
        ("/explain", "POST", service.explain, "people"),
        ("/strata", "POST", service.strata, "people"),
        ("/pgx", "POST", service.pgx, "pgx"),
        ("/admin/reload", "POST", service.reload, None),
        ("/admin/counts", "GET", service.counts, None),
        ("/cds-services", "GET", service.hook_services, None),
        ("/cds-services/{service}", "POST", service.hook, "hook"),
        ("/cds-services/{service}/feedback", "POST", service.hook_feedback, "feedback"),
    ):
        _add(app, path, method, endpoint, HOOK_BODY if content == "hook" else body_of(content))


def _add(app: Any, path: str, method: str, endpoint: Any, extra: dict[str, Any] | None) -> None:
    from fastapi import Request
    from starlette.responses import Response

    async def answered(request: Any) -> Any:
        return await endpoint(request)

    # FastAPI reads the annotation itself, and its class may only be imported where the extra is there
    answered.__annotations__ = {"request": Request}
    app.add_api_route(
        path,
        answered,
        methods=[method],
        response_class=Response,
        name=endpoint.__name__,
        summary=endpoint.__doc__,
        description=NOTES.get(endpoint.__name__, endpoint.__doc__),
        openapi_extra=extra,
    )


async def _refused(request: Any, refused: Refusal) -> Any:
    request.scope.setdefault("state", {})["refused"] = refused.code
    return _json(refused.body(), refused.status, refused.headers)


async def _not_served(request: Any, error: Any) -> Any:
    words = {404: ("no_such_path", "There is no such path; see /openapi.json."), 405: ("no_such_method", "Not here.")}
    code, message = words.get(error.status_code, ("refused", "The request is not served."))
    request.scope.setdefault("state", {})["refused"] = code
    return _json({"error": {"code": code, "message": message}}, error.status_code, dict(error.headers or {}))


@contextlib.asynccontextmanager
async def _life(service: Service) -> AsyncIterator[None]:
    """Look after the service while it runs: reload when asked, write counts, and end in good order."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    is_main = threading.current_thread() is threading.main_thread()
    if is_main:
        loop.add_signal_handler(signal.SIGHUP, asked.set)
    tasks = [
        loop.create_task(_reload_when(service, asked)),
        loop.create_task(_write_now_and_then(service)),
        *([loop.create_task(_watch(service, asked))] if service.settings.watch else []),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if is_main:
            loop.remove_signal_handler(signal.SIGHUP)
        await asyncio.to_thread(service.write_counts)
        await asyncio.to_thread(service.work.close)


async def _reload_when(service: Service, asked: asyncio.Event) -> None:
    while True:
        await asked.wait()
        asked.clear()
        await asyncio.to_thread(service.take_new)


async def _watch(service: Service, asked: asyncio.Event) -> None:
    """Ask for a reload when the files on disk changed, and have stayed as they are for one look."""
    seen = pending = service.reigning.mark()
    while True:
        await asyncio.sleep(service.settings.watch)
        now = service.reigning.mark()
        if now != seen and now == pending:
            seen = now
            asked.set()
        pending = now


async def _write_now_and_then(service: Service) -> None:
    while True:
        await asyncio.sleep(_BETWEEN_WRITES)
        await asyncio.to_thread(service.write_counts)


def _json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Any:
    return _json_bytes(json.dumps(value, allow_nan=False).encode(), status, headers)


def _json_bytes(content: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Any:
    from starlette.responses import Response

    return Response(content, status, dict(headers or {}), "application/json")
