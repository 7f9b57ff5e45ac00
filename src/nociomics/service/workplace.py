"""Where requests are computed: a few at once, the others wait their turn, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from nociomics.service.limits import Limits
from nociomics.service.refusal import Refusal

_Answer = TypeVar("_Answer")


class Workplace:
    """Runs work on a few threads, each request within its time.

    A thread cannot be stopped: work that outlives its request keeps its place until it ends, and the request is
    answered 504 meanwhile.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.waiting = 0
        self.working = 0
        self._threads = ThreadPoolExecutor(limits.working, thread_name_prefix="answer")
        self._places = asyncio.Semaphore(limits.working)

    async def run(self, work: Callable[[], _Answer]) -> _Answer:
        """Do some work on a thread.

        Raises
        ------
        Refusal
            503 when too many wait already or the time ran out before the work began, 504 when it ran out during it.
        """
        if self.waiting >= self.limits.waiting:
            raise _busy("Too many requests are waiting.")
        loop = asyncio.get_running_loop()
        until = loop.time() + self.limits.seconds
        self.waiting += 1
        try:
            async with asyncio.timeout_at(until):
                await self._places.acquire()
        except TimeoutError:
            raise _busy(f"The service was busy for {self.limits.seconds:g} seconds.") from None
        finally:
            self.waiting -= 1
        self.working += 1
        task = loop.run_in_executor(self._threads, work)
        task.add_done_callback(self._release)
        done, _ = await asyncio.wait([task], timeout=max(until - loop.time(), 0))
        if not done:
            raise Refusal(
                504, "too_long", f"No answer within {self.limits.seconds:g} seconds. Send fewer people in a request."
            )
        return task.result()

    def _release(self, task: asyncio.Future[_Answer]) -> None:
        self.working -= 1
        self._places.release()
        if not task.cancelled():
            task.exception()  # an answer that nobody waits for any more is not a fault of the loop

    def close(self) -> None:
        """Let what runs end, and take nothing more."""
        self._threads.shutdown(wait=True, cancel_futures=True)


def _busy(message: str) -> Refusal:
    return Refusal(503, "busy", f"{message} Try again in a moment.", {"Retry-After": "1"})
