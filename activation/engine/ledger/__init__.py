"""The ledger: intents before calls, outcomes after, and one holder per sync. In a file (SQLite), or in PostgreSQL by URL.

Rules that hold whatever crashes: a message is claimed by its id before it leaves, so it cannot leave twice; who lost the lease
writes nothing; a run that ended without settling is closed by the next one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from activation.engine.errors import Held, UsageError
from activation.engine.ledger import deliveries, holder
from activation.engine.ledger.entries import Entry, Intent, Lease, LeaseLost, LotIntent, LotRecorded, Recorded
from activation.engine.ledger.sqlite import SqliteStore
from activation.engine.ledger.store import Row, Store, Transaction
from activation.engine.project import Project

__all__ = ["LEASE_SECONDS", "Entry", "Intent", "Lease", "LeaseLost", "Ledger", "LotIntent", "LotRecorded", "Recorded", "Row", "open_ledger"]

VARIABLE = "SLUICE_LEDGER_URL"
LEASE_SECONDS = 30.0


def open_ledger(project: Project) -> Ledger:
    """The project's ledger: where $SLUICE_LEDGER_URL says, else its own file. Raises LedgerBroken when it cannot be used."""
    return Ledger(os.environ.get(VARIABLE) or project.ledger)


class Ledger:
    """One connection to the ledger at a path or a postgresql:// address. Use one per thread: `again()` opens another."""

    def __init__(self, where: Path | str) -> None:
        self._at = where
        self._store = _store(where)

    def again(self) -> Ledger:
        """Another connection to the same ledger, for another thread."""
        return Ledger(self._at)

    def close(self) -> None:
        self._store.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _write(self, lease: Lease | None = None) -> Iterator[Transaction]:
        """A transaction, refused when the lease has passed to somebody else; until it ends the lease cannot pass."""
        with self._store.write() as db:
            if lease is not None:
                held = db.locked("select token from leases where ref = ?", (lease.ref,))
                if not held or held[0]["token"] != lease.token:
                    raise LeaseLost(f"{lease.ref} was taken over by another process. This one stopped and wrote nothing more.")
            yield db

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Read with SQL; values are `?`."""
        return self._store.rows(sql, parameters)

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """One statement in a transaction of its own; how many rows it touched."""
        with self._write() as db:
            return db.execute(sql, parameters)

    # -- leases -----------------------------------------------------------------------------------------------------

    def acquire(self, ref: str, run_id: str) -> Lease:
        """Take the lease of `ref`. Raises Held when a living process has it."""
        with self._write() as db:
            # There is a row to lock, however many come first.
            db.execute("insert into leases values (?, 0, '', null, 0) on conflict (ref) do nothing", (ref,))
            row = db.locked("select * from leases where ref = ?", (ref,))[0]
            now = db.now
            if row["expires_at"] > now and not holder.is_dead(row["holder"]):
                raise Held(
                    f"{ref} is being run by another process ({holder.shown(row['holder'])}, run {row['run_id']}). Wait for it to end."
                )
            token = int(row["token"]) + 1
            db.execute(
                "update leases set token = ?, holder = ?, run_id = ?, expires_at = ? where ref = ?",
                (token, holder.me(), run_id, now + LEASE_SECONDS, ref),
            )
        return Lease(ref, token)

    def renew(self, lease: Lease) -> None:
        """Keep the lease. Raises LeaseLost."""
        with self._write(lease) as db:
            db.execute("update leases set expires_at = ? where ref = ?", (db.now + LEASE_SECONDS, lease.ref))

    def release(self, lease: Lease) -> None:
        """Give the lease back; the token stays, so that it only grows."""
        self.execute("update leases set expires_at = 0 where ref = ? and token = ?", (lease.ref, lease.token))

    def leases(self) -> list[Row]:
        """Who holds what now: ref, holder, run_id, expires_at."""
        rows = self.rows("select ref, holder, run_id, expires_at from leases where expires_at > ? order by ref", (self._store.clock(),))
        return [row for row in rows if not holder.is_dead(row["holder"])]

    # -- plans and runs ---------------------------------------------------------------------------------------------

    def note_plan(self, plan_hash: str, ref: str, file: str, created_at: datetime, counts: Mapping[str, int]) -> None:
        self.execute(
            "insert into plans values (?, ?, ?, ?, ?) on conflict (plan_hash) do update set ref = excluded.ref, file = excluded.file, "
            "created_at = excluded.created_at, counts = excluded.counts",
            (plan_hash, ref, file, created_at.isoformat(), json.dumps(dict(counts))),
        )

    def begin_run(self, lease: Lease, run: Mapping[str, str | None]) -> None:
        """Note a run about to deliver. `run` has the columns of `runs` that are known at the start."""
        columns = ", ".join(run)
        with self._write(lease) as db:
            db.execute(f"insert into runs ({columns}, status) values ({', '.join('?' * len(run))}, 'delivering')", tuple(run.values()))

    def abandon_run(self, lease: Lease, run_id: str) -> None:
        """Forget a run that begun and has tried nothing."""
        with self._write(lease) as db:
            db.execute(
                "delete from runs where run_id = ? and not exists (select 1 from deliveries d where d.run_id = runs.run_id) "
                "and not exists (select 1 from lots l where l.run_id = runs.run_id)",
                (run_id,),
            )

    def end_delivery(self, lease: Lease, run_id: str, result: str, finished_at: datetime) -> None:
        with self._write(lease) as db:
            db.execute(
                "update runs set status = 'delivered', result = ?, finished_at = ? where run_id = ?",
                (result, finished_at.isoformat(), run_id),
            )

    def end_run(self, lease: Lease, run_id: str) -> None:
        with self._write(lease) as db:
            db.execute("update runs set status = 'settled' where run_id = ?", (run_id,))

    def unsettled(self, ref: str) -> list[Row]:
        """Runs of `ref` that have not settled, oldest first."""
        return self.rows("select * from runs where ref = ? and status <> 'settled' order by started_at, run_id", (ref,))

    def prune(self, before: datetime) -> int:
        """Let go of runs that settled and ended before, with their intents and outcomes, not the claims of messages. Returns how many.

        Of each sync and send the last run that delivered anything stays: it says that there is something over there.
        """
        moment = before.astimezone(UTC).isoformat()
        old = self.rows(
            "select run_id from runs r where status = 'settled' and finished_at < ? and exists (select 1 from runs n where n.ref = r.ref "
            "and n.status = 'settled' and n.started_at > r.started_at and ("
            "exists (select 1 from deliveries d where d.run_id = n.run_id and d.outcome = 'sent') "
            "or exists (select 1 from lots l where l.run_id = n.run_id and l.outcome = 'sent')))",
            (moment,),
        )
        for row in old:  # a commit each, so that nobody waits long
            with self._write() as db:
                for table in ("deliveries", "lots", "runs"):
                    db.execute(f"delete from {table} where run_id = ?", (row["run_id"],))
        if old:
            self.execute("delete from plans where created_at < ? and plan_hash not in (select plan_hash from runs)", (moment,))
        return len(old)

    # -- intents and outcomes ---------------------------------------------------------------------------------------

    def intend(self, lease: Lease, run: Mapping[str, str], intents: Sequence[Intent | LotIntent]) -> dict[int, Recorded]:
        """Write intents before a call. Rows that must not leave come back with their outcome: a message that was sent, or may have been."""
        with self._write(lease) as db:
            return deliveries.write(db, run, intents)

    def record(self, lease: Lease, run_id: str, outcomes: Iterable[Recorded | LotRecorded]) -> None:
        """Write outcomes after a call."""
        with self._write(lease) as db:
            deliveries.write(db, {"run_id": run_id}, list(outcomes))

    def write_together(self, lease: Lease, run: Mapping[str, str], parts: Sequence[Sequence[Entry]]) -> list[dict[int, Recorded]]:
        """Several intents and outcomes in one commit: what makes one row a request affordable. The refusals, in order of the parts."""
        with self._write(lease) as db:
            refused = deliveries.write(db, run, [entry for part in parts for entry in part])
        if not refused:
            return [{} for _ in parts]
        return [{e.row_number: refused[e.row_number] for e in part if isinstance(e, Intent) and e.row_number in refused} for part in parts]

    def close_interrupted(self, lease: Lease, run_id: str) -> int:
        """Give every intent of a dead run that has no outcome the outcome `unknown`. Returns how many rows that are."""
        with self._write(lease) as db:
            return deliveries.close_interrupted(db, run_id)

    def outcomes(self, run_id: str, after: int = -1, limit: int = 1_000_000_000) -> list[Row]:
        """Rows answered one by one: row_number, outcome, code, reason, provider_id, by row_number; those above `after`, at most `limit`."""
        return self.rows(
            "select row_number, outcome, code, reason, provider_id from deliveries where run_id = ? and row_number > ? "
            "order by row_number limit ?",
            (run_id, after, limit),
        )

    def begun(self, run_id: str) -> list[int]:
        """The numbers of the rows that were tried one by one, whatever came of them."""
        return [row["row_number"] for row in self.rows("select row_number from deliveries where run_id = ?", (run_id,))]

    def lots(self, run_id: str) -> list[Row]:
        """Rows answered together: batch, first_row, last_row, rows, outcome, code, reason, by batch. A row's own answer goes before."""
        return self.rows(
            "select batch, first_row, last_row, rows, outcome, code, reason from lots where run_id = ? order by batch", (run_id,)
        )

    def settle_message(self, message_id: str, state: str) -> None:
        """A receipt or a person says what became of a message."""
        self.settle_messages([message_id], state)

    def settle_messages(self, message_ids: Sequence[str], state: str) -> None:
        """As `settle_message`, for many in one commit."""
        with self._write() as db:
            db.many(deliveries.SETTLE, [(state, message_id) for message_id in message_ids])

    # -- people who are forgotten --------------------------------------------------------------------------------------

    def messages_of(self, profile_ids: Sequence[str]) -> list[str]:
        """The ids of the messages that were claimed for these profiles."""
        return [row["message_id"] for id in profile_ids for row in self.rows("select message_id from messages where profile_id = ?", (id,))]

    def erase(self, message_ids: Sequence[str], answers: Sequence[tuple[str, int]]) -> int:
        """Let go of the claims of these messages, and of what identifies somebody in answers (run_id, row_number). Returns how many answers.

        Outcomes stay: they are the books. A claim that goes lets its message leave again, should the same key ever be addressed anew.
        """
        with self._write() as db:
            if message_ids:
                db.many(deliveries.FORGET, [(id,) for id in message_ids])
            return db.many(deliveries.BLANK, list(answers)) if answers else 0

    def answers(self, rows: Sequence[tuple[str, int]]) -> int:
        """How many of these rows (run_id, row_number) have an answer of their own."""
        wanted: dict[str, set[int]] = {}
        for run_id, row_number in rows:
            wanted.setdefault(run_id, set()).add(row_number)
        return sum(
            row["row_number"] in numbers
            for run_id, numbers in wanted.items()
            for row in self.rows("select row_number from deliveries where run_id = ?", (run_id,))
        )

    # -- what destinations share between processes -------------------------------------------------------------------

    def take(self, name: str, wanted: int, per_second: float, burst: float) -> float:
        """Take `wanted` tokens from the shared bucket `name`. Returns how many seconds to wait before using them."""
        with self._write() as db:
            db.execute("insert into buckets values (?, ?, ?) on conflict (name) do nothing", (name, burst, db.now))
            row = db.locked("select tokens, updated_at from buckets where name = ?", (name,))[0]
            # Read after the lock, and never back in time: no second may be paid out twice.
            now = max(db.now, row["updated_at"])
            # It may go below zero: later takers wait behind this one.
            tokens = min(burst, row["tokens"] + (now - row["updated_at"]) * per_second) - wanted
            db.execute("update buckets set tokens = ?, updated_at = ? where name = ?", (tokens, now, name))
        return max(0.0, float(-tokens / per_second))

    def open_circuit(self, destination: str, seconds: float, code: str, reason: str) -> None:
        with self._write() as db:
            db.execute(
                "insert into circuits values (?, ?, ?, ?) on conflict (destination) do update set open_until = excluded.open_until, "
                "code = excluded.code, reason = excluded.reason",
                (destination, db.now + seconds, code, reason),
            )

    def close_circuit(self, destination: str) -> None:
        self.execute("delete from circuits where destination = ?", (destination,))

    def circuit(self, destination: str) -> Row | None:
        """The open circuit of a destination, or None."""
        found = [row for row in self.circuits() if row["destination"] == destination]
        return found[0] if found else None

    def circuits(self) -> list[Row]:
        """Every open circuit: destination, open_until, code, reason."""
        return self.rows("select * from circuits where open_until > ? order by destination", (self._store.clock(),))


def _store(where: Path | str) -> Store:
    if isinstance(where, Path):
        return SqliteStore(where)
    if not where.startswith(("postgresql://", "postgres://")):
        raise UsageError(f"{VARIABLE} is no address of a PostgreSQL database. Write it like postgresql://user:password@host/database.")
    from activation.engine.ledger.postgres import PostgresStore  # its driver takes its time to load

    return PostgresStore(where)
