"""What the warehouse holds of a person: rows that go, and rows of the books that stay without saying who it was. Set-based, one transaction."""

from __future__ import annotations

import re

import duckdb

from activation.engine.erasure.person import LEAF, VALUES, Person, is_theirs, may_be_theirs
from activation.engine.warehouse import literal, quote

# Of the books a row is theirs by these columns.
WHOSE = f"(profile_id in (select value from {VALUES} where kind = 'profile_id') or key in (select value from {VALUES} where anywhere)"
BOOKS = {
    "activation.sync_snapshot": f"{WHOSE} or match_value in (select value from {VALUES} where anywhere))",
    "activation.sync_failures": f"{WHOSE} or match_value in (select value from {VALUES} where anywhere))",
    "activation.assignments": f"profile_id in (select value from {VALUES} where kind = 'profile_id')",
    "activation.sync_decisions": "(ref, key) in (select ref, key from erased_keys)",
}
OURS = ("files", "fields", "quarantine")  # tables of `raw` that hold no payloads
SAYINGS = ("reason", "evidence")  # columns in which a row about somebody else may speak of the person
DICTIONARY = "int_identifiers"
EVENT_SETS = "int_event_sets"
KEYS = ("identifier_key", "left_key", "right_key", "profile_key")


def gather(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, int]]:
    """The person's rows in the books: the temporary tables `erased_history` and `erased_keys`. Returns (run_id, row_number)."""
    connection.execute(
        "create or replace temporary table erased_history as select run_id, row_number, ref, key from activation.sync_changelog "
        f"where {WHOSE} or message_id in (select value from {VALUES} where kind = 'message_id'))"
    )
    connection.execute(
        "create or replace temporary table erased_keys as select ref, key from erased_history where key is not null union "
        f"select ref, key from activation.sync_snapshot where {BOOKS['activation.sync_snapshot']} union "
        f"select ref, key from activation.sync_failures where {BOOKS['activation.sync_failures']}"
    )
    return connection.execute("select distinct run_id, row_number from erased_history order by all").fetchall()


def erase(connection: duckdb.DuckDBPyConnection, person: Person) -> dict[str, int]:
    """Erase, inside the caller's transaction and after `gather`. Returns rows by place, those without any left out."""
    counts = _raw(connection, person)
    counts["raw.quarantine"] = _touched(connection, f"delete from raw.quarantine where {_in_words('content')}")
    for table, condition in BOOKS.items():
        counts[table] = _touched(connection, f"delete from {table} where {condition}")
    counts["activation.sync_changelog"] = _touched(
        connection,
        "update activation.sync_changelog set key = null, profile_id = null, message_id = null, provider_id = null, reason = null "
        "where (run_id, row_number) in (select run_id, row_number from erased_history)",
    )
    counts |= _built(connection, person)
    return {place: count for place, count in counts.items() if count}


def _raw(connection: duckdb.DuckDBPyConnection, person: Person) -> dict[str, int]:
    """Rows as they landed. `erased_events` keeps what they were called, for models that took them in already."""
    connection.execute("create or replace temporary table erased_events (event_id varchar)")
    counts = {}
    for (table,) in connection.execute(
        "select table_name from duckdb_columns() where schema_name = 'raw' and column_name = 'payload' order by 1"
    ).fetchall():
        if table in OURS:
            continue
        place = f"raw.{quote(table)}"
        connection.execute(
            f"create or replace temporary table erased_rows as with suspects as (select rowid as row_id, _event_id, payload from {place} "
            f"where {may_be_theirs(person, 'payload::varchar')}) select distinct t.row_id, t._event_id from suspects as t, json_tree(t.payload) as j "
            f"where j.atom is not null and {is_theirs(LEAF, 'j.key')}"
        )
        connection.execute("insert into erased_events select _event_id from erased_rows where length(_event_id) >= 8")
        counts[f"raw.{table}"] = _touched(connection, f"delete from {place} where rowid in (select row_id from erased_rows)")
    return counts


