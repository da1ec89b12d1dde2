"""Whether the syncs and sends that are declared still fit the models as they are written: for a pull request, without a warehouse.

`sluice doctor` looks at what has to be right on this machine before a run: addresses, credentials, the warehouse. This looks at files
only. What a file cannot tell (the columns of a `select *`) is said to be unseen, and is not held against anybody.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from activation.engine import audience, columns, content_lint, sms_lint
from activation.engine.build import BuildFailed, parse
from activation.engine.columns import Columns
from activation.engine.declarations import Activation, Declarations
from activation.engine.errors import UsageError
from activation.engine.gate import ASKED
from activation.engine.project import Project
from activation.engine.specs import Exchange
from activation.engine.yaml_file import Place, did_you_mean

CONTACTS = audience.CONTACTS


@dataclass(frozen=True)
class Finding:
    """One thing about one sync or send (`ref`; empty where it is about all): where it is declared, and the sentence."""

    ref: str
    file: str
    line: int
    sentence: str


@dataclass
class CheckReport:
    """`broken` will not run. `unseen` could not be looked at without a build. `new` are columns that nothing sends yet.

    `advice` is about messages: what will run, and will not be read as it was meant.
    """

    checked: int = 0
    models: int = 0
    broken: list[Finding] = field(default_factory=list)
    unseen: list[Finding] = field(default_factory=list)
    new: list[Finding] = field(default_factory=list)
    advice: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.broken


def check(project: Project, against: Path | None = None) -> CheckReport:
    """Look at every declaration beside the models as dbt parses them now.

    `against` is an earlier manifest.json (of the main branch): mapped columns whose type is no longer what it was are broken too, and
    columns that are new are told.
    Raises UsageError when it is none.
    """
    before = _nodes(against) if against else {}
    declarations = Declarations.collect(project)
    report = CheckReport(len(declarations.activations))
    report.broken += [Finding("", fault.file, fault.line, fault.message) for fault in sorted(set(declarations.faults))]
    for file, sentence in content_lint.lint(declarations):
        report.advice.append(Finding("", file, 1, sentence))
    try:
        manifest = parse(project, declarations, project.state / "check")
    except BuildFailed as error:
        report.broken.append(Finding("", "dbt_models", 1, str(error)))
        return report
    nodes = _nodes(manifest)
    report.models = sum(node["resource_type"] == "model" for node in nodes.values())
    for activation in declarations.activations.values():
        _Look(declarations, activation, nodes, before, report).all()
    for purpose, file in _unknown_purposes(project, declarations, nodes):
        report.broken.append(Finding("", file, 1, f"purpose `{purpose}` is not in it, so nobody's consent to it would ever be known."))
    return report


@dataclass
class _Look:
    """One sync or send."""

    declarations: Declarations
    activation: Activation
    nodes: Mapping[str, Any]
    before: Mapping[str, Any]
    report: CheckReport

    def all(self) -> None:
        if self.activation.kind == "sync":
            self._sync()
        else:
            self._send()
        for model, asked in ASKED.items():
            for column in sorted(asked):
                self._column((), model, column, f"which the gate asks for: nothing would leave to `{self.activation.ref}`")

    def _sync(self) -> None:
        spec = self.activation.sync
        self._column(("key",), spec.model, spec.key, "the `key`")
        self._column(("match_on",), spec.model, spec.match_on, "`match_on`")
        for name, column in spec.fields.items():
            self._column(("fields", name), spec.model, column, f"the field `{name}`")
        if spec.exchange:
            self._exchange(spec.model, spec.exchange)
        if spec.about == "people":
            self._column(("model",), spec.model, "profile_id", "by which the gate knows whom a row is about")
        if spec.scope and self.activation.parent:
            parent = self.activation.parent.sync
            self._column(("scope",), parent.model, parent.key, "by which a parent is known")
        self._segments(self.activation.excluded, ())
        self._new(spec.model, {spec.key, spec.match_on, "profile_id", *spec.fields.values()})

    def _exchange(self, model: str, exchange: Exchange) -> None:
        for pair in [*exchange.match, *([exchange.updated_at] if exchange.updated_at else [])]:
            self._column(("exchange",), model, pair.ours, "which `exchange` compares")
            self._column(("exchange",), exchange.theirs, pair.theirs, "which `exchange` compares")
        if exchange.id:
            self._column(("exchange", "id"), exchange.theirs, exchange.id, "by which a record is addressed")
        if exchange.may_create:
            self._column(("exchange", "may_create"), model, exchange.may_create, "by which it is known who makes a record")
        for name, rule in exchange.fields.items():
            if rule.theirs:
                self._column(("exchange", "fields", name), exchange.theirs, rule.theirs, f"their value of the field `{name}`")

    def _send(self) -> None:
        spec = self.activation.send
        for kind in ("include", "exclude"):
            for index, segment in enumerate(getattr(spec.audience, kind)):
                self._segments([segment], ("audience", kind, index))
        self._segments(self.activation.excluded, ())
        for name, column in spec.of_profiles.items():
            self._column(("fields", name), "dim_profiles", column, f"the field `{name}`")
        for name, (segment, column) in spec.of_segments.items():
            self._column(("fields", name), segment, column, f"the field `{name}`")
        if spec.to:
            self._column(("to",), "dim_profiles", spec.to, "whom it is sent to")
        else:
            contact = CONTACTS[self.activation.object.contact or "email"]
            self._column(("destination",), "dim_profiles", contact, f"by which {self.activation.destination.name} reaches a person")
        if self.activation.variant == "sms":
            self._text_messages()

    def _text_messages(self) -> None:
        spec = self.activation.send
        names: dict[Place, str] = {("content",): spec.content}
        names |= {("experiment", "content", arm): name for arm, name in (spec.experiment.content if spec.experiment else {}).items()}
        for place, name in names.items():
            content = self.declarations.contents.get(name)
            for sms in [spoken.sms for _, spoken in content.spoken("sms")] if content else []:
                for sentence in sms_lint.advice(name, sms, spec.purpose, self.declarations.policies) if sms else ():
                    self._add(self.report.advice, place, sentence)

    def _segments(self, names: list[str] | tuple[str, ...], place: Place) -> None:
        for name in names:
            self._column(place, name, "profile_id", "so it cannot be an audience")

    def _column(self, place: Place, model: str, column: str, use: str) -> None:
        """The model has this column, of the type it had."""
        node = self.nodes.get(model)
        if node is None:
            known = {name for name, one in self.nodes.items() if one["resource_type"] == "model"}
            self._broken(place, f"dbt knows no model `{model}`.{did_you_mean(model, known)} It may be disabled, or renamed.")
            return
        now, then = columns.of(node), columns.of(self.before.get(model, {}))
        if column.lower() in now.types:
            self._same_type(place, model, column, now, then)
        elif now.complete:
            was = f" It was there before ({then.types[column.lower()]})." if then.types.get(column.lower()) else ""
            near = "" if was else did_you_mean(column, set(now.types))
            self._broken(place, f"`{model}` has no column `{column}`, {use}.{was}{near}")
        else:
            self._add(
                self.report.unseen, place, f"whether `{model}` has a column `{column}` cannot be seen before a build: name it in its yml."
            )

    def _same_type(self, place: Place, model: str, column: str, now: Columns, then: Columns) -> None:
        new, old = now.types[column.lower()], then.types.get(column.lower())
        if new and old and new.lower() != old.lower():
            self._broken(
                place,
                f"column `{column}` of `{model}` was {old} and is {new} now: what {self.activation.destination.name} holds would change.",
            )

    def _new(self, model: str, used: set[str]) -> None:
        now, then = columns.of(self.nodes.get(model, {})), columns.of(self.before.get(model, {}))
        if now.complete and then.complete:
            for column in sorted(now.types.keys() - then.types.keys() - used):
                self._add(self.report.new, ("fields",), f"`{model}` has a new column `{column}`, which no field sends.")

    def _broken(self, place: Place, sentence: str) -> None:
        self._add(self.report.broken, place, sentence)

    def _add(self, findings: list[Finding], place: Place, sentence: str) -> None:
        finding = Finding(self.activation.ref, self.activation.file, self.declarations.line(self.activation.ref, place), sentence)
        if finding not in findings:
            findings.append(finding)


def _unknown_purposes(project: Project, declarations: Declarations, nodes: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Purposes that need consent and are not among those that dbt derives consent for, with the file that should have them."""
    seed = nodes.get("consent_purposes")
    if seed is None or seed["resource_type"] != "seed":
        return
    file = project.models / seed["original_file_path"]
    with file.open(encoding="utf-8", newline="") as lines:
        known = {row.get("purpose") for row in csv.DictReader(lines)}
    used = {activation.spec.purpose for activation in declarations.activations.values()}
    for name in sorted(used - known):
        if name in declarations.policies.purposes and declarations.policies.purposes[name].basis == "consent":
            yield name, project.relative(file)


def _nodes(manifest: Path) -> dict[str, Any]:
    try:
        nodes = json.loads(manifest.read_text(encoding="utf-8"))["nodes"]
        return {node["name"]: node for node in nodes.values() if node["resource_type"] in {"model", "seed"}}
    except FileNotFoundError:
        raise UsageError(f"There is no {manifest}. Give the manifest.json that dbt wrote for the branch you compare with.") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, AttributeError):
        raise UsageError(f"{manifest} is not a manifest.json of dbt.") from None
