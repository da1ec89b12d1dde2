"""The contraction of the identity graph, against networkx, on graphs of every awkward shape."""

from __future__ import annotations

import random
from collections.abc import Callable

import duckdb
import networkx as nx
import pytest
from warehouse_house import House

Edges = list[tuple[int, int]]


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
}


@pytest.fixture(scope="module")
def components(new_house: Callable[[], House]) -> dict[str, dict[int, int]]:
    """All graphs side by side in one table of edges, resolved by one run of the model."""
    house, first = new_house(), {name: 1_000_000 * number for number, name in enumerate(GRAPHS)}
    with duckdb.connect(str(house.project.warehouse)) as connection:
        connection.execute("create schema identity")
        connection.execute("create table identity.int_identity_edges (left_key bigint, right_key bigint)")
        for name, edges in GRAPHS.items():
            connection.execute(
                "insert into identity.int_identity_edges select ? + unnest(?), ? + unnest(?)",
                [first[name], [a for a, _ in edges], first[name], [b for _, b in edges]],
            )
    house.dbt.run(["run"], house.project.warehouse, select=["int_identity_components"])
    found = dict(house.rows("select identifier_key, component from identity.int_identity_components"))
    return {
        name: {key - start: root - start for key, root in found.items() if start <= key < start + 1_000_000}
        for name, start in first.items()
    }


@pytest.mark.parametrize("name", GRAPHS)
def test_the_components_are_those_of_networkx_and_named_by_their_smallest_key(name: str, components: dict[str, dict[int, int]]) -> None:
    edges = [(a, b) for a, b in GRAPHS[name] if a != b]  # a key that is only tied to itself has no edge
    groups = {min(group): group for group in nx.connected_components(nx.Graph(edges))}
    assert components[name] == {key: least for least, group in groups.items() for key in group}
