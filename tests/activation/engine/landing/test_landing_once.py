"""Landing the same thing twice lands it once; a new version of a record lands every time."""

from __future__ import annotations

import os

import pytest
from landing_place import LandingPlace

from activation.engine.errors import UsageError


def test_the_same_file_lands_once(place: LandingPlace) -> None:
    first = place.land_one("clicks/a.jsonl", '{"id":"1"}\n{"id":"2"}\n')
    assert (first.files, first.read, first.landed) == (1, 2, 2)
    again = place.land().sources["clicks"]
    assert (again.files, again.files_known, again.read, again.landed) == (0, 1, 0, 0)


def test_the_same_events_under_another_name_land_once(place: LandingPlace) -> None:
    place.land_one("clicks/a.jsonl", '{"id":"1"}\n{"id":"2"}\n')
    again = place.land_one("clicks/b.jsonl", '{"id":"2"}\n{"id":"1"}\n{"id":"3"}\n')
    assert (again.read, again.landed, again.duplicates) == (3, 1, 2)
    assert len(place.payloads("clicks")) == 3


def test_an_event_that_comes_twice_in_one_file_lands_once_and_as_it_came_first(place: LandingPlace) -> None:
    report = place.land_one("clicks/a.jsonl", '{"id":"1","n":1}\n{"id":"1","n":2}\n')
    assert (report.landed, report.duplicates) == (1, 1)
    assert place.payloads("clicks") == ['{"id":"1","n":1}']


def test_a_file_that_grew_lands_what_is_new(place: LandingPlace) -> None:
    place.land_one("clicks/a.jsonl", '{"id":"1"}\n')
    grown = place.land_one("clicks/a.jsonl", '{"id":"1"}\n{"id":"2"}\n')
    assert (grown.landed, grown.duplicates) == (1, 1)


def test_a_file_named_twice_or_by_a_link_is_read_once(place: LandingPlace) -> None:
    path = place.file("people/a.csv", "id,city\n1,Bonn\n1,Köln\n")
    link = place.inbox / "people" / "b.csv"
    os.symlink(path, link)
    report = place.land(path, place.inbox, link).sources["people"]
    assert (report.files, report.read, report.landed) == (1, 2, 2)


def test_events_without_an_id_are_told_apart_by_what_they_say(place: LandingPlace) -> None:
    place.source("clicks", "files: clicks/*.jsonl\nformat: jsonl\nkey: [[id]]\n")
    report = place.land_one("clicks/a.jsonl", '{"n":1}\n{"n":1}\n{"n":2}\n')
    assert (report.landed, report.duplicates) == (2, 1)


@pytest.mark.parametrize("blank", ['""', '"  "', "null"])
def test_a_blank_id_is_no_id(place: LandingPlace, blank: str) -> None:
    place.source("clicks", "files: clicks/*.jsonl\nformat: jsonl\nkey: [[id], [who, at]]\n")
    lines = [f'{{"id":{blank},"who":"a","at":1}}', f'{{"id":{blank},"who":"a","at":2}}', f'{{"id":{blank},"who":"a","at":1,"again":true}}']
    report = place.land_one("clicks/a.jsonl", "\n".join(lines))
    assert (report.landed, report.duplicates) == (2, 1)


def test_the_parts_of_an_id_are_kept_apart(place: LandingPlace) -> None:
    place.source("clicks", "files: clicks/*.jsonl\nformat: jsonl\nkey: [[a, b]]\n")
    report = place.land_one("clicks/x.jsonl", '{"a":"1|2","b":"3"}\n{"a":"1","b":"2|3"}\n{"a":"1\\\\","b":"2"}\n{"a":"1","b":"\\\\2"}\n')
    assert report.landed == 4


def test_a_record_that_changes_and_changes_back_has_three_versions(place: LandingPlace) -> None:
    for city in ("Bonn", "Köln", "Bonn", "Bonn"):
        place.land_one("people/people.csv", f"id,city\n1,{city}\n2,Jena\n")
    assert place.payloads("people") == [
        '{"id":"1","city":"Bonn"}',
        '{"id":"2","city":"Jena"}',
        '{"id":"1","city":"Köln"}',
        '{"id":"1","city":"Bonn"}',
    ]


def test_a_record_that_changes_back_under_another_file_name_has_three_versions(place: LandingPlace) -> None:
    for day, city in enumerate(("Bonn", "Köln", "Bonn")):
        place.land_one(f"people/{day}.csv", f"id,city\n1,{city}\n")
    assert len(place.payloads("people")) == 3


def test_a_record_that_changes_and_changes_back_in_one_file_has_three_versions(place: LandingPlace) -> None:
    report = place.land_one("people/a.csv", "id,city\n1,Bonn\n1,Köln\n1,Köln\n1,Bonn\n")
    assert (report.landed, report.duplicates) == (3, 1)


def test_what_came_in_a_later_file_of_one_landing_is_later_whatever_its_line(place: LandingPlace) -> None:
    place.file("people/1.csv", "id,city\n8,x\n9,x\n1,Bonn\n")
    place.file("people/2.csv", "id,city\n1,Köln\n")
    place.land()
    latest = (
        "select payload->>'city' from raw.people where payload->>'id' = '1' order by _landed_at desc, _batch_id desc, _line desc limit 1"
    )
    assert place.rows(latest) == [("Köln",)]
    assert place.land_one("people/3.csv", "id,city\n1,Bonn\n").landed == 1
    assert place.land_one("people/4.csv", "id,city\n1,Bonn\n").landed == 0


