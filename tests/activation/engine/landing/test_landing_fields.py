"""New fields appear by themselves; a field that changes its type is reported, never lost."""

from __future__ import annotations

import json

import pytest
from landing_place import LandingPlace

from activation.engine.landing import fields


def test_new_fields_are_noted_with_their_kinds(place: LandingPlace) -> None:
    report = place.land_one(
        "clicks/a.jsonl", '{"id":"1","n":1.5,"ok":true,"who":{"name":"a","deep":{"er":{"est":1}}},"tags":["x"],"gone":null}\n'
    )
    assert report.new_fields == ["id", "n", "ok", "tags", "who", "who.deep", "who.deep.er", "who.name"]
    assert place.rows("select field, type from raw.fields where _source = 'clicks' order by 1") == [
        ("id", "string"),
        ("n", "number"),
        ("ok", "boolean"),
        ("tags", "array"),
        ("who", "object"),
        ("who.deep", "object"),
        ("who.deep.er", "object"),
        ("who.name", "string"),
    ]
    later = place.land_one("clicks/b.jsonl", '{"id":"2","city":"Bonn"}\n')
    assert (later.new_fields, later.changed_fields) == (["city"], [])


def test_a_field_that_changes_its_type_is_reported_and_both_values_are_kept(place: LandingPlace) -> None:
    place.land_one("clicks/a.jsonl", '{"id":"1","n":1,"m":1}\n')
    report = place.land_one("clicks/b.jsonl", '{"id":"2","n":"one","m":2.5}\n')
    assert report.changed_fields == ["n (number, now also string)"]
    assert place.rows("select n from raw.clicks_columns order by 1") == [("1",), ("one",)]


def test_a_field_of_two_types_from_the_start_is_reported(place: LandingPlace) -> None:
    report = place.land_one("clicks/a.jsonl", '{"id":"1","n":1}\n{"id":"2","n":"x"}\n')
    assert report.changed_fields == ["n (number and string)"]


def test_a_bad_line_brings_no_fields(place: LandingPlace) -> None:
    assert place.land_one("clicks/a.jsonl", '{"id":1}\n{"wrong":1}\n').new_fields == ["id"]


def test_the_columns_of_a_source_are_a_view_that_grows(place: LandingPlace) -> None:
    place.land_one("people/a.csv", "id,city\n1,Bonn\n")
    place.land_one("people/b.csv", "id,city,Postal Code\n2,Jena,07743\n")
    assert place.rows('select id, city, "Postal Code" from raw.people_columns order by id') == [("1", "Bonn", None), ("2", "Jena", "07743")]


@pytest.mark.parametrize(
    "name",
    ["a'b", 'a"b', "a/b", "a~b", "$", "$.x", "*", "a\\b", "[0]", "0", "名", "#", "select", "_EVENT_ID", "ID", "", "a\nb", "a\x00b", " "],
)
def test_any_name_a_field_can_have_lands(place: LandingPlace, name: str) -> None:
    report = place.land_one("clicks/a.jsonl", json.dumps({"id": "1", name: "there"}))
    assert report.landed == 1
    assert name in report.new_fields
    columns = {row[0] for row in place.rows("describe raw.clicks_columns")}
    if name in columns:
        quoted = '"' + name.replace('"', '""') + '"'
        assert place.rows(f"select {quoted} from raw.clicks_columns") == [("there",)]
    else:
        assert name in {"$.x", "_EVENT_ID", "ID", "", "a\nb", "a\x00b"}


def test_objects_used_as_dictionaries_do_not_make_columns_without_end(place: LandingPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fields, "MOST", 10)
    place.land_one("clicks/a.jsonl", json.dumps({"id": 1, **{f"visitor {i}": 1 for i in range(30)}}))
    assert place.rows("select count(distinct field) from raw.fields") == [(10,)]
    changed = place.land_one("clicks/b.jsonl", '{"id":"text now"}\n').changed_fields
    assert changed == ["id (number, now also string)"]
