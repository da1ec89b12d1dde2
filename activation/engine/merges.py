"""Merges followed: when identity found that two profiles are one person, what was sent to either was sent to that person.

`profile_merges` leads every id that a person may have had before to the id of today. The state of a sync or send follows it before each
plan. The history (`sync_changelog`) stays as it was written; who reads it by person looks through `profile_merges`.

A send       A person does not get it again who got it, or may have got it, under an id of before. That holds too for whoever is
             parted from them later: of two ids that were one for a while, neither gets a message that either had.
A sync       keyed by profile_id: the record that today's row addresses over there goes on under today's id, and is changed, not added again.
             What `on_merged` says is done to the other ids' records: planned as removals, once, and never where the same record is
             also somebody's of today. Whoever is parted again is added anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
from sqlglot import exp, select

from activation.engine.declarations import Activation
from activation.engine.models import Models, Relation
from activation.engine.payload import text
from activation.engine.warehouse import DIALECT, query, transaction

MODEL = "profile_merges"


def relation(connection: duckdb.DuckDBPyConnection, models: Models) -> Relation | None:
    """Where `profile_merges` (previous_id, profile_id, …) stands; None in a project that has no such model, or has not built it."""
    return models.relation(MODEL) if MODEL in models.names() and MODEL in models.built(connection) else None


def follow(connection: duckdb.DuckDBPyConnection, models: Models, activation: Activation) -> None:
    """Let the state of this sync or send follow the merges of today. All or nothing; done again it changes nothing."""
    with transaction(connection):
        _follow(connection, models, activation)


@contextmanager
def followed(connection: duckdb.DuckDBPyConnection, models: Models, activation: Activation) -> Iterator[None]:
    """As `follow`, for a look only: at the end of the block the state is what it was."""
    connection.execute("begin transaction")
    try:
        _follow(connection, models, activation)
        yield
    finally:
        connection.execute("rollback")


def _follow(connection: duckdb.DuckDBPyConnection, models: Models, activation: Activation) -> None:
    if MODEL not in models.names():
        return
    models.columns(connection, MODEL)  # raises when it is not there: a message must not go twice because a model was not built
    connection.execute(f"create or replace temporary view merges_now as select previous_id, profile_id from {models.relation(MODEL).sql}")
    parameters = {"ref": activation.ref}
    if activation.kind == "send":
        name = "follow_merges_send"
    elif activation.sync.key != "profile_id":
        name = "follow_merges_profile"
    else:
        name = "follow_merges_sync"
        parameters["on_merged"] = activation.sync.merged
        spec, columns = activation.sync, models.columns(connection, activation.sync.model)
        if not {spec.key, spec.match_on} <= columns.keys() or not _concerned(connection, activation):
            return  # a column that is not there is the plan's to report
        source = select(text(exp.column(spec.key, quoted=True)).as_("key"), text(exp.column(spec.match_on, quoted=True)).as_("match_value"))
        rows = source.from_(models.relation(spec.model).expression()).sql(DIALECT)
        connection.execute(f"create or replace temporary view source_matches as {rows}")
    for statement in connection.extract_statements(query(name)):
        connection.execute(statement, {key: value for key, value in parameters.items() if key in statement.named_parameters})


def _concerned(connection: duckdb.DuckDBPyConnection, activation: Activation) -> bool:
    """Whether anything of this sync's state belongs to an id of before. It seldom does, and then nothing else is read."""
    found = connection.execute(
        "select 1 from activation.sync_snapshot where ref = ? and (state = 'merged' or key in (select previous_id from merges_now)) limit 1",
        [activation.ref],
    )
    return found.fetchone() is not None
