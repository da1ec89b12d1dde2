"""The whole loop on one machine, told as it happens: land, build, send, receipts; then a second round in which only what changed leaves."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from activation import screens
from activation.engine.build import build
from activation.engine.declarations import Declarations
from activation.engine.errors import SluiceError, UsageError
from activation.engine.landing import land
from activation.engine.models import Models
from activation.engine.project import Project
from activation.engine.run import Runner
from activation.engine.settle import Settled
from activation.engine.warehouse import opened
from activation.sample import write_sample

START = date(2026, 10, 1)
SEED = 1
ADDRESS = re.compile(r"(https?|smtp)://127\.0\.0\.1:\d+")


def run_demo(project: Project, people: int, days: int) -> int:
    """Run it; returns the exit code. The demo's own earlier state is replaced; state of other making is never touched (UsageError)."""
    began = time.monotonic()
    _clear(project)
    declarations = Declarations.load(project)
    folder = project.state / "sample"
    screens.say(f"Sluice demo: {people:,} made-up people, {days + 1} days, every vendor emulated on this machine.\n")
    with _services(project) as addresses:
        for round_number, first_day, last_day in ((1, 0, days), (2, days, days + 1)):
            # Ten in the morning in Shanghai, the day after the last day of data: no quiet hours.
            now = datetime.combine(START + timedelta(days=last_day), datetime.min.time(), UTC) + timedelta(hours=2)
            _headline(f"Round {round_number}: {'the first ' + str(days) + ' days' if round_number == 1 else 'one day later'}")
            write_sample(people, last_day, SEED, folder, START, first_day)
            _land(project, declarations, [folder], now)
            _build(project, declarations, now)
            if round_number == 1:
                _people(project)
            else:
                _became_of(project)
            settled = _run_all(project, declarations, now)
            _receipts(project, declarations, addresses, now + timedelta(hours=6))
            shutil.rmtree(folder, ignore_errors=True)
    person = _someone(project)
    _headline("Where to look next")
    screens.say(f"sluice explain {person}   one person: why these identifiers are one, what was sent, what was withheld and why")
    screens.say("sluice status                    the last run of everything")
    screens.say("sluice plan hubspot/contacts     what the next run would do, before it does it")
    screens.say("make dev                         the Dagster UI, the sandbox's inbox and the collector, on this data")
    screens.say(f"\nDone in {time.monotonic() - began:.0f} s. (`sluice` is .venv/bin/sluice.)")
    return 0 if all(result.status in {"succeeded", "failed_rows"} for result in settled) else 1


def _clear(project: Project) -> None:
    """Take away what an earlier demo left; refuse to take away anything else."""
    marker = project.state / "made-by-demo"
    if project.warehouse.exists() and not marker.exists():
        raise UsageError(
            f"{project.root} has a warehouse that the demo did not make, and the demo will not replace it. "
            "Run it elsewhere: `sluice init /tmp/demo`, then `sluice --project /tmp/demo demo`."
        )
    marker.touch()
    for name in ("warehouse.duckdb", "warehouse.duckdb.wal", "ledger.db", "ledger.db-wal", "ledger.db-shm"):
        (project.state / name).unlink(missing_ok=True)
    for name in ("spool", "plans", "sandbox", "sample", "files"):
        shutil.rmtree(project.state / name, ignore_errors=True)


