"""A line is judged in one go when it is good; of what that refuses or takes, the careful way says the same, line by line."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import orjson
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from landing_place import SOURCES, LandingPlace

from activation.engine.landing.lines import chunks
from activation.engine.specs import Source

CLICKS = Source.model_validate(yaml.safe_load(SOURCES["clicks"]))
AWKWARD = [
    b'{"id":1,"id":null}',
    b'{"id":null,"id":1}',
    b'{"id":"\\ud83d"}',
    b'{"id":"\\udc00"}',
    b'{"id":"\\ud83d\\ude00"}',
    b'{"id":"\\u0000"}',
    b'{"id":"a\x00b"}',
    b'{"id":"a\tb"}',
    b'{"id":"\x7f\xc2\x85\xe2\x80\xa8"}',
    b'{"id":NaN}',
    b'{"id":Infinity}',
    b'{"id":-Infinity}',
    b'{"id":nan}',
    b'{"id":1e999}',
    b'{"id":-0}',
    b'{"id":1.}',
    b'{"id":.5}',
    b'{"id":+1}',
    b'{"id":0x1}',
    b'{"id":123456789012345678901234567890}',
    b'{"id":1,}',
    b'{"id":1}}',
    b'{"id":1} // note',
    b"{id:1}",
    b'\xef\xbb\xbf{"id":1}',
    b' \t{"id" : 1 } \t',
    b'{"id":1}\r\r',
    b'{"id":\r1}',
    b'{"id":1}\x0b',
    b'\xa0{"id":1}',
    b'{"id":"\xed\xa0\xbd"}',
    b'{"id":"\xc0\x80"}',
    b'{"id":"\xf4\x90\x80\x80"}',
    b'{"id":"\xff"}',
    b'{"id":1,"\xe5\x90":1}',
    b'{"id":"x","' + b"k" * 70 + b'":1}',
    b'{"id":' + b"[" * 1021 + b"]" * 1021 + b"}",
    b'{"id":' + b"[" * 1023 + b"]" * 1023 + b"}",
    b'{"id":' + b"[" * 1024 + b"]" * 1024 + b"}",
    b'{"":{"":{"":{"":1}}},"id":1}',
    b"null",
    b"[]",
    b'"',
    b"\x0c",
    b"\x00",
    b"\xc2\xa0",
]

pieces = st.sampled_from(
    [b'"', b"\\", b"{", b"}", b"[", b"]", b":", b",", b"\r", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\\ud800", b"NaN", b"-", b"0"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
events = st.fixed_dictionaries({"id": values}, optional={"a": values, "b": values})
written = st.builds(
    lambda value, escaped, spaced: (
        json.dumps(value, ensure_ascii=escaped, indent="\t" if spaced else None).replace("\n", "").encode("utf-8", "surrogatepass")
    ),
    events | values,
    st.booleans(),
    st.booleans(),
)
broken = st.builds(
    lambda line, at, piece, gone: line[: at % (len(line) + 1)] + piece + line[at % (len(line) + 1) + gone :],
    written,
    st.integers(0, 200),
    pieces,
    st.integers(0, 3),
)
lines = (written | broken | st.sampled_from(AWKWARD) | st.binary(max_size=12)).map(lambda line: line.replace(b"\n", b""))


def verdict(line: bytes, end: bytes) -> tuple[str, str] | None:
    """What becomes of a line of clicks, asked in the plainest way: what lands, or the reason and the content; None for a blank line."""
    try:
        text = (line + end).decode()
    except UnicodeDecodeError as error:
        text = (line + end).decode("utf-8", "backslashreplace")
        return f"is not utf-8 text (byte {error.start + 1})", text.removesuffix("\n").removesuffix("\r")
    if not text.strip(" \t\r\n"):
        return None
    text = text.removesuffix("\n").removesuffix("\r")
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return f"is not valid JSON: {error.msg} at character {error.pos + 1}", text
    if not isinstance(value, dict):
        return "is not a JSON object", text
    if value.get("id") is None or (isinstance(value["id"], str) and not value["id"].strip()):
        return "has no value for `id`, which this source requires", text
    return "", text


def fields(value: dict[str, object], prefix: str = "", depth: int = 1) -> set[tuple[str, str]]:
    kinds = {str: "string", int: "number", float: "number", bool: "boolean", dict: "object", list: "array"}
    found = {(prefix + key, kinds[type(item)]) for key, item in value.items() if item is not None}
    for key, item in value.items() if depth < 3 else ():
        if isinstance(item, dict):
            found |= fields(item, f"{prefix}{key}.", depth + 1)
    return found


def expected(numbered: list[tuple[int, bytes]], end: bytes) -> tuple[dict[int, str], dict[int, tuple[str, str]], set[tuple[str, str]]]:
    """What lands, what goes to quarantine, and the fields."""
    judged = {number: found for number, line in numbered if (found := verdict(line, end)) is not None}
    good = {number: text for number, (reason, text) in judged.items() if not reason}
    bad = {number: found for number, found in judged.items() if found[0]}
    return good, bad, {field for text in good.values() for field in fields(orjson.loads(text))}


def is_as_expected(path: Path, content: list[bytes], end: bytes) -> None:
    path.write_bytes(b'{"id":0}' + end + b"".join(line + end for line in content))  # of a first line a byte order mark is taken off
    good, bad, seen = expected([(1, b'{"id":0}'), *enumerate(content, 2)], end)
    found = list(chunks(path, CLICKS))
    assert {number: text.decode() for part in found for number, text in zip(part.lines, part.texts, strict=True)} == good
    assert {number: (reason, text) for part in found for number, reason, text in part.bad} == bad
    assert {field for part in found for field in part.shapes.fields} == seen


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(lines, max_size=6), st.sampled_from([b"\n", b"\r\n"]))
@example(AWKWARD, b"\n")
@example(AWKWARD, b"\r\n")
def test_the_quick_way_and_the_careful_way_agree_on_every_line(tmp_path: Path, content: list[bytes], end: bytes) -> None:
    is_as_expected(tmp_path / "any.jsonl", content, end)


names = itertools.count()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(lines, max_size=30))
@example(AWKWARD)
def test_what_is_judged_good_is_in_the_warehouse_and_what_is_bad_in_quarantine(place: LandingPlace, content: list[bytes]) -> None:
    place.source("clicks", "files: clicks/*.jsonl\nformat: jsonl\nkey: [[none]]\nrequired: [id]\n")  # told apart by what they say
    name = f"{next(names)}.jsonl"
    content = [b'{"id":0}', *content]
    good, bad, _ = expected(list(enumerate(content, 1)), b"\n")
    before = set(place.payloads("clicks")) if name != "0.jsonl" else set()
    report = place.land_one(f"clicks/{name}", b"".join(line + b"\n" for line in content))
    assert (report.read, report.quarantined, report.landed) == (len(good) + len(bad), len(bad), len(set(good.values()) - before))
    assert set(place.payloads("clicks")) == before | set(good.values())
    assert [(line, reason, text) for file, line, reason, text in place.quarantine if file == name] == [
        (line, *bad[line]) for line in sorted(bad)
    ]


def test_awkward_lines_do_no_harm_to_their_neighbours(place: LandingPlace) -> None:
    neighbours = [b'{"id":"neighbour %d"}' % number for number in range(len(AWKWARD))]
    report = place.land_one("clicks/a.jsonl", b"\n".join(line for pair in zip(AWKWARD, neighbours, strict=True) for line in pair))
    assert report.read == len(neighbours) + sum(verdict(line, b"\n") is not None for line in AWKWARD)
    assert place.rows("select count(*) from raw.clicks where _event_id like 'neighbour %' and _line % 2 = 0") == [(len(neighbours),)]
