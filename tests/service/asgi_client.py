"""A client that speaks to an ASGI application in the same process, with the body in as many chunks as a test likes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    content: bytes

    def json(self) -> Any:
        """The body as JSON; NaN and infinity are no JSON."""

        def refuse(word: str) -> None:
            raise AssertionError(f"{word} in an answer")

        return json.loads(self.content, parse_constant=refuse)


class Client:
    """Runs an application in an event loop of its own, from its start to its end."""

    def __init__(self, app: Any, token: str | None = None) -> None:
        self.app, self.token = app, token
        self.runner = asyncio.Runner()
        self._life = self.runner.run(self._start())

    async def _start(self) -> tuple[Any, Any]:
        inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        outbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        task = asyncio.ensure_future(self.app({"type": "lifespan", "asgi": {}}, inbox.get, outbox.put))
        await inbox.put({"type": "lifespan.startup"})
        assert (await outbox.get())["type"] == "lifespan.startup.complete"
        return inbox, task

    def close(self) -> None:
        """End the application in good order."""
        inbox, task = self._life

        async def end() -> None:
            await inbox.put({"type": "lifespan.shutdown"})
            await task

        self.runner.run(end())
        self.runner.close()

    async def ask(
        self,
        method: str,
        path: str,
        content: bytes = b"",
        headers: dict[str, str] | None = None,
        chunks: Sequence[bytes] | None = None,
        goes_away: bool = False,
    ) -> Answer:
        """Send one request; a header that is None is left out, and who goes away has announced more than was sent."""
        named: dict[str, Any] = {"host": "localhost", "content-type": "application/json"}
        if self.token is not None:
            named["authorization"] = f"Bearer {self.token}"
        if chunks is None:
            named["content-length"] = str(len(content))
        named |= headers or {}
        parts = list(chunks) if chunks is not None else [content]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if not parts:
                return {"type": "http.disconnect"}
            part = parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": goes_away or bool(parts)}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        pairs = [(k.encode(), v.encode("latin-1")) for k, v in named.items() if v is not None]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": pairs,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        await self.app(scope, receive, send)
        start = next(message for message in sent if message["type"] == "http.response.start")
        body = b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body")
        return Answer(start["status"], {k.decode(): v.decode() for k, v in start["headers"]}, body)

    def get(self, path: str, **how: Any) -> Answer:
        """GET."""
        return self.runner.run(self.ask("GET", path, **how))

    def post(self, path: str, value: Any = None, **how: Any) -> Answer:
        """POST a value as JSON, or ``content``."""
        if "content" not in how and "chunks" not in how:
            how["content"] = json.dumps(value).encode()
        return self.runner.run(self.ask("POST", path, **how))
