"""Quiet hours by the person's own clock: over midnight, to the minute, in every zone, over changes to and from daylight saving."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from running_sandbox import RunningSandbox
from small_project import SmallProject, plan_rows

MAIL = "mail/hello"
ZONES = ["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Chatham", "America/St_Johns", "UTC"]


def quiet(shop: SmallProject, start: str, end: str, default: str = "Asia/Shanghai") -> None:
    shop.policy("quiet_hours", f'default_time_zone: {default}\nchannels:\n  email: {{from: "{start}", to: "{end}"}}\n')


def clock(text: str, zone: str = "Asia/Shanghai", fold: int = 0) -> datetime:
    """A moment by the clock of a zone."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


@pytest.fixture
def one(shop: SmallProject) -> SmallProject:
    """One person in Shanghai, whom a newsletter is for."""
    shop.people(1)
    shop.send(MAIL)
    return shop


def is_quiet(shop: SmallProject, now: datetime) -> bool:
    withheld = shop.withheld(MAIL, now)
    assert set(withheld.values()) <= {"QUIET_HOURS"}
    return bool(withheld)


@pytest.mark.parametrize(
    ("window", "loud", "silent"),
    [
        (("13:00", "15:00"), ["12:59:59", "15:00:00", "23:00:00"], ["13:00:00", "14:59:59"]),
        (("22:00", "08:00"), ["21:59:59", "08:00:00", "12:00:00"], ["22:00:00", "23:59:59", "00:00:00", "07:59:59"]),
        (("00:00", "08:00"), ["23:59:59", "08:00:00"], ["00:00:00", "07:59:59"]),
        (("22:00", "00:00"), ["21:59:59", "00:00:00"], ["22:00:00", "23:59:59"]),
    ],
)
def test_a_window_holds_from_its_first_second_to_before_its_end(
    one: SmallProject, window: tuple[str, str], loud: list[str], silent: list[str]
) -> None:
    quiet(one, *window)
    assert [is_quiet(one, clock(f"2026-11-20T{time}")) for time in loud] == [False] * len(loud)
    assert [is_quiet(one, clock(f"2026-11-20T{time}")) for time in silent] == [True] * len(silent)


def test_each_person_has_a_clock_of_their_own(shop: SmallProject) -> None:
    shop.people(3)
    shop.send(MAIL)
    quiet(shop, "22:00", "08:00")
    shop.sql("update dim_profiles set time_zone = 'America/New_York' where profile_id = 'p_1'")
    shop.sql("update dim_profiles set time_zone = 'Asia/Kathmandu' where profile_id = 'p_2'")
    # Noon in Shanghai is 23:00 in New York and 09:45 in Kathmandu, 10:00 is 21:00 and 07:45, 23:00 is 10:00 and 20:45.
    assert shop.withheld(MAIL, clock("2026-11-20T12:00")) == {"p_1": "QUIET_HOURS"}
    assert shop.withheld(MAIL, clock("2026-11-20T10:00")) == {"p_2": "QUIET_HOURS"}
    assert shop.withheld(MAIL, clock("2026-11-20T23:00")) == {"p_0": "QUIET_HOURS"}


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", None])
def test_a_zone_that_is_unknown_is_taken_for_the_default(one: SmallProject, zone: str | None) -> None:
    quiet(one, "22:00", "08:00", default="America/New_York")
    one.fill("dim_profiles", [("p_0", "Name0", "u0@mail.example", None, None, zone)])
    assert is_quiet(one, clock("2026-11-20T23:00", "America/New_York"))
    assert not is_quiet(one, clock("2026-11-20T12:00", "America/New_York"))


def test_the_day_the_clocks_go_forward_ends_quiet_time_by_the_new_clock(one: SmallProject) -> None:
    quiet(one, "22:00", "08:00")
    one.sql("update dim_profiles set time_zone = 'Europe/Berlin'")
    # On 29 March 2026 Berlin goes from 02:00 (01:00 UTC) to 03:00: 08:00 is at 06:00 UTC, a day before it was at 07:00.
    assert is_quiet(one, datetime(2026, 3, 28, 6, 59, 59, tzinfo=UTC))
    assert is_quiet(one, datetime(2026, 3, 29, 5, 59, 59, tzinfo=UTC))
    assert not is_quiet(one, datetime(2026, 3, 29, 6, 0, tzinfo=UTC))


