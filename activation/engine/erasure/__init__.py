"""Erasure: a person is forgotten, over there and here, and only the proof remains that it was done.

Order, so that a crash anywhere leaves a person who can still be found, and doing it again ends the same: the spool lands; the records at
destinations are removed, through plan, ledger and delivery like everything; the ledger; plans and landed lines; last, in one
transaction, the warehouse and the proof. Nothing runs meanwhile: every lease is held, and runs that did not settle refuse it.

Who was forgotten and comes back is a new person. Claims of messages go with the person, for nothing else here leads to them: the state, the
audience, and every row that could address the person go too. What the person said no to goes as well: the next yes or no is the first.

A person is whoever the last build knew: build first, where much has landed since. DuckDB keeps the bytes of deleted rows in its file until
their room is used again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import duckdb

from activation.engine.activations import Activation
from activation.engine.declarations import Declarations
from activation.engine.erasure import books, files
from activation.engine.erasure.person import VALUES, Person, find
from activation.engine.errors import SluiceError, UsageError
from activation.engine.landing import land
from activation.engine.ledger import Lease, Ledger, open_ledger
from activation.engine.links import project_key
from activation.engine.models import Models
from activation.engine.project import Project
from activation.engine.run import Runner, held
from activation.engine.warehouse import opened, transaction

REMOVALS = ("delete", "archive", "remove_from_list")  # the most thorough first
DONE = {"delete": "deleted", "archive": "archived", "remove_from_list": "removed from the list"}


class NotConfirmed(SluiceError):
    """A destination did not confirm a removal. Nothing here was erased yet, so that it can be asked again."""


@dataclass(frozen=True)
class Removal:
    """What became of the person's records of one sync: `deleted`, `archived`, `removed from the list`, else why they are still there."""

    ref: str
    operation: str | None
    records: int
    outcome: str


@dataclass(frozen=True)
class Erasure:
    """The proof: when, by whom, why, of whom (a keyed hash), rows by place, and what each destination did."""

    erasure_id: str
    erased_at: datetime
    erased_by: str
    why: str
    identifier_hash: str
    counts: Mapping[str, int]
    destinations: Sequence[Removal]
    dry_run: bool = False
    was_done: bool = False  # it had been done before, and was not done again


def forget(
    project: Project,
    declarations: Declarations,
    identifier: str,
    why: str,
    by: str,
    now: datetime,
    without: Sequence[str] = (),
    dry_run: bool = False,
) -> Erasure:
    """Forget whoever has an identifier. `without`: syncs whose destination need not confirm. With `dry_run` nothing changes.

    Raises UsageError when nobody has it, Held while anything runs, NotConfirmed when a destination did not answer, and SluiceError when
    a run has not settled or the collector still writes about the person.
    """
    if not why.strip():
        raise UsageError("Say why with --why: it is kept with the proof.")
    for ref in without:
        declarations.find(ref)
    proof = Erasure(f"x_{secrets.token_hex(8)}", now.astimezone(UTC), by, why.strip(), _hash(project, identifier), {}, (), dry_run)
    with open_ledger(project) as ledger, ExitStack() as stack:
        leases = {} if dry_run else {ref: stack.enter_context(held(ledger, ref)) for ref in sorted(declarations.activations)}
        _refuse_unsettled(ledger)
        if not dry_run:
            land(project, declarations, [], now)
        with opened(project) as connection:
            models = Models(project)
            person = find(connection, models, ledger, identifier)
            if person is None:
                return _done_before(connection, proof)
            _refuse_named(connection, why, by)
            _refuse_open(connection, project, person, "*.jsonl.open" if dry_run else "*.jsonl*")
            if dry_run:
                return _look(connection, project, ledger, declarations, person, proof)
            books.gather(connection)
            records = _records(connection)
        _remove(project, declarations, ledger, leases, records, now)
        with opened(project) as connection:
            person = find(connection, models, ledger, identifier)
            if person is None:
                return _done_before(connection, proof)
            answers = books.gather(connection)
            proof = replace(proof, destinations=_outcomes(connection, declarations))
            _refuse_unconfirmed(proof, without)
            counts = {"ledger.messages": len(person.messages), "ledger.deliveries": ledger.erase(person.messages, answers)}
            counts["plans"] = files.remove(project, files.plans(connection, project), sorted({run_id for run_id, _ in answers}))
            counts["spool"] = files.clean_spool(connection, project, person)
            with transaction(connection):
                proof = replace(proof, counts=_some(counts | books.erase(connection, person)))
                _write(connection, proof)
            connection.execute("checkpoint")  # what was deleted leaves the log of the file
    return proof


