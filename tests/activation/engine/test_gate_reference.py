"""The gate's SQL against the same rules in plain Python, over people, words, messages, policies and moments of any kind."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_project import SmallProject

from activation.engine import gate
from activation.engine.declarations import Activation
from activation.engine.models import Models
from activation.engine.policies import Cap, ChannelQuotas, Holdouts, Policies, Purpose, QuietHours, QuietWindow, Quota, Reserve
from activation.engine.specs import Experiment, Holdout
from activation.engine.warehouse import opened

PEOPLE = ["p_0", "p_1", "p_2", "p_3", "p_4"]
OLD = {"old_0": "p_0", "old_1": "p_1"}
ZONES = ["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "nowhere", None]
MARCH, OCTOBER = datetime(2026, 3, 28, 20, tzinfo=UTC), datetime(2026, 10, 24, 20, tzinfo=UTC)  # the nights in which Berlin's clocks change


@dataclass(frozen=True)
class World:
    shop: SmallProject
    connection: duckdb.DuckDBPyConnection
    activation: Activation


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    shop = SmallProject(tmp_path_factory.mktemp("reference") / "shop")
    shop.merges(*OLD.items())
    activation = shop.find(shop.send("mail/hello"))
    with opened(shop.project) as connection:
        yield World(shop, connection, activation)


ids = st.sampled_from([*PEOPLE, *OLD])
when = st.sampled_from([datetime(2026, 1, 1), datetime(2026, 2, 1), None])
profiles = st.fixed_dictionaries(
    {who: st.tuples(st.sampled_from(["a@mail.example"] * 4 + ["", None, "none"]), st.sampled_from(ZONES)) for who in PEOPLE}
)
consents = st.lists(
    st.tuples(
        ids,
        st.sampled_from(["email", "sms", "all"]),
        st.sampled_from(["newsletter", "other", "all"]),
        st.sampled_from(["granted", "granted", "withdrawn"]),
        when,
    ),
    max_size=8,
)
suppressions = st.lists(
    st.tuples(ids, st.sampled_from(["email", "sms", "all"]), st.sampled_from(["hard_bounce", "complaint", "do_not_contact", "unsubscribed", None]),
              st.sampled_from(["all", "marketing", None])), max_size=2,
)  # fmt: skip
nows = st.one_of(
    st.datetimes(datetime(2026, 2, 1), datetime(2026, 12, 1)).map(lambda moment: moment.replace(tzinfo=UTC, microsecond=0)),
    st.tuples(st.sampled_from([MARCH, OCTOBER]), st.integers(0, 24 * 60)).map(lambda pair: pair[0] + timedelta(minutes=pair[1])),
)
# Who (by an old id or that of today), channel, purpose, destination, how long ago, and whether it is settled.
messages = st.lists(
    st.tuples(ids, st.sampled_from(["email", "sms"]), st.sampled_from(["newsletter", "other"]), st.sampled_from(["mail", "elsewhere"]),
              st.one_of(st.integers(-1, 60), st.integers(0, 40 * 24).map(lambda hours: hours * 60)), st.booleans()),
    max_size=10,
)  # fmt: skip
caps = st.lists(
    st.builds(
        lambda channel, purpose, most, window, kept: Cap(channel=channel, purpose=purpose, messages=most, **window, reserve=kept if most > 1 else None),
        st.sampled_from(["email", "sms", None]), st.sampled_from(["newsletter", "other", None]), st.integers(1, 3),
        st.one_of(st.integers(1, 30).map(lambda days: {"days": float(days)}), st.sampled_from(["day", "week", "month"]).map(lambda per: {"per": per})),
        st.one_of(st.none(), st.builds(Reserve, priority=st.integers(1, 2), messages=st.just(1))),
    ),
    min_size=1, max_size=2,
)  # fmt: skip
clock_times = st.times().map(lambda time: time.strftime("%H:%M"))
windows = st.lists(clock_times, min_size=2, max_size=2, unique=True).map(
    lambda pair: QuietWindow.model_validate({"from": pair[0], "to": pair[1]})
)
quotas = st.lists(
    st.builds(
        lambda where, most, per, each: Quota(**where, messages=most, per=per, each=each),
        st.sampled_from([{"channel": "email"}, {"destination": "mail"}, {"destination": "elsewhere"}]), st.integers(1, 4),
        st.sampled_from(["day", "week", "month"]), st.sampled_from(["person", None]),
    ),
    max_size=2,
)  # fmt: skip
holdouts = st.one_of(st.none(), st.builds(Holdout, percent=st.sampled_from([20.0, 60.0]), salt=st.sampled_from([None, "x", "y"])))
experiments = st.one_of(st.none(), st.builds(Experiment, name=st.sampled_from(["one", "two"]), arms=st.just({"a": 2, "control": 1})))


@st.composite
def policies(draw: st.DrawFn) -> Policies:
    quiet = draw(st.one_of(st.none(), windows))
    return Policies(
        purposes={"newsletter": Purpose(basis=draw(st.sampled_from(["consent", "consent", "objection", "transactional"])))},
        caps=draw(caps),
        quiet_hours=QuietHours(default_time_zone="America/New_York", channels={"email": quiet} if quiet else {}),
        quotas=ChannelQuotas(time_zone="Asia/Kolkata", quotas=draw(quotas)),
        holdouts=Holdouts(universal=draw(holdouts)),
    )


@dataclass(frozen=True)
class Case:
    """What is asked about, for the rules below."""

    policies: Policies
    activation: Activation
    now: datetime
    profiles: dict[str, tuple[str | None, str | None]]
    consents: list[Any]
    suppressions: list[Any]
    messages: list[Any]

    def verdicts(self) -> dict[str, str]:
        """The rules, once more: the code of each person who is withheld."""
        codes = {who: self._code(who) for who in PEOPLE}
        for quota in self.policies.quotas.quotas:
            if quota.each is None and quota.destination != "elsewhere":
                used = sum(self._in_quota(quota, message) for message in self.messages)
                left = [who for who in PEOPLE if codes[who] is None]
                codes |= dict.fromkeys(left[max(quota.messages - used, 0) :], "QUOTA")
        return {who: code for who, code in codes.items() if code}

    def _code(self, who: str) -> str | None:
        basis, spec = self.policies.purposes["newsletter"].basis, self.activation.send
        said = [c for c in self.consents if OLD.get(c[0], c[0]) == who and c[1] in ("email", "all") and c[2] in ("newsletter", "all")]
        newest = max(map(_age, said), default=None)
        last = {c[3] for c in said if _age(c) == newest}
        if basis == "consent" and "withdrawn" in last:
            return "CONSENT_WITHDRAWN"
        if basis == "consent" and "granted" not in last:
            return "NO_CONSENT"
        if basis == "objection" and "withdrawn" in last:
            return "OBJECTED"
        stops = [s for s in self.suppressions if OLD.get(s[0], s[0]) == who and s[1] in ("email", "all")]
        if basis == "transactional":
            stops = [s for s in stops if s[3] != "marketing" or s[2] == "hard_bounce"]
        if stops:
            first = min(s[2] or "unknown" for s in stops)
            return {"hard_bounce": "HARD_BOUNCE", "complaint": "COMPLAINT", "do_not_contact": "DO_NOT_CONTACT"}.get(first, "SUPPRESSED")
        email = self.profiles[who][0]
        if not email:
            return "NO_EMAIL"
        if "@" not in email:
            return "BAD_EMAIL"
        universal = self.policies.holdouts.universal
        if universal and basis != "transactional" and _held(universal, "holdout:universal", who):
            return "HOLDOUT_UNIVERSAL"
        if spec.holdout and _held(spec.holdout, "holdout:mail/hello", who):
            return "HOLDOUT"
        if spec.experiment and _number(f"experiment:{spec.experiment.name}", who) % 3 >= 2:
            return "EXPERIMENT_CONTROL"
        return (self._marketing(who) if basis != "transactional" else None) or self._quota(who)

    def _marketing(self, who: str) -> str | None:
        zone = self.profiles[who][1]
        clock = ZoneInfo("America/New_York" if zone is None or zone == "nowhere" else zone)
        for cap in self.policies.caps:
            if cap.channel not in (None, "email") or cap.purpose not in (None, "newsletter"):
                continue
            had = sum(
                OLD.get(m[0], m[0]) == who and cap.channel in (None, m[1]) and cap.purpose in (None, m[2])
                and self._before(m) and self._within(m, cap.days, cap.per, clock)
                for m in self.messages
            )  # fmt: skip
            kept = cap.reserve.messages if cap.reserve and self.activation.send.priority < cap.reserve.priority else 0
            if had >= cap.messages - kept:
                return f"CAP_{(cap.channel or 'all').upper()}" + (f"_{cap.purpose.upper()}" if cap.purpose else "")
        window, local = self.policies.quiet_hours.channels.get("email"), self.now.astimezone(clock).strftime("%H:%M")
        if window and (window.start <= local < window.end if window.start < window.end else local >= window.start or local < window.end):
            return "QUIET_HOURS"
        return None

    def _quota(self, who: str) -> str | None:
        for quota in self.policies.quotas.quotas:
            had = sum(OLD.get(m[0], m[0]) == who and self._in_quota(quota, m) for m in self.messages)
            if quota.each == "person" and quota.destination != "elsewhere" and had >= quota.messages:
                return "QUOTA_PERSON"
        return None

    def _in_quota(self, quota: Quota, message: Any) -> bool:
        here = message[1] == quota.channel if quota.channel else message[3] == quota.destination
        return here and self._before(message) and self._within(message, None, quota.per, ZoneInfo("Asia/Kolkata"))

    def _before(self, message: Any) -> bool:
        return bool(message[4] >= 0)

    def _within(self, message: Any, days: float | None, per: str | None, clock: ZoneInfo) -> bool:
        if days is not None:
            return bool(timedelta(minutes=message[4]) < timedelta(days=days))
        now = self.now.astimezone(clock).replace(tzinfo=None)
        begin = now.replace(hour=0, minute=0, second=0, microsecond=0)
        begin -= {"day": timedelta(0), "week": timedelta(days=now.weekday()), "month": timedelta(days=now.day - 1)}[per or ""]
        return (self.now - timedelta(minutes=message[4])).astimezone(clock).replace(tzinfo=None) >= begin


def _age(consent: Any) -> datetime:
    return consent[4] or (datetime.max if consent[3] == "withdrawn" else datetime.min)


def _number(salt: str, who: str) -> int:
    return int(hashlib.md5(f"{salt}:{who}".encode()).hexdigest()[:15], 16)


def _held(holdout: Holdout, name: str, who: str) -> bool:
    return _number(holdout.salt or name, who) % 10_000 < holdout.percent * 100


def ask(world: World, case: Case) -> dict[str, str]:
    """What the gate says."""
    plan, verdicts = world.shop.project.plans / "reference.parquet", world.shop.project.plans / "reference.gate.parquet"
    settled = [m for m in case.messages if m[5]]
    history = [
        (
            "old",
            "x/y",
            "send",
            m[3],
            m[1],
            m[2],
            number,
            m[0],
            "sent",
            f"m_{number}",
            (case.now - timedelta(minutes=m[4])).replace(tzinfo=None),
        )
        for number, m in enumerate(settled)
    ]
    tables: dict[str, list[Any]] = {
        "dim_profiles (profile_id, email, time_zone)": [(who, *rest) for who, rest in case.profiles.items()],
        "consent_state": case.consents,
        "suppressions": case.suppressions,
        "activation.sync_changelog (run_id, ref, kind, destination, channel, purpose, row_number, profile_id, outcome, message_id, recorded_at)": history,
    }
    for table, rows in tables.items():
        world.connection.execute(f"delete from {table.split()[0]}")
        if rows:
            places = ", ".join([f"({', '.join('?' * len(rows[0]))})"] * len(rows))
            world.connection.execute(f"insert into {table} values {places}", [value for row in rows for value in row])
    world.connection.execute(
        "copy (select row_number() over (order by profile_id) - 1 as row_number, 'add' as operation, profile_id, email as match_value, "
        f"null::varchar as invalid_code from dim_profiles) to '{plan}' (format parquet)"
    )
    unsettled = [
        gate.UnsettledMessage(m[0], m[1], case.now - timedelta(minutes=m[4]), "not settled", m[2], m[3]) for m in case.messages if not m[5]
    ]
    counts = gate.ask(world.connection, Models(world.shop.project), case.policies, case.activation, plan, case.now, verdicts, unsettled)
    found = {PEOPLE[row["row_number"]]: row["code"] for row in pq.read_table(verdicts).to_pylist()}
    assert sum(counts.values()) == len(found)
    return found


everybody = [(who, "all", "all", "granted", datetime(2026, 1, 1)) for who in PEOPLE]


def decided(world: World, policies: Policies, now: datetime, send: dict[str, Any], profiles: Any, *tables: list[Any]) -> None:
    activation = dataclasses.replace(world.activation, spec=world.activation.send.model_copy(update=send))
    case = Case(policies, activation, now, profiles, *tables)
    assert ask(world, case) == case.verdicts()


@settings(max_examples=30, deadline=None)
@given(
    policies=policies(), now=nows, profiles=profiles, consents=consents, suppressions=suppressions, messages=messages,
    send=st.fixed_dictionaries({"priority": st.integers(0, 2), "holdout": holdouts, "experiment": experiments}),
)  # fmt: skip
def test_the_gate_decides_as_the_rules_say(
    world: World, policies: Policies, now: datetime, profiles: Any, consents: list[Any], suppressions: list[Any], messages: list[Any],
    send: dict[str, Any],
) -> None:  # fmt: skip
    decided(world, policies, now, send, profiles, [*everybody, *consents], suppressions, messages)


recent = st.one_of(st.integers(-1, 2 * 24 * 60), st.integers(0, 35 * 24).map(lambda hours: hours * 60))
many = st.lists(
    st.tuples(st.sampled_from(["p_0", "p_1", "p_2", "old_0", "old_1"]), st.sampled_from(["email", "email", "sms"]), st.sampled_from(["newsletter", "other"]),
              st.sampled_from(["mail", "elsewhere"]), recent, st.booleans()), min_size=6, max_size=14,
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(policies=policies(), now=nows, zones=st.tuples(*[st.sampled_from(ZONES)] * len(PEOPLE)), messages=many, priority=st.integers(0, 2))
def test_where_nothing_else_stands_against_it_caps_hours_and_quotas_decide(
    world: World, policies: Policies, now: datetime, zones: tuple[str | None, ...], messages: list[Any], priority: int
) -> None:
    policies = policies.model_copy(update={"holdouts": Holdouts()})
    profiles = {who: ("a@mail.example", zone) for who, zone in zip(PEOPLE, zones, strict=True)}
    decided(world, policies, now, {"priority": priority}, profiles, everybody, [], messages)
