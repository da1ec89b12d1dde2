"""The ledger: intents before calls, outcomes after, and one holder per sync. SQLite, write-ahead log, every commit on disk.

Rules that hold whatever crashes: a message is claimed by its id before it leaves, so it cannot leave twice; who lost the lease
writes nothing; a run that ended without settling is closed by the next one.
"""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from activation.engine.errors import Held, LedgerBroken, SluiceError

SCHEMA = Path(__file__).with_name("schema.sql")
VERSION = 1
LEASE_SECONDS = 30.0


class LeaseLost(SluiceError):
    """Another process took this sync over while this one was paused. It has written nothing since."""


@dataclass(frozen=True)
class Lease:
    """The right to run one sync, fenced by its token."""

    ref: str
    token: int


@dataclass(frozen=True)
class Intent:
    """A row about to leave. For messages `message_id` is claimed; `resend_within` is how long the vendor drops repeats of it (seconds)."""

    row_number: int
    batch: int
    message_id: str | None = None
    profile_id: str | None = None
    resend_within: float = 0.0


@dataclass(frozen=True)
class Recorded:
    """What came of a row."""

    row_number: int
    outcome: str
    code: str
    reason: str
    provider_id: str | None = None
    message_id: str | None = None


class Ledger:
    """One connection to the ledger. Use one per thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        new = not path.exists()
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
            if new:
                os.chmod(path, 0o600)
            self._prepare()
        except sqlite3.DatabaseError as error:
            if hasattr(self, "_db"):
                self._db.close()
            raise LedgerBroken(
                f"{path.name} cannot be used as the ledger: {error}. It knows which messages have left: put it back from a copy. "
                "If there is none, move it away; then only what is in the warehouse is known."
            ) from None

    def _prepare(self) -> None:
        self._db.row_factory = sqlite3.Row
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = full")
        version = self._db.execute("pragma user_version").fetchone()[0]
        if version > VERSION:
            self._db.close()
            raise SluiceError(
                f"{self.path.name} was written by a newer Sluice (ledger version {version}, this one knows {VERSION}). Upgrade Sluice."
            )
        self._db.executescript(SCHEMA.read_text(encoding="utf-8"))
        self._db.execute(f"pragma user_version = {VERSION}")

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _write(self, lease: Lease | None = None) -> Iterator[sqlite3.Connection]:
        """A transaction, refused when the lease has passed to somebody else."""
        self._db.execute("begin immediate")
        try:
            if lease is not None:
                held = self._db.execute("select token from leases where ref = ?", (lease.ref,)).fetchone()
                if held is None or held["token"] != lease.token:
                    raise LeaseLost(f"{lease.ref} was taken over by another process. This one stopped and wrote nothing more.")
            yield self._db
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Read with SQL."""
        return self._db.execute(sql, parameters).fetchall()

    # -- leases -----------------------------------------------------------------------------------------------------

    def acquire(self, ref: str, run_id: str) -> Lease:
        """Take the lease of `ref`. Raises Held when a living process has it."""
        with self._write() as db:
            row = db.execute("select * from leases where ref = ?", (ref,)).fetchone()
            if row and row["expires_at"] > time.time() and not _is_dead(row["holder"]):
                raise Held(
                    f"{ref} is being run by another process ({row['holder'].rsplit(':', 1)[0]}, run {row['run_id']}). Wait for it to end."
                )
            token = (row["token"] if row else 0) + 1
            db.execute(
                "insert into leases values (?, ?, ?, ?, ?) on conflict (ref) do update set token = excluded.token, holder = excluded.holder, "
                "run_id = excluded.run_id, expires_at = excluded.expires_at",
                (ref, token, _me(), run_id, time.time() + LEASE_SECONDS),
            )
        return Lease(ref, token)

    def renew(self, lease: Lease) -> None:
        """Keep the lease. Raises LeaseLost."""
        with self._write(lease) as db:
            db.execute("update leases set expires_at = ? where ref = ?", (time.time() + LEASE_SECONDS, lease.ref))

    def release(self, lease: Lease) -> None:
        """Give the lease back; the token stays, so that it only grows."""
        with self._write() as db:
            db.execute("update leases set expires_at = 0 where ref = ? and token = ?", (lease.ref, lease.token))

    # -- plans and runs ---------------------------------------------------------------------------------------------

    def note_plan(self, plan_hash: str, ref: str, file: str, created_at: datetime, counts: Mapping[str, int]) -> None:
        with self._write() as db:
            db.execute(
                "insert or replace into plans values (?, ?, ?, ?, ?)",
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
            db.execute("delete from runs where run_id = ? and not exists (select 1 from deliveries where run_id = ?)", (run_id, run_id))

    def end_delivery(self, lease: Lease, run_id: str, result: str, finished_at: datetime) -> None:
        with self._write(lease) as db:
            db.execute(
                "update runs set status = 'delivered', result = ?, finished_at = ? where run_id = ?",
                (result, finished_at.isoformat(), run_id),
            )

    def end_run(self, lease: Lease, run_id: str) -> None:
        with self._write(lease) as db:
            db.execute("update runs set status = 'settled' where run_id = ?", (run_id,))

    def unsettled(self, ref: str) -> list[sqlite3.Row]:
        """Runs of `ref` that have not settled, oldest first."""
        return self.rows("select * from runs where ref = ? and status <> 'settled' order by started_at, run_id", (ref,))

    # -- intents and outcomes ---------------------------------------------------------------------------------------

    def intend(self, lease: Lease, run: Mapping[str, str], intents: Sequence[Intent]) -> dict[int, Recorded]:
        """Write intents before a call. Rows that must not leave come back with their outcome: a message that was sent, or may have been."""
        with self._write(lease) as db:
            return self._intend(db, run, intents)

    def record(self, lease: Lease, run_id: str, outcomes: Iterable[Recorded]) -> None:
        """Write outcomes after a call."""
        with self._write(lease) as db:
            self._record(db, run_id, list(outcomes), time.time())

    def write_together(
        self, lease: Lease, run: Mapping[str, str], parts: Sequence[Sequence[Intent | Recorded]]
    ) -> list[dict[int, Recorded]]:
        """Several intents and outcomes in one commit: what makes one row a request affordable. Answers in order of the parts."""
        answers: list[dict[int, Recorded]] = []
        with self._write(lease) as db:
            for part in parts:
                intents = [item for item in part if isinstance(item, Intent)]
                outcomes = [item for item in part if isinstance(item, Recorded)]
                answers.append(self._intend(db, run, intents) if intents else {})
                if outcomes:
                    self._record(db, run["run_id"], outcomes, time.time())
        return answers

    def _intend(self, db: sqlite3.Connection, run: Mapping[str, str], intents: Sequence[Intent]) -> dict[int, Recorded]:
        now = time.time()
        refused = {}
        for intent in intents:
            if intent.message_id is not None:
                refusal = self._claim(db, run, intent, intent.message_id, now)
                if refusal:
                    refused[intent.row_number] = refusal
        db.executemany(
            "insert into deliveries (run_id, row_number, batch, attempt, intended_at) values (?, ?, ?, 1, ?) "
            "on conflict (run_id, row_number) do update set attempt = attempt + 1, batch = excluded.batch, intended_at = excluded.intended_at",
            [(run["run_id"], intent.row_number, intent.batch, now) for intent in intents],
        )
        self._record(db, run["run_id"], list(refused.values()), now)
        return refused

    def _claim(self, db: sqlite3.Connection, run: Mapping[str, str], intent: Intent, message_id: str, now: float) -> Recorded | None:
        """Claim a message for this run, or say why it must not leave."""
        seen = db.execute("select state, run_id, intended_at from messages where message_id = ?", (message_id,)).fetchone()
        if seen and seen["state"] == "sent":
            return Recorded(intent.row_number, "skipped", "ALREADY_SENT", "This message was sent in an earlier run.", None, message_id)
        mine = seen and seen["state"] == "intended" and seen["run_id"] == run["run_id"]
        if seen and seen["state"] != "rejected" and not mine and now - seen["intended_at"] >= intent.resend_within:
            return Recorded(
                intent.row_number, "unknown", "HELD", "An earlier attempt may have arrived; it is not repeated.", None, message_id
            )
        db.execute(
            "insert into messages values (?, ?, ?, ?, ?, ?, 'intended', ?, ?) on conflict (message_id) do update set "
            "state = 'intended', run_id = excluded.run_id, as_of = excluded.as_of, "
            # The vendor's window for repeats runs from the first intent.
            "intended_at = case when messages.state = 'rejected' then excluded.intended_at else messages.intended_at end",
            (message_id, run["ref"], intent.profile_id, run["channel"], run["purpose"], run["run_id"], now, run["as_of"]),
        )
        return None

    def _record(self, db: sqlite3.Connection, run_id: str, outcomes: Sequence[Recorded], now: float) -> None:
        db.executemany(
            "update deliveries set outcome = ?, code = ?, reason = ?, provider_id = ?, answered_at = ? where run_id = ? and row_number = ?",
            [(o.outcome, o.code, o.reason, o.provider_id, now, run_id, o.row_number) for o in outcomes],
        )
        states = [
            (o.outcome, o.message_id, run_id)
            for o in outcomes
            if o.message_id is not None and o.code not in {"ALREADY_SENT", "HELD"} and o.outcome in {"sent", "rejected", "unknown"}
        ]
        db.executemany("update messages set state = ? where message_id = ? and run_id = ?", states)
        # A message that surely did not leave (skipped) may be claimed again.
        skipped = [
            (o.message_id, run_id) for o in outcomes if o.message_id is not None and o.outcome == "skipped" and o.code != "ALREADY_SENT"
        ]
        db.executemany("update messages set state = 'rejected' where message_id = ? and run_id = ?", skipped)

    def close_interrupted(self, lease: Lease, run_id: str) -> int:
        """Give every intent of a dead run that has no outcome the outcome `unknown`. Returns how many there were."""
        with self._write(lease) as db:
            db.execute("update messages set state = 'unknown' where run_id = ? and state = 'intended'", (run_id,))
            return db.execute(
                "update deliveries set outcome = 'unknown', code = 'INTERRUPTED', answered_at = ?, "
                "reason = 'The process ended between the request and its answer.' where run_id = ? and outcome is null",
                (time.time(), run_id),
            ).rowcount

    def settle_message(self, message_id: str, state: str) -> None:
        """A receipt or a person says what became of a message."""
        with self._write() as db:
            db.execute("update messages set state = ? where message_id = ?", (state, message_id))

    # -- what destinations share between processes -------------------------------------------------------------------

    def take(self, name: str, wanted: int, per_second: float, burst: float) -> float:
        """Take `wanted` tokens from the shared bucket `name`. Returns how many seconds to wait before using them."""
        now = time.time()
        with self._write() as db:
            row = db.execute("select tokens, updated_at from buckets where name = ?", (name,)).fetchone()
            tokens = burst if row is None else min(burst, row["tokens"] + max(0.0, now - row["updated_at"]) * per_second)
            tokens -= wanted  # may go below zero: later takers wait behind this one
            db.execute("insert or replace into buckets values (?, ?, ?)", (name, tokens, now))
        return max(0.0, -tokens / per_second)

    def open_circuit(self, destination: str, seconds: float, code: str, reason: str) -> None:
        with self._write() as db:
            db.execute("insert or replace into circuits values (?, ?, ?, ?)", (destination, time.time() + seconds, code, reason))

    def close_circuit(self, destination: str) -> None:
        with self._write() as db:
            db.execute("delete from circuits where destination = ?", (destination,))

    def circuit(self, destination: str) -> sqlite3.Row | None:
        """The open circuit of a destination, or None."""
        found = self.rows("select * from circuits where destination = ? and open_until > ?", (destination, time.time()))
        return found[0] if found else None


def _me() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def _started(pid: int) -> str:
    """When a process started, so that a reused pid is not taken for the old process. Empty where /proc is not there."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        return ""


def _is_dead(holder: str) -> bool:
    """Whether the holder surely is no more: same host, and its pid is gone or belongs to another process."""
    host, pid, started = holder.rsplit(":", 2)
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    state = _state(int(pid))
    return state == "Z" or (started != "" and _started(int(pid)) != started)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (OSError, IndexError):
        return ""
