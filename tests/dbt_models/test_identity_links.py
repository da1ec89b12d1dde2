"""The contraction of the identity graph, against networkx: on graphs of every awkward shape, over several landings, and with pairs to keep apart."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import networkx as nx
import psycopg
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.macros import Macros, Rows
from tests.activation.engine.ledger.running_postgres import running_postgres

FILES = ["temporary_tables", "connected_components", "identity_links"]
NEVER = "select left_key, right_key from never"
Edges = list[tuple[int, int]]


class Graph:
    """Edges in a table, and the links that the macro makes of them as a model would."""

    def __init__(self) -> None:
        self.warehouse = duckdb.connect()
        self.statements: list[str] = []
        self.ask("create table edges (left_key bigint, right_key bigint, strength int)")
        self.ask("create table never (left_key bigint, right_key bigint)")
        self.built = False

    def ask(self, sql: str) -> Rows:
        self.statements.append(sql)
        return self.warehouse.execute(sql).fetchall()

    def fill(self, table: str, rows: list[tuple[int, ...]]) -> Graph:
        self.ask(f"delete from {table}")
        if rows:
            lists = [list(cells) for cells in zip(*rows, strict=True)]
            self.warehouse.execute(f"insert into {table} select {', '.join(['unnest(?)'] * len(lists))}", lists)
        return self

    def edges(self, edges: Edges, strength: int = 1) -> Graph:
        return self.fill("edges", [(a, b, strength) for a, b in edges])

    def build(self, full: bool = False, changed: Sequence[str] = ()) -> Graph:
        again = self.built and not full
        macros = Macros(FILES, self.ask, this="links" if again else None)
        select = macros.call("identity_links", "edges", NEVER, *changed)
        if again:
            self.ask(macros.call("leave_links", "links"))
        self.ask(f"insert into links {select}" if again else f"create or replace table links as {select}")
        self.built = True
        return self

    def components(self) -> dict[int, int]:
        return dict(self.ask("select left_key, component from links union select right_key, component from links"))

    def links(self) -> Rows:
        return self.ask("select left_key, right_key, component from links order by all")


def _expected(edges: Edges) -> dict[int, int]:
    """What networkx finds; a key that is only tied to itself has no edge."""
    groups = {min(group): group for group in nx.connected_components(nx.Graph([(a, b) for a, b in edges if a != b]))}
    return {key: least for least, group in groups.items() for key in group}


def _shuffled(edges: Edges, seed: int) -> Edges:
    """The same graph with other keys: which key is smallest must not matter."""
    keys = sorted({key for edge in edges for key in edge})
    named = dict(zip(keys, random.Random(seed).sample(range(len(keys)), len(keys)), strict=True))
    return [(named[a], named[b]) for a, b in edges]


def _random(seed: int, nodes: int, edges: int) -> Edges:
    drawn = random.Random(seed)
    return [(drawn.randrange(nodes), drawn.randrange(nodes)) for _ in range(edges)]


GRAPHS: dict[str, Edges] = {
    "chain in order": [(n, n + 1) for n in range(500)],
    "chain from the far end": [(n + 1, n) for n in reversed(range(500))],
    "long chain, shuffled": _shuffled([(n, n + 1) for n in range(20_000)], 1),
    "zigzag": [(n, 2000 - n) for n in range(1000)] + [(n, 1999 - n) for n in range(999)],
    "star with the least in the middle": [(0, n) for n in range(1, 2000)],
    "star with the greatest in the middle": [(2000, n) for n in range(2000)],
    "stars in a row": _shuffled([(100 * s, 100 * s + n) for s in range(50) for n in range(1, 101)], 2),
    "binary tree": [(n, (n - 1) // 2) for n in range(1, 4000)],
    "ring": [(n, (n + 1) % 3000) for n in range(3000)],
    "loops and doubles": [(1, 1), (2, 2), (1, 2), (2, 1), (1, 2), (7, 7), (8, 9)],
    "power law": [(a, b) for a, b in nx.barabasi_albert_graph(3000, 1, seed=3).edges],
    "sparse": _random(4, 3000, 1200),
    "at the threshold": _random(5, 3000, 1500),
    "dense": _random(6, 300, 5000),
    "nothing": [],
}


@pytest.mark.parametrize("name", GRAPHS)
def test_the_components_are_those_of_networkx_and_named_by_their_smallest_key(name: str) -> None:
    assert Graph().edges(GRAPHS[name]).build().components() == _expected(GRAPHS[name])


@pytest.mark.parametrize("name", ["long chain, shuffled", "star with the greatest in the middle", "power law"])
def test_a_handful_of_rounds_is_enough(name: str) -> None:
    graph = Graph().edges(GRAPHS[name]).build()
    assert sum("temporary table component_parents" in statement for statement in graph.statements) <= 12


SMALL = st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14)), max_size=25)
STRONG = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11), st.integers(1, 3)), max_size=25)
APART = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=4)


@settings(max_examples=10, deadline=None)
@given(landings=st.lists(SMALL, min_size=1, max_size=4))
def test_whatever_comes_and_goes_the_links_are_those_of_a_build_from_nothing(landings: list[Edges]) -> None:
    graph = Graph()
    for edges in landings:
        links = graph.edges(edges).build().links()
        assert graph.components() == _expected(edges)
        assert links == graph.build(full=True).links()


@settings(max_examples=10, deadline=None)
@given(landings=st.lists(st.tuples(STRONG, APART), min_size=1, max_size=3))
def test_pairs_that_are_never_the_same_are_parted_and_nothing_more(landings: list[tuple[list[tuple[int, int, int]], Edges]]) -> None:
    graph = Graph()
    for edges, never in landings:
        graph.fill("edges", edges).fill("never", never).build()
        links, components = graph.links(), graph.components()
        assert all(a == b or components.get(a, -a - 1) != components.get(b, -b - 1) for a, b in never)
        assert components == _expected([(a, b) for a, b, _ in links])
        assert links == graph.build(full=True).links()
        # a component without such a pair is whole
        whole = _expected([(a, b) for a, b, _ in edges])
        parted = {whole[a] for a, b in never if a != b and a in whole and whole[a] == whole.get(b)}
        assert all(components.get(key) == root for key, root in whole.items() if root not in parted)


def _parted(edges: list[tuple[int, int, int]], never: Edges) -> list[tuple[int, int]]:
    return [(a, b) for a, b, _ in Graph().fill("edges", edges).fill("never", never).build().links()]


def test_the_weakest_edge_between_them_goes() -> None:
    assert _parted([(1, 2, 1), (2, 3, 3), (3, 4, 2), (4, 5, 1)], [(1, 5)]) == [(1, 2), (3, 4), (4, 5)]
    assert _parted([(1, 2, 3), (2, 3, 1), (3, 4, 1), (4, 5, 2)], [(1, 5)]) == [(2, 3), (3, 4), (4, 5)]


def test_what_is_tied_by_stronger_edges_moves_as_a_whole() -> None:
    assert _parted([(1, 2, 3), (2, 3, 1), (3, 4, 1), (4, 5, 3)], [(1, 5)]) == [(1, 2), (2, 3), (3, 4)]


def test_of_equals_the_nearer_one_keeps_it_and_then_the_left_one() -> None:
    chain = [(n, n + 1, 1) for n in range(1, 6)]
    assert _parted(chain, [(1, 6)]) == [(1, 2), (2, 3), (4, 5), (5, 6)]
    assert _parted(chain[:4], [(1, 5)]) == [(1, 2), (2, 3), (4, 5)]
    assert _parted(chain[:4], [(5, 1)]) == [(1, 2), (3, 4), (4, 5)]


def test_a_pair_on_a_long_chain_is_parted_in_the_middle() -> None:
    assert len(_parted([(n, n + 1, 1) for n in range(100)], [(0, 100)])) == 99


def test_only_the_components_that_a_new_pair_reaches_are_resolved_again() -> None:
    apart = [(10 * n, 10 * n + 1) for n in range(1000)]
    graph = Graph().edges(apart).build().edges([*apart, (11, 20), (7, 8)]).build()
    assert graph.ask("select left_key, right_key from link_edges order by all") == [(7, 8), (10, 11), (11, 20), (20, 21)]
    graph.build()
    assert graph.ask("from link_edges") == []


def test_a_pair_that_vanishes_resolves_its_component_alone() -> None:
    apart = [(10 * n, 10 * n + 1) for n in range(1000)]
    graph = Graph().edges([*apart, (11, 20)]).build().edges(apart).build()
    assert graph.ask("select left_key from link_edges order by all") == [(10,), (20,)]
    assert graph.components() == _expected(apart)


def test_a_verdict_that_is_taken_back_joins_them_again() -> None:
    graph = Graph().edges([(1, 2), (2, 3)]).fill("never", [(1, 3)]).build()
    assert graph.components() == {1: 1, 2: 1}
    assert graph.fill("never", []).build().components() == {1: 1, 2: 1, 3: 1}


def test_a_build_that_broke_off_left_everything_as_it_was() -> None:
    graph = Graph().edges([(1, 2), (3, 4)]).build().edges([(1, 2), (2, 3), (3, 4)])
    Macros(FILES, graph.ask, this="links").call("identity_links", "edges", NEVER)
    assert graph.components() == {1: 1, 2: 1, 3: 3, 4: 3}
    assert graph.build().components() == {1: 1, 2: 1, 3: 1, 4: 1}


@settings(max_examples=10, deadline=None)
@given(landings=st.lists(STRONG, min_size=2, max_size=4))
def test_where_it_is_known_what_changed_only_that_is_compared_and_the_links_are_the_same(
    landings: list[list[tuple[int, int, int]]],
) -> None:
    graph = Graph().fill("edges", landings[0]).build()
    graph.ask("create table changed (left_key bigint, right_key bigint)")
    for before, after in itertools.pairwise(landings):
        graph.fill("changed", [(a, b) for a, b, _ in {*before} ^ {*after}])
        links = graph.fill("edges", after).build(changed=["select left_key, right_key from changed"]).links()
        assert links == graph.build(full=True).links()
        assert graph.components() == _expected([(a, b) for a, b, _ in after])


@pytest.fixture(scope="module")
def postgres() -> Iterator[psycopg.Connection[Any]]:
    with running_postgres() as url, psycopg.connect(url, autocommit=True) as connection:
        yield connection


def _in_postgres(connection: psycopg.Connection[Any], sql: str) -> Rows:
    cursor = connection.execute(sqlglot.transpile(sql, read="duckdb", write="postgres")[0])  # type: ignore[call-overload]
    return list(cursor.fetchall()) if cursor.description else []


def test_postgres_finds_the_same_links_with_the_same_statements(postgres: psycopg.Connection[Any]) -> None:
    first = _random(7, 200, 110)
    second = [*first[20:], *_random(8, 200, 30)]
    graph = Graph().fill("never", [(1, 2), (3, 4), (5, 6)])
    _in_postgres(postgres, "create table edges (left_key bigint, right_key bigint, strength int)")
    _in_postgres(postgres, "create table never as select 1 as left_key, 2 as right_key union all select 3, 4 union all select 5, 6")
    for edges in (first, second):
        rows = [(a, b, 1 + n % 3) for n, (a, b) in enumerate(edges)]
        again = graph.built
        graph.fill("edges", rows).build()
        _in_postgres(postgres, "delete from edges")
        _in_postgres(postgres, "insert into edges values " + ", ".join(map(str, rows)))
        macros = Macros(FILES, lambda sql: _in_postgres(postgres, sql), adapter="postgres", this="links" if again else None)
        select = macros.call("identity_links", "edges", NEVER)
        if again:
            _in_postgres(postgres, macros.call("leave_links", "links"))
        _in_postgres(postgres, f"insert into links {select}" if again else f"create table links as {select}")
        assert sorted(_in_postgres(postgres, "select left_key, right_key, component from links")) == graph.links()


@pytest.mark.parametrize("dialect", ["postgres", "spark", "snowflake", "bigquery"])
def test_every_statement_can_be_said_in_other_dialects(dialect: str) -> None:
    graph, said = Graph(), []
    graph.edges([(1, 2), (2, 3), (5, 6)]).fill("never", [(1, 3)])

    def ask(sql: str) -> Rows:
        said.append(sql)
        return graph.ask(sql)

    for this in (None, "links"):
        macros = Macros(FILES, ask, adapter=dialect, this=this)
        select = macros.call("identity_links", "edges", NEVER, *(["select left_key, right_key from edges"] if this else []))
        if this:
            ask(macros.call("leave_links", "links"))
        said.append(graph.statements[-1] if this else f"create table links as {select}")
        graph.ask(f"insert into links {select}" if this else f"create table links as {select}")
    assert len(said) > 60
    for sql in said:
        written = sqlglot.transpile(sql, read="duckdb", write=dialect, unsupported_level=sqlglot.ErrorLevel.RAISE)
        # what came out is a statement of that dialect, and says the same
        (parsed,) = sqlglot.parse(written[0], read=dialect)
        assert not isinstance(parsed, sqlglot.exp.Command), written
        assert parsed.sql(dialect=dialect) == written[0]
