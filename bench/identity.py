"""
Who is one person, from raw strings to ids written back: the project's own macros against scipy's connected components on the same
edges, and against themselves when one edge in a hundred is new. Dictionary, load and write-back are in both.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from bench.macros import Macros, Rows
from bench.timing import metric, peak_mb, ratio, seconds

EDGES, PEOPLE = 10_000_000, 3_000_000
NOBODY_APART = "select cast(null as bigint) as left_key, cast(null as bigint) as right_key where false"
FILES = ["temporary_tables", "connected_components", "identity_links"]


def measure() -> list[dict[str, Any]]:
    return measure_with(EDGES, PEOPLE)


def measure_with(edges: int, people: int, rounds: int = 3) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder, duckdb.connect(str(Path(folder) / "identity.duckdb")) as warehouse:
        warehouse.execute(f"create table raw as {_sightings(0, edges, people)}")
        _resolve(warehouse)
        ours_mb = peak_mb()
        value, ours, plain = ratio(lambda: _resolve(warehouse), lambda: _resolve_by_scipy(warehouse), rounds)
        wrong = _differences(warehouse)
        # as int_identity_edges_judged keeps them, from build to build
        warehouse.execute("create table judged as from edges")
        later = []
        for number in range(rounds):
            warehouse.execute(f"create or replace table news as {_sightings(edges + number * edges // 100, edges // 100, people)}")
            later.append(seconds(lambda: _resolve_news(warehouse)))
            warehouse.execute("insert into raw from news")
        _resolve_by_scipy(warehouse)
        wrong += _differences(warehouse)
    if wrong:
        raise AssertionError(f"{wrong:,} identifiers are in other components than scipy finds.")
    size = f"{edges:,} edges, {people:,} people"
    again = statistics.median(later)
    return [
        metric("identity_full_over_scipy", value, "×", "≤ 2", f"{size}: {ours:.1f} s against {plain:.1f} s, the same components"),
        metric("identity_incremental_over_full", again / ours, "×", "≤ 0.10", f"{size}, then 1% more: {again:.2f} s against {ours:.1f} s"),
        metric("identity_peak_mb", ours_mb, "MB", "< 8,000", "making the edges included"),
    ]


def _sightings(first: int, count: int, people: int) -> str:
    """Pairs of what was seen together: a person has one address, one number, one account and up to eight devices."""
    return f"""
        select
            case when i % 10 < 6 then 'anonymous_id:' || md5(p || '-' || (hash(i) // 7) % 8) when i % 10 < 8 then 'phone:+8613' || lpad(p::varchar, 9, '0')
                else 'user_id:u-' || p end as left_id,
            case when i % 10 = 9 then 'phone:+8613' || lpad(p::varchar, 9, '0') else 'email:person.number.' || p * 7919 % 10000019 || '@mail.example' end as right_id
        from (select i, (hash(i + 1) % {people})::bigint as p from range({first}, {first + count}) t(i))
    """


def _ask(warehouse: duckdb.DuckDBPyConnection, sql: str) -> Rows:
    return warehouse.execute(sql).fetchall()


def _macros(warehouse: duckdb.DuckDBPyConnection, this: str | None = None) -> Macros:
    return Macros(FILES, lambda sql: _ask(warehouse, sql), this=this)


def _dictionary(warehouse: duckdb.DuckDBPyConnection, name: str) -> None:
    warehouse.execute(
        f"create or replace table {name} as select row_number() over () as identifier_key, identifier "
        "from (select left_id as identifier from raw union select right_id from raw)"
    )


def _resolve(warehouse: duckdb.DuckDBPyConnection) -> None:
    _dictionary(warehouse, "dictionary")
    # Each pair is looked up when the links are made: who reads only ids has no use for the edges as a table.
    warehouse.execute("create or replace view edges as " + _keyed("raw", "dictionary"))
    warehouse.execute("create or replace table links as " + _macros(warehouse).call("identity_links", "edges", NOBODY_APART))
    warehouse.execute(
        "create or replace table people as select identifier_key, identifier, coalesce(component, identifier_key) as component from dictionary "
        f"left join ({_components('links')}) using (identifier_key)"
    )


def _resolve_news(warehouse: duckdb.DuckDBPyConnection) -> None:
    """
    New strings get new keys, what was judged since is compared, the components it reaches are resolved, and only the people in those are
    written again: as int_identity_links and int_identity_components do it.
    """
    warehouse.execute(
        "create or replace temporary table met as select identifier, identifier_key, row_number() over (order by identifier_key is null desc) as place "
        "from (select left_id as identifier from news union select right_id from news) left join dictionary using (identifier)"
    )
    warehouse.execute(
        "create or replace temporary table known as select coalesce(identifier_key, place + (select max(identifier_key) from dictionary)) as identifier_key, "
        "identifier, identifier_key is null as is_new from met"
    )
    warehouse.execute("insert into dictionary select identifier_key, identifier from known where is_new")
    warehouse.execute("create or replace temporary table fresh as " + _keyed("news", "known"))
    warehouse.execute("insert into judged from fresh")
    macros = _macros(warehouse, this="links")
    select = macros.call("identity_links", "judged", NOBODY_APART, "select left_key, right_key from fresh")
    warehouse.execute(f"create or replace temporary table again as {select}")
    warehouse.execute(macros.call("leave_links", "links"))
    warehouse.execute("insert into links from again")
    warehouse.execute(f"create or replace temporary table moved as {_components('again')}")
    warehouse.execute(
        "update people set component = moved.component from moved where people.identifier_key = moved.identifier_key and people.component <> moved.component"
    )
    warehouse.execute(
        "insert into people select identifier_key, identifier, coalesce(component, identifier_key) from known left join moved using (identifier_key) where is_new"
    )


def _components(links: str) -> str:
    return (
        "select left_key as identifier_key, min(component) as component "
        f"from (select left_key, component from {links} union all select right_key, component from {links}) group by left_key"
    )


def _keyed(table: str, dictionary: str) -> str:
    return (
        f"select l.identifier_key as left_key, r.identifier_key as right_key, 1 as strength from {table} "
        f"join {dictionary} as l on left_id = l.identifier join {dictionary} as r on right_id = r.identifier"
    )


def _resolve_by_scipy(warehouse: duckdb.DuckDBPyConnection) -> None:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _dictionary(warehouse, "numbers")
    edges = warehouse.execute(_keyed("raw", "numbers")).fetchnumpy()
    size = warehouse.execute("select max(identifier_key) + 1 from numbers").fetchall()[0][0]
    graph = coo_array((np.ones(len(edges["left_key"]), np.int8), (edges["left_key"], edges["right_key"])), shape=(size, size))
    labels = {"identifier_key": np.arange(size), "label": connected_components(graph, directed=False)[1]}
    warehouse.register("labels", labels)
    warehouse.execute(
        "create or replace table labelled as select identifier_key, identifier, label from numbers join labels using (identifier_key)"
    )
    warehouse.unregister("labels")


def _differences(warehouse: duckdb.DuckDBPyConnection) -> int:
    """Identifiers that the two group otherwise: a component that has two labels, or a label that has two components."""
    return int(
        warehouse.execute(
            "select count(*) from people full join labelled using (identifier) where component is null or label is null "
            "or component in (select component from people join labelled using (identifier) group by component having count(distinct label) > 1) "
            "or label in (select label from people join labelled using (identifier) group by label having count(distinct component) > 1)"
        ).fetchall()[0][0]
    )
