"""The whole loop on one machine, told as it happens: land, build, send, receipts; then a second round in which only what changed leaves."""

from __future__ import annotations

import shutil
import time
from datetime import UTC, date, datetime, timedelta

from activation import screens
from activation.demo.services import clear, services
from activation.demo.steps import (
    build_models,
    fetch_receipts,
    headline,
    land_files,
    run_all,
    show_people,
    show_receipts,
    somebody,
)
from activation.engine.declarations import Declarations
from activation.engine.project import Project
from activation.sample import write_sample

START = date(2026, 10, 1)
SEED = 7


def run_demo(project: Project, people: int, days: int) -> int:
    """Run it; returns the exit code. The demo's own earlier state is replaced; state of other making is never touched (UsageError)."""
    began = time.monotonic()
    clear(project)
    declarations = Declarations.load(project)
    refs = [ref for ref in declarations.activations if "olist" not in ref]  # `make olist` shows those
    folder = project.state / "sample"
    screens.say(f"Sluice demo: {people:,} made-up people, {days + 1} days, every vendor emulated on this machine.\n")
    with services(project) as addresses:
        for round_number, first_day, last_day in ((1, 0, days), (2, days, days + 1)):
            # Ten in the morning in Shanghai, the day after the last day of data: no quiet hours.
            now = datetime.combine(START + timedelta(days=last_day), datetime.min.time(), UTC) + timedelta(hours=2)
            headline(f"Round {round_number}: {'the first ' + str(days) + ' days' if round_number == 1 else 'one day later'}")
            write_sample(people, last_day, SEED, folder, START, first_day)
            land_files(project, declarations, [folder], now)
            build_models(project, declarations, now, tests=round_number == 1)  # the same models, tested a moment ago
            if round_number == 1:
                show_people(project)
            else:
                show_receipts(project)
            settled = run_all(project, declarations, now, refs)
            fetch_receipts(project, declarations, addresses, now + timedelta(hours=6))
            shutil.rmtree(folder, ignore_errors=True)
    person = somebody(project)
    headline("Where to look next")
    screens.say(f"sluice explain {person}   one person: why these identifiers are one, what was sent, what was withheld and why")
    screens.say("sluice status                    the last run of everything")
    screens.say("sluice plan hubspot/contacts     what the next run would do, before it does it")
    screens.say("make dev                         the Dagster UI, the sandbox's inbox and the collector, on this data")
    screens.say(f"\nDone in {time.monotonic() - began:.0f} s. (`sluice` is .venv/bin/sluice.)")
    return 0 if all(result.status in {"succeeded", "failed_rows"} for result in settled) else 1