def test_landings_under_one_clock_keep_their_order(place: LandingPlace) -> None:
    place.file("people/1.csv", "id,city\n9,x\n1,Bonn\n")
    place.file("people/2.csv", "id,city\n9,x\n1,Köln\n")
    place.land()
    place.now = place.now.replace(hour=place.now.hour - 1)  # the next landing is at the same moment
    assert place.land_one("people/3.csv", "id,city\n1,Bonn\n").landed == 1
    assert place.land_one("people/4.csv", "id,city\n1,Bonn\n").landed == 0


@pytest.mark.parametrize("version", ["1", "1 2 3"], ids=["one date for all three", "a date each"])
def test_a_record_with_a_version_that_changes_back_has_three_versions(place: LandingPlace, version: str) -> None:
    dates = version.split() if " " in version else [version] * 3
    for date, total in zip(dates, (5, 6, 5), strict=True):
        place.land_one("orders/orders.jsonl", f'{{"id":7,"updated_at":"{date}","total":{total}}}\n')
    assert [row[0] for row in place.rows("select payload->>'total' from raw.orders order by _landed_at")] == ["5", "6", "5"]
    assert len({row[0] for row in place.rows("select _event_id from raw.orders")}) == 3


def test_an_older_export_that_lands_again_brings_nothing_back(place: LandingPlace) -> None:
    old, new = '{"id":7,"updated_at":"1","total":5}\n', '{"id":7,"updated_at":"2","total":6}\n'
    place.land_one("orders/1.jsonl", old)
    place.land_one("orders/2.jsonl", new)
    assert place.land_one("orders/1 copy.jsonl", old).landed == 0
    assert place.land_one("orders/both.jsonl", new + old + new).landed == 0
    assert len(place.payloads("orders")) == 2


def test_a_file_is_read_again_when_its_declaration_changes(place: LandingPlace) -> None:
    gb = "id,name\n1,王小明\n2,ASCII\n".encode("gb18030")
    assert place.land_one("people/a.csv", gb).quarantined == 1
    place.source("people", "files: people/*.csv\nformat: csv\nkind: records\nkey: [[id]]\nencoding: gb18030\n")
    again = place.land().sources["people"]
    assert (again.files, again.landed, again.duplicates, again.quarantined) == (1, 1, 1, 0)
    assert place.quarantine == []
    assert '{"id":"1","name":"王小明"}' in place.payloads("people")
    assert place.land().sources["people"].files_known == 1


def test_files_that_nobody_claims_are_named_and_the_rest_lands(place: LandingPlace) -> None:
    place.file("clicks/a.jsonl", '{"id":1}\n')
    place.file("notes/readme.txt", "hello")
    place.file(".hidden/clicks/b.jsonl", '{"id":2}\n')
    report = place.land()
    assert report.landed == 1
    assert report.unclaimed == ["inbox/notes/readme.txt"]


def test_a_file_is_claimed_from_wherever_it_is_named(place: LandingPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    path = place.file("clicks/a.jsonl", '{"id":1}\n')
    monkeypatch.chdir(path.parent)
    assert place.land(type(path)("a.jsonl")).landed == 1


def test_a_source_can_be_named_for_files_that_no_pattern_claims(place: LandingPlace) -> None:
    report = place.land(place.file("export.txt", '{"id":1}\n'), source="clicks")
    assert report.sources["clicks"].landed == 1


@pytest.mark.parametrize(
    ("name", "source", "sentence"),
    [
        ("nowhere", None, "nowhere does not exist. Name a file, or a folder of files, to land."),
        ("clicks", "click", "There is no source `click`. Did you mean `clicks`?"),
    ],
)
def test_what_does_not_exist_is_said(place: LandingPlace, name: str, source: str | None, sentence: str) -> None:
    place.file("clicks/a.jsonl", '{"id":1}\n')
    with pytest.raises(UsageError, match=sentence.replace("?", r"\?")):
        place.land(place.inbox / name, source=source)


def test_a_file_that_two_sources_take_is_not_guessed_at(place: LandingPlace) -> None:
    place.source("taps", "files: '*.jsonl'\nformat: jsonl\nkey: [[id]]\n")
    path = place.file("clicks/a.jsonl", '{"id":1}\n')
    with pytest.raises(UsageError, match="is taken by several sources: clicks, taps"):
        place.land()
    assert place.land(path, source="clicks").landed == 1


def test_every_declared_source_has_its_table_before_anything_came(place: LandingPlace) -> None:
    place.file("clicks/a.jsonl", '{"id":1}\n')
    place.land()
    assert place.rows("select count(*) from raw.people") == [(0,)]


def test_a_file_name_that_is_no_text_lands(place: LandingPlace) -> None:
    folder = os.fsencode(place.inbox / "clicks")
    os.makedirs(folder)
    with open(os.path.join(folder, b"\xff.jsonl"), "wb") as file:
        file.write(b'{"id":1}\n{"id":\n')
    with open(os.path.join(os.fsencode(place.inbox), b"\xfe.txt"), "wb") as file:
        file.write(b"?")
    report = place.land()
    assert report.landed == 1
    assert report.unclaimed == ["inbox/\\xfe.txt"]
