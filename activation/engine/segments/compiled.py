"""A segment's rule as the one select that finds its people, and as single truths that explain it."""

from __future__ import annotations

from sqlglot import exp, select

from activation.engine.segments.conditions import condition
from activation.engine.segments.references import model
from activation.engine.segments.tree import Group, Rule
from activation.engine.segments.words import sentence


def query(rule: Rule) -> exp.Select:
    """One row per person: profile_id, and as `reason` what of the rule holds in words. People of our own quality assurance are left out."""
    people = select("p.profile_id").from_(model("dim_profiles", "p")).where("not p.is_test")
    root, zone = rule.root, rule.spec.time_zone
    if isinstance(root, Group) and root.kind == "any" and len(root.children) > 1:
        # Which of them hold differs from person to person.
        truths = [exp.alias_(condition(child, zone), f"holds_{number}") for number, child in enumerate(root.children, 1)]
        cases = [
            exp.Case().when(exp.column(f"holds_{number}", table="r"), exp.Literal.string(sentence(child)))
            for number, child in enumerate(root.children, 1)
        ]
        reason = exp.Anonymous(this="concat_ws", expressions=[exp.Literal.string(", "), *cases])
        found = select("r.profile_id", exp.alias_(reason, "reason")).from_(people.select(*truths).subquery("r"))
        found = found.where(exp.or_(*(exp.column(f"holds_{number}", table="r") for number in range(1, len(root.children) + 1))))
    else:
        found = people.select(exp.alias_(exp.Literal.string(sentence(root).removeprefix("(").removesuffix(")")), "reason"))
        found = found.where(condition(root, zone))
    return _first(rule, found) if rule.spec.top else found


def _first(rule: Rule, found: exp.Select) -> exp.Select:
    """The first so many in the order that is asked for. Ties go by profile id, so that nobody comes and goes by chance."""
    top = rule.spec.top
    assert top is not None
    direction = "desc" if top.descending else "asc"
    ranked = (
        select("f.profile_id", "f.reason").from_(found.subquery("f")).join(model("dim_profiles", "d"), on="d.profile_id = f.profile_id")
    )
    if top.column == "score":
        of_model = exp.column("model", table="s").eq(exp.Literal.string(top.model))
        on = exp.and_("s.profile_id = f.profile_id", of_model)
        ranked = ranked.join(model("score_profiles", "s"), on=on, join_type="left")
        by: exp.Expr = exp.func("coalesce", exp.column("score", table="s"), exp.Literal.number(0))
    else:
        by = exp.column(top.column, table="d", quoted=True)
    place = exp.Window(
        this=exp.RowNumber(),
        partition_by=[exp.column(top.per, table="d", quoted=True)] if top.per else [],
        order=exp.Order(
            expressions=[
                exp.Ordered(this=by, desc=direction == "desc", nulls_first=False),
                exp.Ordered(this=exp.column("profile_id", table="f"), desc=False, nulls_first=False),
            ]
        ),
    )
    ranked = ranked.select(exp.alias_(place, "place"))
    return select("t.profile_id", "t.reason").from_(ranked.subquery("t")).where(f"t.place <= {top.count}")


def absence(rule: Rule) -> exp.Expr:
    """Why the row `p` of dim_profiles, which is not in the segment, is not: in words what of the rule does not hold."""
    missing = [
        exp.Case().when(exp.not_(exp.func("coalesce", truth, exp.false())), exp.Literal.string(words)) for words, truth in truths(rule)
    ]
    faults = exp.Anonymous(this="concat_ws", expressions=[exp.Literal.string("; "), *missing])
    said = exp.DPipe(this=exp.Literal.string("not: "), expression=exp.func("nullif", faults, exp.Literal.string("")))
    case = exp.Case().when(exp.column("is_test", table="p"), exp.Literal.string("one of our own, for tests"))
    return case.else_(exp.func("coalesce", said, exp.Literal.string("all of it holds, but others come first")))


def truths(rule: Rule) -> list[tuple[str, exp.Expr]]:
    """What the rule asks for, one thing after the other, each in words and as a truth about the row `p` of dim_profiles."""
    root = rule.root
    parts = root.children if isinstance(root, Group) and root.kind in {"all", "any"} else (root,)
    return [(sentence(part), condition(part, rule.spec.time_zone)) for part in parts]
