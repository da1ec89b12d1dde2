"""The types of the columns a sync maps, as they were when it last ran. One that changed stops the next run, with its name.

A number that becomes text looks the same in the warehouse and is another value over there, in every row at once.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from activation.engine.declarations import Activation
from activation.engine.models import Models

# What leaves is the same, however wide the column is.
WHOLE_NUMBERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"}
ALIKE = dict.fromkeys(WHOLE_NUMBERS, "INTEGER") | {"FLOAT": "DOUBLE"}


def of(connection: duckdb.DuckDBPyConnection, models: Models, activation: Activation) -> dict[str, str]:
    """The mapped columns with their types; none for a send, whose fields are made into text."""
    if activation.kind == "send":
        return {}
    spec = activation.sync
    types = models.columns(connection, spec.model)
    return {column: types[column] for column in dict.fromkeys([spec.key, spec.match_on, *spec.fields.values()])}


def changed(connection: duckdb.DuckDBPyConnection, ref: str, types: Mapping[str, str]) -> list[str]:
    """A sentence for each column whose type is no longer that of the last run."""
    before = dict(connection.execute("select column_name, type from activation.sync_columns where ref = ?", [ref]).fetchall())
    return [
        f"The column `{column}` was {before[column]} when this sync last ran, and is {now}: everybody's value may leave as something else."
        for column, now in types.items()
        if column in before and _kind(before[column]) != _kind(now)
    ]


def remember(connection: duckdb.DuckDBPyConnection, ref: str, types: Mapping[str, str]) -> None:
    """These are the types now: of a run that may go on."""
    connection.execute("delete from activation.sync_columns where ref = ?", [ref])
    if types:
        connection.executemany("insert into activation.sync_columns values (?, ?, ?)", [[ref, *pair] for pair in types.items()])


def _kind(kind: str) -> str:
    """A type without its width."""
    if kind.endswith("]"):
        return kind
    name = kind.partition("(")[0]
    return kind if name in {"STRUCT", "MAP", "ENUM"} else ALIKE.get(name, name)
