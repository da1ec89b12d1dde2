"""Messages to one follower: template messages, subscription notices, and customer-service messages while a window is open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.base import Outcome, Row
from connectors.wechat._api import Api
from connectors.wechat._fields import faults

PATHS = {
    "template_messages": "/cgi-bin/message/template/send",
    "subscription_notices": "/cgi-bin/message/subscribe/bizsend",
    "service_messages": "/cgi-bin/message/custom/send",
}
FIELDS = {
    "template_messages": ("template_id", "url", "miniprogram", "data"),
    "subscription_notices": ("template_id", "page", "miniprogram", "data"),
}


async def send(api: Api, kind: str, row: Row) -> Outcome:
    """One message. What WeChat would refuse for its form is refused here, with a sentence that says which field."""
    fields = row.fields
    if kind == "service_messages":
        content = body(fields)
        if content is None:
            return NOTHING_TO_SAY
    else:
        if wrong := faults(fields.get("data")):
            return Outcome("rejected", "FIELD_LIMIT", " ".join(wrong))
        content = {name: fields[name] for name in FIELDS[kind] if fields.get(name) is not None}
    if kind == "template_messages" and row.message_id:
        content["client_msg_id"] = row.message_id
    answer = await api.call(PATHS[kind], {"touser": fields["openid"], **content}, idempotent=False)
    if answer.get("errcode"):
        return api.codes.sort(answer)
    return Outcome("sent", provider_id=str(answer["msgid"]) if "msgid" in answer else None)


NOTHING_TO_SAY = Outcome("rejected", "NO_CONTENT", "The row says nothing: give it `text`, or `msgtype` and the field of that name.")


def body(fields: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a row says, as WeChat words it: its `text`, or whatever `msgtype` names (`image: {media_id: …}`). None when it says nothing."""
    kind = str(fields.get("msgtype") or "text")
    said = fields.get(kind)
    if kind == "text" and isinstance(said, str):
        said = {"content": said}
    if not isinstance(said, Mapping) or not said or said.get("content") == "":
        return None
    return {"msgtype": kind, kind: dict(said)}
