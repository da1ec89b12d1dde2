"""The token of an Official Account, which several processes share."""

from __future__ import annotations

import asyncio
import os
import sys

import orjson
import pytest
from wechat_account import FANS, Account, notice
from wechatpy.exceptions import WeChatClientException

from connectors.base import Batch

SENDER = """
import asyncio, sys
import httpx, orjson
from connectors.base import Batch, Row
from connectors.wechat.wechat_official import WechatOfficial

async def main(address, name, openids):
    options = WechatOfficial.Options(appid="wx5f1e2d3c4b5a6978", app_secret="sandbox-wechat-app-secret")
    async with httpx.AsyncClient(trust_env=False, timeout=120) as http, WechatOfficial(options, http, address) as connector:
        async def send(number, openid):
            row = orjson.dumps({"openid": openid, "template_id": "T", "data": {}})
            return await connector.deliver(Batch("template_messages", "add", [Row(0, name, row, message_id=f"{name}-{number}")], "r", 1))
        for number, openid in enumerate(openids):
            (outcome,) = await send(number, openid)
            print(outcome.status, outcome.code, flush=True)
            sys.stdin.readline()
asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
"""


async def test_two_processes_share_the_token_and_do_not_fetch_it_against_each_other(account: Account) -> None:
    tokens = account.emulator._tokens
    command = [sys.executable, "-c", SENDER, account.address]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    processes = [
        await asyncio.create_subprocess_exec(
            *command, name, *FANS[:4], stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=environment
        )
        for name in ("one", "two")
    ]
    issued = []
    said: list[list[str]] = []
    try:
        for turn in range(4):
            said.append([(await process.stdout.readline()).decode().strip() for process in processes if process.stdout])
            issued.append(tokens.issued)
            if turn == 1:
                tokens.expire()  # the platform renews it: both find out, and both get the same one again
            for process in processes:
                assert process.stdin
                process.stdin.write(b"\n")
                await process.stdin.drain()
    finally:
        for process in processes:
            process.stdin.close()  # type: ignore[union-attr]
            await process.wait()
    assert said == [["sent", "sent"]] * 4
    assert issued == [1, 1, 2, 2]
    assert len(account.kept("message")) == 8


async def test_a_token_that_only_force_replaces_is_replaced_once_for_both_processes(account: Account) -> None:
    one, two = account.connector(), account.connector()
    batch = Batch("template_messages", "add", [notice()], "run-1", 1)
    await one.deliver(batch)
    await two.deliver(batch)
    refused = next(iter(account.emulator._tokens._good_until))
    account.emulator._tokens.distrusted = {refused}
    assert [outcome.status for connector in (one, two) for outcome in await connector.deliver(batch)] == ["sent", "sent"]
    forced = [orjson.loads(request.content)["force_refresh"] for request in account.asked if "stable_token" in request.url.path]
    assert forced.count(True) <= 2
    assert account.emulator._tokens.issued == 2


async def test_wechatpy_with_the_older_tokens_does_not_end_ours(account: Account) -> None:
    connector = account.connector()
    batch = Batch("template_messages", "add", [notice()], "run-1", 1)
    await connector.deliver(batch)
    with pytest.raises(WeChatClientException):
        await account.sdk(lambda sdk: sdk.message.send_text("o-too-short", "hi"))
    await connector.deliver(batch)
    assert account.calls("stable_token") == 1
