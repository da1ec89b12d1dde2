"""A Slack channel, by an incoming webhook: `…/services/T…/B…/…`. About one message a second; the answer is the word `ok`, or what is wrong."""

from __future__ import annotations

import re
from typing import ClassVar

import orjson

from connectors.base import Answer, Batch, Connector, Fatal, Outcome, Row, SecretStr, Strict, Unanswered, impersonal, secret
from connectors.chat._robot import cut, room

LONGEST = 38_000  # Slack cuts at 40,000 characters
MEMBER = re.compile(r"[UW][A-Z0-9]{2,20}")
# The webhook is there, but its channel or team no longer is, or may not be written to.
CLOSED = frozenset({403, 404, 410})


class Slack(Connector):
    channel = "chat"
    base_url = "https://hooks.slack.com"
    objects: ClassVar = room(per_second=1)

    class Options(Strict):
        """`hook` is what follows `/services/` in the webhook's address."""

        hook: SecretStr = secret(sandbox="T0SANDBOX/B0SANDBOX/sandbox-slack-hook")

    async def deliver(self, batch: Batch) -> list[Outcome]:
        return [await self._say(row) for row in batch.rows]

    async def check(self) -> str:
        """An empty message is refused for being empty only when the webhook is known: nothing is said in the channel."""
        status, said = await self._post("")
        if status != 400:
            raise Fatal("SAID_NOTHING", f"Slack answered {status} to an empty message. Check the base address of this destination.")
        return f"the webhook is known to Slack ({impersonal(said, limit=40)})"

    async def _say(self, row: Row) -> Outcome:
        called = f"<@{whom}> " if (whom := str(row.fields.get("userid") or "")) and MEMBER.fullmatch(whom) else ""
        status, said = await self._post(called + cut(str(row.fields.get("text") or ""), LONGEST))
        if status == 200 and said == "ok":
            return Outcome("sent")
        if status == 200:
            raise Unanswered("BROKEN_ANSWER", "Slack answered 200 without saying ok.")
        return Outcome("rejected", impersonal(said, row, 60) or f"HTTP_{status}", f"Slack refused the message with {status}.")

    async def _post(self, text: str) -> tuple[int, str]:
        url = f"{self.address}/services/{self.options.hook.get_secret_value()}"
        response = await self.http.post(url, content=orjson.dumps({"text": text}), headers={"content-type": "application/json"})
        Answer("Slack", idempotent=False, fatal_statuses=frozenset({401, *CLOSED})).raise_for(response)
        return response.status_code, response.text.strip()
