"""Segment's HTTP API over real HTTP, with Segment's own client and without it."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import httpx
import pytest
from running_collector import Running, until
from segment.analytics.client import Client

Collect = Callable[..., Running]
TRACK = {"type": "track", "event": "Signed Up", "userId": "u1"}


def by_type(running: Running) -> dict[str, dict[str, Any]]:
    return {message["type"]: message for message in running.kept()}


@pytest.mark.parametrize("packed", [False, True])
def test_segments_own_client_delivers_every_kind_of_message(collect: Collect, packed: bool) -> None:
    running = collect(write_keys={"wk": "web_events"})
    faults: list[Exception] = []
    client = Client("wk", host=running.url, gzip=packed, on_error=lambda error, _: faults.append(error), max_retries=0)
    client.identify("u1", {"email": "ann@example.com", "firstName": "安"})
    client.track("u1", "Signed Up", {"plan": "pro 🎉"}, message_id="given")
    client.page("u1", "docs", "Pricing", {"path": "/pricing"})
    client.screen("u1", name="Home")
    client.group("u1", "g1", {"name": "Example"})
    client.alias("anonymous", "u1")
    client.shutdown()
    assert faults == []
    kept = by_type(running)
    assert set(kept) == {"identify", "track", "page", "screen", "group", "alias"}
    assert kept["identify"]["traits"] == {"email": "ann@example.com", "firstName": "安"}
    assert kept["track"]["messageId"] == "given"
    assert kept["track"]["properties"] == {"plan": "pro 🎉"}
    assert kept["group"]["groupId"] == "g1"
    assert kept["alias"]["previousId"] == "anonymous"
    for message in kept.values():
        assert message["context"]["library"]["name"] == "analytics-python"
        assert message["receivedAt"] == "2026-10-31T02:00:00.000Z"
        assert message["sentAt"]
        assert "writeKey" not in message


def test_segments_own_client_delivers_a_thousand_messages_once(collect: Collect) -> None:
    running = collect()
    client = Client("any", host=running.url, max_retries=0)
    for n in range(1000):
        client.track("u1", "Product Viewed", {"n": n})
    client.shutdown()
    assert sorted(message["properties"]["n"] for message in running.kept()) == list(range(1000))


@pytest.mark.parametrize("path", ["track", "t", "page", "p", "screen", "s", "identify", "i", "group", "g", "alias", "a"])
def test_each_kind_has_its_address(collect: Collect, path: str) -> None:
    running = collect()
    message = {"event": "x", "userId": "u", "groupId": "g", "previousId": "p"}
    answer = running.http.post(f"/v1/{path}", content=json.dumps(message), headers={"content-type": "text/plain"})
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert running.kept()[0]["type"].startswith(path)


@pytest.mark.parametrize("path", ["batch", "b", "import"])
def test_a_batch_speaks_for_its_messages_and_they_may_differ(collect: Collect, path: str) -> None:
    running = collect()
    running.http.post(
        f"/v1/{path}",
        json={
            "writeKey": "x",
            "sentAt": "2026-10-31T01:59:59Z",
            "context": {"locale": "zh-CN", "library": {"name": "batch"}},
            "batch": [TRACK, {**TRACK, "context": {"library": {"name": "own"}}, "timestamp": "2026-10-30T00:00:00Z"}],
        },
    )
    first, second = running.kept()
    assert first["context"] == {"locale": "zh-CN", "library": {"name": "batch"}}
    assert second["context"] == {"locale": "zh-CN", "library": {"name": "own"}}
    assert (first["timestamp"], second["timestamp"]) == ("2026-10-31T02:00:00.000Z", "2026-10-30T00:00:00Z")
    assert first["sentAt"] == second["sentAt"] == "2026-10-31T01:59:59Z"
    assert first["messageId"] != second["messageId"]


def test_a_malformed_message_is_named_and_kept_for_quarantine_and_the_others_land(collect: Collect) -> None:
    running = collect()
    bad = [42, {"type": "track", "userId": "u"}, {**TRACK, "userId": None}, {**TRACK, "type": "walk"}, {**TRACK, "userId": {}},
           {**TRACK, "traits": []}, {**TRACK, "properties": {"text": "x" * 33_000}}]  # fmt: skip
    answer = running.http.post("/v1/batch", json={"batch": [TRACK, *bad, {**TRACK, "messageId": "last"}]})
    assert answer.status_code == 200
    assert [(fault["index"], fault["code"]) for fault in answer.json()["refused"]] == [
        (1, "not_an_object"), (2, "no_event"), (3, "no_identity"), (4, "bad_type"), (5, "bad_userId"), (6, "bad_traits"), (7, "too_large"),
    ]  # fmt: skip
    kept = running.kept()
    assert [line["content"] for line in kept[1:-1]] == bad
    assert all("messageId" not in line and line["_refused"] for line in kept[1:-1])
    assert kept[-1]["messageId"] == "last"


def test_a_batch_of_nothing_but_malformed_messages_is_refused_and_not_kept(collect: Collect) -> None:
    running = collect()
    answer = running.http.post("/v1/batch", json={"batch": [{"type": "track"}, 1]})
    assert (answer.status_code, answer.json()["code"]) == (400, "no_identity")
    assert running.kept() == []


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("track", b"", 400, "malformed_json"),
        ("track", b"{", 400, "malformed_json"),
        ("track", b"\xff\xfe", 400, "malformed_json"),
        ("track", b"[" * 100_000, 400, "malformed_json"),
        ("track", b"[]", 400, "not_an_object"),
        ("track", b'{"event":"x"}', 400, "no_identity"),
        ("track", b'{"type":"page","userId":"u"}', 400, "bad_type"),
        ("track", b'{"event":"x","userId":"u","properties":' + b'{"a":' * 1010 + b"1" + b"}" * 1011, 400, "too_deep"),
        ("track", b'{"event":"x","userId":"u","traits":{"t":"' + b"x" * 33_000 + b'"}}', 413, "too_large"),
        ("batch", b"{}", 400, "no_batch"),
        ("batch", b'{"batch":{}}', 400, "no_batch"),
        ("batch", b" " * 600_000, 413, "too_large"),
    ],
)  # fmt: skip
def test_a_malformed_request_is_refused_with_a_code_and_a_sentence(
    collect: Collect, path: str, body: bytes, status: int, code: str
) -> None:
    running = collect()
    answer = running.http.post(f"/v1/{path}", content=body)
    assert (answer.status_code, answer.json()["code"], answer.json()["success"]) == (status, code, False)
    assert answer.json()["message"].endswith(".")
    assert running.kept() == []


def test_what_json_has_no_word_for_does_not_lose_the_batch(collect: Collect) -> None:
    running = collect()
    body = (
        b'\xef\xbb\xbf{"batch":[{"type":"track","event":"x","userId":12,"properties":'
        b'{"price":NaN,"max":1e999,"id":123456789012345678901234567890,"cut":"\\ud83d"}}]}'
    )
    assert running.http.post("/v1/batch", content=body).status_code == 200
    kept = running.kept()[0]
    assert kept["properties"] == {"price": None, "max": None, "id": 123456789012345678901234567890, "cut": "?"}
    assert kept["userId"] == "12"


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"not gzip", {"content-encoding": "gzip"}, 400, "malformed_gzip"),
        (gzip.compress(b"{}", mtime=0)[:-4], {"content-encoding": "gzip"}, 400, "malformed_gzip"),
        (gzip.compress(b"{}", mtime=0) + b"more", {"content-encoding": "gzip"}, 400, "malformed_gzip"),
        (gzip.compress(b" " * 100_000_000), {"content-encoding": "gzip"}, 413, "too_large"),
        (b"{}", {"content-encoding": "br"}, 415, "unknown_encoding"),
    ],
)
def test_a_packed_body_is_unpacked_within_bounds(collect: Collect, content: bytes, headers: dict[str, str], status: int, code: str) -> None:
    answer = collect().http.post("/v1/batch", content=content, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_body_without_an_announced_length_is_bounded_while_it_streams(collect: Collect) -> None:
    answer = collect().http.post("/v1/batch", content=(b" " * 60_000 for _ in range(10)))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_write_key_says_where_to_and_may_come_either_way(collect: Collect) -> None:
    running = collect(write_keys={"wk_web": "web_events", "wk_app": "app_events"})
    assert running.http.post("/v1/track", json=TRACK, auth=("wk_web", "")).status_code == 200
    assert running.http.post("/v1/batch", json={"batch": [TRACK], "writeKey": "wk_app"}).status_code == 200
    assert len(running.kept("web_events")) == len(running.kept("app_events")) == 1


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Basic " + base64.b64encode(b"other:").decode()}, {"authorization": "Basic %%%"}, {"authorization": "Basic"},
     {"authorization": "Basic " + base64.b64encode(b"\xff").decode()}, {"authorization": "Bearer wk"}],
)  # fmt: skip
def test_without_a_known_write_key_nothing_is_kept(collect: Collect, headers: dict[str, str]) -> None:
    running = collect(write_keys={"wk": "web_events"})
    answer = running.http.post("/v1/track", json={**TRACK, "writeKey": ["wk"]}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_write_key")
    assert running.kept() == []


def test_a_page_of_any_site_may_send_events(collect: Collect) -> None:
    running = collect()
    asked = running.http.options(
        "/v1/t",
        headers={
            "origin": "https://shop.example.com",
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type",
        },
    )
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, "*")
    sent = running.http.post("/v1/t", json=TRACK, headers={"origin": "https://shop.example.com"})
    assert sent.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in running.http.get("/metrics", headers={"origin": "https://x.example.com"}).headers


def test_when_too_much_waits_for_the_disk_the_client_is_told_when_to_come_back(collect: Collect) -> None:
    running = collect(spool={"max_waiting": 600})

    def send(n: int) -> int:
        message = {**TRACK, "messageId": str(n), "properties": {"text": "x" * 250}}
        answer = running.http.post("/v1/track", json=message)
        assert answer.status_code == 200 or answer.headers["retry-after"] == "1"
        return answer.status_code

    statuses: list[int] = []
    with ThreadPoolExecutor(16) as pool:
        while 429 not in statuses and len(statuses) < 30_000:  # on a busy machine they may come one by one
            statuses += pool.map(send, range(len(statuses), len(statuses) + 300))
    assert set(statuses) == {200, 429}
    assert {message["messageId"] for message in running.kept()} == {str(n) for n, status in enumerate(statuses) if status == 200}


def test_segments_own_client_comes_back_after_a_429_and_nothing_is_lost(collect: Collect) -> None:
    running = collect(bodies={"max_reading": 20_000})
    refused = Event()

    def slow() -> Iterator[bytes]:
        yield b'{"event":"slow","userId":"u","properties":{"text":"' + b"x" * 18_000
        refused.wait(30)
        yield b'"}}'

    faults: list[Exception] = []
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(running.http.post, "/v1/track", content=slow())
        client = Client("any", host=running.url, on_error=lambda error, _: faults.append(error))
        for n in range(20):
            client.track("u1", "x", {"n": n, "text": "x" * 200})
        until(lambda: 'requests_total{route="v1",status="429"}' in httpx.get(f"{running.url}/metrics", trust_env=False).text)
        refused.set()
        assert answer.result().status_code == 200
        client.shutdown()
    assert faults == []
    assert sorted(message["properties"]["n"] for message in running.kept() if message["event"] == "x") == list(range(20))


def test_a_body_that_never_ends_is_given_up(collect: Collect) -> None:
    running = collect(bodies={"timeout": 0.2})

    def endless() -> Any:
        yield b"{"
        running.thread.join(1)
        yield b"}"

    answer = running.http.post("/v1/track", content=endless())
    assert (answer.status_code, answer.json()["code"]) == (408, "too_slow")


def test_a_full_disk_is_503_and_shows_in_healthz(collect: Collect) -> None:
    running = collect()
    (running.folder / "web_events").write_text("a file where the folder should be")
    answer = running.http.post("/v1/track", json=TRACK)
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "unwritable", "5")
    assert running.http.get("/healthz").status_code == 503
    (running.folder / "web_events").unlink()
    assert running.http.post("/v1/track", json=TRACK).status_code == 200
    assert running.http.get("/healthz").status_code == 200


def test_counts_are_there_for_prometheus(collect: Collect) -> None:
    running = collect()
    running.http.post("/v1/batch", json={"batch": [TRACK, TRACK, 1]})
    text = running.http.get("/metrics").text
    assert 'sluice_collector_events_total{source="web_events"} 2' in text
    assert 'sluice_collector_refused_total{reason="not_an_object"} 1' in text
    assert 'sluice_collector_requests_total{route="v1",status="200"} 1' in text
    assert "sluice_collector_spool_lines_total 3" in text
    assert "u1" not in text
