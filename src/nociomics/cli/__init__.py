"""The command line: one command per rule, and the commands that people type."""

from __future__ import annotations

import logging
import signal
import sys
from typing import NoReturn

from nociomics.cli.app import app
from nociomics.errors import NociomicsError

_INTERRUPTED = 130
_BUG = "This is a bug in nociomics. Please report it with the lines above and the command you ran."


def main() -> None:
    """Run the command line: exit 0, 1 (the user can mend it: one clear message), 2 (usage) or 130 (interrupted)."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    for asked_to_stop in (signal.SIGTERM, signal.SIGHUP):
        # As Ctrl-C, so that drafts are removed; left alone where somebody set it otherwise, as nohup does.
        if signal.getsignal(asked_to_stop) == signal.SIG_DFL:
            signal.signal(asked_to_stop, signal.default_int_handler)
    try:
        app()
    except NociomicsError as error:
        sys.stderr.write(f"ERROR: {error}\n")
        sys.exit(1)
    except ModuleNotFoundError as error:
        from nociomics.cli.workflow_extra import as_lacking_extra

        lacking = as_lacking_extra(error)
        if lacking is None:
            _tell_bug()
        sys.stderr.write(f"ERROR: {lacking}\n")
        sys.exit(1)
    except SystemExit as ended:
        # Typer turns an interrupt into this exit.
        if ended.code == _INTERRUPTED:
            sys.stderr.write("Interrupted. Nothing half-written was left; run the same command again to go on.\n")
        raise
    except Exception:
        _tell_bug()


def _tell_bug() -> NoReturn:
    import traceback

    sys.stderr.write(traceback.format_exc() + _BUG + "\n")
    sys.exit(70)
