"""What a person decides about held messages and dead rows: `resend`, `discard`, or `sent`. Written down with who and why; the next plan obeys."""

from __future__ import annotations

import getpass
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import duckdb

from activation.engine.dead_letters import STATES, Letter, letters
from activation.engine.errors import UsageError
from activation.engine.ledger import open_ledger
from activation.engine.project import Project
from activation.engine.warehouse import opened, query, transaction

Decision = Literal["resend", "discard", "sent"]


def login() -> str:
    """Who is at the keyboard, as the machine knows it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"  # a container's user often has no name


def decide(
    project: Project, ref: str, keys: Sequence[str] | None, decision: Decision, by: str, why: str, now: datetime, state: str | None = None
) -> list[Letter]:
    """Carry a decision out for some keys of a sync or send, or for all that is held or dead (None; `state` narrows it).

    resend   it may leave again, with a fresh set of attempts
    discard  it never leaves, unless somebody says `resend`
    sent     it did arrive: as if it had been acknowledged

    All or nothing. Returns what was decided about. Raises Held while the sync runs, UsageError for a key that is neither held nor dead.
    """
    if not why.strip():
        raise UsageError("Say why with --why: it is kept with the decision.")
    with open_ledger(project) as ledger:
        lease = ledger.acquire(ref, f"sluice ledger {decision}")
        try:
            with opened(project) as connection, transaction(connection):
                chosen = _chosen(connection, ref, keys, state)
                _carry_out(connection, ref, chosen, decision, by, why, now.astimezone(UTC).replace(tzinfo=None))
                if decision != "discard":
                    # Last, so that a crash before the commit leaves a message rather held than free.
                    ledger.settle_messages(
                        [letter.message_id for letter in chosen if letter.message_id], "sent" if decision == "sent" else "rejected"
                    )
        finally:
            ledger.release(lease)
    return chosen


def _chosen(connection: duckdb.DuckDBPyConnection, ref: str, keys: Sequence[str] | None, state: str | None) -> list[Letter]:
    if keys is None:
        return letters(connection, ref, (state,) if state else ("held", "dead"))
    found = {letter.key: letter for letter in letters(connection, ref, (state,) if state else STATES)}
    for key in keys:
        if key not in found:
            raise UsageError(f"{ref} holds no message with the key {key}, and no dead row. `sluice ledger` lists what there is.")
    return [found[key] for key in dict.fromkeys(keys)]


def _carry_out(
    connection: duckdb.DuckDBPyConnection, ref: str, chosen: Sequence[Letter], decision: Decision, by: str, why: str, now: datetime
) -> None:
    connection.execute(
        "create or replace temporary table chosen (key varchar, message_id varchar, run_id varchar, state varchar, is_failure boolean)"
    )
    if chosen:
        columns = [list(column) for column in zip(*((c.key, c.message_id, c.run_id, c.state) for c in chosen), strict=True)]
        connection.execute(
            "insert into chosen select unnest(?::varchar[]), unnest(?::varchar[]), unnest(?::varchar[]), unnest(?::varchar[]), false",
            columns,
        )
    connection.execute(
        "update chosen set is_failure = true where key in (select key from activation.sync_failures where ref = ? and state <> 'failing')",
        [ref],
    )
    parameters = {"ref": ref, "now": now}
    for statement in connection.extract_statements(query(f"decide_{decision}")):
        connection.execute(statement, {name: parameters[name] for name in statement.named_parameters})
    connection.execute(
        "insert into activation.sync_decisions select ?, key, message_id, run_id, state, ?, ?, ?, ? from chosen",
        [ref, decision, by, why, now],
    )
