"""What the collector spools lands with everything else, while it is still being written and after."""

from __future__ import annotations

from landing_place import LandingPlace

from activation.engine.declarations import Declarations
from activation.engine.landing.lines import chunks


def test_a_growing_spool_file_lands_each_line_once_and_quarantines_each_bad_line_once(place: LandingPlace) -> None:
    place.inbox.joinpath("empty").mkdir()
    landed = quarantined = 0
    content = ""
    for number in range(4):
        content += f'{{"id":"{number}"}}\nnonsense {number}\n'
        place.spooled("clicks/1.jsonl.open", content)
        report = place.land().sources["clicks"]
        landed, quarantined = landed + report.landed, quarantined + report.quarantined
        assert report.read == report.landed + report.duplicates + report.quarantined
    place.spooled("clicks/1.jsonl.open", content).rename(place.project.spool / "clicks" / "1.jsonl")
    closed = place.land().sources["clicks"]
    assert (closed.landed, closed.quarantined, closed.duplicates) == (0, 0, 8)
    assert (landed, quarantined) == (4, 4)
    assert [line for _, line, _, _ in place.quarantine] == [2, 4, 6, 8]
    assert {row[0] for row in place.rows("select _file from raw.clicks")} == {".sluice/spool/clicks/1.jsonl"}


def test_a_line_that_is_still_being_written_is_left_for_later(place: LandingPlace) -> None:
    place.spooled("clicks/1.jsonl.open", '{"id":"1"}\n{"id":"2')
    assert place.land().sources["clicks"].read == 1
    assert place.quarantine == []


def test_closed_files_are_set_aside_once_they_have_landed_and_open_ones_stay(place: LandingPlace) -> None:
    place.spooled("clicks/1.jsonl", '{"id":"1"}\n')
    place.spooled("clicks/2.jsonl.open", '{"id":"2"}\n')
    assert place.land().landed == 2
    left = sorted(str(path.relative_to(place.project.spool)) for path in place.project.spool.rglob("*.jsonl*"))
    assert left == ["clicks/2.jsonl.open", "landed/clicks/1.jsonl"]


def test_a_file_that_is_finished_while_it_is_waited_for_still_lands(place: LandingPlace) -> None:
    path = place.spooled("clicks/1.jsonl.open", '{"id":"1"}\n')
    path.rename(path.with_suffix(""))
    (chunk,) = chunks(path, Declarations.load(place.project).sources["clicks"], whole_lines_only=True)
    assert chunk.texts == [b'{"id":"1"}']


def test_spooled_files_of_a_source_that_is_not_declared_any_more_are_named(place: LandingPlace) -> None:
    place.spooled("old_events/1.jsonl", '{"id":"1"}\n')
    assert place.land().unclaimed == [".sluice/spool/old_events/1.jsonl"]


def test_the_spool_lands_without_any_other_file(place: LandingPlace) -> None:
    place.spooled("clicks/1.jsonl", '{"id":"1"}\n')
    place.inbox.rmdir()
    place.inbox.mkdir()
    assert place.land().landed == 1
