"""What is in a file lands as it came; what cannot land is kept with file, line and reason."""

from __future__ import annotations

import gzip
import json

import pyarrow as pa
import pytest
from landing_place import NOON, LandingPlace

from activation.engine.declarations import Declarations
from activation.engine.landing import chunk, land, plain_file
from activation.engine.landing.lines import chunks


def reasons(place: LandingPlace) -> list[tuple[int, str]]:
    return [(line, reason) for _, line, reason, _ in place.quarantine]


def test_bad_lines_are_kept_with_file_line_reason_and_content_and_the_rest_lands(place: LandingPlace) -> None:
    lines = [b'{"id":"1"}', b'{"id":', b"[1]", b'{"id":null}', b"caf\xe9", b'"id"', b'{"id":"2"}']
    report = place.land_one("clicks/a.jsonl", b"\n".join(lines))
    assert (report.read, report.landed, report.quarantined) == (7, 2, 5)
    assert place.quarantine == [
        ("a.jsonl", 2, "is not valid JSON: unexpected end of data at character 7", '{"id":'),
        ("a.jsonl", 3, "is not a JSON object", "[1]"),
        ("a.jsonl", 4, "has no value for `id`, which this source requires", '{"id":null}'),
        ("a.jsonl", 5, "is not utf-8 text (byte 4)", "caf\\xe9"),
        ("a.jsonl", 6, "is not a JSON object", '"id"'),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"id":1,}', "is not valid JSON: trailing comma is not allowed at character 8"),
        ('{"id":1,"n":NaN}', "is not valid JSON: unexpected character, expected a JSON value at character 13"),
        ('{"id":1} {"id":2}', "is not valid JSON: unexpected content after document at character 10"),
        ("{'id':1}", "is not valid JSON: unexpected character, expected a string key at character 2"),
        ('{"id":1,"n":01}', "is not valid JSON: number with leading zero is not allowed at character 13"),
        ('{"id":"\\ud83d"}', "is not valid JSON: no low surrogate in string at character 8"),
        ('{"id":"名\x00"}', "is not valid JSON: unexpected control character in string at character 9"),
    ],
)
def test_json_is_taken_by_the_letter(place: LandingPlace, text: str, reason: str) -> None:
    place.land_one("clicks/a.jsonl", text)
    ((_, said),) = reasons(place)
    assert said == reason


@pytest.mark.parametrize("depth", [2_000, 200_000])
def test_a_line_nested_too_deeply_for_a_parser_does_not_end_the_process(place: LandingPlace, depth: int) -> None:
    report = place.land_one("clicks/a.jsonl", '{"id":1,"a":' + "[" * depth + "]" * depth + '}\n{"id":2}\n')
    assert (report.landed, report.quarantined) == (1, 1)
    assert reasons(place)[0][1].startswith("is not valid JSON: depth limit exceeded")


def test_a_deep_line_that_a_parser_takes_lands(place: LandingPlace) -> None:
    assert place.land_one("clicks/a.jsonl", '{"id":1,"a":' + "[" * 900 + "]" * 900 + "}").landed == 1


@pytest.mark.parametrize("value", ['""', '"   "', "null"])
def test_a_blank_value_is_not_what_a_source_requires(place: LandingPlace, value: str) -> None:
    place.source("clicks", "files: clicks/*.jsonl\nformat: jsonl\nkey: [[id]]\nrequired: [who.id, at]\n")
    place.land_one("clicks/a.jsonl", f'{{"who":{{"id":{value}}},"at":0}}\n{{"who":3}}\n')
    assert reasons(place) == [
        (1, "has no value for `who.id`, which this source requires"),
        (2, "has no value for `who.id` and `at`, which this source requires"),
    ]


def test_the_payload_is_kept_exactly_as_it_came(place: LandingPlace) -> None:
    lines = [
        '  {"id" : "1",  "b":1.50, "a":1e2}',
        '{"id":"2","名":"张三 🎈","x":"\\u00e9\\n"}',
        '{"id":"3","id2":12345678901234567890123}\t',
    ]
    place.land_one("clicks/a.jsonl", "\n".join(lines))
    assert place.payloads("clicks") == lines


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("last", [True, False], ids=["ended", "last line without end"])
def test_line_ends_byte_order_mark_and_blank_lines_are_no_content(place: LandingPlace, end: str, last: bool) -> None:
    content = "\ufeff" + end.join(['{"id":1}', "", "  ", '{"id":2}']) + (end if last else "")
    report = place.land_one("clicks/a.jsonl", content)
    assert (report.read, report.landed) == (2, 2)
    assert place.payloads("clicks") == ['{"id":1}', '{"id":2}']
    assert place.rows("select _line from raw.clicks order by 1") == [(1,), (4,)]
    rows = end.join(["\ufeffid,city", "1,Bonn", "", "2,上海"]) + (end if last else "")
    place.land_one("people/a.csv", rows)
    assert place.payloads("people") == ['{"id":"1","city":"Bonn"}', '{"id":"2","city":"上海"}']


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_lands_nothing_and_is_no_trouble(place: LandingPlace, content: bytes) -> None:
    for name in ("clicks/a.jsonl", "people/a.csv"):
        report = place.land_one(name, content)
        assert (report.files, report.read) == (1, 0)
    assert place.quarantine == []


