"""Accounts of WeChat and corps of WeCom, on the sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from wechat_account import Account
from wecom_corp import Corp

from connectors import sandbox as sandboxes
from connectors.sandbox import Sandbox

Standing = tuple[Sandbox, str, httpx.AsyncClient, list[httpx.Request]]


@asynccontextmanager
async def standing() -> AsyncIterator[Standing]:
    """A sandbox of its own, its address, a client, and every request that was made by that."""
    asked: list[httpx.Request] = []

    async def listen(request: httpx.Request) -> None:
        asked.append(request)

    sandbox = sandboxes.build()
    async with (
        sandbox.serve(http_port=0, smtp_port=0) as addresses,
        httpx.AsyncClient(trust_env=False, event_hooks={"request": [listen]}, timeout=60) as http,
    ):
        yield sandbox, addresses.http, http, asked


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    async with standing() as parts:
        yield Account(*parts)


@pytest.fixture
async def corp() -> AsyncIterator[Corp]:
    async with standing() as parts:
        yield Corp(*parts)