@contextmanager
def _services(project: Project) -> Iterator[Mapping[str, str]]:
    """The sandbox and the collector as processes of their own, on free ports, ended by their own pids."""
    collector_port = _free_port()
    environment = {**os.environ, "SLUICE_COLLECTOR_URL": f"http://127.0.0.1:{collector_port}"}
    sluice = [sys.executable, "-m", "activation.cli", "--project", str(project.root)]
    log = (project.logs / "demo-services.log").open("w")
    sandbox = subprocess.Popen(
        [*sluice, "sandbox", "--port", "0", "--smtp-port", "0"],
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    processes: list[subprocess.Popen[Any]] = [sandbox]
    try:
        addresses = {"collector": environment["SLUICE_COLLECTOR_URL"]}
        assert sandbox.stdout is not None
        for line in sandbox.stdout:
            for match in ADDRESS.finditer(line):
                addresses["sandbox" if match[1] == "http" else "smtp"] = match[0]
            if "sandbox" in addresses and "smtp" in addresses:
                break
        else:
            raise SluiceError(f"The sandbox did not start. See {project.relative(project.logs)}/demo-services.log.")
        os.environ.update(
            SLUICE_SANDBOX_URL=addresses["sandbox"], SLUICE_SANDBOX_SMTP=addresses["smtp"], SLUICE_COLLECTOR_URL=addresses["collector"]
        )
        processes.append(subprocess.Popen([*sluice, "collect", "--port", str(collector_port)], env={**os.environ}, stdout=log, stderr=log))
        _wait_for(f"{addresses['collector']}/healthz", processes[-1], project)
        yield addresses
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        log.close()


def _free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_for(address: str, process: subprocess.Popen[Any], project: Project) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(address, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise SluiceError(f"The collector did not start. See {project.relative(project.logs)}/demo-services.log.")


# -- what happens, told -----------------------------------------------------------------------------------------------


def _headline(text: str) -> None:
    screens.out.rule(f"[bold]{text}", align="left", style="dim")


def _land(project: Project, declarations: Declarations, paths: list[Path], now: datetime) -> None:
    with screens.counting("rows read") as count:
        report = land(project, declarations, paths, now, progress=lambda _, __, ___: count(0))
    rows = [(s.source, s.landed, s.duplicates or None, s.quarantined or None) for s in report.sources.values() if s.read]
    screens.table("Landed in the warehouse, as it came", ("source", "rows", "already there", "quarantined"), rows, right=(1, 2, 3))


def _build(project: Project, declarations: Declarations, now: datetime) -> None:
    with screens.progress_bar("models and tests") as bar:
        report = build(project, declarations, now, progress=bar)
    screens.built(report, False)
    if not report.ok:
        raise SluiceError("The models did not build; the demo ends here.")
    screens.out.print()


def _people(project: Project) -> None:
    models = Models(project)
    with opened(project, read_only=True) as connection:

        def count(model: str) -> int:
            row = connection.execute(f"select count(*) from {models.relation(model).sql}").fetchone()
            return int(row[0]) if row else 0

        screens.say(
            f"{count('dim_profiles'):,} profiles, unified from {count('bridge_profile_identifiers'):,} identifiers; {count('dim_accounts'):,} accounts.\n"
        )
        sizes = [
            (name, count(name), models.description(name).split(". ")[0])
            for name in models.names()
            if name.startswith("segment_") and "olist" not in name
        ]
    screens.table(
        "Segments",
        ("segment", "people", "one row per"),
        [(n, c, w.removeprefix("One row per ").removesuffix(".")) for n, c, w in sizes],
        right=(1,),
    )


def _run_all(project: Project, declarations: Declarations, now: datetime) -> list[Settled]:
    """Every sync and send, those first that only keep records."""
    results = []
    for activation in declarations.activations.values():
        if "olist" in activation.ref:
            continue  # `make olist` shows these
        with screens.delivery_progress() as progress:
            results.append(Runner(project, declarations, now, progress=progress).run(activation))
    screens.table(
        "Sent, by destination",
        ("sync or send", "planned", "sent", "rejected", "withheld", "unknown", "invalid", "add", "change", "remove"),
        [
            (
                r.ref,
                r.planned,
                *(r.outcomes[n] for n in ("sent", "rejected", "withheld", "unknown", "invalid")),
                *(r.operations[o]["planned"] for o in ("add", "change", "remove")),
            )
            for r in results
        ],
        right=range(1, 10),
    )
    reasons = [(r.ref, outcome, code, rows, why) for r in results for outcome, code, why, rows in r.reasons]
    screens.table("Why rows did not leave", ("sync or send", "outcome", "code", "rows", "why"), reasons, right=(3,))
    return results


def _receipts(project: Project, declarations: Declarations, addresses: Mapping[str, str], now: datetime) -> None:
    """The sandbox reports what became of everything; the collector takes it; it lands like everything else."""
    answer = httpx.post(f"{addresses['sandbox']}/_sandbox/receipts", json={"now": now.isoformat()}, timeout=120, trust_env=False).json()
    landed = land(project, declarations, [], now).landed
    sent = {vendor: count for vendor, count in answer["sent"].items() if count}
    screens.say(
        "Receipts come back: "
        + (", ".join(f"{count:,} from {vendor}" for vendor, count in sent.items()) or "none")
        + f". {landed:,} landed.\n"
    )


def _became_of(project: Project) -> None:
    """What the receipts say of the messages sent before, from the report that a BI tool reads."""
    names = ("ref", "sent", "delivered", "opened", "clicked", "bounced", "failed", "complained", "unsubscribed")
    columns = ", ".join(names)
    with opened(project, read_only=True) as connection:
        rows = connection.execute(
            f"select {columns} from {Models(project).relation('rpt_send_tasks').sql} order by started_at, ref"
        ).fetchall()
    screens.table("What became of round 1's messages (rpt_send_tasks)", names, rows, right=range(1, len(names)))


def _someone(project: Project) -> str:
    """A person about whom there is much to tell."""
    with opened(project, read_only=True) as connection:
        row = connection.execute(
            "select profile_id from activation.sync_changelog where profile_id is not null group by 1 "
            "order by count(distinct outcome) desc, count(distinct ref) desc, profile_id limit 1"
        ).fetchone()
        bridge = Models(project).relation("bridge_profile_identifiers").sql
        found = (
            row
            and connection.execute(
                f"select identifier from {bridge} where profile_id = ? order by case identifier_type when 'email' then 1 when 'phone' then 2 else 3 end, identifier limit 1",
                [row[0]],
            ).fetchone()
        )
    return str(found[0]) if found else "IDENTIFIER"
