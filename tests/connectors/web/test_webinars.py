"""Webinar vendors' callbacks: address checks as the vendors make them, and what each event adds to somebody's attendance."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
import requests
import wemeet_openapi
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from specimens import tencent_meeting as tencent
from specimens import zoom
from wemeet_openapi.core import xhttp
from wemeet_openapi.core.authenticator import JWTAuthenticator
from wemeet_openapi.core.constants import JSON_SERIALIZER
from wemeet_openapi.core.exception import ServiceException

from connectors.base import BadSignature, Callback
from connectors.sandbox import Sandbox
from connectors.sandbox import tencent_meeting as emulator
from connectors.web.tencent_meeting import TencentMeeting
from connectors.web.zoom import Zoom

NOW = datetime(2026, 10, 31, 2, 0, tzinfo=UTC)
ZOOM = Zoom(Zoom.Options(secret_token="sandbox-zoom-secret-token"))  # type: ignore[arg-type]
TENCENT = TencentMeeting(TencentMeeting.Options(token=tencent.TOKEN))  # type: ignore[arg-type]


def from_zoom(event: str, **about: Any) -> list[Any]:
    body = {"event": event, "event_ts": 1793412000000, "payload": {"object": {"id": 92345678901, "topic": "直播", **about}}}
    return list(ZOOM.receive(zoom.callback(NOW, orjson.dumps(body))).events)


def test_zoom_s_address_check_is_answered_with_its_token_signed() -> None:
    body = orjson.dumps({"event": "endpoint.url_validation", "event_ts": 1, "payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}})
    received = ZOOM.receive(zoom.callback(NOW, body))
    signed = hmac.new(zoom.SECRET, b"qgg8vlvZRS6UYooatFL8Aw", hashlib.sha256).hexdigest()
    assert orjson.loads(received.reply) == {"plainToken": "qgg8vlvZRS6UYooatFL8Aw", "encryptedToken": signed}
    assert received.events == []


def test_what_zoom_tells_becomes_attendance() -> None:
    (registered,) = from_zoom(
        "webinar.registration_created", registrant={"id": "r1", "email": "mei@example.com", "first_name": "梅", "last_name": "韩"}
    )
    assert registered == {
        "vendor": "zoom", "event": "webinar.registration_created", "webinar_id": "92345678901", "webinar_title": "直播", "email": "mei@example.com",
        "participant": "r1", "full_name": "梅 韩", "registered_at": "2026-10-31T02:00:00+00:00",
    }  # fmt: skip
    (left,) = from_zoom(
        "webinar.participant_left", participant={"user_name": "Guest", "email": "", "id": "", "leave_time": "2026-10-31T03:00:00Z"}
    )
    assert (left["email"], left["participant"], left["full_name"], left["left_at"]) == (None, None, "Guest", "2026-10-31T03:00:00Z")


def test_what_is_about_nobody_s_attendance_is_taken_and_lands_nothing() -> None:
    assert from_zoom("webinar.started") == []
    received = TENCENT.receive(tencent.callback(NOW, orjson.dumps({"event": "meeting.end", "payload": [{}]})))
    assert (received.events, received.reply) == ([], b"successfully received callback")


def test_tencent_meeting_s_address_check_gets_its_text_back() -> None:
    data = base64.b64encode(b"aGVsbG8 check").decode()
    asked = Callback("GET", "http://127.0.0.1/hooks/meeting", {"check_str": data}, tencent.signed(NOW, data), b"", NOW)
    assert TENCENT.receive(asked).reply == b"aGVsbG8 check"


def test_what_tencent_meeting_tells_becomes_attendance() -> None:
    (row,) = TENCENT.receive(tencent.callback(NOW)).events
    assert row == {
        "vendor": "tencent_meeting", "event": "meeting.participant-joined", "webinar_id": "12701234567890", "webinar_title": "产品直播",
        "email": None, "participant": "lilei", "full_name": "李雷 🎉", "joined_at": "2026-10-31T02:00:00+00:00",
    }  # fmt: skip


async def test_the_vendors_sdk_enrols_people_in_the_sandbox(sandbox: Sandbox) -> None:
    def enrol(secret: str) -> Any:
        host = sandbox.addresses.http.removeprefix("http://")
        keys = {"app_id": "1", "sdk_id": "2", "secret_id": emulator.SECRET_ID, "secret_key": secret}
        client = wemeet_openapi.Client(**keys, clt=xhttp.Client(host, "http", requests.Session(), JSON_SERIALIZER))
        people = [{"nick_name": "李雷 🎉", "userid": "lilei"}, {"nick_name": "韩梅梅", "phone_number": "13911110000", "area": "86"}]
        body = wemeet_openapi.V1MeetingsMeetingIdEnrollImportPostRequest(people, instanceid=1, operator_id="admin", operator_id_type=1)
        asked = wemeet_openapi.ApiV1MeetingsMeetingIdEnrollImportPostRequest("127", body=body)
        signed = [JWTAuthenticator().options_build()]
        return client.meetings_api.v1_meetings_meeting_id_enroll_import_post(asked, authenticator_options=signed).data

    assert (await asyncio.to_thread(enrol, emulator.SECRET_KEY)).total_count == 2
    assert [(one.to, one.content["name"]) for one in sandbox.journal.kept] == [("lilei", "李雷 🎉"), ("13911110000", "韩梅梅")]
    with pytest.raises(ServiceException):
        await asyncio.to_thread(enrol, "somebody-elses")


def test_encrypted_events_are_read_with_the_key_and_refused_without() -> None:
    key = base64.b64encode(bytes(range(32))).decode().rstrip("=")
    padder = padding.PKCS7(256).padder()
    encryptor = Cipher(algorithms.AES(bytes(range(32))), modes.CBC(bytes(range(16)))).encryptor()
    hidden = encryptor.update(padder.update(orjson.dumps(tencent.EVENT)) + padder.finalize()) + encryptor.finalize()
    sent = tencent.callback(NOW, hidden)
    keyed = TencentMeeting(TencentMeeting.Options(token=tencent.TOKEN, encoding_aes_key=key))  # type: ignore[arg-type]
    assert keyed.receive(sent).events == TENCENT.receive(tencent.callback(NOW)).events
    with pytest.raises(BadSignature):
        TENCENT.receive(sent)
    with pytest.raises(BadSignature):
        keyed.receive(tencent.callback(NOW))
