"""The steps of a demo: each does one real thing and says what happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import httpx

from activation import screens
from activation.engine.build import build
from activation.engine.declarations import Declarations
from activation.engine.errors import SluiceError
from activation.engine.landing import land
from activation.engine.models import Models
from activation.engine.project import Project
from activation.engine.run import Runner
from activation.engine.segments.tree import BOOKS
from activation.engine.settle import Settled
from activation.engine.warehouse import opened


def headline(text: str) -> None:
    """A line across the screen with a title."""
    screens.out.rule(f"[bold]{text}", align="left", style="dim")


def land_files(project: Project, declarations: Declarations, paths: list[Path], now: datetime) -> None:
    """Land, and say how many rows of each source."""
    with screens.counting("rows read") as count:
        report = land(project, declarations, paths, now, progress=lambda _, __, ___: count(0))
    rows = [(s.source, s.landed, s.duplicates or None, s.quarantined or None) for s in report.sources.values() if s.read]
    screens.table("Landed in the warehouse, as it came", ("source", "rows", "already there", "quarantined"), rows, right=(1, 2, 3))


def build_models(project: Project, declarations: Declarations, now: datetime, tests: bool = True) -> None:
    """Build the models, and test them. Raises SluiceError when something fails."""
    with screens.progress_bar("models and tests") as bar:
        report = build(project, declarations, now, tests=tests, progress=bar)
    screens.built(report, False)
    if not report.ok:
        raise SluiceError("The models did not build; the demo ends here.")
    screens.out.print()


def show_people(project: Project) -> None:
    """Profiles, what they were unified from, and the segments."""
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
            if name.startswith("segment_") and name not in BOOKS and "olist" not in name
        ]
    screens.table(
        "Segments",
        ("segment", "people", "one row per"),
        [(n, c, w.removeprefix("One row per ").removesuffix(".")) for n, c, w in sizes],
        right=(1,),
    )


def run_all(project: Project, declarations: Declarations, now: datetime, refs: Sequence[str]) -> list[Settled]:
    """Run syncs and sends; show each one's books, and why rows did not leave."""
    results = []
    for activation in map(declarations.find, refs):
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


def fetch_receipts(project: Project, declarations: Declarations, addresses: Mapping[str, str], now: datetime) -> None:
    """The sandbox reports what became of everything; the collector takes it; it lands like everything else."""
    answer = httpx.post(f"{addresses['sandbox']}/_sandbox/receipts", json={"now": now.isoformat()}, timeout=120, trust_env=False).json()
    landed = land(project, declarations, [], now).landed
    sent = {vendor: count for vendor, count in answer["sent"].items() if count}
    screens.say(
        "Receipts come back: "
        + (", ".join(f"{count:,} from {vendor}" for vendor, count in sent.items()) or "none")
        + f". {landed:,} landed.\n"
    )


def show_receipts(project: Project) -> None:
    """What the receipts say of the messages sent before, from the report that a BI tool reads."""
    names = ("ref", "sent", "delivered", "opened", "clicked", "bounced", "failed", "complained", "unsubscribed")
    columns = ", ".join(names)
    with opened(project, read_only=True) as connection:
        rows = connection.execute(
            f"select {columns} from {Models(project).relation('rpt_send_tasks').sql} order by started_at, ref"
        ).fetchall()
    screens.table("What became of round 1's messages (rpt_send_tasks)", names, rows, right=range(1, len(names)))


def somebody(project: Project) -> str:
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
