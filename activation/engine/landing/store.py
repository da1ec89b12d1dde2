"""Rows on their way into `raw`: a temporary table of what came, then what is new in it, set-based."""

from __future__ import annotations

import json
from datetime import datetime

import duckdb
import pyarrow as pa

from activation.engine.landing.lines import Chunk
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
    connection: duckdb.DuckDBPyConnection, name: str, source: Source, file: str, chunk: Chunk, batch_id: str, landed_at: datetime
) -> tuple[int, int]:
    """Put a chunk into `incoming` and its bad lines into quarantine. Returns (good, bad) counts."""
    lines = pa.table({"line": pa.array(chunk.lines, pa.int64()), "text": pa.array(chunk.texts, pa.string())})
    connection.register("chunk_lines", lines)
    try:
        connection.execute(
            "create or replace temporary table chunk as select line, text, json_valid(text) as valid from chunk_lines",
        )
    finally:
        connection.unregister("chunk_lines")
    missing = " or ".join(f"{_text(path)} is null" for path in source.required) or "false"
    reasons = (
        "case when not valid then 'is not valid JSON' when json_type(text) <> 'OBJECT' then 'is not a JSON object' "
        f"when {missing} then ? end"
    )
    sentence = f"has no value for {' or '.join(f'`{path}`' for path in source.required)}, which this source requires"
    connection.execute(f"create or replace temporary table judged as select line, text, {reasons} as reason from chunk", [sentence])
    connection.execute(
        "insert into raw.quarantine select ?, ?, ?, line, reason, text, ? from judged where reason is not null",
        [name, batch_id, file, landed_at],
    )
    _explain_json(connection, batch_id, file)
    for line, reason, content in chunk.bad:
        connection.execute(
            "insert into raw.quarantine values (?, ?, ?, ?, ?, ?, ?)", [name, batch_id, file, line, reason, content, landed_at]
        )
    key = _key(source)
    version = f"coalesce({_text(source.version)}, '')" if source.version else "''"
    identity = "record_key" if source.kind == "events" else "record_key || '@' || version || '@' || md5(text)"
    connection.execute(
        f"insert into incoming select nextval('arrivals'), {identity}, record_key, version, ?, ?, ?, line, ?, text from "
        f"(select line, text, {key} as record_key, {version} as version from judged where reason is null order by line)",
        [name, batch_id, file, landed_at],
    )
    good, bad = connection.execute(
        "select count(*) filter (reason is null), count(*) filter (reason is not null) from judged"
    ).fetchone() or (0, 0)
    return good, bad + len(chunk.bad)


def _explain_json(connection: duckdb.DuckDBPyConnection, batch_id: str, file: str) -> None:
    """Say where a line stops being JSON. Few lines are bad, so they are looked at one by one."""
    bad = connection.execute(
        "select _line, content from raw.quarantine where _batch_id = ? and _file = ? and reason = 'is not valid JSON' limit 1000",
        [batch_id, file],
    ).fetchall()
    for line, content in bad:
        try:
            json.loads(content)
        except json.JSONDecodeError as error:
            connection.execute(
                "update raw.quarantine set reason = ? where _batch_id = ? and _file = ? and _line = ? and reason = 'is not valid JSON'",
                [f"is not valid JSON: {error.msg} at character {error.pos + 1}", batch_id, file, line],
            )


def commit_incoming(connection: duckdb.DuckDBPyConnection, name: str, source: Source) -> dict[str, int]:
    """Insert what is new into `raw.<name>`; how many rows of each file were. Events by id; records when they are a new version.

    A record without a version column is new when it differs from the latest that landed for its key: A, B, A is three versions.
    """
    table = f"raw.{quote(name)}"
    if source.kind == "records" and source.version is None:
        fresh = f"""
            with latest as (
                select {_key(source).replace("text", "payload::varchar")} as record_key, payload::varchar as text, -1 as arrival
                from {table} qualify row_number() over (partition by record_key order by _landed_at desc, _batch_id desc, _line desc) = 1
            ), series as (
                select record_key, text, arrival from latest
                union all select record_key, payload::varchar, arrival from incoming
            ), changed as (
                select arrival, lag(text) over (partition by record_key order by arrival) is distinct from text as is_new from series
            )
            select incoming.* replace (_event_id || '@' || _batch_id || '#' || incoming.arrival as _event_id)
            from incoming join changed using (arrival) where is_new
        """
    else:
        fresh = f"""
            select incoming.* from incoming
            where _event_id not in (select _event_id from {table})
            qualify row_number() over (partition by _event_id order by arrival) = 1
        """
    connection.execute(f"create or replace temporary table fresh as {fresh}")
    connection.execute(
        f"insert into {table} select _event_id, _source, _batch_id, _file, _line, _landed_at, payload from fresh order by arrival"
    )
    return dict(connection.execute("select _file, count(*) from fresh group by 1").fetchall())


def _text(path: str) -> str:
    """SQL for a field of the JSON in `text`; a dot descends."""
    pointer = "$." + ".".join('"' + part.replace('"', "") + '"' for part in path.split("."))
    return "json_extract_string(text, '" + pointer.replace("'", "''") + "')"


def _key(source: Source) -> str:
    """SQL for the key: the first alternative whose fields are all present, else the content."""
    alternatives = [" || '|' || ".join(_text(path) for path in alternative) for alternative in source.key]
    return f"coalesce({', '.join([*alternatives, 'md5(text)'])})"