def _in_words(text: str) -> str:
    """Whether a line that could not be read as JSON has one of the values as a word of its own."""
    words = f"regexp_extract_all(lower({text}), '[^\\s\",;:{{}}\\[\\]<>()=|]+')"
    bare = f"regexp_extract_all(translate(lower({text}), ' -()', ''), '[^\\s\",;:{{}}\\[\\]<>=|]+')"
    return (
        f"exists (select 1 from {VALUES} as v where v.anywhere and (list_contains({words}, lower(v.value)) or list_contains({bare}, lower(v.value)) "
        f"or list_contains({bare}, replace(v.value, '+86', ''))))"
    )


def _built(connection: duckdb.DuckDBPyConnection, person: Person) -> dict[str, int]:
    """Rows of the tables that dbt built. The next build makes most of them anew; those
    that builds only add to would keep the person for ever, and need no full refresh now."""
    keys = f"[{', '.join(map(str, person.keys))}]::bigint[]"
    counts: dict[str, int] = {}
    for schema, table, columns, types in _tables(connection):
        place = f"{quote(schema)}.{quote(table)}"
        conditions = []
        for column, kind in zip(columns, types, strict=True):
            name = quote(column)
            if kind == "VARCHAR":
                conditions.append(f"lower({name}) in (select lower(value) from {VALUES} where anywhere)")
                conditions.append(f"{name} in (select value from {VALUES} where kind = {literal(column)})")
                if column.endswith(("_id", "_key")):
                    conditions.append(f"{name} in (select event_id from erased_events)")
            elif kind == "BIGINT" and column in KEYS and person.keys:
                conditions.append(f"list_contains({keys}, {name})")
        if {"identifier", "identifier_type"} <= set(columns):
            conditions.append(f"(identifier_type, identifier) in (select kind, value from {VALUES})")
        if conditions:
            if table == EVENT_SETS:
                # A visitor's other rows are found changed by the next build: of the person's there is none to tell it.
                connection.execute(
                    f"update {place} set fingerprint = '' where visitor_key <> 0 "
                    f"and visitor_key in (select visitor_key from {place} where {' or '.join(f'({part})' for part in conditions)})"
                )
            # The next key is one more than the greatest there is: one that was given out stays, or somebody else would get it.
            emptied = f"update {place} set identifier_type = 'erased', identifier = identifier_key::varchar"
            taken = emptied if table == DICTIONARY else f"delete from {place}"
            counts[f"{schema}.{table}"] = _touched(connection, f"{taken} where {' or '.join(f'({part})' for part in conditions)}")
        for column, kind in zip(columns, types, strict=True):
            if kind == "VARCHAR" and column in SAYINGS:
                _unsay(connection, person, place, quote(column))
    return counts


def _tables(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, list[str], list[str]]]:
    """Schema, table, columns and their types of every table that is not Sluice's own."""
    return connection.execute(
        "select c.schema_name, c.table_name, list(c.column_name order by c.column_index), list(c.data_type order by c.column_index) "
        "from duckdb_columns() as c join duckdb_tables() as t using (database_name, schema_name, table_name) "
        "where not t.temporary and c.database_name = current_database() and c.schema_name not in ('raw', 'activation') group by all order by all"
    ).fetchall()


def _unsay(connection: duckdb.DuckDBPyConnection, person: Person, place: str, column: str) -> None:
    """Sentences stay, without the words that say who it was."""
    words = "|".join(re.escape(value) for value, _, anywhere in sorted(person.values, reverse=True) if anywhere)
    pattern = literal(f"(?i)(^|[^\\w.@+-])(?:{words})($|[^\\w@+-])")
    connection.execute(
        f"update {place} set {column} = regexp_replace({column}, {pattern}, '\\1[erased]\\2', 'g') where regexp_matches({column}, {pattern})"
    )


def _touched(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = connection.execute(sql).fetchone()
    return int(row[0]) if row else 0
