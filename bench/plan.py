"""A plan against the best plain statement that finds the same differences and writes them, and against one scan when there are none."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import duckdb

from activation.engine.declarations import Declarations
from activation.engine.models import Models
from activation.engine.plan import make_plan
from activation.engine.project import Project
from activation.engine.warehouse import opened
from bench.timing import metric, peak_mb, ratio

ROWS = 10_000_000
STRINGS, NUMBERS = 8, 7
SYNC = """
model: sync_hubspot_contacts
object: contacts
key: profile_id
match_on: c1
mode: mirror
on_removed: archive
purpose: sales_contact
fields: {%s}
"""


def measure() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        project = Project.create(Path(folder) / "project")
        names = [f"c{number}" for number in range(1, STRINGS + NUMBERS + 1)]
        sync = project.declarations / "syncs" / "hubspot" / "contacts.yml"
        sync.write_text(SYNC % ", ".join(f"{name}: {name}" for name in names))
        node = {"name": "sync_hubspot_contacts", "resource_type": "model", "schema": "main", "alias": "source"}
        project.manifest.write_text(json.dumps({"nodes": {"model.sluice.sync_hubspot_contacts": node}}))
        activation = Declarations.load(project).find("hubspot/contacts")
        models = Models(project)

        def plan(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
            return dict(make_plan(connection, project, models, activation).counts)

        with opened(project) as connection:
            connection.execute(f"create table source as select {_row()} from range({ROWS}) t(i)")
            # The plan of a first run says what would be acknowledged; here everything was.
            made = make_plan(connection, project, models, activation)
            connection.execute(
                "insert into activation.sync_snapshot select ref, key, hash, hash_version, payload, match_value, profile_id, null, now(), 'r', 'acknowledged' "
                "from read_parquet(?), (select 'hubspot/contacts' as ref)", [str(made.file)]
            )  # fmt: skip
            connection.execute(f"create table state as select profile_id as key, {_hash(names)} as h from source")
            nothing, ours_0, scan = ratio(
                lambda: plan(connection), lambda: connection.execute(f"select bit_xor({_hash(names)}) from source").fetchall()
            )
            connection.execute("update source set c3 = c3 || '!' where hash(profile_id) % 100 = 0")
            connection.execute("delete from source where hash(profile_id) % 200 = 1")
            connection.execute(f"insert into source select {_row('new')} from range({ROWS // 200}) t(i)")
            counts = plan(connection)
            value, ours, bare = ratio(lambda: plan(connection), lambda: _bare(connection, folder, names))
    size = f"{ROWS:,} rows × {STRINGS + NUMBERS} columns"
    changed = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    return [
        metric("plan_10m_over_bare", value, "×", "≤ 1.5", f"{size}, {changed}: {ours:.1f} s against {bare:.1f} s"),
        metric("plan_unchanged_over_scan", nothing, "×", "≤ 1.5", f"{size}, nothing changed: {ours_0:.1f} s against {scan:.1f} s"),
        metric("plan_peak_mb", peak_mb(), "MB", "< 4,000", "the whole bench in one process, making the table included"),
    ]


def _row(prefix: str = "p") -> str:
    strings = ["'user' || (i * 7919 % 10000019) || '@mail.example' as c1"]
    strings += [f"'value of column {n} ' || (i * 7919 % 1000003) as c{n}" for n in range(2, STRINGS + 1)]
    numbers = [f"(i * {n} % 100003) as c{n}" for n in range(STRINGS + 1, STRINGS + NUMBERS + 1)]
    return ", ".join([f"'{prefix}_' || substr(md5(i::varchar), 1, 16) as profile_id", *strings, *numbers])


def _hash(names: list[str]) -> str:
    """The fastest hash we know that is safe on long strings, as the plan needs one too: DuckDB's own, of all strings in one and of that moved."""
    strings = ["profile_id", *names[:STRINGS]]
    joined = f"concat({', '.join(strings)})"
    return f"hash({joined}, 'abc' || {joined}, {', '.join(f'strlen({name})' for name in strings)}, {', '.join(names[STRINGS:])})"


def _bare(connection: duckdb.DuckDBPyConnection, folder: str, names: list[str]) -> None:
    """Stored key and 64-bit hash, full outer join, written to Parquet: the least that finds the same rows."""
    connection.execute(
        f"copy (select s.*, t.key from (select *, {_hash(names)} as h from source) s full join state t on s.profile_id = t.key "
        f"where t.key is null or s.profile_id is null or s.h <> t.h) to '{folder}/bare.parquet' (format parquet)"
    )
