"""An id that came is never taken for new; one that is new and taken for one that came lands all the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from landing_place import LandingPlace

from activation.engine.landing import chunk, seen_ids, store
from activation.engine.landing.seen_ids import SeenIds

hashes = st.integers(0, 20) | st.integers(0, 2**64 - 1)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(hashes, max_size=12), max_size=5))
def test_what_came_is_never_new(arrays: list[list[int]]) -> None:
    seen, came = SeenIds(), set()
    for array in arrays:
        for value, maybe in zip(array, seen.sift(np.array(array, np.uint64)), strict=True):
            assert maybe or value not in came
            came.add(value)


def test_what_is_new_is_hardly_ever_taken_for_what_came() -> None:
    seen, chance = SeenIds(), np.random.default_rng(1)
    assert sum(int(seen.sift(chance.integers(0, 2**64, 50_000, np.uint64)).sum()) for _ in range(10)) < 50


@pytest.mark.parametrize("worth", [0, 2, 1_000_000], ids=["nothing waits", "the first wait", "all wait"])
@pytest.mark.parametrize("size", [1, 16, seen_ids.SIZE], ids=["nearly all are doubtful", "some are", "none is"])
@pytest.mark.parametrize("rows", [7, 1_000])
def test_events_land_once_and_as_they_came_first_however_little_is_remembered(
    place: LandingPlace, monkeypatch: pytest.MonkeyPatch, worth: int, size: int, rows: int
) -> None:
    monkeypatch.setattr(store, "WORTH", worth)
    monkeypatch.setattr(seen_ids, "SIZE", size)
    monkeypatch.setattr(chunk, "CHUNK_ROWS", rows)
    ids = [*range(40), *range(20, 60), *range(10), 59]
    place.spooled("clicks/1.jsonl", "".join(f'{{"id":{i},"n":{n}}}\n' for n, i in enumerate(ids[:50])))
    place.spooled("clicks/2.jsonl", "".join(f'{{"id":{i},"n":{n}}}\n' for n, i in enumerate(ids[50:], 50)))
    report = place.land().sources["clicks"]
    assert (report.landed, report.duplicates) == (60, len(ids) - 60)
    firsts = {str(i): str(ids.index(i)) for i in ids}
    assert dict(place.rows("select _event_id, payload->>'n' from raw.clicks")) == firsts
    more = [*range(60, 70), *ids, 60]
    again = place.land_one("clicks/again.jsonl", "".join(f'{{"id":{i},"n":{n}}}\n' for n, i in enumerate(more)))
    assert (again.landed, again.duplicates) == (10, len(ids) + 1)
    assert (
        dict(place.rows("select _event_id, payload->>'n' from raw.clicks")) == {str(i): str(more.index(i)) for i in range(60, 70)} | firsts
    )
