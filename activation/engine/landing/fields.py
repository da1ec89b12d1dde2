"""Which fields a source has, noted as they appear, with a view that shows the top level as columns."""

from __future__ import annotations

from collections.abc import Set
from datetime import datetime

import duckdb

from activation.engine.warehouse import quote

MOST = 2000  # fields noted per source; objects used as dictionaries (one key per visitor) must not make a view of a million columns


def note(
    connection: duckdb.DuckDBPyConnection, name: str, seen: Set[tuple[str, str]], landed_at: datetime, batch_id: str
) -> tuple[list[str], list[str]]:
    """Note fields with their kinds. Returns the new ones, and those that have another kind than before, or several at once, as `field (kinds)`."""
    known: dict[str, set[str]] = {}
    for field, kind in connection.execute("select field, type from raw.fields where _source = ?", [name]).fetchall():
        known.setdefault(field, set()).add(kind)
    fresh: dict[str, list[str]] = {}
    for field, kind in sorted(seen):
        if kind not in known.get(field, set()) and (field in known or field in fresh or len(known) + len(fresh) < MOST):
            fresh.setdefault(field, []).append(kind)
    if not fresh:
        return [], []
    rows = [(name, field, kind, landed_at, batch_id) for field, kinds in fresh.items() for kind in kinds]
    connection.executemany("insert into raw.fields values (?, ?, ?, ?, ?)", rows)
    _show_columns(connection, name)
    changed = [
        f"{field} ({' and '.join(sorted(known[field]))}, now also {' and '.join(kinds)})" if field in known else f"{field} ({' and '.join(kinds)})"
        for field, kinds in fresh.items()
        if field in known or len(kinds) > 1
    ]  # fmt: skip
    return [field for field in fresh if field not in known], changed


def _show_columns(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """`raw.<name>_columns`: the top-level fields as text columns, so that a new field appears by itself."""
    fields = [row[0] for row in connection.execute("select distinct field from raw.fields where _source = ? order by 1", [name]).fetchall()]
    taken = {"_event_id", "_landed_at"}
    columns = []
    for field in fields:
        # Column names are case-insensitive, so of `A` and `a` the view shows the first; SQL can hold no name with control characters.
        if "." not in field and field.lower() not in taken and field and field.isprintable():
            taken.add(field.lower())
            pointer = "/" + field.replace("~", "~0").replace("/", "~1").replace("'", "''")
            columns.append(f", json_extract_string(payload, '{pointer}') as {quote(field)}")
    connection.execute(
        f"create or replace view raw.{quote(name + '_columns')} as select _event_id, _landed_at{''.join(columns)} from raw.{quote(name)}"
    )
