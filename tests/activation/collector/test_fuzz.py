"""Whatever is sent: never a 500, never a line that is not JSON, nothing kept that was not signed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from running_collector import LINKS, MESSAGE, Running, start

PATHS = ["track", "page", "screen", "identify", "group", "alias", "batch", "import", "t", "b"]
NAMES = ["type", "event", "userId", "anonymousId", "groupId", "previousId", "messageId", "context", "traits", "properties", "timestamp",
         "batch", "sentAt", "writeKey", "integrations", "receivedAt"]  # fmt: skip

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(["track", "page", "alias"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), inner, max_size=6),
    max_leaves=20,
)
GOOD = {"event": "x", "userId": "u", "groupId": "g", "previousId": "p"}
KINDS = st.sampled_from(["track", "page", "screen", "identify", "group", "alias"])
messages = st.builds(
    lambda kind, spoilt: {**GOOD, "type": kind, **spoilt}, KINDS, st.dictionaries(st.sampled_from(NAMES), values, max_size=3)
)
envelopes = st.fixed_dictionaries({"batch": st.lists(messages | values, max_size=5)}, optional={"context": values, "sentAt": values})


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()  # with NaN, Infinity and lone surrogates, as clients write them


junk = st.binary(max_size=200) | values.map(as_json)
requests = st.one_of(
    st.tuples(KINDS, messages.map(lambda message: as_json({**message, "type": None}))),
    st.tuples(KINDS, messages.map(as_json)),
    st.tuples(st.sampled_from(["batch", "import"]), envelopes.map(as_json)),
    st.tuples(st.sampled_from(PATHS), junk),
)
encodings = st.sampled_from([("identity", False), ("gzip", True), ("GZIP", True), ("gzip", False), ("br", False), ("gzip, gzip", True)])
headers = st.dictionaries(
    st.sampled_from(["authorization", "content-type", "user-agent", "accept-language", "x-signature", "origin", "x-forwarded-for"]),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=30).map(str.strip),
)
relaxed = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with ExitStack() as stack:
        yield start(stack, tmp_path_factory.mktemp("fuzz") / "spool")


def raw(given: dict[str, str]) -> dict[str, bytes]:
    return {name: value.encode("latin-1") for name, value in given.items()}


read_so_far = 0


def fresh_lines(folder: Path) -> list[dict[str, Any]]:
    """The lines that came since the last look."""
    global read_so_far
    content = b"".join(path.read_bytes() for path in sorted(folder.glob("*.open")))
    fresh, read_so_far = content[read_so_far:], len(content)
    return [orjson.loads(line) for line in fresh.splitlines()]


@relaxed
@given(request=requests, encoding=encodings, headers=headers)
def test_any_event(running: Running, request: tuple[str, bytes], encoding: tuple[str, bool], headers: dict[str, str]) -> None:
    (path, body), (name, packed) = request, encoding
    content = gzip.compress(body) if packed else body
    answer = running.http.post(f"/v1/{path}", content=content, headers={**raw(headers), "content-encoding": name})
    assert answer.status_code in {200, 400, 413, 415}
    assert answer.json()["success"] is (answer.status_code == 200)
    if answer.status_code == 200:
        for line in fresh_lines(running.folder / "web_events"):
            assert isinstance(line.get("messageId"), str) or line["_refused"]


@relaxed
@given(
    method=st.sampled_from(["GET", "POST", "HEAD", "PUT", "OPTIONS", "DELETE"]),
    place=st.sampled_from(["/c/", "/o/", "/u/", "/hooks/", "/v1/", "/"]),
    token=st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace")),
    suffix=st.sampled_from(["", ".gif", "/", "//", "?x=1", "%00", "%2F.."]),
    sent=junk,
    headers=headers,
)
def test_any_other_address(
    running: Running, method: str, place: str, token: bytes, suffix: str, sent: bytes, headers: dict[str, str]
) -> None:
    answer = running.http.request(method, f"{place}{quote(token)}{suffix}", content=sent, headers=raw(headers))
    assert answer.status_code < 500
    assert "location" not in answer.headers


@relaxed
@given(method=st.sampled_from(["GET", "POST"]), query=st.text(max_size=20), sent=junk, headers=headers)
def test_hooks_keep_nothing_that_is_not_signed(running: Running, method: str, query: str, sent: bytes, headers: dict[str, str]) -> None:
    address = f"/hooks/vendor?{quote(query.encode('utf-8', 'replace'))}"
    answer = running.http.request(method, address, content=sent, headers=raw(headers))
    assert answer.status_code == 401
    assert not (running.folder / "vendor_events").exists()


@relaxed
@given(sent=junk, headers=headers, content_type=st.sampled_from(["", "multipart/form-data", "multipart/form-data; boundary=x"]))
def test_any_body_on_a_real_link(running: Running, sent: bytes, headers: dict[str, str], content_type: str) -> None:
    named = {**raw(headers), "content-type": content_type.encode()}
    left = running.http.post(running.local(LINKS.unsubscribe(MESSAGE, "email", "newsletter")), content=sent, headers=named)
    assert left.status_code == 400
    click = running.http.request("GET", running.local(LINKS.click(MESSAGE, "https://a.example.com/")), content=sent, headers=named)
    assert (click.status_code, click.headers["location"]) == (302, "https://a.example.com/")
