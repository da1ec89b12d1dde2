"""A robot of a chat room, by its webhook: one text message a call. Its address is its secret, and a JSON answer of 200 says what came of it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import orjson

from connectors.base import Answer, Batch, Connector, Fatal, Object, Outcome, Row, Strict, Transient, Unanswered, impersonal


class Message(Strict):
    """A room needs nothing said about it: its robot knows where it is."""


def room(per_second: float) -> dict[str, Object]:
    """What every robot can do: say one text at a time, so often."""
    return {
        "messages": Object(
            message=True,
            batch_size=1,
            per_second=per_second,
            concurrency=1,
            modes=frozenset(),
            required=frozenset({"text"}),
            settings=Message,
        )
    }


class Robot(Connector, ABC):
    """Base of the robots that answer in JSON. A row is `{"text": …}`; text that is too long is cut, for a part tells more than nothing.

    With `userid` it is for one of the room, who is called by it: their id over there, or where the vendor knows people by it their telephone number.
    """

    channel = "chat"
    vendor: ClassVar[str]
    longest: ClassVar[int]  # bytes of text
    code_field: ClassVar[str] = "errcode"
    message_field: ClassVar[str] = "errmsg"
    wrong: ClassVar[frozenset[int]]  # codes of a robot that is not there, not let in, or wrongly signed for
    busy: ClassVar[frozenset[int]]  # codes of too many messages: not taken

    @abstractmethod
    def request(self, text: str, whom: str) -> tuple[str, Mapping[str, str], Mapping[str, Any]]:
        """Path, query and JSON body that say `text`, and call `whom` if it is not empty."""

    async def deliver(self, batch: Batch) -> list[Outcome]:
        return [await self._say(row) for row in batch.rows]

    async def check(self) -> str:
        """An empty message is refused for being empty only when the robot is known: nothing is said in the room."""
        code, _ = await self._post("", "")
        if code == 0:
            raise Fatal("SAID_NOTHING", f"{self.vendor} took an empty message. Check the base address of this destination.")
        return f"the robot is known to {self.vendor}"

    async def _say(self, row: Row) -> Outcome:
        text, whom = str(row.fields.get("text") or ""), str(row.fields.get("userid") or "")
        code, message = await self._post(cut(text, self.longest), whom)
        return Outcome("sent") if code == 0 else Outcome("rejected", str(code), impersonal(message, row))

    async def _post(self, text: str, whom: str) -> tuple[int, str]:
        path, query, body = self.request(text, whom)
        headers = {"content-type": "application/json; charset=utf-8"}
        response = await self.http.post(self.address + path, params=query, content=orjson.dumps(body), headers=headers)
        answer = Answer(self.vendor, idempotent=False)
        answer.raise_for(response)
        said = answer.json(response)
        code = said.get(self.code_field) if isinstance(said, dict) else None
        if not isinstance(code, int):
            raise Unanswered("BROKEN_ANSWER", f"{self.vendor} answered {response.status_code} without saying what came of the message.")
        if code in self.wrong:
            raise Fatal("UNAUTHORIZED", f"{self.vendor} answered {code}: check the robot's address and signing secret.")
        if code in self.busy:
            raise Transient("RATE_LIMITED", f"{self.vendor} answered {code}: too many messages.")
        return code, str(said.get(self.message_field) or "")


def is_number(whom: str) -> bool:
    """Whether somebody is known by a telephone number."""
    return re.fullmatch(r"\+?[0-9]{8,15}", whom) is not None


def cut(text: str, longest: int) -> str:
    """At most so many bytes of UTF-8, never half a character; an ellipsis says that something is missing."""
    raw = text.encode()
    return text if len(raw) <= longest else raw[: longest - 3].decode(errors="ignore") + "…"