def test_a_header_alone_lands_nothing(place: LandingPlace) -> None:
    assert place.land_one("people/a.csv", "id,city\n").read == 0


def test_gzip_is_looked_through(place: LandingPlace) -> None:
    place.land_one("clicks/a.jsonl.gz", '{"id":1}\n')
    place.land_one("people/a.csv.gz", "id\n1\n")
    assert place.payloads("clicks") + place.payloads("people") == ['{"id":1}', '{"id":"1"}']


def test_what_stood_before_the_damage_of_a_gzip_file_lands(place: LandingPlace) -> None:
    # Digits that do not repeat, so that half of the compressed bytes is about half of the lines.
    data = gzip.compress("".join(f'{{"id":{i * i * 7919 % 1_000_003}}}\n' for i in range(20_000)).encode())
    path = place.inbox / "clicks" / "a.jsonl.gz"
    path.parent.mkdir()
    path.write_bytes(data[: len(data) // 2])
    report = place.land().sources["clicks"]
    assert 5_000 < report.landed < 15_000
    line, reason = reasons(place)[-1]
    assert (line, reason) == (report.read, "the gzip file ends early: nothing can be read from here on")


def test_a_file_called_gz_that_is_none_is_quarantined(place: LandingPlace) -> None:
    path = place.inbox / "clicks" / "a.jsonl.gz"
    path.parent.mkdir()
    path.write_text('{"id":1}\n')
    place.land()
    assert reasons(place) == [(1, "is not a gzip file: nothing can be read from here on")]


@pytest.mark.parametrize(("name", "content"), [("clicks", '{{"id":"{}"}}'), ("people", "id,city\n{},x")])
def test_an_encoding_can_be_declared(place: LandingPlace, name: str, content: str) -> None:
    kind = "jsonl" if name == "clicks" else "csv"
    place.source(name, f"files: {name}/*.{kind}\nformat: {kind}\nkey: [[id]]\nencoding: gb18030\n")
    place.land_one(f"{name}/a.{kind}", content.format("王小明𠮷").encode("gb18030"))
    assert place.rows(f"select payload->>'id' from raw.{name}") == [("王小明𠮷",)]


def test_half_a_character_is_no_text_whatever_the_encoding_says(place: LandingPlace) -> None:
    for name, kind, line in (("clicks", "jsonl", '{"id":"+2D0-"}'), ("people", "csv", "id,city\n1,+2D0-")):
        place.source(name, f"files: {name}/*.{kind}\nformat: {kind}\nkey: [[id]]\nencoding: utf-7\n")
        assert place.land_one(f"{name}/a.{kind}", line).landed == 0
    assert reasons(place) == [(1, "is not utf-7 text (half a character at 8)"), (2, "is not utf-7 text (half a character at 3)")]


# -- CSV --------------------------------------------------------------------------------------------------------------------


def test_a_ragged_row_is_quarantined_with_both_counts(place: LandingPlace) -> None:
    place.land_one("people/a.csv", "id,city\n1,Bonn\n2\n3,a,b\n4,Jena\n")
    assert place.quarantine == [
        ("a.csv", 3, "has 1 columns where the header has 2", "2"),
        ("a.csv", 4, "has 3 columns where the header has 2", "3,a,b"),
    ]
    assert len(place.payloads("people")) == 2


def test_empty_cells_are_null_and_everything_else_is_text(place: LandingPlace) -> None:
    place.land_one("people/a.csv", 'id,n,flag,note\n1,007,true,\n2," x ","",""""\n')
    assert [json.loads(text) for text in place.payloads("people")] == [
        {"id": "1", "n": "007", "flag": "true", "note": None},
        {"id": "2", "n": " x ", "flag": None, "note": '"'},
    ]


def test_quoted_newlines_commas_and_quotes_are_part_of_the_cell(place: LandingPlace) -> None:
    place.land_one("people/a.csv", 'id,note\r\n1,"a\r\nb, ""c"""\r\n2,d\r\n')
    assert [json.loads(text)["note"] for text in place.payloads("people")] == ['a\r\nb, "c"', "d"]
    assert place.rows("select _line from raw.people order by 1") == [(2,), (4,)]


def test_an_open_quote_does_not_swallow_the_file(place: LandingPlace) -> None:
    rows = [f"{i},x" for i in range(1_000)]
    rows[10] = '10,"never closed'
    rows[990] = '990,"not closed at the end'
    report = place.land_one("people/a.csv", "id,city\n" + "\n".join(rows) + "\n")
    assert report.landed == 998
    assert place.quarantine == [
        ("a.csv", 12, "is not a CSV row: a quote is opened and not closed", '10,"never closed'),
        ("a.csv", 992, "is not a CSV row: a quote is opened and not closed", '990,"not closed at the end'),
    ]


def test_what_follows_a_closing_quote_is_said(place: LandingPlace) -> None:
    place.land_one("people/a.csv", 'id,city\n1,"Bonn" am Rhein\n2,x\n')
    assert reasons(place) == [(2, "is not a CSV row: something follows a closing quote")]


def test_a_line_in_another_encoding_takes_only_its_own_record_along(place: LandingPlace) -> None:
    place.land_one("people/a.csv", b'id,note\n1,ok\n2,caf\xe9\n3,"a\n\xe9\nb"\n4,ok\n')
    assert [(line, reason) for line, reason in reasons(place)] == [
        (3, "is not utf-8 text (byte 6)"),
        (4, "is not a CSV row: a quote is opened and not closed"),
        (5, "is not utf-8 text (byte 1)"),
        (6, "has 1 columns where the header has 2"),
    ]
    assert [json.loads(text)["id"] for text in place.payloads("people")] == ["1", "4"]


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"id,city,city", "the header has `city` twice, so no row can be read"),
        (b"id,,x", "the header has no name for column 2, so no row can be read"),
        ("编号,id,x".encode("gb18030"), "the header is not utf-8 text (byte 1), so no row can be read"),
        (b'id,"city,x', "the header is not a CSV row: a quote is opened and not closed, so no row can be read"),
    ],
)
def test_without_a_good_header_no_row_is_read(place: LandingPlace, header: bytes, reason: str) -> None:
    report = place.land_one("people/a.csv", b"\n" + header + b"\n1,2,3\n4,5,6\n")
    assert report.landed == 0
    assert reasons(place) == [(2, reason)]


