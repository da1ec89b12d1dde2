"""The connectors of a WeCom corp on the sandbox, for tests: what they send and pull, and what wechatpy would."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
from wechatpy.enterprise import WeChatClient

from connectors.base import Batch, Operation, Outcome, Pulled, Row
from connectors.chat.wecom_app import WecomApp
from connectors.sandbox import Fault, Sandbox, fate
from connectors.wechat.wecom import CustomerTags, Wecom

CORPID, TOKEN, KEY, NONCE = "ww5f1e2d3c4b5a6978", "sandboxWecomToken", "c2FuZGJveC13ZWNvbS1hZXMta2V5LTMyLWJ5dGVzISE", "1372623149"
CUSTOMER_SECRET, APP_SECRET, AGENT = "sandbox-wecom-customer-secret", "sandbox-wecom-app-secret", 1000002
NOW = datetime.now(UTC).replace(microsecond=0)
PEOPLE = [customer for n in range(150) if fate(customer := f"wmTest{n:026}", "is a customer") >= 0.02]
STRANGER = next(customer for n in range(2000) if fate(customer := f"wmTest{n:026}", "is a customer") < 0.02)
ADDED = (
    f"<xml><ToUserName><![CDATA[{CORPID}]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName><CreateTime>1761876000</CreateTime>"
    "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[change_external_contact]]></Event>"
    "<ChangeType><![CDATA[add_external_contact]]></ChangeType><UserID><![CDATA[zhangsan]]></UserID>"
    "<ExternalUserID><![CDATA[wmTest1]]></ExternalUserID><State><![CDATA[展会🎉]]></State></xml>"
)


class Corp:
    """The sandbox's corp, connectors that talk to it, and what it heard."""

    def __init__(self, sandbox: Sandbox, address: str, http: httpx.AsyncClient, asked: list[httpx.Request]) -> None:
        self.sandbox, self.address, self.http, self.asked = sandbox, address, http, asked
        self.emulator: Any = sandbox.emulators["wecom"]

    def connector(self, **options: Any) -> Wecom:
        return Wecom(Wecom.Options(**({"corpid": CORPID, "corp_secret": CUSTOMER_SECRET} | options)), self.http, self.address)

    def app(self, **options: Any) -> WecomApp:
        given = {"corpid": CORPID, "app_secret": APP_SECRET, "agent_id": AGENT, "to": "zhangsan"}
        return WecomApp(WecomApp.Options(**(given | options)), self.http, self.address)

    async def say(self, **fields: Any) -> Outcome:
        (outcome,) = await self.app().deliver(Batch("messages", "add", [Row(0, "a", orjson.dumps(fields))], "run-1", 1))
        return outcome

    async def send(self, *rows: Row) -> list[Outcome]:
        return await self.connector().deliver(Batch("group_messages", "add", rows, "run-1", 1))

    async def mark(self, *triples: tuple[str, str, str], operation: Operation = "add") -> list[Outcome]:
        return await self.connector().deliver(marks(*triples, operation=operation))

    async def sdk(self, call: Callable[[WeChatClient], Any], secret: str = CUSTOMER_SECRET) -> Any:
        """What wechatpy says of the sandbox. It would fetch its token at the vendor's own address, so it is given one."""
        client = WeChatClient(CORPID, secret)
        client.API_BASE_URL = f"{self.address}/cgi-bin/"
        token = await self.http.get(f"{self.address}/cgi-bin/gettoken", params={"corpid": CORPID, "corpsecret": secret})
        client.session.set(client.access_token_key, token.json()["access_token"])
        return await asyncio.to_thread(call, client)

    def fails(self, **fault: Any) -> None:
        self.sandbox.faults.add(Fault(vendor="wecom", **fault))

    def kept(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        return [(kept.to, dict(kept.content)) for kept in self.sandbox.journal.kept if kept.kind == kind]

    def calls(self, part: str) -> int:
        return sum(part in request.url.path for request in self.asked)

    def bodies(self, part: str) -> list[Any]:
        return [orjson.loads(request.content) for request in self.asked if part in request.url.path]

    @property
    def marked(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = self.emulator.state()["marked"]
        return found

    async def pull(self, name: str, cursor: str | None = None, pages: int | None = None) -> list[Pulled]:
        found = []
        async for page in self.connector().pull(name, cursor):
            found.append(page)
            if len(found) == pages:
                break
        return found


def message(index: int = 0, customer: str | None = None, **fields: Any) -> Row:
    payload = {"external_userid": customer or PEOPLE[index], "text": "双十一见 🎉"} | fields
    return Row(index, f"p{index}", orjson.dumps(payload), message_id=f"m_{index:032x}")


def marks(*triples: tuple[str, str, str], operation: Operation = "add") -> Batch:
    rows = [
        Row(n, str(n), orjson.dumps({"userid": member, "external_userid": customer, "tag": tag}))
        for n, (member, customer, tag) in enumerate(triples)
    ]
    return Batch("tags", operation, rows, "run-1", 1, on_removed="remove_from_list", settings=CustomerTags())
