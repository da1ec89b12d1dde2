"""A landing that is killed in the middle leaves nothing half done, and landing again completes it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from landing_place import LandingPlace

REPOSITORY = Path(__file__).parents[4]


def test_a_killed_landing_is_completed_by_the_next(place: LandingPlace) -> None:
    place.file("clicks/a.jsonl", "".join(f'{{"id":{i}}}\n' for i in range(1_000)))
    place.file("people/a.csv", "id,city\n" + "".join(f"{i},x\nragged\n" for i in range(1_000)))
    place.spooled("people/1.jsonl", "")
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("lander.py")), str(place.project.root), "900"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(REPOSITORY), "PATH": ""},
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in the middle\n"
        process.send_signal(signal.SIGKILL)
    assert place.rows("select count(*) from raw.clicks") == [(1_000,)]  # sources commit one by one
    assert place.rows("select count(*) from raw.people") == [(0,)]
    assert place.rows("select count(*) from raw.quarantine") == [(0,)]
    assert place.rows("select file from raw.files") == [("inbox/clicks/a.jsonl",)]
    report = place.land()
    assert report.sources["clicks"].files_known == 1
    assert (report.sources["people"].landed, report.sources["people"].quarantined) == (1_000, 1_000)
    assert place.land().landed == 0
