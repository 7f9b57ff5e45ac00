"""Limits of time and of how much is done at once: who waits too long is told so, and others are not kept by it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from nociomics.service.app import Settings, make_app
from nociomics.service.champion import Reigning
from nociomics.service.json_bodies import read_body
from nociomics.service.limits import Limits
from nociomics.service.refusal import Refusal
from nociomics.service.workplace import Workplace
from tests.service.asgi_client import Client


def refused(work) -> Refusal:
    with pytest.raises(Refusal) as found:
        asyncio.run(work())
    return found.value


def test_a_body_that_does_not_arrive_is_408():
    async def drip() -> AsyncIterator[bytes]:
        yield b'{"rows": ['
        await asyncio.sleep(3600)

    async def work() -> bytes:
        return await read_body({}, drip(), Limits(body_seconds=0.01))

    found = refused(work)
    assert (found.status, found.code) == (408, "too_slow")


def test_a_body_that_breaks_off_is_400_and_no_fault(exported, caplog):
    reigning = Reigning(exported)
    assert reigning.reload()
    client = Client(make_app(reigning, Settings()))
    broken = client.post("/predict", chunks=[b'{"rows": ['], goes_away=True)
    client.close()
    assert broken.status == 400 and broken.json()["error"]["code"] == "broken_off"
    assert not [record for record in caplog.records if record.exc_info]


def test_an_answer_that_takes_too_long_is_504_and_its_place_is_free_again_when_it_ends():
    go_on = threading.Event()

    async def work() -> list[str]:
        place = Workplace(Limits(seconds=0.05, working=1))
        said = []
        for _ in range(2):  # the first begins and does not end; the second finds no place in its time
            try:
                await place.run(go_on.wait)
            except Refusal as found:
                said.append(f"{found.status} {found.code} {'Retry-After' in found.headers}")
        go_on.set()
        async with asyncio.timeout(60):
            while place.working:
                await asyncio.sleep(0.01)
        place.limits = Limits(seconds=60.0, working=1)
        said.append(await place.run(lambda: "answered"))
        place.close()
        return said

    assert asyncio.run(work()) == ["504 too_long False", "503 busy True", "answered"]


def test_more_than_may_wait_are_503_at_once():
    async def work() -> None:
        place = Workplace(Limits(waiting=0))
        try:
            await place.run(lambda: None)
        finally:
            place.close()

    found = refused(work)
    assert (found.status, found.code, found.headers) == (503, "busy", {"Retry-After": "1"})


def test_many_who_wait_are_all_answered():
    """64 at once on two places: each waits its turn and none is lost."""

    async def work() -> list[int]:
        place = Workplace(Limits(seconds=60.0, working=2))
        found = await asyncio.gather(*(place.run(lambda one=one: one) for one in range(64)))
        assert place.waiting == 0
        place.close()
        return list(found)

    assert asyncio.run(work()) == list(range(64))


@pytest.mark.parametrize(
    ("path", "headers", "closes"),
    [
        ("/predict", {"authorization": "Bearer wrong"}, True),
        ("/nothing", {}, True),
        ("/health", {}, True),
        ("/predict", {"content-type": "text/plain"}, True),
        ("/predict", {}, False),
        ("/predict", {"authorization": "Bearer wrong", "content-length": "0"}, False),
    ],
    ids=["wrong token", "no such path", "wrong method", "wrong type", "read to its end", "no body"],
)
def test_a_body_that_nobody_reads_ends_its_connection(client, path, headers, closes):
    """Else the rest of a gigabyte would be taken in and thrown away."""
    answer = client.post(path, content=b"{", headers=headers)
    assert answer.status >= 400 and (answer.headers.get("connection") == "close") is closes


def test_rows_that_each_name_other_columns_are_not_laid_out(client):
    """A body of 40 kB would become a table of millions of cells."""
    patients = [{"patient_id": str(row), **{f"c{row}_{place}": 1 for place in range(40)}} for row in range(50)]
    answer = client.post("/predict", {"tables": {"patients": patients}})
    assert (answer.status, answer.json()["error"]["code"]) == (413, "too_many_cells")
    found = client.post("/predict", {"rows": [{"age": 50, **one} for one in patients]})
    assert found.status == 200 and {row["status"] for row in found.json()["predictions"]} == {"ok"}


@pytest.mark.parametrize(("columns", "code"), [(2_000, "too_many_columns"), (20, None)])
def test_a_table_of_people_has_no_thousands_of_columns(client, columns, code):
    patients = [{"patient_id": "a", "age": 50, **{f"c{place}": 1 for place in range(columns)}}]
    answer = client.post("/predict", {"tables": {"patients": patients}})
    assert answer.status == (200 if code is None else 413)
    assert code is None or answer.json()["error"]["code"] == code
