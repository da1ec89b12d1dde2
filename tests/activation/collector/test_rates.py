"""One sender does not take the others' place."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from running_collector import LINKS, MESSAGE, Running
from starlette.requests import Request

from activation.collector import rates
from activation.collector.rates import Rates
from activation.collector.refusal import Refusal

Collect = Callable[..., Running]
TRACK = {"type": "track", "event": "x", "userId": "u1"}


def coming_from(address: str) -> Request:
    return Request({"type": "http", "client": (address, 1), "headers": []})


def test_who_sends_too_much_is_told_when_to_come_back_and_others_are_not(collect: Collect) -> None:
    running = collect(per_second=0.001)  # three at once, and then one in a long time
    answers = [running.http.post("/v1/track", json=TRACK, headers={"x-forwarded-for": "203.0.113.7"}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[-1].json()["code"] == "too_many_requests"
    assert 900 < int(answers[-1].headers["retry-after"]) <= 1000
    assert running.http.post("/v1/track", json=TRACK, headers={"x-forwarded-for": "203.0.113.8"}).status_code == 200
    assert len(running.kept()) == 4


def test_what_is_signed_is_never_told_to_wait(collect: Collect) -> None:
    running = collect(per_second=0.001)
    link = running.local(LINKS.unsubscribe(MESSAGE, "email", "newsletter"))
    one_click = {"List-Unsubscribe": "One-Click"}
    assert {running.http.post(link, data=one_click, headers={"x-forwarded-for": "203.0.113.7"}).status_code for _ in range(6)} == {200}


def test_tokens_come_back_with_time() -> None:
    now = [0.0]
    limit = Rates(2, 1, lambda: now[0])
    limit.take(coming_from("203.0.113.7"))
    with pytest.raises(Refusal) as refused:
        limit.take(coming_from("203.0.113.7"))
    assert refused.value.headers is not None
    assert refused.value.headers["retry-after"] == "1"
    now[0] = 0.5
    limit.take(coming_from("203.0.113.7"))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("203.0.113.7", "203.0.113.8", False),
        ("203.0.113.7", "::ffff:203.0.113.7", True),
        ("2001:db8:1:2::3", "2001:db8:1:2:ffff::", True),
        ("2001:db8:1:2::3", "2001:db8:1:3::3", False),
    ],
)
def test_a_subscriber_of_ipv6_is_one_sender(one: str, other: str, same: bool) -> None:
    limit = Rates(0.001, 1)
    limit.take(coming_from(one))
    if same:
        with pytest.raises(Refusal):
            limit.take(coming_from(other))
    else:
        limit.take(coming_from(other))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "", "testclient"])
def test_this_machine_is_not_limited(address: str) -> None:
    limit = Rates(0.001, 1)
    for _ in range(5):
        limit.take(coming_from(address))


def test_memory_does_not_grow_with_the_number_of_senders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MOST", 10)
    limit = Rates(0.001, 1)
    for n in range(100):
        limit.take(coming_from(f"203.0.113.{n}"))
    assert len(limit._buckets) == 10