def test_a_cell_longer_than_python_reads_by_itself_lands(place: LandingPlace) -> None:
    place.land_one("people/a.csv", f'id,note\n1,"{"x" * 300_000}"\n')
    assert place.rows("select length(payload->>'note') from raw.people") == [(300_000,)]


# -- size -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", ["CHUNK_ROWS", "CHUNK_BYTES"])
def test_a_file_of_many_chunks_lands_whole_and_in_order(place: LandingPlace, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(chunk, limit, 7)
    good = [f'{{"id":"{i}"}}' for i in range(50)]
    lines = [line for pair in zip(good, ["nonsense"] * 50, strict=True) for line in pair]
    report = place.land_one("clicks/a.jsonl", "\n".join(lines))
    assert (report.landed, report.quarantined) == (50, 50)
    assert place.payloads("clicks") == good
    report = place.land_one("people/a.csv", "id,city\n" + "".join(f"{i},x\nragged\n" for i in range(50)))
    assert (report.landed, report.quarantined) == (50, 50)


def test_no_chunk_holds_more_than_its_share(place: LandingPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk, "CHUNK_ROWS", 100)
    path = place.file("people/a.csv", "id,city\n" + "".join(f"{i},x\nragged\n" for i in range(500)))
    sizes = [len(part.lines) + len(part.bad) for part in chunks(path, Declarations.load(place.project).sources["people"])]
    assert max(sizes) == 100
    assert sum(sizes) == 1_000


def test_what_is_written_is_not_held_to_the_end_of_the_landing(place: LandingPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk, "CHUNK_BYTES", 64 * 1024)
    place.file("clicks/a.jsonl", "".join(f'{{"id":{i},"note":"{"x" * 1_000}"}}\n' for i in range(4_000)))
    before, held = pa.total_allocated_bytes(), []
    declarations = Declarations.load(place.project)
    land(place.project, declarations, [place.inbox], NOON, progress=lambda *_: held.append(pa.total_allocated_bytes() - before))
    assert len(held) > 50
    assert max(held) < 1024 * 1024


def test_a_huge_line_lands(place: LandingPlace) -> None:
    place.land_one("clicks/a.jsonl", f'{{"id":1,"note":"{"名" * 1_000_000}"}}\n{{"id":2}}\n')
    assert place.rows("select length(payload->>'note') from raw.clicks order by _line") == [(1_000_000,), (None,)]


def test_a_line_longer_than_any_should_be_is_quarantined_by_its_start(place: LandingPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_file, "LONGEST_LINE", 2_000)
    report = place.land_one("clicks/a.jsonl", f'{{"id":0,"note":"{"x" * 5_000}"}}\n{{"id":1}}\n')
    assert (report.landed, report.quarantined) == (1, 1)
    ((_, line, reason, content),) = place.quarantine
    assert (line, reason.startswith("is longer than"), len(content)) == (1, True, 1_000)
