"""The client a connector is handed: it sends again what surely was not processed, and nothing else; it waits as told, and keeps secrets."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from scripted_server import CLOSE, OK, RESET, SILENCE, Answer, Script, serving

from activation.engine.ledger import Ledger
from activation.engine.transport import Throttle, client


@asynccontextmanager
async def talking(
    folder: Path, *answers: Answer | str, idempotent: bool = False, per_second: float = 1000.0, timeout: float = 0.5
) -> AsyncIterator[tuple[httpx.AsyncClient, Script]]:
    async with serving(*answers) as script:
        throttle = Throttle(Ledger(folder / "ledger.db"), "x/y", per_second)
        async with client(script.address, throttle, idempotent, 4, timeout) as http:
            yield http, script


@pytest.mark.parametrize("status", [429, 503])
async def test_what_was_refused_for_now_is_sent_again_whatever_it_is(tmp_path: Path, quick: None, status: int) -> None:
    async with talking(tmp_path, (status, {}, b""), OK) as (http, script):
        assert (await http.post("/", content=b"x")).status_code == 200
        assert len(script.times) == 2


async def test_retry_after_is_waited_for(tmp_path: Path, quick: None) -> None:
    async with talking(tmp_path, (429, {"retry-after": "1"}, b""), OK) as (http, script):
        assert (await http.post("/")).status_code == 200
        assert script.times[1] - script.times[0] >= 1.0


async def test_a_server_error_is_asked_again_only_where_that_is_harmless(tmp_path: Path, quick: None) -> None:
    failed = (500, {}, b"")
    async with talking(tmp_path, failed, OK) as (http, script):
        assert (await http.post("/")).status_code == 500
        assert len(script.times) == 1
    async with talking(tmp_path, failed, OK) as (http, script):
        assert (await http.get("/")).status_code == 200
    async with talking(tmp_path, failed, OK, idempotent=True) as (http, script):
        assert (await http.post("/")).status_code == 200


async def test_the_last_refusal_is_the_answer(tmp_path: Path, quick: None) -> None:
    async with talking(tmp_path, (429, {}, b"")) as (http, script):
        assert (await http.post("/")).status_code == 429
        assert len(script.times) == 5


async def test_a_wait_that_is_too_long_is_given_back_at_once(tmp_path: Path, quick: None) -> None:
    async with talking(tmp_path, (429, {"retry-after": "3600"}, b"")) as (http, script):
        assert (await http.post("/")).headers["retry-after"] == "3600"
        assert len(script.times) == 1


@pytest.mark.parametrize("trouble", [RESET, SILENCE, CLOSE])
@pytest.mark.parametrize("idempotent", [True, False])
async def test_a_request_that_left_and_was_not_answered_is_not_sent_again_here(
    tmp_path: Path, quick: None, trouble: str, idempotent: bool
) -> None:
    async with talking(tmp_path, trouble, OK, idempotent=idempotent) as (http, script):
        with pytest.raises(httpx.TransportError):
            await http.post("/")
        assert len(script.times) == 1


async def test_a_connection_that_is_refused_is_tried_again(tmp_path: Path, quick: None) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with client(address, Throttle(Ledger(tmp_path / "ledger.db"), "x/y", 1000.0), False, 4, 1.0) as http:
            with pytest.raises(httpx.ConnectError):
                await http.post("/")


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    async with talking(tmp_path, (302, {"location": "http://127.0.0.1:1/"}, b"")) as (http, _):
        assert (await http.post("/")).status_code == 302


async def test_a_proxy_named_by_the_environment_sees_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with talking(tmp_path, OK) as (http, _):
        assert (await http.post("/")).status_code == 200


async def test_what_stands_in_an_address_is_not_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with talking(tmp_path, OK) as (http, _):
        await http.post("/send?access_token=secret-token&PhoneNumbers=13800000000", headers={"authorization": "Bearer secret-token"})
    assert "secret-token" not in caplog.text
    assert "13800000000" not in caplog.text


async def test_calls_keep_to_the_declared_rate(tmp_path: Path) -> None:
    async with talking(tmp_path, OK, per_second=20.0) as (http, script):
        await asyncio.gather(*(http.post("/") for _ in range(30)))
    spent = script.times[-1] - script.times[0]
    assert 0.4 < spent < 5.0  # a second's worth at once, the other ten at twenty a second


async def test_two_destinations_clients_share_one_rate(tmp_path: Path) -> None:
    """As two processes do: each has a throttle and a connection to the ledger of its own."""
    async with serving(OK) as script:

        async def deliver() -> None:
            async with client(script.address, Throttle(Ledger(tmp_path / "ledger.db"), "x/y", 20.0), False, 4, 5.0) as http:
                await asyncio.gather(*(http.post("/") for _ in range(15)))

        await asyncio.gather(deliver(), deliver())
    assert script.times[-1] - script.times[0] > 0.4


async def test_who_took_a_turn_makes_so_many_calls_without_waiting_and_no_more(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    throttle = Throttle(ledger, "x/y", 0.001)

    async def caller(turns: int, calls: int) -> None:
        await throttle.take_turn(turns)
        await asyncio.gather(*(throttle.wait() for _ in range(calls)))

    await asyncio.wait_for(caller(1, 1), 60)  # there is no second before a quarter of an hour is over
    waiting = asyncio.create_task(throttle.wait())
    while (left := ledger.rows("select tokens from buckets")[0]["tokens"]) > -0.9:
        await asyncio.sleep(0.01)
    assert (left > -1.1, waiting.done()) == (True, False)
    waiting.cancel()
    throttle.close()


async def test_turns_that_one_takes_are_nobody_elses(tmp_path: Path) -> None:
    throttle = Throttle(Ledger(tmp_path / "ledger.db"), "x/y", 1.0)
    await asyncio.create_task(throttle.take_turn(1))  # in a task of its own, and for it
    other = asyncio.create_task(throttle.wait())
    assert await asyncio.wait({other}, timeout=0.2) == (set(), {other})
    await other
    throttle.close()


async def test_waiting_for_a_turn_does_not_hold_up_the_loop(tmp_path: Path) -> None:
    beats: list[Any] = []

    async def beat() -> None:
        while True:
            beats.append(None)
            await asyncio.sleep(0.01)

    throttle = Throttle(Ledger(tmp_path / "ledger.db"), "x/y", 2.0)
    heart = asyncio.create_task(beat())
    for _ in range(3):
        await throttle.wait()
    heart.cancel()
    throttle.close()
    assert len(beats) > 10


def test_a_throttle_that_was_never_used_takes_nothing(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        Throttle(ledger, "x/y", 2.0).close()
        assert ledger.rows("select * from buckets") == []


async def test_the_bucket_is_in_the_ledger(tmp_path: Path) -> None:
    async with talking(tmp_path, OK) as (http, _):
        await http.post("/")
    with Ledger(tmp_path / "ledger.db") as ledger:
        assert [row["name"] for row in ledger.rows("select name from buckets")] == ["x/y"]
