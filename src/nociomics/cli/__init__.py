"""The command line: one command per rule, and the commands that people type."""

from __future__ import annotations

import logging
import sys

from nociomics.cli.app import app
from nociomics.errors import NociomicsError

_BUG = "This is a bug in nociomics. Please report it with the lines above and the command you ran."


def main() -> None:
    """Run the command line: exit 0, 1 (the user can mend it: one clear message), 2 (usage) or 130 (interrupted)."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    try:
        app()
    except NociomicsError as error:
        sys.stderr.write(f"ERROR: {error}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted. Nothing half-written was left; run the same command again to go on.\n")
        sys.exit(130)
    except Exception:
        import traceback

        sys.stderr.write(traceback.format_exc() + _BUG + "\n")
        sys.exit(70)
