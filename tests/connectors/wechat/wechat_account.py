"""A connector of an Official Account on the sandbox, for tests: what it sends and pulls, and what wechatpy would."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import orjson
from wechatpy import WeChatClient

from connectors.base import Batch, Outcome, Pulled, Row
from connectors.sandbox import Fault, Sandbox, fate
from connectors.sandbox._wechat_messages import Speech
from connectors.wechat.wechat_official import WechatOfficial

OPTIONS: dict[str, Any] = {"appid": "wx5f1e2d3c4b5a6978", "app_secret": "sandbox-wechat-app-secret"}
TEMPLATE = "ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY"
FANS = [openid for n in range(200) if fate(openid := f"oTestMessage{n:016}", "follows") >= 0.02 and fate(openid, "refuses notices") >= 0.02]
STRANGER = next(openid for n in range(2000) if fate(openid := f"oTestMessage{n:016}", "follows") < 0.02)
SAYS = {"text": "双十一见 🎉"}


class Account:
    """The sandbox's account, a connector that sends to it, and what it heard."""

    def __init__(self, sandbox: Sandbox, address: str, http: httpx.AsyncClient, asked: list[httpx.Request]) -> None:
        self.sandbox, self.address, self.http, self.asked = sandbox, address, http, asked
        self.emulator: Any = sandbox.emulators["wechat_official"]
        self.speech: Speech = self.emulator.speech

    def connector(self) -> WechatOfficial:
        return WechatOfficial(WechatOfficial.Options(**OPTIONS), self.http, self.address)

    async def deliver(self, kind: str, *rows: Row) -> list[Outcome]:
        return await self.connector().deliver(Batch(kind, "add", rows, "run-1", 1))

    async def sdk(self, call: Callable[[WeChatClient], Any]) -> Any:
        """What wechatpy says of the sandbox. It would fetch its token at the vendor's own address, so it is given one."""
        client = WeChatClient(OPTIONS["appid"], OPTIONS["app_secret"])
        client.API_BASE_URL = f"{self.address}/cgi-bin/"
        query = {"grant_type": "client_credential", "appid": OPTIONS["appid"], "secret": OPTIONS["app_secret"]}
        token = await self.http.get(f"{self.address}/cgi-bin/token", params=query)
        client.session.set(client.access_token_key, token.json()["access_token"])
        return await asyncio.to_thread(call, client)

    def fails(self, **fault: Any) -> None:
        self.sandbox.faults.add(Fault(vendor="wechat_official", **fault))

    def kept(self, kind: str) -> list[dict[str, Any]]:
        return [dict(kept.content) for kept in self.sandbox.journal.kept if kept.kind == kind]

    def calls(self, part: str) -> int:
        return sum(part in request.url.path for request in self.asked)

    async def pull(self, name: str, cursor: str | None = None, pages: int | None = None) -> list[Pulled]:
        found = []
        async for page in self.connector().pull(name, cursor):
            found.append(page)
            if len(found) == pages:
                break
        return found


def row(index: int = 0, **fields: Any) -> Row:
    payload = {"openid": FANS[index]} | fields
    return Row(index, f"p{index}", orjson.dumps(payload), message_id=f"m_{index:032x}")


def notice(index: int = 0, **fields: Any) -> Row:
    return row(index, **{"template_id": TEMPLATE, "page": "https://shop.example/a", "data": {"thing1": {"value": "王小明 🎉"}}, **fields})
