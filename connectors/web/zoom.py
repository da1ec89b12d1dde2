"""Zoom webinars and meetings: registrations, joins and leaves, as Zoom's webhooks tell them.

Signed with the app's secret token: `x-zm-signature` is v0= and HMAC-SHA256 over "v0:{timestamp}:{body}". Before an address is used, and
every 72 hours after, Zoom asks it to sign a token (`endpoint.url_validation`). Each event lands as what it adds to a row of attendance;
whoever took part without an address is known by the id that Zoom gave them.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from connectors.base import BadSignature, Callback, Connector, Received, SecretStr, Strict, same, secret

TOLERANCE = 300.0  # seconds
# The event behind `webinar.` or `meeting.` → the part of the object that is the person, and the column that its moment fills.
EVENTS = {
    "registration_created": ("registrant", "registered_at"),
    "participant_joined": ("participant", "joined_at"),
    "participant_left": ("participant", "left_at"),
}
MOMENTS = {"joined_at": "join_time", "left_at": "leave_time"}


class Zoom(Connector):
    channel = "web"
    receives = "webinar_attendance"

    class Options(Strict):
        """`secret_token` is the app's, from Features → Access."""

        secret_token: SecretStr = secret(sandbox="sandbox-zoom-secret-token")

    def receive(self, callback: Callback) -> Received:
        timestamp, signature = callback.headers.get("x-zm-request-timestamp", ""), callback.headers.get("x-zm-signature", "")
        expected = "v0=" + self._sign(b"v0:" + timestamp.encode() + b":" + callback.body)
        if not same(signature, expected):
            raise BadSignature("the signature does not fit")
        callback.check_time(timestamp, TOLERANCE)
        try:
            message = orjson.loads(callback.body)
            event, payload = str(message["event"]), message["payload"]
            if event == "endpoint.url_validation":
                plain = str(payload["plainToken"])
                reply = orjson.dumps({"plainToken": plain, "encryptedToken": self._sign(plain.encode())})
                return Received("webinar_attendance", [], reply, "application/json")
            row = _row(event, payload["object"], message.get("event_ts"))
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, UnicodeEncodeError):
            raise BadSignature("not an event of Zoom's shape") from None
        return Received("webinar_attendance", [row] if row else [])

    def _sign(self, text: bytes) -> str:
        return hmac.new(self.options.secret_token.get_secret_value().encode(), text, hashlib.sha256).hexdigest()


def _row(event: str, about: Mapping[str, Any], event_ts: Any) -> dict[str, Any] | None:
    """What the event adds to somebody's attendance; None for one that is about nobody's."""
    part, column = EVENTS.get(event.partition(".")[2], ("", ""))
    if not part:
        return None
    person: Mapping[str, Any] = about[part]
    name = person.get("user_name") or " ".join(filter(None, (person.get("first_name"), person.get("last_name"))))
    told = datetime.fromtimestamp(event_ts / 1000, UTC).isoformat() if isinstance(event_ts, int) and 0 < event_ts < 1e13 else None
    return {
        "vendor": "zoom",
        "event": event,
        "webinar_id": str(about["id"]),
        "webinar_title": about.get("topic"),
        "email": person.get("email") or None,
        "participant": str(person.get("registrant_id") or person.get("participant_uuid") or person.get("id") or "") or None,
        "full_name": name or None,
        column: person.get(MOMENTS.get(column, "")) or told,
    }
