"""Rows on their way into `raw`, set-based and in one transaction.

Events that are new for sure go straight there, for they are nearly all, and payloads are what is dear to move. What may have come before
waits in a temporary table until it is known what is new: events whose id may have been here, and records, of which every version counts.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from activation.engine.landing.chunk import Chunk
from activation.engine.landing.seen_ids import SeenIds
from activation.engine.specs import Source
from activation.engine.warehouse import packs_text, quote

WORTH = 50  # ids that are there are gone through in the time in which one event waits and is moved again


def create_table(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """`raw.<name>`, if it is not there yet."""
    # What DuckDB is told to do with text it need not try out.
    same, other = (f" using compression '{how}'" if packs_text(connection) else "" for how in ("dict_fsst", "zstd"))
    connection.execute(
        f"create table if not exists raw.{quote(name)} (_event_id varchar{other}, _source varchar{same}, _batch_id varchar{same}, "
        f"_file varchar{same}, _line bigint, _landed_at timestamp, payload json{other})"
    )


class Incoming:
    """What one landing brings for `raw.<name>`, in the caller's transaction: `add` for every chunk, then `keep_new`, once.

    Nothing is deleted from `raw`: DuckDB writes what a transaction inserts as it comes, but throws that away and writes it all again at
    the end when one row of it was deleted.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, name: str, source: Source, batch_id: str) -> None:
        self._connection, self._name, self._source, self._batch_id = connection, name, source, batch_id
        self._table = f"raw.{quote(name)}"
        self._waiting: list[NDArray[np.uint64]] = []
        self._seen: SeenIds | None = None
        connection.execute(
            "create or replace temporary table incoming (arrival bigint, _event_id varchar, record_key varchar, version varchar, _source varchar, "
            "_batch_id varchar, _file varchar, _line bigint, _landed_at timestamp, payload json)"
        )
        connection.execute("create or replace temporary sequence arrivals")
        self._there = (connection.execute(f"select count(*) from {self._table}").fetchone() or (0,))[0]
        # An insert of several threads gathers small pieces and compresses them again; the other core reads the next chunk meanwhile.
        connection.execute("set threads = 1")

    def add(self, file: str, landed_at: datetime, chunk: Chunk, is_anew: bool = False) -> int:
        """Take in a chunk of a file, and its bad lines into quarantine. Returns how many lines are new there: a line is kept once.

        `is_anew`: the file is read once more from its beginning, and what is in quarantine of it is forgotten first.
        """
        if is_anew:
            self._connection.execute("delete from raw.quarantine where _source = ? and _file = ?", [self._name, file])
        lines = chunk.rows
        came_with = [self._name, self._batch_id, file, landed_at]
        if self._source.kind == "events":
            self._add_events(lines, came_with)
        else:
            self._add_records(lines, came_with)
        if not chunk.bad:
            return 0
        numbers, reasons, contents = zip(*chunk.bad, strict=True)
        bad = {"line": pa.array(numbers, pa.int64()), "reason": pa.array(reasons, pa.string()), "content": pa.array(contents, pa.string())}
        return self._insert(
            "raw.quarantine select ?, ?, ?, line, reason, content, ? from arrow_rows where (line, content) not in "
            "(select (_line, content) from raw.quarantine where _source = ? and _file = ?)",
            pa.table(bad),
            [self._name, self._batch_id, file, landed_at, self._name, file],
        )

    def _add_records(self, lines: pa.Table, came_with: list[Any]) -> None:
        key, version = _key(self._source), _version(self._source)
        self._insert(
            "incoming select nextval('arrivals'), record_key || '@' || version || '@' || md5(text), record_key, version, ?, ?, ?, line, ?, text "
            f"from (select line, text, {key} as record_key, {version} as version from arrow_rows)",
            lines,
            came_with,
        )

    def _add_events(self, lines: pa.Table, came_with: list[Any]) -> None:
        ids = self._ids(lines)
        came = self._may_have_come(self._ask("hash(_event_id)", ids).to_numpy())
        texts = pa.chunked_array([pa.ExtensionArray.from_storage(pa.json_(), part) for part in lines["text"].chunks], pa.json_())
        # As what it is known to be, JSON, DuckDB takes it without a look.
        rows = pa.table({"_event_id": ids["_event_id"], "line": lines["line"], "text": texts})
        into = f"{self._table} select _event_id, ?, ?, ?, line, ?, text from arrow_rows"
        self._insert(into, rows.filter(pa.array(~came)) if came.any() else rows, came_with)
        if came.any():
            into = "incoming select nextval('arrivals'), _event_id, null, null, ?, ?, ?, line, ?, text from arrow_rows"
            self._insert(into, rows.filter(pa.array(came)), came_with)

    def _ids(self, lines: pa.Table) -> pa.Table:
        """The events' ids. Most were seen in passing; JSON is parsed again only for the others."""
        ids = lines["event_id"].combine_chunks()
        if ids.null_count:
            unseen = pc.is_null(ids)
            ids = pc.replace_with_mask(ids, unseen, self._ask(_key(self._source), lines.filter(unseen)).combine_chunks())
        return pa.table({"_event_id": ids})

    def _ask(self, value: str, arrow_rows: pa.Table) -> pa.ChunkedArray:
        """The value of an expression for each row."""
        return self._connection.execute(f"select {value} as value from arrow_rows").to_arrow_table()["value"]

    def _may_have_come(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Of which events the id may be in `raw`, or have come in this landing. Beside much that is there, the first that come all may."""
        if self._seen is None:
            self._waiting.append(hashes)
            if sum(map(len, self._waiting)) * WORTH < self._there:
                return np.ones(len(hashes), np.bool_)
            self._seen = SeenIds()
            for landed in self._connection.execute(f"select hash(_event_id) as hash from {self._table}").to_arrow_reader():
                self._seen.add(landed["hash"].to_numpy())
            for waiting in self._waiting[:-1]:
                self._seen.add(waiting)
            self._waiting = []
        return self._seen.sift(hashes)

    def _insert(self, into: str, arrow_rows: pa.Table, parameters: list[Any]) -> int:
        """DuckDB reads `arrow_rows` where they stand, by the name of the variable: what is registered, a transaction holds to its end."""
        inserted = self._connection.execute(f"insert into {into}", parameters).fetchone()
        return int(inserted[0]) if inserted else 0

    def keep_new(self) -> dict[str, int]:
        """Bring into `raw.<name>` what is new of what waits; how many rows of each file landed. Events are new by id.

        A record is new when it differs from the latest that landed for its key (and version, where the source has one): A, B, A is three
        versions. A version that landed before word for word keeps its id, with a count behind it.
        """
        self._connection.execute("reset threads")
        if self._connection.execute("select count(*) from incoming").fetchone() != (0,):
            # Which rows are new is found without their payloads, and these are moved once, in the order in which they came.
            self._connection.execute(f"create or replace temporary table fresh as {self._fresh()}")
            self._connection.execute(
                f"insert into {self._table} select fresh._event_id, _source, _batch_id, _file, _line, _landed_at, payload "
                "from incoming join fresh using (arrival)"
            )
        landed = self._connection.execute(f"select _file, count(*) from {self._table} where _batch_id = ? group by 1", [self._batch_id])
        return dict(landed.fetchall())

    def _fresh(self) -> str:
        if self._source.kind == "events":
            return f"select min(arrival) as arrival, _event_id from incoming anti join {self._table} using (_event_id) group by _event_id"
        key, version, text = _key(self._source, "payload::varchar"), _version(self._source, "payload::varchar"), "payload::varchar"
        return f"""
            with latest as (
                select {key} as record_key, {version} as version, {text} as text, -1 as arrival
                from {self._table}
                qualify row_number() over (partition by record_key, version order by _landed_at desc, _batch_id desc, _line desc) = 1
            ), series as (
                select record_key, version, text, arrival from latest
                union all select record_key, version, {text}, arrival from incoming
            ), changed as (
                select arrival, lag(text) over (partition by record_key, version order by arrival) is distinct from text as is_new from series
            ), changes as (
                select incoming.*, row_number() over (partition by _event_id order by arrival) as nth
                from incoming join changed using (arrival) where is_new
            ), landed_before as (
                select regexp_replace(_event_id, '#[0-9]+$', '') as _event_id, count(*) as times from {self._table} group by 1
            )
            select arrival, changes._event_id || case when nth + coalesce(times, 0) > 1 then '#' || (nth + coalesce(times, 0)) else '' end as _event_id
            from changes left join landed_before using (_event_id)
        """


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
