"""Rows on their way into `raw`, set-based and in one transaction.

Events of the spool go straight there, for nearly all of them are new, and payloads are what is dear to move; those that had landed before
are taken away at the end. What files hold, which may have grown since they landed, waits in a temporary table until it is known what is new.
"""

from __future__ import annotations

from datetime import datetime

import duckdb
import pyarrow as pa

from activation.engine.landing.chunk import Chunk
from activation.engine.specs import Source
from activation.engine.warehouse import quote


def create_table(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """`raw.<name>`, if it is not there yet."""
    connection.execute(
        f"create table if not exists raw.{quote(name)} (_event_id varchar, _source varchar, _batch_id varchar, _file varchar, "
        "_line bigint, _landed_at timestamp, payload json)"
    )


def begin(connection: duckdb.DuckDBPyConnection) -> None:
    """An empty `incoming`."""
    connection.execute(
        "create or replace temporary table incoming (arrival bigint, _event_id varchar, record_key varchar, version varchar, _source varchar, "
        "_batch_id varchar, _file varchar, _line bigint, _landed_at timestamp, payload json)"
    )
    connection.execute("create or replace temporary sequence arrivals")


def add_chunk(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    source: Source,
    file: str,
    chunk: Chunk,
    batch_id: str,
    landed_at: datetime,
    is_spooled: bool = False,
) -> int:
    """Take in a chunk, and its bad lines into quarantine. Returns how many lines are new there: a line is kept once."""
    key, version = _key(source), _version(source)
    if source.kind == "events" and is_spooled:
        into = f"raw.{quote(name)} select {key}, ?, ?, ?, line, ?, text from chunk_lines"
    else:
        identity = "record_key" if source.kind == "events" else "record_key || '@' || version || '@' || md5(text)"
        into = (
            f"incoming select nextval('arrivals'), {identity}, record_key, version, ?, ?, ?, line, ?, text from "
            f"(select line, text, {key} as record_key, {version} as version from chunk_lines)"
        )
    connection.register("chunk_lines", pa.table({"line": pa.array(chunk.lines, pa.int64()), "text": pa.array(chunk.texts, pa.string())}))
    try:
        connection.execute(f"insert into {into}", [name, batch_id, file, landed_at])
    finally:
        connection.unregister("chunk_lines")
    if not chunk.bad:
        return 0
    numbers, reasons, contents = zip(*chunk.bad, strict=True)
    bad = {"line": pa.array(numbers, pa.int64()), "reason": pa.array(reasons, pa.string()), "content": pa.array(contents, pa.string())}
    connection.register("chunk_bad", pa.table(bad))
    try:
        inserted = connection.execute(
            "insert into raw.quarantine select ?, ?, ?, line, reason, content, ? from chunk_bad where (line, content) not in "
            "(select (_line, content) from raw.quarantine where _source = ? and _file = ?)",
            [name, batch_id, file, landed_at, name, file],
        ).fetchone()
    finally:
        connection.unregister("chunk_bad")
    return int(inserted[0]) if inserted else 0


def keep_new(connection: duckdb.DuckDBPyConnection, name: str, source: Source, batch_id: str) -> dict[str, int]:
    """Leave in `raw.<name>` what is new of a batch; how many rows of each file were. Events are new by id.

    A record is new when it differs from the latest that landed for its key (and version, where the source has one): A, B, A is three
    versions. A version that landed before word for word keeps its id, with a count behind it.
    """
    table = f"raw.{quote(name)}"
    if source.kind == "events":
        # Rows of one transaction are numbered in the order in which they came.
        connection.execute(
            f"""
            delete from {table} where rowid in (
                select rowid from (
                    select rowid, _event_id, row_number() over (partition by _event_id order by rowid) as nth from {table} where _batch_id = $batch
                ) as came
                where nth > 1 or _event_id in (select _event_id from {table} where _batch_id is distinct from $batch)
            )
            """,
            {"batch": batch_id},
        )
        fresh = f"select min(arrival) as arrival, _event_id from incoming where _event_id not in (select _event_id from {table}) group by _event_id"
    else:
        landed = "payload::varchar"
        fresh = f"""
            with latest as (
                select {_key(source, landed)} as record_key, {_version(source, landed)} as version, {landed} as text, -1 as arrival
                from {table}
                qualify row_number() over (partition by record_key, version order by _landed_at desc, _batch_id desc, _line desc) = 1
            ), series as (
                select record_key, version, text, arrival from latest
                union all select record_key, version, payload::varchar, arrival from incoming
            ), changed as (
                select arrival, lag(text) over (partition by record_key, version order by arrival) is distinct from text as is_new from series
            ), changes as (
                select incoming.*, row_number() over (partition by _event_id order by arrival) as nth
                from incoming join changed using (arrival) where is_new
            ), landed_before as (
                select regexp_replace(_event_id, '#[0-9]+$', '') as _event_id, count(*) as times from {table} group by 1
            )
            select arrival, changes._event_id || case when nth + coalesce(times, 0) > 1 then '#' || (nth + coalesce(times, 0)) else '' end as _event_id
            from changes left join landed_before using (_event_id)
        """
    # Which rows are new is found without their payloads, and these are moved once, in the order in which they came.
    connection.execute(f"create or replace temporary table fresh as {fresh}")
    connection.execute(
        f"insert into {table} select fresh._event_id, _source, _batch_id, _file, _line, _landed_at, payload from incoming join fresh using (arrival)"
    )
    return dict(connection.execute(f"select _file, count(*) from {table} where _batch_id = ? group by 1", [batch_id]).fetchall())


def _field(path: str, text: str) -> str:
    """SQL for a field of the JSON in `text`; a dot descends. Blank is null: it identifies nothing."""
    pointer = "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path.split(".")).replace("'", "''")
    value = f"json_extract_string({text}, '{pointer}')"
    return f"case when trim({value}) <> '' then {value} end"


def _key(source: Source, text: str = "text") -> str:
    """SQL for the key: the first alternative whose fields are all present, else the content."""
    alternatives = []
    for alternative in source.key:
        parts = [_field(path, text) for path in alternative]
        if len(parts) > 1:
            # `a|b` and `c` must not be `a` and `b|c`.
            parts = [rf"replace(replace({part}, '\', '\\'), '|', '\|')" for part in parts]
        alternatives.append(" || '|' || ".join(parts))
    return f"coalesce({', '.join([*alternatives, f'md5({text})'])})"


def _version(source: Source, text: str = "text") -> str:
    return f"coalesce({_field(source.version, text)}, '')" if source.version else "''"
