"""A landing that is killed in the middle leaves nothing half done, and landing again completes it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from landing_place import LandingPlace

REPOSITORY = Path(__file__).parents[4]


def kill_in_the_middle(place: LandingPlace, source: str, rows: int) -> None:
    """Land in a process of its own, which is killed when it has read so many rows of a source."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("lander.py")), str(place.project.root), source, str(rows)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(REPOSITORY), "PATH": ""},
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in the middle\n"
        process.send_signal(signal.SIGKILL)


def test_a_killed_landing_is_completed_by_the_next(place: LandingPlace) -> None:
    place.file("clicks/a.jsonl", "".join(f'{{"id":{i}}}\n' for i in range(1_000)))
    place.file("people/a.csv", "id,city\n" + "".join(f"{i},x\nragged\n" for i in range(1_000)))
    place.spooled("people/1.jsonl", "")
    kill_in_the_middle(place, "people", 900)
    assert place.rows("select count(*) from raw.clicks") == [(1_000,)]  # sources commit one by one
    assert place.rows("select count(*) from raw.people") == [(0,)]
    assert place.rows("select count(*) from raw.quarantine") == [(0,)]
    assert place.rows("select file from raw.files") == [("inbox/clicks/a.jsonl",)]
    report = place.land()
    assert report.sources["clicks"].files_known == 1
    assert (report.sources["people"].landed, report.sources["people"].quarantined) == (1_000, 1_000)
    assert place.land().landed == 0


def test_of_a_spool_whose_landing_is_killed_every_event_lands_once_and_the_files_stay_till_then(place: LandingPlace) -> None:
    for file in range(3):
        ids = range(file * 400, file * 400 + 500)  # a fifth of each file comes again in the next
        place.spooled(f"clicks/{file}.jsonl", "".join(f'{{"id":{i}}}\nnonsense {i}\n' for i in ids))
    for rows in (300, 2_900):
        kill_in_the_middle(place, "clicks", rows)
        assert place.rows("select count(*) from raw.clicks") == [(0,)]
        assert place.rows("select count(*) from raw.quarantine") == [(0,)]
        assert len(list((place.project.spool / "clicks").iterdir())) == 3
    report = place.land().sources["clicks"]
    assert (report.landed, report.duplicates, report.quarantined) == (1_300, 200, 1_500)
    assert place.rows("select count(distinct _event_id) from raw.clicks") == [(1_300,)]
    assert list((place.project.spool / "clicks").iterdir()) == []
