"""How long somebody has been in a segment."""

from __future__ import annotations

from sqlglot import exp, select

from activation.engine.segments import windows
from activation.engine.segments.references import HISTORY, as_of, model


def held(segment: str, held_for: str) -> exp.Select:
    """Who has been in it without a break for so long, under whatever ids a person had: a merge is neither a coming nor a going."""
    spells = (
        select(
            "coalesce(g.profile_id, h.profile_id) as profile_id",
            "h.change",
            "h.changed_at as began",
            "coalesce(lead(h.changed_at) over (partition by h.profile_id order by h.change_number), timestamp '9999-12-31') as ended",
        )
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