def erasures(project: Project) -> list[Erasure]:
    """Every proof, the latest first."""
    with opened(project, read_only=True) as connection:
        rows = connection.execute("select * from activation.erasures order by erased_at desc, erasure_id").fetchall()
    return [_read(row) for row in rows]


def best_removal(activation: Activation) -> str | None:
    """The most thorough way in which a destination lets go of a record; None when it has none."""
    return next((way for way in REMOVALS if way in activation.object.on_removed), None)


# -- over there -------------------------------------------------------------------------------------------------------------


def _remove(
    project: Project,
    declarations: Declarations,
    ledger: Ledger,
    leases: Mapping[str, Lease],
    records: Mapping[str, list[str]],
    now: datetime,
) -> None:
    runner = Runner(project, declarations, now)
    for ref, keys in records.items():
        activation = declarations.activations.get(ref)
        way = best_removal(activation) if activation and activation.kind == "sync" else None
        if activation is not None and way is not None:
            spec = activation.sync.model_copy(update={"mode": "mirror", "on_removed": way})
            runner.remove(ledger, leases[ref], replace(activation, spec=spec), keys)


def _records(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """Keys of the records that destinations hold, or may hold, of `erased_keys`, by sync."""
    rows = connection.execute(
        "select ref, list(distinct key order by key) from activation.sync_snapshot where state in ('acknowledged', 'unconfirmed', 'merged') "
        f"and {books.BOOKS['activation.sync_snapshot']} group by ref order by ref"
    ).fetchall()
    return dict(rows)


def _outcomes(connection: duckdb.DuckDBPyConnection, declarations: Declarations) -> tuple[Removal, ...]:
    """What the books say of each sync: records that went, and records that are still there."""
    gone = dict(
        connection.execute(
            "select c.ref, count(distinct c.key) from activation.sync_changelog as c join erased_history using (run_id, row_number) "
            "where c.run_id like 'e%' and (c.outcome = 'sent' or c.reason_code = 'NO_MATCH') group by c.ref"
        ).fetchall()
    )
    left = {ref: len(keys) for ref, keys in _records(connection).items()}
    found = []
    for ref in sorted({*gone, *left}):
        activation = declarations.activations.get(ref)
        if activation is None:
            found.append(Removal(ref, None, left.get(ref, 0), "not declared any more"))
        elif activation.kind == "sync":
            way = best_removal(activation)
            said = "cannot be removed there" if way is None else "not confirmed" if ref in left else DONE[way]
            found.append(Removal(ref, way, left.get(ref) or gone.get(ref, 0), said))
    return tuple(found)


# -- when it is refused -------------------------------------------------------------------------------------------------------


def _refuse_unsettled(ledger: Ledger) -> None:
    """Runs of an erasure that broke off are closed by the next one; of others the plan may yet be needed."""
    refs = [
        row["ref"] for row in ledger.rows("select distinct ref from runs where status <> 'settled' and run_id not like 'e%' order by ref")
    ]
    if refs:
        raise SluiceError(
            f"{', '.join(refs)}: the last run has not settled, and its plan may hold the person. Run it once more, which closes it; then forget."
        )


def _refuse_named(connection: duckdb.DuckDBPyConnection, why: str, by: str) -> None:
    for value in (why, by):
        told = connection.execute(
            f"select 1 from {VALUES} where anywhere and contains(translate(lower(?), ' -()', ''), "
            "regexp_replace(translate(lower(value), ' -()', ''), '^(\\+86|\\+)', '')) limit 1",
            [value],
        )
        if told.fetchone():
            raise UsageError(
                "--why or --by names the person, and the proof must not. Say it without an identifier: a ticket's number does."
            )


def _refuse_open(connection: duckdb.DuckDBPyConnection, project: Project, person: Person, pattern: str) -> None:
    writing = files.open_spool(connection, project, person, pattern)
    if writing:
        raise SluiceError(
            f"{project.relative(writing[0])} has lines about the person and is not closed, so they would land again. "
            "Stop the collector (`sluice collect`) or wait until it begins another file; then forget."
        )


def _refuse_unconfirmed(proof: Erasure, without: Sequence[str]) -> None:
    refs = [removal.ref for removal in proof.destinations if removal.outcome == "not confirmed" and removal.ref not in without]
    if refs:
        raise NotConfirmed(
            f"{', '.join(refs)} did not confirm the removal, so nothing was erased here yet. Run it again; `sluice ledger` and `sluice status` say "
            f"why it failed. To go on without: --without {refs[0]}; the proof says so."
        )


# -- the proof ----------------------------------------------------------------------------------------------------------------


def _look(
    connection: duckdb.DuckDBPyConnection, project: Project, ledger: Ledger, declarations: Declarations, person: Person, proof: Erasure
) -> Erasure:
    """What would be erased, found by doing it and taking it back."""
    connection.execute("begin transaction")
    try:
        answers = books.gather(connection)
        planned = [
            Removal(ref, best_removal(activation), len(keys), "would be removed" if best_removal(activation) else "cannot be removed there")
            if (activation := declarations.activations.get(ref))
            else Removal(ref, None, len(keys), "not declared any more")
            for ref, keys in _records(connection).items()
            if ref not in declarations.activations or declarations.activations[ref].kind == "sync"
        ]
        counts = {"ledger.messages": len(person.messages), "plans": len(files.plans(connection, project))}
        counts["spool"] = files.clean_spool(connection, project, person, keep=True)
        counts["ledger.deliveries"] = ledger.answers(answers)
        return replace(proof, counts=_some(counts | books.erase(connection, person)), destinations=tuple(planned))
    finally:
        connection.execute("rollback")


def _done_before(connection: duckdb.DuckDBPyConnection, proof: Erasure) -> Erasure:
    """The proof of an earlier erasure of the same identifier. Raises UsageError when there is none."""
    row = connection.execute(
        "select * from activation.erasures where identifier_hash = ? order by erased_at desc limit 1", [proof.identifier_hash]
    ).fetchone()
    if row is None:
        raise UsageError("Nobody has this identifier, and nobody with it was forgotten. `sluice explain` finds people in the same way.")
    return replace(_read(row), was_done=True)


def _write(connection: duckdb.DuckDBPyConnection, proof: Erasure) -> None:
    connection.execute(
        "insert into activation.erasures values (?, ?, ?, ?, ?, ?, ?)",
        [
            proof.erasure_id, proof.erased_at.replace(tzinfo=None), proof.erased_by, proof.why, proof.identifier_hash,
            json.dumps(dict(proof.counts)), json.dumps([asdict(removal) for removal in proof.destinations]),
        ],
    )  # fmt: skip


def _read(row: tuple[Any, ...]) -> Erasure:
    return Erasure(
        row[0],
        row[1].replace(tzinfo=UTC),
        row[2],
        row[3],
        row[4],
        json.loads(row[5]),
        tuple(Removal(**each) for each in json.loads(row[6])),
    )


def _hash(project: Project, identifier: str) -> str:
    """HMAC-SHA256 with the project's key (RFC 2104): without it nobody can try identifiers against the proof."""
    plain = "".join(character for character in identifier.strip().lower() if character not in " -()")
    return hmac.new(project_key(project.state), f"erasure|{plain}".encode(), hashlib.sha256).hexdigest()


def _some(counts: Mapping[str, int]) -> dict[str, int]:
    return {place: count for place, count in sorted(counts.items()) if count}
