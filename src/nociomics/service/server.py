"""Start the service and stop it in good order."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nociomics.errors import NociomicsError
from nociomics.service.app import Settings, make_app
from nociomics.service.champion import Reigning, settle_memory
from nociomics.service.doorkeeper import LOOPBACK
from nociomics.service.figures import require_extra
from nociomics.service.structured_log import log_as_json

if TYPE_CHECKING:
    from types import FrameType

SECONDS_TO_END = 30


class ServeError(NociomicsError):
    """The service was asked to start in a way that is not safe, or cannot start."""


def require_safe(host: str, settings: Settings, no_token: bool) -> None:
    """Refuse to start open to others without a token.

    Raises
    ------
    ServeError
        When there is no token, or it was waived for others than this machine.
    """
    if settings.token is None and not no_token:
        raise ServeError(
            "The service needs a token. Set NOCIOMICS_TOKEN, or give --token-file FILE; --no-token serves without one, "
            "to this machine alone."
        )
    if settings.token is None and host not in LOOPBACK:
        raise ServeError(f"--no-token is for this machine alone, not for {host}. Give a token, or leave out --host.")


def serve(model: Path, settings: Settings, host: str, port: int) -> None:
    """Load the model, then serve until somebody ends it; requests that came before are still answered.

    Raises
    ------
    BundleError
        When the model cannot be verified; nothing is served then.
    ServeError
        When the port is taken.
    """
    require_extra()
    import uvicorn

    reigning = Reigning(model)
    if not reigning.reload():
        raise ServeError(str(reigning.refused))
    app = make_app(reigning, settings)
    app.state.service.take_up_counts()
    settle_memory()
    log_as_json()
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
        timeout_keep_alive=30,
        timeout_graceful_shutdown=SECONDS_TO_END,
        backlog=2048,
    )
    server = _ending_well(uvicorn.Server)(config)
    try:
        server.run()
    except SystemExit as error:  # how uvicorn says that it could not take the port
        raise ServeError(f"{host}:{port}: the service could not start there. Is the port taken?") from error


def _ending_well(server: type[Any]) -> type[Any]:
    """Make a server that ends with success when it is asked to end, as systemd and containers expect."""

    class Server(server):  # type: ignore[misc]
        """Takes SIGTERM and SIGINT as a wish to end, and does not raise them again when all is done."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            """Listen to both signals while serving."""
            wanted = (signal.SIGINT, signal.SIGTERM)
            before = {one: signal.signal(one, self._end) for one in wanted}
            try:
                yield
            finally:
                for one, handler in before.items():
                    signal.signal(one, handler)

        def _end(self, number: int, frame: FrameType | None) -> None:
            self.handle_exit(number, frame)

    return Server
