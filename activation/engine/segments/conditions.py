"""A rule as SQL: every condition is a truth about one row of dim_profiles, never null, built of sqlglot expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from sqlglot import exp, select

from activation.engine.segments import raw_sql, windows
from activation.engine.segments.comparisons import compared
from activation.engine.segments.references import HISTORY, as_of, model
from activation.engine.segments.specs import (
    Account,
    Bucket,
    Changed,
    Colleagues,
    Comparison,
    Did,
    DidNot,
    Grade,
    InSegment,
    Listed,
    NotInSegment,
    Profile,
    Reachable,
    Score,
    Sequence,
    Sql,
    Stage,
    Tag,
)
from activation.engine.segments.tree import Group, Leaf, Node

CONTACTS = {"email": "email", "sms": "phone", "wechat": "wechat_openid"}
PARTS = 10_000


def condition(node: Node, time_zone: str, person: str = "p") -> exp.Expr:
    """The truth about the row `person` of dim_profiles."""
    if isinstance(node, Group):
        children = [condition(child, time_zone, person) for child in node.children]
        joined = exp.and_(*children) if node.kind == "all" else exp.or_(*children)
        return _not(joined) if node.kind == "none" else exp.paren(joined, copy=False)
    return _KINDS[type(node.spec)](node, time_zone, person)


def _id(person: str) -> exp.Column:
    return exp.column("profile_id", table=person)


def _among(person: str, people: exp.Query) -> exp.Expr:
    """In a query of profile ids without nulls."""
    return cast("exp.Expr", _id(person).isin(query=people))


def _not(truth: exp.Expr) -> exp.Expr:
    return exp.not_(exp.paren(truth, copy=False), copy=False)


def _all(truths: list[exp.Expr]) -> exp.Expr:
    return exp.and_(*truths, copy=False)


# -- events ---------------------------------------------------------------------------------------------------------------------


def _events(name: str, alias: str = "e") -> exp.Select:
    """Events of people by name, up to the moment of the build."""
    happened = exp.column("occurred_at", table=alias)
    return (
        select(exp.column("profile_id", table=alias))
        .from_(model("fct_events", alias))
        .where(
            exp.column("event_name", table=alias).eq(exp.Literal.string(name)),
            exp.column("profile_id", table=alias).is_(exp.null()).not_(),
            _not(exp.column("is_bot", table=alias)),
            exp.LTE(this=happened, expression=as_of()),
        )
    )


def _where(values: Mapping[str, Comparison], alias: str = "e") -> list[exp.Expr]:
    return [compared(_property(name, alias), comparison) for name, comparison in values.items()]


def _property(name: str, alias: str = "e") -> exp.Expr:
    if not name.startswith("properties."):
        return exp.column(name, table=alias)
    path = "$" + "".join(f'."{part}"' for part in name.split(".")[1:])
    return exp.Anonymous(this="json_extract_string", expressions=[exp.column("properties", table=alias), exp.Literal.string(path)])


def _windowed(query: exp.Select, window: Any, time_zone: str, alias: str = "e") -> exp.Select:
    """The query with the window; one that is relative to a date of the person needs the person beside it."""
    happened = exp.column("occurred_at", table=alias)
    if window.relative_to:
        query = query.join(model("dim_profiles", "around"), on=f"around.profile_id = {alias}.profile_id")
    return query.where(*windows.conditions(window, happened, time_zone, "around"))


def _did(leaf: Leaf, time_zone: str, person: str) -> exp.Expr:
    spec: Did = leaf.spec
    if spec.occurrence:
        return _among(person, _picked(leaf, time_zone))
    query = _windowed(_events(spec.did), spec, time_zone).where(*_where(leaf.values))
    times = spec.times
    if times is None or (times.lowest == 1 and times.highest is None and not times.same):
        return _among(person, query)
    groups = [exp.column("profile_id", table="e")]
    if times.same:
        groups.append(_property(times.same))  # type: ignore[arg-type]
        query = query.where(_property(times.same).is_(exp.null()).not_())
    query, count = query.group_by(*groups), exp.Count(this=exp.Star())
    if times.lowest == 0:
        assert times.highest is not None
        return _not(_among(person, query.having(exp.GT(this=count, expression=exp.Literal.number(times.highest)))))
    query = query.having(exp.GTE(this=count, expression=exp.Literal.number(times.lowest)))
    if times.highest is not None:
        query = query.having(exp.LTE(this=count.copy(), expression=exp.Literal.number(times.highest)))
    return _among(person, query)


def _picked(leaf: Leaf, time_zone: str) -> exp.Select:
    """The first, or the last, time of all fulfils what is said of it."""
    spec: Did = leaf.spec
    direction = "desc" if spec.occurrence == "last" else "asc"
    query = _events(spec.did)
    if spec.relative_to:
        query = query.join(model("dim_profiles", "around"), on="around.profile_id = e.profile_id")
    fits = [*windows.conditions(spec, exp.column("occurred_at", table="e"), time_zone, "around"), *_where(leaf.values)]
    order = f"row_number() over (partition by e.profile_id order by e.occurred_at {direction}, e.event_id {direction}) as place"
    picked = query.select(exp.alias_(exp.paren(_all(fits), copy=False), "fits"), order)
    return select("picked.profile_id").from_(picked.subquery("picked")).where("picked.place = 1", "picked.fits")


def _did_not(leaf: Leaf, time_zone: str, person: str) -> exp.Expr:
    query = _windowed(_events(leaf.spec.did_not), leaf.spec, time_zone).where(*_where(leaf.values))
    return _not(_among(person, query))


def _sequence(leaf: Leaf, time_zone: str, person: str) -> exp.Expr:
    """Step by step: the moments at which a person may have come so far, each the latest before it within reach."""
    spec: Sequence = leaf.spec
    reached: exp.Select | None = None
    for step, values in zip(spec.sequence, leaf.steps, strict=True):
        own = _windowed(_events(step.did), spec, time_zone).where(*_where(values)).select("e.occurred_at")
        if reached is None:
            reached = own
            continue
        before = select("b.profile_id", "b.occurred_at", "1 as is_before").from_(reached.subquery("b"))
        both = own.select("0 as is_before").union(before, distinct=False)
        # Of one and the same moment, the step itself stands first: what happens at once is not one after the other.
        latest = select(
            "s.profile_id",
            "s.occurred_at",
            "s.is_before",
            "max(case when s.is_before = 1 then s.occurred_at end) over (partition by s.profile_id order by s.occurred_at, s.is_before "
            "rows between unbounded preceding and current row) as previous_at",
        ).from_(both.subquery("s"))
        reached = select("t.profile_id", "t.occurred_at").from_(latest.subquery("t")).where("t.is_before = 0", "t.previous_at is not null")
        if step.within:
            reach = windows.moment(exp.column("previous_at", table="t"), step.within)
            reached = reached.where(exp.LTE(this=exp.column("occurred_at", table="t"), expression=reach))
    assert reached is not None
    return _among(person, select("r.profile_id").from_(reached.subquery("r")))


# -- what holds about a person ----------------------------------------------------------------------------------------------------


def _profile(leaf: Leaf, time_zone: str, person: str) -> exp.Expr:
    return _all([compared(exp.column(name, table=person, quoted=True), value) for name, value in leaf.values.items()])


def _account(leaf: Leaf, time_zone: str, person: str) -> exp.Expr:
    fits = [compared(exp.column(name, table="a", quoted=True), value) for name, value in leaf.values.items()]
    accounts = select("a.account_id").from_(model("dim_accounts", "a")).where("a.account_id is not null", *fits)
    return _known(exp.column("account_id", table=person).isin(query=accounts))


def _known(truth: exp.Expr) -> exp.Expr:
    return exp.func("coalesce", truth, exp.false())


def _colleagues(leaf: Leaf, time_zone: str, person: str) -> exp.Expr:
    """Others of the same company, without the person."""
    spec: Colleagues = leaf.spec
    assert leaf.inner is not None
    inner = f"{person}c"
    fits = (
        select(exp.column("profile_id", table=inner), exp.column("account_id", table=inner))
        .from_(model("dim_profiles", inner))
        .where(f"{inner}.account_id is not null", f"not {inner}.is_test", condition(leaf.inner, time_zone, inner))
    )
    counted = (
        select("o.profile_id")
        .with_("fits", as_=fits)
        .from_(model("dim_profiles", "o"))
        .join(
            select("account_id", "count(*) as people").from_("fits").group_by("account_id").subquery("c"), on="o.account_id = c.account_id"
        )
        .join("fits as self", on="o.profile_id = self.profile_id", join_type="left")
        .where(f"c.people - case when self.profile_id is null then 0 else 1 end >= {spec.at_least}")
    )
    return _among(person, counted)


def _tag(leaf: Leaf, time_zone: str, person: str) -> exp.Expr:
    spec: Tag = leaf.spec
    dimension, _, value = spec.tag.partition(":")
    query = select("t.profile_id").from_(model("tag_assignments", "t"))
    query = (
        query.where(exp.column("dimension", table="t").eq(exp.Literal.string(dimension)))
        if value == "*"
        else query.where(exp.column("tag", table="t").eq(exp.Literal.string(spec.tag)))
    )
    return _among(person, _since(query, exp.column("first_seen_at", table="t"), spec.held_for))


def _since(query: exp.Select, since: exp.Expr, held_for: str | None) -> exp.Select:
    return query.where(exp.LTE(this=since, expression=windows.moment(as_of(), held_for, back=True))) if held_for else query


def _stage(leaf: Leaf, time_zone: str, person: str) -> exp.Expr:
    spec: Stage = leaf.spec
    query = select("l.profile_id").from_(model("profile_lifecycle", "l")).where(exp.column("stage", table="l").isin(*spec.stage))
    return _among(person, _since(query, exp.column("since", table="l"), spec.held_for))


def _changed(leaf: Leaf, time_zone: str, person: str) -> exp.Expr:
    spec: Changed = leaf.spec
    if spec.changed == "stage":
        moved = _stages_reached()
    else:
        moved = (
            _events("CRM Property Changed")
            .where(exp.column("object_id", table="e").eq(exp.Literal.string(spec.changed)))
            .select(
                "e.occurred_at",
                "e.object_name as value",
                "lag(e.object_name) over (partition by e.profile_id order by e.occurred_at, e.event_id) as previous",
            )
        )
    query = select("e.profile_id").from_(moved.subquery("e"))
    # A first word about it is no change.
    query = query.where("e.previous is not null", "e.value <> e.previous")
    for column, values in (("previous", spec.from_), ("value", spec.to)):
        if values is not None:
            query = query.where(exp.column(column, table="e").isin(*(_text(value) for value in values)))
    return _among(person, _windowed(query, spec, time_zone))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _stages_reached() -> exp.Select:
    """Each move of a person in the lifecycle, forward or back, with the stage before it."""
    moved = exp.column("transitioned_at", table="v")
    columns = ("v.profile_id", "v.transitioned_at as occurred_at", "v.to_stage as value", "v.from_stage as previous")
    return select(*columns).from_(model("fct_lifecycle_transitions", "v")).where(exp.LTE(this=moved, expression=as_of()))


def _score(leaf: Leaf, time_zone: str, person: str) -> exp.Expr:
    spec: Score = leaf.spec
    limits = {key: getattr(spec, key) for key in ("at_least", "more_than", "at_most", "less_than") if getattr(spec, key) is not None}
    fits = compared(exp.column("score", table="s"), Comparison(**limits))
    scores = (
        select("s.profile_id").from_(model("score_profiles", "s")).where(exp.column("model", table="s").eq(exp.Literal.string(spec.score)))
    )
    if _holds_for_nothing(limits):
        return _not(_among(person, scores.where(_not(fits))))
    return _among(person, scores.where(fits))


def _holds_for_nothing(limits: Mapping[str, float]) -> bool:
    """Whether no points at all fit."""
    return all(
        {"at_least": limit <= 0, "more_than": limit < 0, "at_most": limit >= 0, "less_than": limit > 0}[key]
        for key, limit in limits.items()
    )


def _grade(leaf: Leaf, time_zone: str, person: str) -> exp.Expr:
    spec: Grade = leaf.spec
    truths: list[exp.Expr] = []
    for grade in spec.grade:
        column = exp.column("grade", table="s")
        truths.append(column.like(exp.Literal.string(grade.replace("*", "_"))) if "*" in grade else column.eq(exp.Literal.string(grade)))
    query = select("s.profile_id").from_(model("score_profiles", "s"))
    return _among(person, query.where(exp.column("model", table="s").eq(exp.Literal.string(spec.model)), exp.or_(*truths)))


def _in_segment(leaf: Leaf, time_zone: str, person: str) -> exp.Expr:
    spec: InSegment = leaf.spec
    truth = _among(person, _members(spec.in_segment))
    return exp.paren(_all([truth, _among(person, _held(spec.in_segment, spec.held_for))]), copy=False) if spec.held_for else truth


def _held(segment: str, held_for: str) -> exp.Select:
    """Who has been in it without a break for so long, under whatever ids a person had: a merge is neither a coming nor a going."""
    ended = "coalesce(lead(h.changed_at) over (partition by h.profile_id order by h.change_number), timestamp '9999-12-31') as ended"
    spells = (
        select("coalesce(g.profile_id, h.profile_id) as profile_id", "h.change", "h.changed_at as began", ended)
        .from_(model(HISTORY, "h"))
        .join(model("profile_merges", "g"), on="h.profile_id = g.previous_id", join_type="left")
        .where(exp.column("segment", table="h").eq(exp.Literal.string(segment)))
        .where(exp.LTE(this=exp.column("changed_at", table="h"), expression=as_of()))
    )
    reached = (
        select(
            "s.profile_id",
            "s.began",
            "s.ended",
            "max(s.ended) over (partition by s.profile_id order by s.began, s.ended rows between unbounded preceding and 1 preceding) as until_then",
        )
        .from_(spells.subquery("s"))
        .where("s.change = 'enter'")
    )
    since = exp.Max(this=exp.Case().when("u.until_then is null or u.until_then < u.began", exp.column("began", table="u")))
    return (
        select("u.profile_id")
        .from_(reached.subquery("u"))
        .group_by("u.profile_id")
        .having("max(u.ended) = timestamp '9999-12-31'")
        .having(exp.LTE(this=since, expression=windows.moment(as_of(), held_for, back=True)))
    )


def _not_in_segment(leaf: Leaf, time_zone: str, person: str) -> exp.Expr:
    spec: NotInSegment = leaf.spec
    return _not(_among(person, _members(spec.not_in_segment)))


def _members(segment: str) -> exp.Select:
    return select("m.profile_id").from_(model(segment, "m")).where("m.profile_id is not null")


def _reachable(leaf: Leaf, time_zone: str, person: str) -> exp.Expr:
    spec: Reachable = leaf.spec
    channel = exp.Literal.string(spec.reachable)
    blocked = select("x.profile_id").from_(model("suppressions", "x")).where(exp.column("channel", table="x").eq(channel))
    address = exp.column(CONTACTS[spec.reachable], table=person).is_(exp.null()).not_()
    if spec.purpose is None:
        return _all([address, _not(_among(person, blocked.where("x.scope = 'all'")))])
    purpose = exp.Literal.string(spec.purpose)
    marketing = select("c.purpose").from_(model("consent_purposes", "c")).where("c.is_marketing")
    about_it = exp.or_("x.scope = 'all'", exp.and_("x.scope = 'marketing'", cast("exp.Expr", purpose.isin(query=marketing))))
    agreed = (
        select("g.profile_id")
        .from_(model("consent_state", "g"))
        .where(
            exp.column("channel", table="g").eq(channel),
            exp.column("purpose", table="g").eq(purpose),
            "g.topic = 'all'",
            "g.status = 'granted'",
        )
    )
    return _all([address, _not(_among(person, blocked.where(about_it))), _among(person, agreed)])


def _bucket(leaf: Leaf, time_zone: str, person: str) -> exp.Expr:
    """The same drawing as that of holdouts and experiments: md5(salt || ':' || profile_id), its first 15 digits, modulo 10,000."""
    spec: Bucket = leaf.spec
    salted = exp.DPipe(this=exp.Literal.string(f"{spec.bucket}:"), expression=_id(person), safe=True)
    digits = exp.DPipe(
        this=exp.Literal.string("0x"), expression=exp.func("left", exp.func("md5", salted), exp.Literal.number(15)), safe=True
    )
    number = exp.Mod(this=exp.cast(exp.paren(digits, copy=False), "bigint"), expression=exp.Literal.number(PARTS))
    low, high = (exp.Literal.number(round(percent * PARTS / 100)) for percent in (spec.from_, spec.below))
    return _all([exp.GTE(this=number, expression=low), exp.LT(this=number.copy(), expression=high)])


def _listed(leaf: Leaf, time_zone: str, person: str) -> exp.Expr:
    spec: Listed = leaf.spec
    query = select("i.profile_id").from_(model("bridge_profile_identifiers", "i"))
    if isinstance(spec.listed, str):
        seeded = select("cast(n.identifier as varchar)").from_(model(spec.listed, "n")).where("n.identifier is not null")
        named: exp.Query = seeded
        return _among(person, query.where(exp.or_(*(cast("exp.Expr", exp.column(c, table="i").isin(query=named.copy())) for c in _NAMES))))
    return _among(person, query.where(exp.or_(*(exp.column(column, table="i").isin(*spec.listed) for column in _NAMES))))


_NAMES = ("identifier", "own_profile_id", "profile_id")


def _sql(leaf: Leaf, time_zone: str, person: str) -> exp.Expr:
    spec: Sql = leaf.spec
    query = raw_sql.referring(spec.sql)
    return _among(person, select("q.profile_id").from_(query.subquery("q")).where("q.profile_id is not null"))


_KINDS: dict[type, Callable[[Leaf, str, str], exp.Expr]] = {
    Did: _did, DidNot: _did_not, Sequence: _sequence, Profile: _profile, Account: _account, Colleagues: _colleagues, Tag: _tag, Stage: _stage,
    Changed: _changed, Score: _score, Grade: _grade, InSegment: _in_segment, NotInSegment: _not_in_segment, Reachable: _reachable,
    Bucket: _bucket, Listed: _listed, Sql: _sql,
}  # fmt: skip
