"""Who is told of what, in both stores: each channel once, whichever process sees the change first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from activation.engine.alert_channels import Channel
from activation.engine.alerts import book
from activation.engine.alerts.troubles import Found, Trouble
from activation.engine.ledger import Ledger

FAILING = Found("hubspot", Trouble("DOWN", "It is down.", "Wait."))
NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
A, B = Channel(destination="a"), Channel(destination="b")


def names(found: Any) -> list[tuple[str, str]]:
    return [(channel.key, change.subject) for channel, change in found]


def test_a_channel_that_is_being_told_is_not_told_by_another_process(ledger: Ledger) -> None:
    with ledger.again() as other:
        book.note(ledger, FAILING, NOW)
        book.note(other, FAILING, NOW)
        first, second = list(book.due(ledger, [A, B])), list(book.due(other, [A, B]))
        assert (names(first), second) == ([("a", "hubspot"), ("b", "hubspot")], [])
        book.told(ledger, *first[0])
        book.untold(ledger, *first[1])
        assert names(book.due(other, [A, B])) == [("b", "hubspot")]


def test_a_claim_that_nobody_made_good_runs_out(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    book.note(ledger, FAILING, NOW)
    assert len(list(book.due(ledger, [A]))) == 1
    monkeypatch.setattr("activation.engine.alerts.book.time.time", lambda: 4_000_000_000.0)
    assert len(list(book.due(ledger, [A]))) == 1


def test_of_many_at_once_one_tells_each_channel(ledger: Ledger) -> None:
    def work(done: Callable[[list[Any]], None]) -> None:
        with ledger.again() as own:
            book.note(own, FAILING, NOW)
            found = list(book.due(own, [A, B]))
            for one in found:
                book.told(own, *one)
            done(found)

    told: list[Any] = []
    threads = [threading.Thread(target=work, args=(told.extend,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names(told)) == [("a", "hubspot"), ("b", "hubspot")]
    book.note(ledger, Found("hubspot", None), NOW)
    assert names(book.due(ledger, [A, B])) == [("a", "hubspot"), ("b", "hubspot")]


def test_addresses_are_not_in_the_ledger(ledger: Ledger) -> None:
    channel = Channel(destination="mail", to=["ops@sluice.example"])
    book.note(ledger, FAILING, NOW)
    for one in book.due(ledger, [channel]):
        book.told(ledger, *one)
    assert "ops" not in str([dict(row) for row in ledger.rows("select * from alerts")])
