"""Connectors and the client that the engine hands them: what an ordinary httpx client does besides (auth, redirects, cookies) it does not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from trial import Trial, statuses

import connectors
from activation.engine.ledger import Ledger
from activation.engine.transport import Throttle, client
from connectors.sandbox import Addresses

OBJECTS = [
    (name, kind) for name in sorted(connectors.names()) for kind in connectors.find(name).objects if Trial(name).specimen.ADDRESS == "http"
]


@pytest.fixture
async def engines(tmp_path: Path, addresses: Addresses, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.chdir(tmp_path)
    throttle = Throttle(Ledger(tmp_path / "ledger.db"), "any", 1000)
    async with client(addresses.http, throttle, False, 2, 60) as http:
        yield http


@pytest.mark.parametrize(("name", "kind"), OBJECTS, ids=[f"{name}/{kind}" for name, kind in OBJECTS])
async def test_a_row_leaves_by_the_engines_client(name: str, kind: str, addresses: Addresses, engines: httpx.AsyncClient) -> None:
    trial = Trial(name)
    async with trial.open(addresses, engines) as connector:
        fewest = range(trial.fewest(kind))
        assert statuses(await connector.deliver(trial.batch(kind, fewest))) == ["sent" for _ in fewest]
        assert await connector.check()
