"""Group messages to customers (企业群发): a task that a member confirms in WeCom, and what became of it.

Rules: https://developer.work.weixin.qq.com/document/path/92135 and …/93338. Nobody gets anything before the member confirms; a customer
gets as many a month as the month has days. There is no callback about it: the results are asked for.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from connectors.base import Outcome, Pulled, Row
from connectors.wechat._api import Api
from connectors.wechat._groups import by_words

ROOM = "/cgi-bin/externalcontact"
LONGEST = 4000  # bytes of text
MONTH = 30 * 86400  # seconds back to which results are asked for; a list may span a month
NOTHING_TO_SAY = Outcome("rejected", "NO_CONTENT", "The row says nothing: give it `text`, `attachments`, or both.")
TOO_LONG = Outcome("rejected", "TOO_LONG", f"`text` has more than {LONGEST} bytes, which WeCom does not take.")
NOT_REACHED = Outcome(
    "rejected", "NOT_REACHED", "WeCom names the customer among those who cannot get it: no friend of the member, or had too many."
)
UNSENT = 0


async def deliver(api: Api, rows: Sequence[Row]) -> list[Outcome]:
    """One task for the customers who get the same words from the same member. Sent means: the member has been asked to send it."""

    async def together(part: Sequence[Row]) -> list[Outcome]:
        return await _make(api, part)

    return await by_words(rows, lambda row: _words(row.fields), together)


async def results(api: Api, corpid: str, source: str, cursor: str | None) -> AsyncIterator[Pulled]:
    """What became of each task for each customer. The cursor is the creation time before which every task has been carried out."""
    now = int(time.time())
    since = max(int(cursor or 0), now - MONTH)
    listed = {"chat_type": "single", "start_time": since, "end_time": now, "limit": 100}
    tasks = [task async for task in _listed(api, "get_groupmsg_list_v2", "group_msg_list", listed)]
    open_since: int | None = None
    for task in sorted(tasks, key=lambda task: int(task["create_time"])):
        created, asked = int(task["create_time"]), {"msgid": task["msgid"], "limit": 1000}
        async for member in _listed(api, "get_groupmsg_task", "task_list", asked):
            of = {**asked, "userid": member["userid"]}
            sent = [result async for result in _listed(api, "get_groupmsg_send_result", "send_list", of)]
            if any(result["status"] == UNSENT for result in sent):
                open_since = created if open_since is None else open_since
            events = [_result(corpid, task, result) for result in sent]
            yield Pulled(source, events, str(min(created, open_since or created)))
    yield Pulled(source, [], str(open_since or now))


def provider_id(msgid: str, external_userid: str) -> str:
    """One id for one customer's message: a task has one for all of them. It tells nobody who the customer is."""
    return f"{msgid}/{hashlib.sha256(f'{msgid} {external_userid}'.encode()).hexdigest()[:16]}"


def _words(fields: Mapping[str, Any]) -> dict[str, Any]:
    said = {"text": {"content": fields["text"]}} if fields.get("text") else {}
    attachments = {"attachments": fields["attachments"]} if fields.get("attachments") else {}
    return {**said, **attachments, **({"sender": fields["userid"]} if fields.get("userid") else {})}


async def _make(api: Api, rows: Sequence[Row]) -> list[Outcome]:
    words = _words(rows[0].fields)
    if not words.keys() - {"sender"}:
        return [NOTHING_TO_SAY] * len(rows)
    if len(str(rows[0].fields.get("text") or "").encode()) > LONGEST:
        return [TOO_LONG] * len(rows)
    customers = [str(row.fields.get("external_userid") or row.match) for row in rows]
    asked = {"chat_type": "single", "external_userid": list(dict.fromkeys(customers)), **words}
    answer = await api.call(f"{ROOM}/add_msg_template", asked, idempotent=False)
    if answer.get("errcode"):
        return [api.codes.sort(answer)] * len(rows)
    failed, msgid = set(answer.get("fail_list") or ()), str(answer.get("msgid") or "")
    return [NOT_REACHED if one in failed else Outcome("sent", provider_id=provider_id(msgid, one) if msgid else None) for one in customers]


async def _listed(api: Api, name: str, holds: str, content: Mapping[str, Any]) -> AsyncIterator[dict[str, Any]]:
    cursor = ""
    while True:
        answer = await api.call(f"{ROOM}/{name}", {**content, "cursor": cursor}, idempotent=True)
        api.codes.stop(answer, "What became of the group messages cannot be read.")
        for one in answer.get(holds) or []:
            yield one
        cursor = answer.get("next_cursor") or ""
        if not cursor:
            return


def _result(corpid: str, task: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    msgid, customer, member = str(task["msgid"]), str(result.get("external_userid") or ""), str(result.get("userid") or "")
    ids = {"corpid": corpid, "kind": "message_result", "record_id": f"{msgid}/{member}/{customer}"}
    return {**ids, "msgid": msgid, "provider_id": provider_id(msgid, customer), "created_at": task["create_time"], **result}
