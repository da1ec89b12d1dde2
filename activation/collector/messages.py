"""Segment messages (the spec's track, page, screen, identify, group and alias) on their way into the spool."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from activation.collector.json_text import dump

KINDS = ("track", "page", "screen", "identify", "group", "alias")
LONGEST = 32 << 10

_IDS = ("messageId", "userId", "anonymousId", "groupId", "previousId")
_OBJECTS = ("context", "properties", "traits", "integrations")


class Malformed(Exception):
    """A message that is not one. `code` is stable, the sentence says what is missing and repeats nothing of the message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def line(message: Any, shared: Mapping[str, Any], received_at: str) -> bytes:
    """`message` as the line to keep: as it came, with what the batch says for all its messages (`shared`: context, integrations,
    sentAt), the moment it was received, and a messageId and timestamp if it had none. Raises Malformed.
    """
    if not isinstance(message, dict):
        raise Malformed("not_an_object", "A message is a JSON object.")
    whole = dict(message)
    whole.pop("writeKey", None)  # says who may send, and is nothing to keep
    for name in _IDS:
        _make_text(whole, name)
    for name in _OBJECTS:
        if whole.get(name) is not None and not isinstance(whole[name], dict):
            raise Malformed(f"bad_{name}", f"`{name}` is a JSON object.")
    _check(whole)
    for name, value in shared.items():
        if whole.get(name) is None:
            whole[name] = value
        elif name == "context":
            whole[name] = {**value, **whole[name]}
    whole.setdefault("messageId", str(uuid.uuid4()))
    whole["receivedAt"] = received_at
    if whole.get("timestamp") is None:
        whole["timestamp"] = received_at
    kept = dump(whole)
    if len(kept) > LONGEST and len(dump(message)) > LONGEST:
        raise Malformed("too_large", f"A message has at most {LONGEST // 1024} KB.")
    return kept


def refused(message: Any, fault: Malformed) -> bytes:
    """A malformed message as the line to keep. Having no messageId it lands in quarantine, with the reason in sight."""
    return dump({"_refused": f"{fault.code}: {fault.message}", "content": message})


def shared_by(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """What a batch says for all its messages."""
    found = {name: envelope[name] for name in ("context", "integrations") if isinstance(envelope.get(name), dict)}
    if isinstance(envelope.get("sentAt"), str):
        found["sentAt"] = envelope["sentAt"]
    return found


def _make_text(message: dict[str, Any], name: str) -> None:
    """Identifiers are text; numbers become text, empty ones are none."""
    value = message.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        message[name] = str(value)
    elif value is None or value == "":
        message.pop(name, None)
    elif not isinstance(value, str):
        raise Malformed(f"bad_{name}", f"`{name}` is text.")


def _check(message: Mapping[str, Any]) -> None:
    kind = message.get("type")
    if kind not in KINDS:
        raise Malformed("bad_type", f"`type` is one of {', '.join(KINDS)}.")
    if kind == "alias":
        if "previousId" not in message or "userId" not in message:
            raise Malformed("no_identity", "An alias needs `previousId` and `userId`.")
    elif "userId" not in message and "anonymousId" not in message:
        raise Malformed("no_identity", "A message needs `userId` or `anonymousId`.")
    if kind == "track" and not (isinstance(message.get("event"), str) and message["event"]):
        raise Malformed("no_event", "A track message needs `event`, the name of what happened.")
    if kind == "group" and "groupId" not in message:
        raise Malformed("no_group", "A group message needs `groupId`.")
