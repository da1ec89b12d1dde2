"""Guards: what a plan may at most do. They stop a run before its first call; a person may override them, and that is recorded."""

from __future__ import annotations

from activation.engine.plan import Plan
from activation.engine.specs import Guards


def broken(plan: Plan, guards: Guards) -> list[str]:
    """Every guard that this plan breaks, as sentences; none means it may go on."""
    counts, state = {**plan.counts, "remove": plan.counts["remove"] - plan.merged}, plan.acknowledged
    reasons = []
    if counts["remove"] and plan.source_rows <= counts["invalid"]:
        what = "has no usable row" if plan.source_rows else "is empty"
        reasons.append(f"The source {what} and all {counts['remove']} rows would be removed: an empty source never deletes.")
    elif state and counts["remove"] * 100 > guards.max_removed_pct * state:
        reasons.append(_percent("removed", counts["remove"], state, guards.max_removed_pct, "max_removed_pct"))
    if plan.merged * 100 > guards.max_merged_pct * (state + plan.merged):
        reasons.append(_percent("removed as merged", plan.merged, state + plan.merged, guards.max_merged_pct, "max_merged_pct"))
    if guards.max_changed_pct is not None and state and counts["change"] * 100 > guards.max_changed_pct * state:
        reasons.append(_percent("changed", counts["change"], state, guards.max_changed_pct, "max_changed_pct"))
    for name, count, limit in (
        ("removed", counts["remove"], guards.max_removed),
        ("added", counts["add"], guards.max_added),
        ("total", plan.planned, guards.max_total),
    ):
        if limit is not None and count > limit:
            reasons.append(f"{count} rows {'in all' if name == 'total' else f'would be {name}'}; at most {limit} may (max_{name}).")
    return reasons


def _percent(verb: str, count: int, state: int, limit: float, name: str) -> str:
    return f"{count} of {state} rows ({count * 100 / state:.1f}%) would be {verb}; at most {limit:g}% may ({name})."
