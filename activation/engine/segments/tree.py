"""A segment's rule as a tree, read with every fault at its line: kinds that there are not, columns, segments, scores and stages that nobody has."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from activation.engine.segments import raw_sql
from activation.engine.segments.specs import (
    GROUPS,
    KINDS,
    PROPERTY,
    Account,
    Changed,
    Colleagues,
    Comparison,
    Condition,
    Did,
    DidNot,
    Grade,
    InSegment,
    Listed,
    NotInSegment,
    Profile,
    Reachable,
    Score,
    Segment,
    Sequence,
    Sql,
    Stage,
    Tag,
    Top,
    Window,
)
from activation.engine.yaml_file import Place, YamlFile, did_you_mean, sentences

EVENT_COLUMNS = {
    "event_id", "source", "channel", "message_id", "object_id", "object_name", "value", "currency", "product_id", "product_name",
    "product_category", "search_keyword", "page_url", "page_path", "page_title", "referrer", "utm_source", "utm_medium", "utm_campaign",
    "utm_term", "utm_content", "user_agent",
}  # fmt: skip
DEEPEST = 12
# The tables about segments are called like segments, and are none.
BOOKS = {"segment_members", "segment_reasons", "segment_changes", "segment_sizes", "segment_overlaps"}


@dataclass(frozen=True)
class Known:
    """What a rule may name. A set that is None is not known before a build, and not judged."""

    models: Set[str] = frozenset()
    profiles: Set[str] | None = None
    accounts: Set[str] | None = None
    segments: Set[str] = frozenset()
    scores: Set[str] | None = None
    stages: Set[str] | None = None
    dimensions: Set[str] | None = None
    purposes: Set[str] | None = None
    seeds: Set[str] = frozenset()


@dataclass(frozen=True)
class Leaf:
    """One condition, and the comparisons it makes by field or property."""

    spec: Any
    values: Mapping[str, Comparison] = field(default_factory=dict)
    steps: tuple[Mapping[str, Comparison], ...] = ()
    inner: Node | None = None


@dataclass(frozen=True)
class Group:
    """All, any or none of these."""

    kind: str
    children: tuple[Node, ...]


Node = Leaf | Group


@dataclass(frozen=True)
class Rule:
    """A whole segment: its name as a model, what it says and what it reads of other segments."""

    model: str
    file: str
    spec: Segment
    root: Node

    def leaves(self) -> list[Leaf]:
        return _leaves(self.root)

    def reads(self) -> list[str]:
        """The segments it refers to."""
        names = [
            str(getattr(leaf.spec, key)) for leaf in self.leaves() for key in ("in_segment", "not_in_segment") if hasattr(leaf.spec, key)
        ]
        raw = [name for leaf in self.leaves() if isinstance(leaf.spec, Sql) for name in raw_sql.reads(leaf.spec.sql)]
        return list(dict.fromkeys([*names, *(name for name in raw if name.startswith("segment_") and name not in BOOKS)]))


def _leaves(node: Node) -> list[Leaf]:
    if isinstance(node, Group):
        return [leaf for child in node.children for leaf in _leaves(child)]
    return [node, *(_leaves(node.inner) if node.inner else [])]


def read(file: YamlFile, model: str, known: Known) -> Rule | None:
    """The file as a rule, or None after noting every fault in it."""
    spec = file.validate(Segment)
    written = file.data if isinstance(file.data, dict) else {}
    root = None
    if isinstance(written.get("rule"), dict) and ("rule",) not in file.faulty:
        root = _Reader(file, known).node(written["rule"], ("rule",), 0)
    if spec is not None and spec.top is not None:
        _check_top(file, spec.top, known)
    return None if spec is None or root is None or file.faults else Rule(model, file.shown, spec, root)


def _check_top(file: YamlFile, top: Top, known: Known) -> None:
    for key, column in (("by", top.column), ("per", top.per)):
        if column and known.profiles is not None and column not in known.profiles and not (key == "by" and column == "score"):
            file.fault(("top", key), f"dim_profiles has no column `{column}`.{did_you_mean(column, known.profiles)}")
    if top.column == "score" and known.scores is not None and top.model not in known.scores:
        file.fault(("top", "model"), f"there is no score model `{top.model}`.{did_you_mean(top.model, known.scores)}")


@dataclass
class _Reader:
    file: YamlFile
    known: Known

    def node(self, data: Any, place: Place, depth: int) -> Node | None:
        if not isinstance(data, dict):
            self.file.fault(
                place, f"a condition is a mapping, such as `did: Order Paid`. It begins with one of: {', '.join([*GROUPS, *KINDS])}."
            )
            return None
        if depth > DEEPEST:
            self.file.fault(place, "is nested too deeply. Make a segment of a part, and refer to it with in_segment.")
            return None
        kinds = [key for key in data if key in KINDS or key in GROUPS]
        if len(kinds) != 1:
            self._no_kind(data, place, kinds)
            return None
        if kinds[0] in GROUPS:
            return self._group(kinds[0], data, place, depth)
        return self._leaf(kinds[0], data, place, depth)

    def _no_kind(self, data: Mapping[str, Any], place: Place, kinds: list[str]) -> None:
        if kinds:
            self.file.fault((*place, kinds[1]), f"`{kinds[0]}` and `{kinds[1]}` are two conditions. Put both in a list below `all`.")
            return
        key = next(iter(data), "")
        near = did_you_mean(key, {*KINDS, *GROUPS})
        self.file.fault((*place, key) if key else place, f"`{key}` is no condition.{near}" if key else "a condition is empty.")

    def _group(self, kind: str, data: Mapping[str, Any], place: Place, depth: int) -> Node | None:
        for key in data:
            if key != kind:
                self.file.fault((*place, key), f"`{key}` does not belong beside `{kind}`: put it in the list.")
        children = data[kind]
        if not isinstance(children, list) or not children:
            self.file.fault((*place, kind), f"`{kind}` must be a list of conditions.")
            return None
        read = [self.node(child, (*place, kind, index), depth + 1) for index, child in enumerate(children)]
        return Group(kind, tuple(node for node in read if node is not None)) if all(node is not None for node in read) else None

    def _leaf(self, kind: str, data: Mapping[str, Any], place: Place, depth: int) -> Node | None:
        if kind == "stage" and isinstance(data["stage"], str):
            data = {**data, "stage": [data["stage"]]}
        if kind == "grade" and isinstance(data["grade"], str):
            data = {**data, "grade": [data["grade"]]}
        if kind == "changed":
            data = {**data, **{key: [data[key]] for key in ("from", "to") if isinstance(data.get(key), str | int | float)}}
        before = len(self.file.faults)
        spec = self.file.validate(KINDS[kind], data, place)
        if spec is None:
            return None
        leaf = self._valued(spec, place, depth)
        self._check(spec, place)
        return leaf if len(self.file.faults) == before else None

    def _valued(self, spec: Condition, place: Place, depth: int) -> Leaf:
        if isinstance(spec, Did | DidNot):
            if isinstance(spec, Did) and spec.times and spec.times.same:
                self._property(spec.times.same, (*place, "times", "same"))
            return Leaf(spec, self._where(spec.where, (*place, "where")))
        if isinstance(spec, Sequence):
            steps = (self._where(step.where, (*place, "sequence", index, "where")) for index, step in enumerate(spec.sequence))
            return Leaf(spec, steps=tuple(steps))
        if isinstance(spec, Profile):
            return Leaf(spec, self._fields(spec.profile, (*place, "profile"), "dim_profiles", self.known.profiles))
        if isinstance(spec, Account):
            return Leaf(spec, self._fields(spec.account, (*place, "account"), "dim_accounts", self.known.accounts))
        if isinstance(spec, Colleagues):
            return Leaf(spec, inner=self.node(spec.colleagues, (*place, "colleagues"), depth + 1))
        return Leaf(spec)

    def _where(self, where: Mapping[str, Any], place: Place) -> dict[str, Comparison]:
        for name in where:
            self._property(name, (*place, name))
        return self._compared(where, place)

    def _property(self, name: str, place: Place) -> None:
        if not PROPERTY.match(name) or (not name.startswith("properties.") and name not in EVENT_COLUMNS):
            self.file.fault(
                place,
                f"events have no `{name}`.{did_you_mean(name, EVENT_COLUMNS)} What only the payload has is written `properties.name`.",
            )

    def _fields(self, fields: Mapping[str, Any], place: Place, model: str, columns: Set[str] | None) -> dict[str, Comparison]:
        for name in fields:
            self._column(name, (*place, name), model, columns)
        return self._compared(fields, place)

    def _column(self, name: str, place: Place, model: str, columns: Set[str] | None) -> None:
        if columns is not None and name not in columns:
            self.file.fault(place, f"{model} has no column `{name}`.{did_you_mean(name, columns)}")

    def _compared(self, values: Mapping[str, Any], place: Place) -> dict[str, Comparison]:
        found = {}
        for name, value in values.items():
            if value is None:
                self.file.fault((*place, name), f"`{name}` has no value. For whom nothing is known, write {{known: false}}.")
                continue
            said = value if isinstance(value, dict) else {"in": value} if isinstance(value, list) else {"is": value}
            try:
                found[name] = Comparison.model_validate(said)
            except ValidationError as error:
                for where, message in sentences(error, Comparison, (*place, name)):
                    self.file.fault(where, message)
        return found

    def _check(self, spec: Condition, place: Place) -> None:
        known = self.known
        if isinstance(spec, Window) and spec.relative_to:
            self._column(spec.relative_to.field, (*place, "relative_to", "field"), "dim_profiles", known.profiles)
        for key in ("in_segment", "not_in_segment"):
            if isinstance(spec, InSegment | NotInSegment) and hasattr(spec, key):
                self._name((*place, key), "segment", str(getattr(spec, key)), known.segments)
        if isinstance(spec, Score):
            self._name((*place, "score"), "score model", spec.score, known.scores)
        if isinstance(spec, Grade):
            self._name((*place, "model"), "score model", spec.model, known.scores)
        if isinstance(spec, Stage):
            for index, stage in enumerate(spec.stage):
                self._name((*place, "stage", index), "stage", stage, known.stages)
        if isinstance(spec, Changed) and spec.changed == "stage":
            for key, stages in (("from", spec.from_), ("to", spec.to)):
                for index, value in enumerate(stages or []):
                    self._name((*place, key, index), "stage", str(value), known.stages)
        if isinstance(spec, Reachable) and spec.purpose:
            self._name((*place, "purpose"), "purpose", spec.purpose, known.purposes)
        if isinstance(spec, Tag):
            dimension, separator, value = spec.tag.partition(":")
            if not separator or not value:
                self.file.fault((*place, "tag"), "`tag` is written dimension:value, or dimension:* for any.")
            else:
                self._name((*place, "tag"), "dimension of tags", dimension, known.dimensions)
        if isinstance(spec, Listed) and isinstance(spec.listed, str):
            self._name((*place, "listed"), "seed", spec.listed, known.seeds)
        if isinstance(spec, Sql):
            for message in raw_sql.faults(spec.sql, known.models | known.seeds):
                self.file.fault((*place, "sql"), message)

    def _name(self, place: Place, what: str, name: str, known: Set[str] | None) -> None:
        if known is not None and name not in known:
            self.file.fault(place, f"there is no {what} `{name}`.{did_you_mean(name, known)}")


def cycles(rules: Mapping[str, Rule]) -> list[tuple[str, list[str]]]:
    """Segments that refer to themselves in the end, each with the way round."""
    found = []
    for name in rules:
        way = _way_back(name, name, rules, set())
        if way:
            found.append((name, [name, *way]))
    return found


def _way_back(start: str, at: str, rules: Mapping[str, Rule], seen: set[str]) -> list[str] | None:
    for name in rules[at].reads() if at in rules else []:
        if name == start:
            return [name]
        if name not in seen:
            seen.add(name)
            rest = _way_back(start, name, rules, seen)
            if rest:
                return [name, *rest]
    return None
