"""Mass messages (群发): the same words to a list of followers, or to everybody who has a tag.

`clientmsgid` names one of them: within 24 hours WeChat carries it out once, and answers a repeat with the first one's id (45065).
Rules: https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Batch_Sends_and_Originality_Checks.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from connectors.base import Batch, Outcome, Refused, Row
from connectors.wechat._api import Api
from connectors.wechat._groups import by_words
from connectors.wechat._messages import NOTHING_TO_SAY, body
from connectors.wechat._tags import Tags

FEWEST = 2  # openids in a call
SENT_BEFORE = 45065
TOO_FEW = Outcome("rejected", "TOO_FEW", "WeChat takes a mass message for two people at least, and nobody else gets these words now.")
NO_SUCH_TAG = Outcome("rejected", "NO_SUCH_TAG", "The account has no tag of this name, so nobody would get it.")


class Mass:
    def __init__(self, api: Api, tags: Tags) -> None:
        self._api = api
        self._tags = tags

    async def to_openids(self, batch: Batch) -> list[Outcome]:
        """One call for those who get the same words."""
        return await by_words(batch.rows, lambda row: body(row.fields), self._together, FEWEST)

    async def to_tag(self, row: Row) -> Outcome:
        """To whoever has the row's tag. The row's key names it, so a row that comes again is no second message."""
        content = body(row.fields)
        if content is None:
            return NOTHING_TO_SAY
        tag = await self._tags.id(str(row.fields["tag"]), make=False)
        if tag is None:
            return NO_SUCH_TAG
        to = {"filter": {"is_to_all": False, "tag_id": tag}}
        return await self._call("/cgi-bin/message/mass/sendall", to, content, [row.key])

    async def _together(self, rows: Sequence[Row]) -> list[Outcome]:
        """One call for all of them. Raises Refused when WeChat takes it for none."""
        content = body(rows[0].fields)
        if content is None:
            return [NOTHING_TO_SAY] * len(rows)
        openids = list(dict.fromkeys(str(row.fields["openid"]) for row in rows))
        if len(openids) < FEWEST:
            return [TOO_FEW] * len(rows)
        names = [row.message_id or row.key for row in rows]
        outcome = await self._call("/cgi-bin/message/mass/send", {"touser": openids}, content, names)
        if outcome.status == "rejected":
            raise Refused(outcome.code, outcome.reason)
        return [outcome] * len(rows)

    async def _call(self, path: str, to: Mapping[str, Any], content: Mapping[str, Any], names: Iterable[str]) -> Outcome:
        message = {**to, **content, "clientmsgid": clientmsgid(content, names)}
        if content["msgtype"] == "mpnews":
            message["send_ignore_reprint"] = 0
        answer = await self._api.call(path, message, idempotent=True)
        if answer.get("errcode") not in {None, 0, SENT_BEFORE}:
            return self._api.codes.sort(answer)
        return Outcome("sent", provider_id=str(answer["msg_id"]) if "msg_id" in answer else None)


def clientmsgid(content: Mapping[str, Any], names: Iterable[str]) -> str:
    """The same for the same words to the same people's messages, in whatever order; 45067 is what more than 64 bytes get."""
    said = orjson.dumps([dict(content), sorted(set(names))], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(said).hexdigest()[:48]
