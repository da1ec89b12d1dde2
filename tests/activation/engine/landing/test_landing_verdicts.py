"""A line is judged in one go when it is good; of what that refuses or takes, the careful way says the same, line by line."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path

import duckdb
import orjson
import pyarrow as pa
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from landing_place import SOURCES, LandingPlace

from activation.engine.landing import chunk
from activation.engine.landing import lines as lines_module
from activation.engine.landing.lines import chunks
from activation.engine.landing.shapes import Shapes
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


def is_as_expected(path: Path, content: list[bytes], end: bytes, shapes: Shapes | None = None) -> None:
    path.write_bytes(b'{"id":"0"}' + end + b"".join(line + end for line in content))  # of a first line a byte order mark is taken off
    good, bad, seen = expected([(1, b'{"id":"0"}'), *enumerate(content, 2)], end)
    shapes = shapes or Shapes()
    seen |= shapes.fields
    found = list(chunks(path, CLICKS, shapes=shapes))
    assert {number: text.decode() for part in found for number, text in zip(part.lines, part.texts, strict=True)} == good
    assert {number: (reason, text) for part in found for number, reason, text in part.bad} == bad
    assert [number for part in found for number in part.lines] == sorted(good)
    assert shapes.fields == seen
    for part in found:
        ids_are_what_sql_says(part.rows)


def ids_are_what_sql_says(rows: pa.Table) -> None:
    by_sql = "case when trim(json_extract_string(text, '/id')) <> '' then json_extract_string(text, '/id') end"
    found = duckdb.sql(f"select text from rows where event_id is not null and event_id is distinct from {by_sql}").fetchall()
    assert found == []


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(lines, max_size=6), st.sampled_from([b"\n", b"\r\n"]))
@example(AWKWARD, b"\n")
@example(AWKWARD, b"\r\n")
def test_the_quick_way_and_the_careful_way_agree_on_every_line(tmp_path: Path, content: list[bytes], end: bytes) -> None:
    is_as_expected(tmp_path / "any.jsonl", content, end)


alike = st.fixed_dictionaries(
    {"id": st.sampled_from(["1", "二", " ", "", "a/b", "\U0001f600", "\x00"]) | st.text(max_size=5)},
    optional={
        "a": values,
        "b": st.fixed_dictionaries({}, optional={"id": values, "c": st.dictionaries(st.sampled_from("de"), values, max_size=2)}),
    },
)
taught = st.builds(
    lambda value, escaped: json.dumps(value, ensure_ascii=escaped, separators=(",", ":")).encode("utf-8", "surrogatepass"),
    alike,
    st.booleans(),
)
scratches = st.lists(
    st.tuples(
        st.integers(0, 10_000),
        st.integers(0, 2),
        pieces
        | st.binary(max_size=2)
        | st.sampled_from(
            [b"\n", b"}\n{", b"}{", b"} {", b"\n\n", b",\n", b'"id":"9",', b'"id":null,', b'"i\\u0064":"9",', b"1e999", b" ", b"\r\n"]
        ),
    ),
    max_size=4,
)  # where, how many bytes are lost, what comes in their place


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(taught, min_size=1, max_size=12), scratches, st.sampled_from([1, 3, 16]), st.sampled_from([b"\n", b"\r\n"]))
# Two objects on a line, so that the count is as if there were one, beside a line that is blank, and beside objects on two lines.
@example([b'{"id":"1"}'] * 4, [(10, 0, b"\n"), (0, 0, b'{"id":"2"}')], 16, b"\n")
@example([b'{"id":"1","b":{}}'] * 4, [(6, 0, b"\n"), (0, 0, b'{"id":"2"}')], 16, b"\n")
@example([b'{"id":"1","b":{}}'] * 4, [(14, 0, b"\n"), (0, 0, b'{"id":"2"}')], 16, b"\n")
@example([b'{"id":"1","b":{}}'] * 4, [(16, 0, b"\n"), (0, 0, b'{"id":"2"}')], 16, b"\n")
# A kind that was not there before.
@example([b'{"id":"1"}'] * 4, [(6, 3, b"7")], 16, b"\n")
# An id that is there twice, also where it is spelled in two ways.
@example([b'{"id":"1"}'] * 4, [(1, 0, b'"id":"9",')], 16, b"\n")
@example([b'{"id":"1"}'] * 4, [(11, 10, b'{"i\\u0064":"9"}'), (1, 0, b'"id":"9",')], 16, b"\n")
def test_lines_that_were_like_those_before_and_are_scratched_are_judged_as_if_each_stood_alone(
    tmp_path: Path, content: list[bytes], scratched: list[tuple[int, int, bytes]], few: int, end: bytes
) -> None:
    shapes = Shapes()
    for line in [b'{"id":"0"}', *content]:
        if verdict(line, b"\n") == ("", line.decode()):
            shapes.note(orjson.loads(line))
    for _ in range(100):
        shapes.note({"id": "0"})
    assert shapes.learn()
    block = b"\n".join(content)
    for at, gone, piece in scratched:
        block = block[: at % (len(block) + 1)] + piece + block[at % (len(block) + 1) + gone :]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lines_module, "FEW", few)
        patched.setattr(chunk, "FEW", few)
        is_as_expected(tmp_path / "any.jsonl", block.split(b"\n"), end, shapes)


def test_every_awkward_line_is_judged_alike_among_lines_that_are_known(tmp_path: Path) -> None:
    shapes, chance = Shapes(), random.Random(1)
    for line in AWKWARD:
        if (found := verdict(line, b"\n")) and not found[0]:
            shapes.note(orjson.loads(line))
    for _ in range(100):
        shapes.note({"id": "0"})
    assert shapes.learn()
    content = [line for line in AWKWARD for _ in range(3)] + [b'{"id":"x"}'] * 200
    for _ in range(20):
        chance.shuffle(content)
        is_as_expected(tmp_path / "any.jsonl", content, b"\n", shapes)


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
