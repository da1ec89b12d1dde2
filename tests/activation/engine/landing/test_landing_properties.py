"""Whatever lines a file has, the books balance, and landing again lands nothing."""

from __future__ import annotations

import csv
import io
import itertools
import json

import orjson
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from landing_place import SOURCES, LandingPlace

from activation.engine.landing import chunk
from activation.engine.landing.lines import chunks
from activation.engine.specs import Source

names = itertools.count()
text = st.text(max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
events = st.dictionaries(st.sampled_from(["id", "a", "b.c", ""]) | text, values, max_size=4)
json_lines = st.builds(
    lambda value, strict: json.dumps(value, ensure_ascii=strict).encode("utf-8", "surrogatepass"), events | values, st.booleans()
)
lines = (
    json_lines
    | st.binary(max_size=20).map(lambda data: data.replace(b"\n", b""))
    | st.sampled_from([b'{"id":"1"}', b'{"id":1}', b"", b"\r", b'{"id":"1"'])
)

quickly = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def lands_once(place: LandingPlace, folder: str, kind: str, content: bytes) -> None:
    name = f"{folder}/{next(names)}"
    report = place.land_one(f"{name}.{kind}", content)
    assert report.read == report.landed + report.duplicates + report.quarantined
    assert min(report.landed, report.duplicates, report.quarantined) >= 0
    again = place.land(place.inbox / f"{name}.{kind}").sources[folder]
    assert (again.files_known, again.landed) == (1, 0)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(lines, max_size=8), st.sampled_from(["clicks", "people"]))
def test_every_line_that_is_not_blank_is_good_or_bad(place: LandingPlace, lines: list[bytes], name: str) -> None:
    source = Source.model_validate(yaml.safe_load(SOURCES[name]))
    path = place.file("any", b"\n".join(lines))
    found = list(chunks(path, source))
    numbers = [number for part in found for number in (*part.lines, *(line for line, _, _ in part.bad))]
    assert len(set(numbers)) == len(numbers)
    assert set(numbers) <= set(range(1, len(lines) + 1))
    if name == "clicks":
        assert {number for number, line in enumerate(lines, 1) if line.strip(b" \t\r") and line.isascii()} <= set(numbers)
    for part in found:
        assert all(isinstance(orjson.loads(text), dict) for text in part.texts)


@quickly
@given(st.lists(lines, max_size=8))
def test_any_lines_balance_and_land_once(place: LandingPlace, lines: list[bytes]) -> None:
    content = b"\n".join(lines)
    lands_once(place, "clicks", "jsonl", content)
    copy = place.land_one(f"clicks/copy {next(names)}.jsonl", content)
    assert copy.landed == 0


@quickly
@given(st.lists(st.lists(text, min_size=2, max_size=2) | st.lists(text, max_size=3), max_size=6), st.binary(max_size=30))
def test_any_rows_balance_and_land_once(place: LandingPlace, rows: list[list[str]], rest: bytes) -> None:
    out = io.StringIO()
    csv.writer(out).writerows([["id", "city"], *rows])
    lands_once(place, "people", "csv", out.getvalue().encode("utf-8", "replace") + rest)


@quickly
@given(st.lists(st.sampled_from([f'{{"id":{i},"updated_at":{v},"n":{n}}}' for i in (1, 2) for v in (1, 2) for n in (1, 2)]), max_size=12))
def test_of_every_record_the_latest_of_each_version_is_what_came_last(place: LandingPlace, lines: list[str]) -> None:
    place.land_one(f"orders/{next(names)}.jsonl", "\n".join(lines))
    expected = {(row["id"], row["updated_at"]): row["n"] for row in map(json.loads, lines)}
    found = place.rows(
        "select (payload->>'id')::int, (payload->>'updated_at')::int, (payload->>'n')::int from raw.orders qualify row_number() over "
        "(partition by payload->>'id', payload->>'updated_at' order by _landed_at desc, _batch_id desc, _line desc) = 1"
    )
    assert expected.items() <= {(key, version): n for key, version, n in found}.items()


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_the_size_of_chunks_changes_nothing(place: LandingPlace, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(chunk, "CHUNK_ROWS", rows)
    content = 'id,note\n1,"a\nb"\n2,"open\n3,x\n4\n\n5,"y"\n'
    report = place.land_one("people/a.csv", content)
    assert (report.read, report.landed, report.quarantined) == (5, 3, 2)
