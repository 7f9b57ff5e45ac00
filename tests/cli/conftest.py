"""The command line in this process, with its real exits."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from nociomics.cli import main


@dataclass(frozen=True)
class Told:
    """What a command said, and how it ended."""

    exit: int
    out: str
    err: str


Command = Callable[..., Told]


@pytest.fixture
def nociomics(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """Run one command and return its exit code and words; logging and signals are as before afterwards."""
    handlers = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)}

    def run(*words: object) -> Told:
        monkeypatch.setattr(sys, "argv", ["nociomics", *(str(word) for word in words)])
        capfd.readouterr()
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        out, err = capfd.readouterr()
        return Told(code, out, err)

    # Our log lines belong to the tests' own capture, so that what is left on stderr is the message.
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    yield run
    for one, handler in handlers.items():
        signal.signal(one, handler)
