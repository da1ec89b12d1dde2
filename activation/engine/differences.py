"""Today's rows against what was last acknowledged: which are new, changed, or gone, as the table `planned`.

Rows are told apart by a 64-bit fingerprint over key, match value and mapped fields. Those whose fingerprint was acknowledged are done with
after one scan and one join of integers; only what is left is looked at by key, turned into JSON, and ordered. Work grows with what
changed, but for that one scan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
from sqlglot import exp, select

from activation.engine import audience
from activation.engine.declarations import Activation
from activation.engine.models import Models
from activation.engine.payload import json_object
from activation.engine.today import Today, rows_of_today
from activation.engine.warehouse import DIALECT

LARGE, SAMPLE = 500_000, 50_000  # rows of a source from which on it is asked first whether anything changed, and of how many
UNCERTAIN = "uncertain"  # the state's hash_version for a row of which nobody knows what the destination holds: always planned


@dataclass(frozen=True)
class Difference:
    """What was compared: rows of today, and how their fingerprints were made."""

    source_rows: int
    hash_version: str


def find(connection: duckdb.DuckDBPyConnection, models: Models, activation: Activation) -> Difference:
    """Make the temporary table `planned`. Raises PlanRefused when the source is not what the declaration says."""
    today = rows_of_today(connection, models, activation)
    ref = exp.Literal.string(activation.ref).sql(DIALECT)
    if activation.kind == "send":
        # Whoever is in the state of a send is done with, whatever became of the fields; who asked since then is not.
        key = today.key.sql(DIALECT)
        state = f"select 1 from activation.sync_snapshot where ref = {ref} and key = {key}"
        if today.asked_at is not None:
            state += f" and coalesce(acknowledged_at >= {today.asked_at.sql(DIALECT)}, true)"
        connection.execute(
            f"create or replace temporary table unlike as select {_columns(today)}, cast(null as bigint) as state_row "
            f"from {today.table.sql(DIALECT)} where {key} is null or not exists ({state})"
        )
        source_rows = _count(connection, f"select count(*) from {today.table.sql(DIALECT)}")
    else:
        source_rows = _unlike(connection, today, ref)
    contents = _compared(activation, today.hash_version)
    _sides(connection, contents)
    if activation.kind == "sync" and _hides_a_double(connection, ref):
        _everything(connection, today, ref)
        _sides(connection, contents)
    removable = audience.removable(connection, models, activation) if activation.kind == "sync" else exp.true()
    connection.execute(f"create or replace temporary table planned as {_compare(activation, today, removable).sql(DIALECT)}")
    if activation.kind == "sync" and activation.sync.removal not in activation.object.removed_by_key:
        show(connection, "operation = 'remove' and invalid_code is null")
        connection.execute("update planned set payload = before where operation = 'remove' and invalid_code is null")
    _number(connection)
    _rebaseline(connection)
    return Difference(source_rows, today.hash_version)


def show(connection: duckdb.DuckDBPyConnection, which: str) -> None:
    """Fill `before`, what was last acknowledged, for rows of `planned`. Few are found at once; for many it is a scan of all there is."""
    _take_payloads(connection, f"select state_row from planned where state_row is not null and before is null and {which}")
    connection.execute("update planned set before = p.payload from payloads as p where planned.state_row = p.state_row")


# -- which of them were not acknowledged ------------------------------------------------------------------------------------


def _unlike(connection: duckdb.DuckDBPyConnection, today: Today, ref: str) -> int:
    """`unlike`: rows of today that equal nothing acknowledged, and rows of the state that nothing equals. Returns how many rows there are."""
    version = exp.Literal.string(today.hash_version).sql(DIALECT)
    acknowledged = f"state = 'acknowledged' and hash is not null and hash_version = {version}"
    rows = f"from {today.table.sql(DIALECT)} where {today.addressed.sql(DIALECT)}"
    source_rows = _count(connection, f"select count(*) {rows}")
    counted = connection.execute(
        f"select count(*), count(*) filter ({acknowledged}) from activation.sync_snapshot where ref = {ref}"
    ).fetchone()
    assert counted is not None
    state_rows, compared = counted
    fingerprints = f"select hash as fingerprint from activation.sync_snapshot where ref = {ref} and {acknowledged}"
    nothing_changed = source_rows == compared and _alike(connection, today, fingerprints, source_rows)
    # One scan of the source. The state's integers are what is kept in memory, so the sides must stay as they are written: rows of the
    # source only pass by, whole, and those that match are dropped before anything is made of them.
    connection.execute("set disabled_optimizers = 'build_side_probe_side,join_order'")
    try:
        connection.execute(
            f"""
            create or replace temporary table unlike as
            select {_columns(today, "source._fingerprint")}, state.state_row
            from (select *, {today.fingerprint.sql(DIALECT)} as _fingerprint {rows}) as source
            full join (select rowid as state_row, hash as fingerprint from activation.sync_snapshot where ref = {ref} and {acknowledged}) as state
            on source._fingerprint = state.fingerprint
            where source._fingerprint is null or state.fingerprint is null{" limit 0" if nothing_changed else ""}
            """
        )
    finally:
        connection.execute("reset disabled_optimizers")
    if compared < state_rows:
        connection.execute(
            f"insert into unlike by name select rowid as state_row from activation.sync_snapshot where ref = {ref} and not coalesce({acknowledged}, false)"
        )
    left = connection.execute("select count(*) filter (state_row is null), count(state_row) from unlike").fetchone()
    assert left is not None
    # Every row that is alike has one partner. When it has not, a row stands twice in the source (or two fingerprints are the same by
    # chance, once in a million plans of ten million rows): then everything is compared by key.
    if source_rows - left[0] != state_rows - left[1]:
        _everything(connection, today, ref)
    return source_rows


def _alike(connection: duckdb.DuckDBPyConnection, today: Today, fingerprints: str, source_rows: int) -> bool:
    """
    Whether today's fingerprints are the acknowledged ones, told by their sums and exclusive ors: a scan without a join. Where a sample
    already holds one that is not acknowledged, that scan would be for nothing; in small sources it is not worth the asking.
    """
    if source_rows < LARGE:
        return False
    table, addressed, made = (part.sql(DIALECT) for part in (today.table, today.addressed, today.fingerprint))
    percent = 100 * SAMPLE / source_rows
    sample = f"select {made} as fingerprint from {table} tablesample system ({percent:.6f} percent) where {addressed}"
    if _count(connection, f"select count(*) from ({sample}) anti join ({fingerprints}) using (fingerprint)"):
        return False
    sums = "select count(*), bit_xor(fingerprint), sum(fingerprint) from"
    now = connection.execute(f"{sums} (select {made} as fingerprint from {table} where {addressed})").fetchone()
    return now == connection.execute(f"{sums} ({fingerprints})").fetchone()


def _everything(connection: duckdb.DuckDBPyConnection, today: Today, ref: str) -> None:
    """`unlike` with every row of both sides, to be compared by key."""
    connection.execute(
        f"create or replace temporary table unlike as select {_columns(today)}, cast(null as bigint) as state_row from {today.table.sql(DIALECT)} "
        f"where {today.addressed.sql(DIALECT)}"
    )
    connection.execute(f"insert into unlike by name select rowid as state_row from activation.sync_snapshot where ref = {ref}")


def _columns(today: Today, fingerprint: str = "") -> str:
    """What is needed of a row of today, as columns. `fingerprint`: where it was made already."""
    columns = {"key": today.key, "profile_id": today.profile_id, "match_value": today.match_value, "payload": today.payload}
    columns |= {"lacks": today.invalid, "record": exp.cast(today.record, "varchar")}
    if today.asked_at is not None:
        columns["asked_at"] = today.asked_at
    made = fingerprint or today.fingerprint.sql(DIALECT)
    return ", ".join([*(f"{expression.sql(DIALECT)} as {name}" for name, expression in columns.items()), f"{made} as hash"])


def _sides(connection: duckdb.DuckDBPyConnection, contents: str) -> None:
    """`new_rows` and `old_rows`: what is unlike. What old rows held is read where `contents` says so: to unpack it costs as much as all the rest."""
    connection.execute("create or replace temporary view new_rows as select * exclude (state_row) from unlike where state_row is null")

    def rows(payload: str, which: str) -> str:
        return (
            f"select s.rowid as state_row, s.key, {payload} as payload, s.match_value, s.profile_id, s.provider_id, s.hash, s.hash_version, s.state "
            "from activation.sync_snapshot as s semi join (select state_row from unlike where state_row is not null) as unlike "
            f"on s.rowid = unlike.state_row where {which}"
        )

    without, with_them = rows("cast(null as varchar)", f"not ({contents})"), rows("s.payload::varchar", contents)
    connection.execute(f"create or replace temporary table old_rows as {without} union all {with_them}")


def _compared(activation: Activation, hash_version: str) -> str:
    """Of which rows of the state the content is looked at: all under policies and a scope, else those whose fingerprint was made in another way."""
    if activation.kind == "sync" and (activation.sync.policies or activation.sync.scope):
        return "true"
    return f"s.hash_version is distinct from {exp.Literal.string(hash_version).sql(DIALECT)}"


def _take_payloads(connection: duckdb.DuckDBPyConnection, state_rows: str) -> None:
    """`payloads` of these rows of the state."""
    connection.execute(
        "create or replace temporary table payloads as select s.rowid as state_row, s.payload::varchar as payload "
        f"from activation.sync_snapshot as s semi join ({state_rows}) as wanted on s.rowid = wanted.state_row"
    )


def _hides_a_double(connection: duckdb.DuckDBPyConnection, ref: str) -> bool:
    """Whether the key of a new row is acknowledged by another row of today that has not changed: then it stands twice."""
    return bool(
        _count(
            connection,
            f"select count(*) from (select key from activation.sync_snapshot where ref = {ref}) as s "
            "semi join (select key from new_rows anti join old_rows using (key)) as n on s.key = n.key",
        )
    )


# -- what is to happen to them ------------------------------------------------------------------------------------------------


def _compare(activation: Activation, today: Today, removable: exp.Expression) -> exp.Select:
    """New rows against old ones, by key."""
    is_send = activation.kind == "send"
    nulls = {} if is_send else activation.sync.policies
    version = exp.Literal.string(today.hash_version).sql(DIALECT)
    # What is asked for anew is another message.
    again = "" if today.asked_at is None else " || coalesce('|' || valid.asked_at::varchar, '')"
    valid = select("*", "count(*) over (partition by key) as copies").from_("new_rows")
    code = (
        "case when valid.copies is not null and valid.key is null then 'NULL_KEY' when valid.copies > 1 then 'DUPLICATE_KEY' "
        "when valid.copies is not null and valid.match_value is null and "
        + ("false" if is_send else "true")
        + " then 'NULL_MATCH' when valid.lacks then 'MISSING_FIELD' end"
    )
    # Fingerprints of one version are compared; of others the content is.
    changed = (
        f"case when state.hash_version = '{UNCERTAIN}' then true when state.hash_version = {version} then state.hash is distinct from valid.hash "
        "else state.payload is distinct from valid.payload or state.match_value is distinct from valid.match_value end"
    )
    if nulls:
        changed = f"({changed}) and (state.hash_version = '{UNCERTAIN}' or state.match_value is distinct from valid.match_value or {_says_something(activation, nulls)})"
    operation = (
        "case when valid.copies is null then 'remove' when state.key is null or state.state in ('unconfirmed', 'merged') then 'add' "
        f"when ({changed}) or ({code}) is not null then 'change' end"
    )
    kept = ["valid.copies is not null"]
    if not is_send:
        kept.append("valid.copies is null and state.state = 'merged'")
    if not is_send and activation.sync.mode == "mirror":
        kept.append(f"valid.copies is null and state.state in ('acknowledged', 'unconfirmed') and {removable.sql(DIALECT)}")
    message = (
        f"case when valid.key is not null then 'm_' || md5({exp.Literal.string(activation.ref + '|').sql(DIALECT)} || valid.key{again}) end"
        if is_send
        else "cast(null as varchar)"
    )
    leaves, acknowledges = _with_policies(activation, nulls) if nulls else ("valid.payload", "cast(null as varchar)")
    joined = (
        select(
            f"{operation} as operation",
            "coalesce(valid.key, state.key) as key",
            "coalesce(valid.profile_id, state.profile_id) as profile_id",
            "coalesce(valid.match_value, state.match_value) as match_value",
            f"{message} as message_id",
            "coalesce(state.provider_id, valid.record) as provider_id",
            f"coalesce({leaves}, state.payload, '{{}}') as payload",
            f"{acknowledges} as acknowledges",
            "valid.hash",
            f"{version} as hash_version",
            "state.payload as before",
            f"{code} as invalid_code",
            "case when valid.copies is null and state.state = 'merged' then 'MERGED' end as cause",
            "state.state_row",
            dialect=DIALECT,  # a JSON pointer is another thing elsewhere
        )
        .with_("valid", as_=valid)
        .with_("state", as_=select("*").from_("old_rows"))
        .from_("valid")
        .join("state", on="valid.key = state.key", join_type="full outer")
        .where(" or ".join(f"({part})" for part in kept))
    )
    return (
        select("*")
        .from_(joined.subquery("compared"))
        .order_by("operation is null and invalid_code is null", "case operation when 'add' then 1 when 'change' then 2 else 3 end", "key")
        # Only keys that stand twice need more to be told apart, and what is long is dear to sort by.
        .order_by("case when invalid_code is not null then payload end", "case when invalid_code is not null then match_value end")
    )


def _field(side: str, name: str) -> str:
    """A field of a payload as JSON text; NULL when it is not there or null."""
    pointer = exp.Literal.string("/" + name.replace("~", "~0").replace("/", "~1")).sql(DIALECT)
    return f"nullif(json_extract({side}, {pointer})::varchar, 'null')"


def _says_something(activation: Activation, nulls: Mapping[str, str]) -> str:
    """Whether a row differs in a field whose policy lets it."""
    parts = []
    for name in activation.sync.fields:
        now, then = _field("valid.payload", name), _field("state.payload", name)
        parts.append(
            {
                "skip_null": f"({now} is not null and {now} is distinct from {then})",
                "set_if_empty": f"({now} is not null and {then} is null)",
            }.get(nulls.get(name, ""), f"({now} is distinct from {then})")
        )
    return f"({' or '.join(parts)})"


def _with_policies(activation: Activation, nulls: Mapping[str, str]) -> tuple[str, str]:
    """What leaves of a row, and what is then acknowledged: fields that keep the destination's value are not sent, and not forgotten."""
    known = "case when state.state = 'acknowledged' then state.payload end"
    taken = [name for name, policy in nulls.items() if policy == "set_if_empty"]
    leaves = "valid.payload"
    for name in taken:
        patch = json_object({name: exp.null()}).sql(DIALECT)
        leaves = f"case when {_field(known, name)} is not null then json_merge_patch({leaves}, {patch})::varchar else {leaves} end"
    pairs = []
    for name in activation.sync.fields:
        now, then = _field("valid.payload", name), _field(known, name)
        value = {"skip_null": f"coalesce({now}, {then})", "set_if_empty": f"coalesce({then}, {now})"}.get(nulls.get(name, ""), now)
        pairs.append(f"{exp.Literal.string(name).sql(DIALECT)}, json({value})")
    return leaves, f"case when valid.copies is not null then json_object({', '.join(pairs)})::varchar end"


def _number(connection: duckdb.DuckDBPyConnection) -> None:
    """A table keeps the order in which it was written, and its rowids count from nought: sorted once, numbered for nothing."""
    connection.execute("alter table planned add column row_number bigint")
    connection.execute("update planned set row_number = rowid where operation is not null or invalid_code is not null")


def _rebaseline(connection: duckdb.DuckDBPyConnection) -> None:
    """Rows found equal although their fingerprint is not get today's: nothing is sent, and the next plan is fast again."""
    connection.execute(
        "update activation.sync_snapshot set hash = p.hash, hash_version = p.hash_version from planned as p "
        "where sync_snapshot.rowid = p.state_row and p.row_number is null and p.hash is not null and sync_snapshot.state = 'acknowledged' "
        f"and sync_snapshot.hash_version <> '{UNCERTAIN}' and (sync_snapshot.hash is distinct from p.hash or sync_snapshot.hash_version <> p.hash_version)"
    )
    connection.execute("delete from planned where row_number is null")


def _count(connection: duckdb.DuckDBPyConnection, sql: str, parameters: tuple[str, ...] = ()) -> int:
    row = connection.execute(sql, parameters).fetchone()
    return int(row[0]) if row else 0
