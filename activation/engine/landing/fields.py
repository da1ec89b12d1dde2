"""Which fields a source has, noted as they appear, with a view that shows the top level as columns."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import duckdb

from activation.engine.warehouse import quote

DEEPEST = 3


def note(connection: duckdb.DuckDBPyConnection, name: str, landed_at: datetime, batch_id: str) -> tuple[list[str], list[str]]:
    """Note the fields of `incoming`. Returns the new ones, and those whose type is another than before (both as sentences' subjects)."""
    row = connection.execute("select json_group_structure(payload) from incoming").fetchone()
    if row is None or row[0] is None:
        return [], []
    seen = {pair for pair in _flatten(json.loads(row[0]), "") if pair[1] != "null"}
    known: dict[str, set[str]] = {}
    for field, kind in connection.execute("select field, type from raw.fields where _source = ?", [name]).fetchall():
        known.setdefault(field, set()).add(kind)
    fresh = sorted((field, kind) for field, kind in seen if kind not in known.get(field, set()))
    if not fresh:
        return [], []
    connection.executemany(
        "insert into raw.fields values (?, ?, ?, ?, ?)", [(name, field, kind, landed_at, batch_id) for field, kind in fresh]
    )
    _show_columns(connection, name)
    changed = [f"{field} ({' and '.join(sorted(known[field]))}, now also {kind})" for field, kind in fresh if field in known]
    return sorted({field for field, _ in fresh if field not in known}), changed


def _flatten(structure: Any, prefix: str, depth: int = 1) -> set[tuple[str, str]]:
    """DuckDB's structure of many JSON values as (dotted field, kind) pairs; numbers are one kind."""
    result: set[tuple[str, str]] = set()
    for key, value in structure.items():
        field = f"{prefix}{key}"
        if isinstance(value, dict):
            result.add((field, "object"))
            if depth < DEEPEST:
                result |= _flatten(value, f"{field}.", depth + 1)
        elif isinstance(value, list):
            result.add((field, "array"))
        else:
            result.add((field, _kind(value)))
    return result


def _kind(name: str) -> str:
    if name in {"UBIGINT", "BIGINT", "DOUBLE", "HUGEINT"}:
        return "number"
    return {"VARCHAR": "string", "BOOLEAN": "boolean", "NULL": "null", "JSON": "mixed"}.get(name, name.lower())


def _show_columns(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """`raw.<name>_columns`: the top-level fields as text columns, so that a new field appears by itself."""
    fields = [row[0] for row in connection.execute("select distinct field from raw.fields where _source = ? order by 1", [name]).fetchall()]
    folded: set[str] = set()
    columns = []
    for field in fields:
        # Column names are case-insensitive; of `A` and `a` the view shows the first.
        if "." not in field and field.lower() not in folded:
            folded.add(field.lower())
            pointer = '$."' + field.replace('"', "").replace("'", "''") + '"'
            columns.append(f", json_extract_string(payload, '{pointer}') as {quote(field)}")
    connection.execute(
        f"create or replace view raw.{quote(name + '_columns')} as select _event_id, _landed_at{''.join(columns)} from raw.{quote(name)}"
    )
