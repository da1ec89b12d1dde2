"""Connectors are tested against the sandbox, over real sockets on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from connectors.sandbox import Addresses, Sandbox, build


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """Every vendor, listening."""
    sandbox = build()
    async with sandbox.serve("127.0.0.1", 0, 0) as addresses:
        sandbox.addresses = addresses
        yield sandbox


@pytest.fixture
def addresses(sandbox: Sandbox) -> Addresses:
    return sandbox.addresses


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """Waits long: a machine that is busy elsewhere is no failure of a connector."""
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture
async def impatient() -> AsyncIterator[httpx.AsyncClient]:
    """Gives an answer half a second, for vendors who were told never to answer."""
    async with httpx.AsyncClient(trust_env=False, timeout=httpx.Timeout(60, read=0.5)) as client:
        yield client
