"""Messages of a WeCom app to employees (企业微信应用消息): text, markdown or a card with a link, to those who are named.

A member gets at most 30 a minute and 1,000 an hour; what is more WeCom drops without a word, so that is the rate here. The same words to the
same people within ten minutes are one message, which is what makes asking again harmless.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

from pydantic import Field

from connectors.base import Batch, Connector, Outcome, Row, SecretStr, Strict, secret
from connectors.chat._robot import cut, room
from connectors.wechat._api import CorpApi

LONGEST, LONGEST_TITLE, LONGEST_OF_CARD = 2048, 128, 512  # bytes
REPEAT = 600  # seconds


class WecomApp(Connector):
    channel = "chat"
    base_url = "https://qyapi.weixin.qq.com"
    objects: ClassVar = {"messages": replace(room(per_second=0.5)["messages"], idempotent=True, idempotency_seconds=float(REPEAT))}

    class Options(Strict):
        """`to` names members by userid, `a|b` or `@all`, where a row does not name its own; `agent_id` and `app_secret` are the app's."""

        corpid: SecretStr = secret(sandbox="ww5f1e2d3c4b5a6978")
        app_secret: SecretStr = secret(sandbox="sandbox-wecom-app-secret")
        agent_id: int
        to: str = Field(min_length=1)

    @cached_property
    def _api(self) -> CorpApi:
        return CorpApi(self.http, self.address, self.options.corpid, self.options.app_secret)

    async def deliver(self, batch: Batch) -> list[Outcome]:
        return [await self._say(row) for row in batch.rows]

    async def check(self) -> str:
        await self._api.token()
        return "a token was given for this app"

    async def _say(self, row: Row) -> Outcome:
        """A row is `{"text"}`, `{"markdown"}`, or a card of `{"title", "text", "url"}`; with `userid` it goes to these members."""
        fields = row.fields
        to, words = str(fields.get("userid") or self.options.to), _words(fields)
        once = {"enable_duplicate_check": 1, "duplicate_check_interval": REPEAT}
        message = {"touser": to, "agentid": self.options.agent_id, **words, **once}
        answer = await self._api.call("/cgi-bin/message/send", message, idempotent=True)
        if answer.get("errcode"):
            return self._api.codes.sort(answer)
        missed = {name for kind in ("invaliduser", "unlicenseduser") for name in str(answer.get(kind) or "").split("|") if name}
        provider_id = str(answer["msgid"]) if answer.get("msgid") else None
        if not missed:
            return Outcome("sent", provider_id=provider_id)
        said = f"{len(missed)} of {len(to.split('|'))} members cannot be reached by this app."
        return Outcome("sent" if len(missed) < len(to.split("|")) else "rejected", "INVALID_USER", said, provider_id)


def _words(fields: Mapping[str, Any]) -> dict[str, Any]:
    text, url = str(fields.get("text") or ""), fields.get("url")
    if fields.get("markdown"):
        return {"msgtype": "markdown", "markdown": {"content": cut(str(fields["markdown"]), LONGEST)}}
    if url:
        title = cut(str(fields.get("title") or text), LONGEST_TITLE)
        return {"msgtype": "textcard", "textcard": {"title": title, "description": cut(text, LONGEST_OF_CARD), "url": str(url)}}
    return {"msgtype": "text", "text": {"content": cut(text, LONGEST)}}
