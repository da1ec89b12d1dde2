"""Whatever is sent: never a 500, never a line that is not JSON, nothing kept that was not signed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from running_collector import FORMS, LINKS, MESSAGE, Running, start

from activation.engine.form_specs import Checker

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
    place=st.sampled_from(["/c/", "/o/", "/u/", "/p/", "/k/", "/f/", "/v1/projects/", "/hooks/", "/v1/", "/"]),
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


# -- what anyone may reach: forms, preferences, check-in ------------------------------------------------------------------

CODE, CENTRE = LINKS.check_in({"event_id": "expo", "event_name": "Expo"}), LINKS.preferences(MESSAGE)
FORM_FIELDS = st.sampled_from(
    ["email", "phone", "size", "topic", "news", "message", "website", "_consent", "_page_url", "_submission", "_anonymous_id", "_utm_source",
     "everything", "newsletter.email", "product_news.sms", "full_name", "other"]
)  # fmt: skip
FORM_VALUES = st.sampled_from(
    ["ann@example.com", "13900001111", "on", "yes", "no", "12", "mail", "f_" + "0" * 32, "https://a.example/"]
) | st.text(max_size=20)
filled = st.dictionaries(FORM_FIELDS, FORM_VALUES, max_size=8)
form_bodies = st.one_of(
    filled.map(lambda said: ("application/x-www-form-urlencoded", urlencode(said, errors="replace").encode())),
    st.dictionaries(FORM_FIELDS, FORM_VALUES | values, max_size=6).map(lambda said: ("application/json", as_json(said))),
    st.tuples(st.sampled_from(["application/json", "application/x-www-form-urlencoded", "multipart/form-data", "a/b", ""]), junk),
)


def kept(running: Running, source: str) -> int:
    return len(running.kept(source))


@relaxed
@given(name=st.sampled_from(["demo", "strict", "demo/embed", "other"]), sent=form_bodies, headers=headers, query=st.text(max_size=20))
def test_any_form(running: Running, name: str, sent: tuple[str, bytes], headers: dict[str, str], query: str) -> None:
    before = kept(running, "forms_submissions")
    named = {**raw(headers), "content-type": sent[0].encode()}
    answer = running.http.post(f"/f/{name}?language={quote(query.encode('utf-8', 'replace'))}", content=sent[1], headers=named)
    assert answer.status_code in {200, 400, 404, 413, 415, 422}
    fresh = running.kept("forms_submissions")[before:]
    assert len(fresh) == (answer.status_code == 200)
    for line in fresh:
        said = line.get("content", line)
        assert Checker(FORMS[said["form_id"]]).check(said["fields"]) == (said["fields"], {})
        assert said["consent"]["wording"] in {"Write to me.", "请给我写信。", "I agree."}


@relaxed
@given(sent=form_bodies, headers=headers)
def test_any_choice_and_any_check_in(running: Running, sent: tuple[str, bytes], headers: dict[str, str]) -> None:
    named = {**raw(headers), "content-type": sent[0].encode()}
    for link, source in ((CENTRE, "consent_records"), (CODE, "offline_checkins")):
        before = kept(running, source)
        answer = running.http.post(running.local(link), content=sent[1], headers=named)
        assert answer.status_code in {200, 400, 413, 422}
        fresh = running.kept(source)[before:]
        assert answer.status_code == 200 or fresh == []
        for line in fresh:
            assert line.get("status") in {"granted", "withdrawn"} or line["phone"] or line["email"]


OPENAPI = {
    "openapi": "3.1.0",
    "info": {"title": "What the collector answers", "version": "1"},
    "paths": {
        "/f/demo": {
            "post": {
                "requestBody": {"required": True, "content": {"application/json": {"schema": FORMS["demo"].json_schema()}}},
                "responses": {"200": {"description": "kept"}, "422": {"description": "not as the form asks"}},
            }
        },
        "/f/demo/schema.json": {"get": {"responses": {"200": {"description": "the schema"}}}},
        "/v1/projects/{key}/settings": {
            "get": {
                "parameters": [{"name": "key", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}],
                "responses": {"200": {"description": "settings"}},
            }
        },
    },
}


def test_what_a_schema_says_is_what_is_taken(running: Running) -> None:
    """Schemathesis makes of each schema what it allows and what it does not: nothing of it may be answered with a 500."""
    import schemathesis

    schema = schemathesis.openapi.from_dict(OPENAPI)
    for operation in schema.get_all_operations():

        @settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.ok().as_strategy())
        def try_it(case: Any) -> None:
            answer = case.call(base_url=running.url)
            assert answer.status_code < 500, case.formatted_path

        try_it()
