"""The statements that put rows into a table of PostgreSQL: names are quoted, values are parameters, nothing is pasted.

A statement is (SQL with `%s`, values). Every value goes as text, as it stands in JSON, and the database reads it as what its column is; so a
value that does not fit is the database's to refuse.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from connectors.base import Batch, Fatal, Row

Statement = tuple[str, list[str | None]]


def quote(name: str) -> str:
    """A name as SQL text of PostgreSQL; a dot in a table's name is its schema's, and was split off before."""
    if not name or "\0" in name:
        raise Fatal("BAD_NAME", "A table or column of this sync has no name that a database can have.")
    # The driver reads `%` as the start of a value.
    return '"' + name.replace('"', '""').replace("%", "%%") + '"'


def table(name: str) -> str:
    return ".".join(quote(part) for part in name.split("."))


def text(value: Any) -> str | None:
    """A value as the database reads it."""
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()


def unique_id(row: Row, batch: Batch) -> str:
    """The same for the same row of the same run, and for no other."""
    return hashlib.sha256("\x1f".join((batch.run_id, batch.operation, row.key)).encode()).hexdigest()[:32]


def statements(batch: Batch) -> list[list[Statement]]:
    """What the batch does, row by row."""
    if batch.object == "log":
        return [[append(row, batch)] for row in batch.rows]
    if batch.operation == "remove":
        return [[remove(row, batch)] for row in batch.rows]
    return [list(write(row, batch)) for row in batch.rows]


def write(row: Row, batch: Batch) -> Iterator[Statement]:
    """One row of `rows` by its key; the last statement's count says whether it was there, where the match policy asks."""
    where, key = table(batch.settings.table), batch.settings.key
    values = {name: text(value) for name, value in row.fields.items()}
    values.setdefault(key, row.match or row.key)
    if row.provider_id is not None and row.provider_id != values[key]:
        # It was found by another value until now: it moves, rather than staying behind for ever.
        yield f"update {where} set {quote(key)} = %s where {quote(key)} = %s", [values[key], row.provider_id]
    others = {name: value for name, value in values.items() if name != key}
    if batch.match_policy == "update_only":
        pairs = ", ".join(f"{quote(name)} = %s" for name in others) or f"{quote(key)} = {quote(key)}"
        yield f"update {where} set {pairs} where {quote(key)} = %s", [*others.values(), values[key]]
        return
    sets = ", ".join(f"{quote(name)} = excluded.{quote(name)}" for name in others) if batch.match_policy == "upsert" else ""
    yield _insert(where, values, f"({quote(key)}) do {f'update set {sets}' if sets else 'nothing'}")


def remove(row: Row, batch: Batch) -> Statement:
    """What `on_removed` says, for one row of `rows`."""
    where, settings = table(batch.settings.table), batch.settings
    key = row.provider_id or row.match or row.key
    if batch.on_removed == "delete":
        return f"delete from {where} where {quote(settings.key)} = %s", [key]
    if batch.on_removed == "archive":
        if settings.removed_at is None:
            raise Fatal("NO_COLUMN", "With `on_removed: archive` the sync's settings name a column: `removed_at`.")
        return f"update {where} set {quote(settings.removed_at)} = current_timestamp where {quote(settings.key)} = %s", [key]
    pairs = ", ".join(f"{quote(name)} = null" for name in row.fields if name != settings.key)
    return f"update {where} set {pairs or f'{quote(settings.key)} = {quote(settings.key)}'} where {quote(settings.key)} = %s", [key]


def append(row: Row, batch: Batch) -> Statement:
    """One row of `log`, with an id by which the same row of the same run is known again."""
    values: dict[str, str | None] = {name: text(value) for name, value in row.fields.items()}
    values[batch.settings.id] = unique_id(row, batch)
    if batch.settings.operation is not None:
        values[batch.settings.operation] = batch.operation
    return _insert(table(batch.settings.table), values, f"({quote(batch.settings.id)}) do nothing")


def _insert(where: str, values: Mapping[str, str | None], on_conflict: str) -> Statement:
    names, marks = ", ".join(map(quote, values)), ", ".join(["%s"] * len(values))
    return f"insert into {where} ({names}) values ({marks}) on conflict {on_conflict}", list(values.values())
