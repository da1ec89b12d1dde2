"""Check-in by a signed code, over real HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from running_collector import KEY, LINKS, NOW, PUBLIC, Running

from activation.engine.links import Links

Collect = Callable[..., Running]
PLACE = {"event_id": "expo-2026", "event_name": "Expo 上海", "city": "Shanghai", "booth": "B12"}
CODE = LINKS.check_in(PLACE)
SOURCE = "offline_checkins"


def test_scanning_shows_where_one_is_and_keeps_nothing(collect: Collect) -> None:
    running = collect()
    page = running.http.get(running.local(CODE))
    assert (page.status_code, "Expo 上海 · Shanghai · B12" in page.text) == (200, True)
    assert running.kept(SOURCE) == []


def test_who_says_who_they_are_is_checked_in_at_the_place_of_the_code(collect: Collect) -> None:
    running = collect()
    said = {"full_name": "李雷", "phone": "139 0000 1111", "email": "", "booth": "Z9", "event_id": "other"}
    answer = running.http.post(running.local(CODE), data=said, headers={"accept-language": "zh"})
    assert (answer.status_code, "签到成功" in answer.text) == (200, True)
    (kept,) = running.kept(SOURCE)
    assert kept.pop("checkin_id").startswith("k_")
    assert kept == {
        **PLACE, "full_name": "李雷", "phone": "139 0000 1111", "email": None, "checked_in_at": "2026-10-31T02:00:00.000Z",
    }  # fmt: skip


@pytest.mark.parametrize("said", [{}, {"full_name": "Ann"}, {"phone": "1"}, {"email": "ann"}, {"phone": "13900001111", "email": "ann"}])
def test_nobody_is_checked_in_who_cannot_be_found_again(collect: Collect, said: dict[str, str]) -> None:
    running = collect()
    answer = running.http.post(running.local(CODE), data=said)
    assert (answer.status_code, 'role="alert"' in answer.text) == (422, True)
    assert running.kept(SOURCE) == []


@pytest.mark.parametrize(
    "code",
    [
        LINKS.check_in(PLACE, NOW - timedelta(days=1)),
        Links(b"f" * 32, PUBLIC, issued_at=NOW).check_in(PLACE),
        LINKS.preferences("m_" + "0" * 32).replace("/p/", "/k/"),
        f"{PUBLIC}/k/x",
    ],
)
def test_a_code_that_is_not_ours_or_is_over_checks_nobody_in(collect: Collect, code: str) -> None:
    running = collect()
    assert running.http.get(running.local(code)).status_code == 404
    assert running.http.post(running.local(code), data={"phone": "13900001111"}).status_code == 404
    assert running.kept(SOURCE) == []


def test_a_code_holds_up_to_the_end_of_its_last_day() -> None:
    code = Links(KEY, PUBLIC, issued_at=NOW).check_in(PLACE, NOW)
    assert LINKS.read(code.rpartition("/")[2], "checkin", NOW + timedelta(hours=20)).place == PLACE


def test_a_place_that_is_too_long_for_a_code_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than 500 bytes"):
        LINKS.check_in({"event_name": "会" * 300})
