"""How long history is kept: `policies/retention.yml`, carried out after every run and by `sluice ledger prune`.

Kept whatever it says: claims of messages (an id may come again at any time), runs that have not settled and their files, the rows by
which held messages are told, as much of the changelog as the longest cap or quota looks back, and who got which message: whoever
unsubscribes by a link in it is known by nothing else, and must stay unsubscribed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb

from activation.engine.ledger import Ledger
from activation.engine.policies import Policies
from activation.engine.project import Project

CALENDAR_DAYS = {"day": 1.0, "week": 7.0, "month": 31.0}
MARGIN_DAYS = 2.0  # a day of the calendar begins at another moment in every time zone


@dataclass(frozen=True)
class Pruned:
    """What was let go: rows of the changelog, files of plans, runs in the ledger."""

    changelog: int
    files: int
    runs: int


def prune(connection: duckdb.DuckDBPyConnection, project: Project, ledger: Ledger, policies: Policies, now: datetime) -> Pruned:
    """Let go what is older than it is kept. `now` is what runs are dated by; files and the ledger go by the real clock."""
    keep, today = policies.retention, datetime.now(UTC)
    changelog = 0
    if keep.changelog_days is not None:
        days = max(keep.changelog_days, looks_back(policies) + MARGIN_DAYS)
        changelog = _changelog(connection, min(now.astimezone(UTC), today) - timedelta(days=days))
    files = _files(project, ledger, today - timedelta(days=keep.plans_days))
    return Pruned(changelog, files, ledger.prune(today - timedelta(days=keep.ledger_days)))


def looks_back(policies: Policies) -> float:
    """For how many days a cap or quota asks what was sent."""
    spans = [cap.days or CALENDAR_DAYS.get(cap.per or "", 0.0) for cap in policies.caps]
    return max([*spans, *(CALENDAR_DAYS[quota.per] for quota in policies.quotas.quotas)], default=0.0)


def _changelog(connection: duckdb.DuckDBPyConnection, before: datetime) -> int:
    moment = [before.replace(tzinfo=None)]
    if connection.execute("select 1 from activation.sync_changelog where recorded_at < ? limit 1", moment).fetchone() is None:
        return 0
    row = connection.execute(
        "delete from activation.sync_changelog c where recorded_at < ? and not (message_id is not null and outcome in ('sent', 'unknown')) and not exists (select 1 from activation.sync_snapshot s "
        "where s.ref = c.ref and s.run_id = c.run_id and s.key = c.key and s.state in ('held', 'dropped', 'merged'))",
        moment,
    ).fetchone()
    return int(row[0]) if row else 0


def _files(project: Project, ledger: Ledger, before: datetime) -> int:
    """Plans and verdicts of runs that settled, and of plans that were only looked at."""
    needed = set()
    for run in ledger.rows("select ref, plan_hash, run_id from runs where status <> 'settled'"):
        needed |= {f"{run['ref'].replace('/', '__')}-{run['plan_hash']}.parquet", f"{run['run_id']}.gate.parquet"}
    with os.scandir(project.plans) as entries:
        old = [
            entry.path
            for entry in entries
            if entry.name.endswith((".parquet", ".part")) and entry.name not in needed and entry.stat().st_mtime < before.timestamp()
        ]
    for path in old:
        os.unlink(path)
    return len(old)
