"""A rule in words: what `reason` of a member says, and what `sluice explain` says of somebody who is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from activation.engine.segments import windows
from activation.engine.segments.specs import Comparison
from activation.engine.segments.tree import Group, Leaf, Node

SAID = {
    "is_": "is", "is_not": "is not", "in_": "is one of", "not_in": "is none of", "at_least": "is at least", "more_than": "is more than",
    "at_most": "is at most", "less_than": "is less than", "contains": "contains", "starts_with": "starts with", "matches": "matches",
    "before": "is before", "after": "is after", "in_last": "lies in the last", "in_next": "lies in the next",
}  # fmt: skip


def sentence(node: Node) -> str:
    """One condition, or a group of them. Identifiers of people are never in it."""
    if isinstance(node, Group):
        joined = {"all": " and ", "any": " or ", "none": " or "}[node.kind].join(sentence(child) for child in node.children)
        return f"none of ({joined})" if node.kind == "none" else f"({joined})" if len(node.children) > 1 else joined
    kind = next(kind for kind in WORDS if hasattr(node.spec, kind))
    return WORDS[kind](node)


def _values(values: Mapping[str, Comparison]) -> str:
    return " and ".join(f"{name} {_comparison(comparison)}" for name, comparison in values.items())


def _comparison(comparison: Comparison) -> str:
    parts = []
    for name, said in SAID.items():
        value = getattr(comparison, name)
        if value is not None:
            parts.append(f"{said} {', '.join(map(str, value)) if isinstance(value, list) else value}")
    if comparison.known is not None:
        parts.append("is known" if comparison.known else "is not known")
    return " and ".join(parts)


def _where(values: Mapping[str, Comparison]) -> str:
    return f" where {_values(values)}" if values else ""


def _did(leaf: Leaf) -> str:
    spec = leaf.spec
    which = f"the {spec.occurrence} " if spec.occurrence else ""
    times = ""
    if spec.times:
        lowest, highest = spec.times.lowest, spec.times.highest
        count = f"{lowest}" if lowest == highest else f"{lowest} or more" if highest is None else f"{lowest} to {highest}"
        times = f" {count} times" + (f" of the same {spec.times.same}" if spec.times.same else "")
    return f"{which}{spec.did}{_where(leaf.values)}{times}{windows.words(spec)}"


def _held(held_for: str | None) -> str:
    return f" for {held_for}" if held_for else ""


def _limits(leaf: Leaf) -> str:
    limits = {key: getattr(leaf.spec, key) for key in ("at_least", "more_than", "at_most", "less_than")}
    return _comparison(Comparison(**{key: value for key, value in limits.items() if value is not None}))


WORDS: dict[str, Callable[[Leaf], str]] = {
    "did": _did,
    "did_not": lambda leaf: f"no {leaf.spec.did_not}{_where(leaf.values)}{windows.words(leaf.spec)}",
    "sequence": lambda leaf: (
        ", then ".join(
            f"{step.did}{_where(values)}{f' within {step.within}' if step.within else ''}"
            for step, values in zip(leaf.spec.sequence, leaf.steps, strict=True)
        )
        + windows.words(leaf.spec)
    ),
    "profile": lambda leaf: _values(leaf.values),
    "account": lambda leaf: f"a company whose {_values(leaf.values)}",
    "colleagues": lambda leaf: f"{leaf.spec.at_least} or more colleagues with {sentence(leaf.inner)}" if leaf.inner else "",
    "tag": lambda leaf: f"tag {leaf.spec.tag}{_held(leaf.spec.held_for)}",
    "stage": lambda leaf: f"stage {' or '.join(leaf.spec.stage)}{_held(leaf.spec.held_for)}",
    "changed": lambda leaf: (
        f"{leaf.spec.changed} changed"
        + (f" from {' or '.join(map(str, leaf.spec.from_))}" if leaf.spec.from_ else "")
        + (f" to {' or '.join(map(str, leaf.spec.to))}" if leaf.spec.to else "")
        + windows.words(leaf.spec)
    ),
    "score": lambda leaf: f"score {leaf.spec.score} {_limits(leaf)}",
    "grade": lambda leaf: f"grade {' or '.join(leaf.spec.grade)} of {leaf.spec.model}",
    "in_segment": lambda leaf: f"in {leaf.spec.in_segment}{_held(leaf.spec.held_for)}",
    "not_in_segment": lambda leaf: f"not in {leaf.spec.not_in_segment}",
    "reachable": lambda leaf: f"reachable by {leaf.spec.reachable}" + (f" for {leaf.spec.purpose}" if leaf.spec.purpose else ""),
    "bucket": lambda leaf: f"drawn by {leaf.spec.bucket}, {leaf.spec.from_:g} to {leaf.spec.below:g} %",
    "listed": lambda leaf: f"on the list {leaf.spec.listed}" if isinstance(leaf.spec.listed, str) else "on the list",
    "sql": lambda leaf: "the SQL of the rule",
}