def test_the_hour_that_comes_twice_is_quiet_both_times(one: SmallProject) -> None:
    quiet(one, "02:00", "03:00")
    one.sql("update dim_profiles set time_zone = 'Europe/Berlin'")
    assert is_quiet(one, clock("2026-10-25T02:30", "Europe/Berlin", fold=0))
    assert is_quiet(one, clock("2026-10-25T02:30", "Europe/Berlin", fold=1))
    assert not is_quiet(one, clock("2026-10-25T03:00", "Europe/Berlin"))


def test_an_hour_that_does_not_come_is_never_quiet(one: SmallProject) -> None:
    quiet(one, "02:00", "03:00")
    one.sql("update dim_profiles set time_zone = 'Europe/Berlin'")
    assert not is_quiet(one, datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC))
    assert not is_quiet(one, datetime(2026, 3, 29, 1, 0, tzinfo=UTC))


def test_transactional_messages_and_other_channels_know_no_quiet_time(one: SmallProject) -> None:
    quiet(one, "00:00", "23:59")
    night = clock("2026-11-20T03:00")
    assert is_quiet(one, night)
    one.send(MAIL, purpose="order_update")
    assert one.withheld(MAIL, night) == {}
    assert one.withheld(one.send("sms/hello"), night) == {}
    assert one.withheld(one.sync("hubspot/people"), night) == {}


def test_a_deferred_message_leaves_when_the_night_is_over(one: SmallProject, sandbox: RunningSandbox) -> None:
    quiet(one, "22:00", "08:00")
    night = one.run(MAIL, now=clock("2026-11-20T23:00"))
    assert one.outcomes(night.run_id) == {"p_0": ("withheld", "QUIET_HOURS")}
    morning = one.run(MAIL, now=clock("2026-11-21T08:00"))
    assert one.outcomes(morning.run_id) == {"p_0": ("sent", "")}


def test_a_dropped_message_never_leaves(one: SmallProject, sandbox: RunningSandbox) -> None:
    quiet(one, "22:00", "08:00")
    one.send(MAIL, quiet_hours="drop")
    night = one.run(MAIL, now=clock("2026-11-20T23:00"))
    assert one.outcomes(night.run_id) == {"p_0": ("withheld", "QUIET_HOURS_DROPPED")}
    assert one.run(MAIL, now=clock("2026-11-21T08:00")).planned == 0
    assert sandbox.taken("smtp") == []


moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1))
times = st.times().map(lambda time: time.strftime("%H:%M"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> SmallProject:
    """One person in each of many zones."""
    shop = SmallProject(tmp_path_factory.mktemp("quiet") / "shop")
    shop.people(len(ZONES))
    shop.send(MAIL)
    shop.sql(*(f"update dim_profiles set time_zone = '{zone}' where profile_id = 'p_{i}'" for i, zone in enumerate(ZONES)))
    return shop


@settings(max_examples=20, deadline=None)
@given(window=st.lists(times, min_size=2, max_size=2, unique=True), instant=moments)
def test_any_window_at_any_moment_agrees_with_the_zones_own_clock(world: SmallProject, window: list[str], instant: datetime) -> None:
    start, end = window
    quiet(world, start, end)
    now = instant.replace(tzinfo=UTC)
    local = {f"p_{i}": now.astimezone(ZoneInfo(zone)).strftime("%H:%M") for i, zone in enumerate(ZONES)}
    inside = {who for who, time in local.items() if (start <= time < end if start < end else time >= start or time < end)}
    assert set(world.withheld(MAIL, now)) == inside


def test_hours_run_by_the_moment_given_not_by_this_machine(one: SmallProject) -> None:
    quiet(one, "22:00", "08:00")
    night = clock("2026-11-20T23:00")
    abroad = night.astimezone(ZoneInfo("America/New_York"))
    assert is_quiet(one, abroad) == is_quiet(one, night) == (not is_quiet(one, night + timedelta(hours=12)))


# -- from when a deferred message may leave ---------------------------------------------------------------------------------


def deferred(shop: SmallProject, now: datetime) -> dict[str, datetime | None]:
    shop.withheld(MAIL, now)
    rows = pq.read_table(shop.project.plans / "asked.parquet").to_pylist()
    return {row["code"]: row["not_before"] and row["not_before"].replace(tzinfo=UTC) for row in rows}


@pytest.mark.parametrize(
    ("zone", "now", "end"),
    [
        ("Asia/Shanghai", "2026-11-20T23:00", "2026-11-21T08:00"),
        ("Asia/Shanghai", "2026-11-21T03:00", "2026-11-21T08:00"),
        ("Asia/Kolkata", "2026-11-20T22:30", "2026-11-21T08:00"),
        ("Europe/Berlin", "2026-03-28T23:00", "2026-03-29T08:00"),  # the clocks go forward
        ("Europe/Berlin", "2026-10-24T23:00", "2026-10-25T08:00"),  # and back
        ("America/New_York", "2026-03-07T23:00", "2026-03-08T08:00"),
        ("America/New_York", "2026-10-31T23:00", "2026-11-01T08:00"),
    ],
)
def test_a_deferred_message_may_leave_when_the_window_ends_by_the_persons_clock(one: SmallProject, zone: str, now: str, end: str) -> None:
    quiet(one, "22:00", "08:00")
    one.sql(f"update dim_profiles set time_zone = '{zone}'")
    assert deferred(one, clock(now, zone)) == {"QUIET_HOURS": clock(end, zone)}


def test_a_window_that_ends_twice_ends_the_first_time(one: SmallProject) -> None:
    quiet(one, "22:00", "02:30")
    one.sql("update dim_profiles set time_zone = 'Europe/Berlin'")
    assert deferred(one, clock("2026-10-25T01:00", "Europe/Berlin")) == {"QUIET_HOURS": clock("2026-10-25T02:30", "Europe/Berlin", fold=0)}
    # An hour later the clocks have gone back, and it is quiet once more.
    assert deferred(one, clock("2026-10-25T02:00", "Europe/Berlin", fold=1)) == {
        "QUIET_HOURS": clock("2026-10-25T02:30", "Europe/Berlin", fold=1)
    }


def test_the_moment_stands_in_the_reason_and_a_dropped_message_has_none(one: SmallProject, sandbox: RunningSandbox) -> None:
    quiet(one, "22:00", "08:00")
    night = one.run(MAIL, now=clock("2026-11-20T23:00"))
    (reason,) = one.rows("select reason from activation.sync_changelog where run_id = ?", night.run_id)
    assert reason[0].endswith("it is planned again, and may leave from 2026-11-21 00:00 UTC.")
    one.send(MAIL, quiet_hours="drop")
    assert deferred(one, clock("2026-11-20T23:00")) == {"QUIET_HOURS_DROPPED": None}


@settings(max_examples=20, deadline=None)
@given(window=st.lists(times, min_size=2, max_size=2, unique=True), instant=moments)
def test_at_the_moment_said_it_is_not_quiet_any_more_and_just_before_it_still_was(
    world: SmallProject, window: list[str], instant: datetime
) -> None:
    start, end = window
    quiet(world, start, end)

    def silent(moment: datetime, zone: str) -> bool:
        time = moment.astimezone(ZoneInfo(zone)).strftime("%H:%M")
        return start <= time < end if start < end else time >= start or time < end

    now = instant.replace(tzinfo=UTC)
    activation, verdicts = world.find(MAIL), world.project.plans / "asked.parquet"
    world.withheld(MAIL, now)
    people = {row["row_number"]: int(row["profile_id"][2:]) for row in plan_rows(world.plan(activation.ref))}
    for row in pq.read_table(verdicts).to_pylist():
        zone, then = ZONES[people[row["row_number"]]], row["not_before"].replace(tzinfo=UTC)
        assert now < then <= now + timedelta(hours=25)
        assert not silent(then, zone)
        # But for windows that end in an hour that is skipped.
        skipped = then.astimezone(ZoneInfo(zone)).strftime("%H:%M") != end
        assert skipped or silent(then - timedelta(minutes=1), zone)
