"""Webinars from end to end: the sandbox signs as Zoom and Tencent Meeting sign, the collector believes it and keeps what came."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import pytest
from running_collector import Running

from connectors.sandbox import Sandbox, build, fate, tencent_meeting, zoom
from connectors.web.tencent_meeting import TencentMeeting
from connectors.web.zoom import Zoom

Collect = Callable[..., Running]
PEOPLE = [f"guest{number}@mail.example" for number in range(30)]
# HMAC-SHA256 of the token that Zoom's question holds, under the secret token of the sandbox.
ENCRYPTED = "368087a59f23d93519fa7cabc60ee2f0399d55f436fb44ce19010f3b6ab81b66"


@pytest.fixture
def running(collect: Collect) -> Running:
    zoom_token, tencent_token = zoom.SECRET_TOKEN.decode(), tencent_meeting.TOKEN
    receivers = {
        "zoom": Zoom(Zoom.Options.model_validate({"secret_token": zoom_token})),
        "tencent_meeting": TencentMeeting(TencentMeeting.Options.model_validate({"token": tencent_token})),
    }
    return collect(receivers=receivers, clock=lambda: datetime.now(UTC))


async def held(running: Running, *asked: tuple[str, dict[str, str], Any]) -> tuple[Sandbox, dict[str, Any]]:
    """A sandbox that was asked so, after it told the collector all that came of it."""
    sandbox = build(receipts_to=running.url)
    async with sandbox.serve("127.0.0.1", 0, 0) as addresses, httpx.AsyncClient(base_url=addresses.http, trust_env=False) as client:
        for path, headers, content in asked:
            answer = await client.post(path, headers=headers, content=orjson.dumps(content))
            assert answer.is_success, answer.text
        return sandbox, await sandbox.send_receipts()


def test_who_registers_at_zoom_comes_and_leaves_is_kept(running: Running) -> None:
    asked = [("/v2/webinars/921/registrants", {"authorization": "Bearer t"}, {"email": one, "first_name": "梅 🎉"}) for one in PEOPLE]
    _, told = asyncio.run(held(running, *asked))
    kept = running.kept("webinar_attendance")
    assert told["sent"]["zoom"] == len(kept)
    registered = {line["participant"]: line["email"] for line in kept if "registered_at" in line}
    assert sorted(registered.values()) == sorted(PEOPLE)
    coming = {one for one in PEOPLE if fate(one, "921", "comes") < 0.7}
    assert {registered[line["participant"]] for line in kept if "joined_at" in line} == coming
    assert {registered[line["participant"]] for line in kept if "left_at" in line} == coming
    assert None in {line["email"] for line in kept if "joined_at" in line}  # a guest, known by the registration alone


def test_who_comes_to_a_tencent_meeting_is_kept(running: Running) -> None:
    people = [{"nick_name": f"韩梅梅{number}", "userid": f"user{number}"} for number in range(30)]
    path, now = "/v1/meetings/127/enroll/import", str(int(time.time()))
    content = {"enroll_list": people, "operator_id": "admin", "operator_id_type": 1, "instanceid": 1}
    signature = tencent_meeting.signature("POST", path, orjson.dumps(content), "7", now)
    signed = {"x-tc-key": tencent_meeting.SECRET_ID, "x-tc-nonce": "7", "x-tc-timestamp": now, "x-tc-signature": signature}
    asyncio.run(held(running, (path, signed, content)))
    kept = running.kept("webinar_attendance")
    assert {line["participant"] for line in kept if "joined_at" in line} == {
        one["userid"] for one in people if fate(one["userid"], "127", "comes") < 0.7
    }
    assert all(line["full_name"].startswith("韩梅梅") for line in kept)


def test_zoom_s_question_whose_address_it_is_is_answered_and_lands_nothing(running: Running) -> None:
    asked = zoom.validation("qgg8vlvZRS6UYooatFL8Aw")
    answer = running.http.post("/hooks/zoom", content=asked.body, headers=dict(asked.headers))
    assert answer.status_code == 200
    assert orjson.loads(answer.content)["encryptedToken"] == ENCRYPTED
    assert running.kept("webinar_attendance") == []


def test_tencent_meeting_s_question_is_answered_with_its_text(running: Running) -> None:
    check_str, headers = tencent_meeting.check("查一查 check")
    answer = running.http.get("/hooks/tencent_meeting", params={"check_str": check_str}, headers=headers)
    assert (answer.status_code, answer.text) == (200, "查一查 check")


@pytest.mark.parametrize("destination", ["zoom", "tencent_meeting"])
def test_an_event_that_was_changed_on_its_way_is_refused_and_lands_nothing(running: Running, destination: str) -> None:
    sent = zoom.validation("x") if destination == "zoom" else tencent_meeting.posted(b'{"event":"meeting.end","payload":[]}')
    assert running.http.post(f"/hooks/{destination}", content=sent.body + b" ", headers={}).status_code == 401
    assert running.http.post(f"/hooks/{destination}", content=sent.body[::-1], headers=dict(sent.headers)).status_code == 401
    assert running.kept("webinar_attendance") == []
