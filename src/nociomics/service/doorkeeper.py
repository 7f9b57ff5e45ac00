"""What every request passes: who may come in, what is written down about it, and what a fault is answered with."""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from nociomics.service.figures import Figures
from nociomics.service.hook_clients import HOOKS_PATH, HookClients
from nociomics.service.refusal import Refusal
from nociomics.service.structured_log import FIELDS
from nociomics.service.tokens import Token

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN_PATHS = frozenset({"/health", "/ready", "/openapi.json"})
"""What anybody may read: it holds nothing of patients and nothing of the model's content."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})
_LOG = logging.getLogger(__name__)


class Doorkeeper:
    """ASGI middleware around everything else.

    Parameters
    ----------
    app : ASGI application
        What is inside.
    token : Token or None
        None lets in whoever speaks to this machine under a name of its own (so that no page in a browser can reach
        the service under another).
    figures : Figures
        Takes counts and times.
    hook_clients : HookClients, optional
        EHRs that sign a token for every request: then theirs, and no other, open the paths of CDS Hooks, and nothing
        else.
    """

    def __init__(
        self, app: App, token: Token | None, figures: Figures, hook_clients: HookClients | None = None
    ) -> None:
        self.app, self.token, self.figures, self.hook_clients = app, token, figures, hook_clients

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, seen = time.perf_counter(), {"status": 500, "begun": False, "read": not _has_body(scope)}
        number = secrets.token_hex(8)

        async def read() -> MutableMapping[str, Any]:
            message = await receive()
            seen["read"] = seen["read"] or not message.get("more_body", False)
            return message

        async def told(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                seen.update(status=message["status"], begun=True)
                further = [(b"x-request-id", number.encode()), (b"cache-control", b"no-store")]
                if message["status"] >= _REFUSED and not seen["read"]:
                    further.append((b"connection", b"close"))  # else a gigabyte of it would still be taken in
                message = {**message, "headers": [*message.get("headers", []), *further]}
            await send(message)

        code = None
        try:
            self._let_in(scope)
            await self.app(scope, read, told)
        except Refusal as refused:
            code = refused.code
            await _answer(told, refused.status, refused.body(), refused.headers)
        except Exception:
            _LOG.exception("a fault", extra={FIELDS: {"request": number}})
            if seen["begun"]:
                raise
            await _answer(told, 500, _FAULT, {})
        self._write_down(scope, number, seen["status"], time.perf_counter() - began, code)

    def _let_in(self, scope: Scope) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if scope["path"] in OPEN_PATHS:
            return
        of_hooks = scope["path"] == HOOKS_PATH or scope["path"].startswith(f"{HOOKS_PATH}/")
        if self.hook_clients is not None and of_hooks:
            self.hook_clients.check(headers.get("authorization"), scope["path"])
        elif self.token is not None:
            self.token.check(headers.get("authorization"))
        elif headers.get("host", "").rsplit(":", 1)[0] not in LOOPBACK and headers.get("host") not in LOOPBACK:
            raise Refusal(403, "not_this_machine", "Without a token only requests to localhost are answered.")

    def _write_down(self, scope: Scope, number: str, status: int, seconds: float, code: str | None) -> None:
        # the path as the routes name it: what somebody else typed could hold an id
        route = scope.get("route")
        path = getattr(route, "path", None) or "other"
        self.figures.requests.labels(path, str(status)).inc()
        self.figures.seconds.labels(path).observe(seconds)
        code = code or scope.get("state", {}).get("refused")
        if code is not None:
            self.figures.refusals.labels(code).inc()
        fields: dict[str, Any] = {
            "request": number,
            "method": scope["method"] if scope["method"] in _METHODS else "other",
            "path": path,
            "status": status,
            "milliseconds": round(1000 * seconds, 1),
        }
        _LOG.info("answered", extra={FIELDS: fields if code is None else {**fields, "refused": code}})


def _has_body(scope: Scope) -> bool:
    lengths = {value for name, value in scope["headers"] if name in (b"content-length", b"transfer-encoding")}
    return bool(lengths - {b"0"})


_REFUSED = 400
_METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS")
_FAULT = {"error": {"code": "fault", "message": "The service has a fault. The log names this request's id."}}


async def _answer(send: Send, status: int, body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
    content = json.dumps(body).encode()
    named = {"content-type": "application/json", "content-length": str(len(content)), **headers}
    pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in named.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": content})
