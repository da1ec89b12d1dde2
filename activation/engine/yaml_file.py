"""One YAML file, read strictly: every value knows its line, nothing is guessed.

Only JSON's scalars are recognised (`true`, `false`, `null`, numbers); `on`, `22:00` and `2026-10-01` stay the text that was written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from activation.engine.errors import Fault

Place = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2's core scalars instead of YAML 1.1's surprises."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:bool", r"^(?:true|false)$", "tf"),
    ("tag:yaml.org,2002:null", r"^(?:null|~|)$", ["n", "~", ""]),
    ("tag:yaml.org,2002:int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("tag:yaml.org,2002:float", r"^[-+]?[0-9]*\.[0-9]+(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
):
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), list(_first))


@dataclass
class YamlFile:
    """A parsed file: `data`, the line of every place in it, and what was wrong already at this level."""

    path: Path
    shown: str
    data: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path, shown: str) -> YamlFile:
        """Read `path`; trouble lands in `faults`, never in an exception (a missing file is the caller's to check)."""
        file = cls(path, shown)
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            file.faults.append(Fault(shown, 1, f"is not UTF-8 text (byte {error.start}). Save it as UTF-8."))
            return file
        try:
            node = yaml.compose(text, Loader=_Loader)
        except yaml.MarkedYAMLError as error:
            line = (error.problem_mark.line + 1) if error.problem_mark else 1
            file.faults.append(Fault(shown, line, f"is not valid YAML: {error.problem or 'cannot be parsed'}."))
            return file
        if node is not None:
            file.data = file._build(node, ())
        return file

    def _build(self, node: yaml.Node, place: Place) -> Any:
        self.lines[place] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            result: dict[str, Any] = {}
            for key_node, value_node in node.value:
                key = str(key_node.value)
                if key in result:
                    self.faults.append(Fault(self.shown, key_node.start_mark.line + 1, f"`{key}` stands twice. Keep one."))
                result[key] = self._build(value_node, (*place, key))
                self.lines[(*place, key)] = key_node.start_mark.line + 1
            return result
        if isinstance(node, yaml.SequenceNode):
            return [self._build(child, (*place, index)) for index, child in enumerate(node.value)]
        try:
            return yaml.constructor.SafeConstructor().construct_object(node)
        except yaml.YAMLError:
            self.faults.append(Fault(self.shown, node.start_mark.line + 1, f"`{node.tag}` is not allowed here. Write a plain value."))
            return None

    def line(self, place: Place) -> int:
        """The line of a place, or of the nearest thing around it."""
        while place not in self.lines and place:
            place = place[:-1]
        return self.lines.get(place, 1)

    def fault(self, place: Place, message: str) -> None:
        """Note something wrong at a place."""
        self.faults.append(Fault(self.shown, self.line(place), message))

    def validate(self, model: type[BaseModel], data: Any = None, place: Place = ()) -> Any:
        """`data` (default: the whole file) as `model`, or None after noting every fault in it."""
        subject = self.data if data is None and not place else data
        try:
            return model.model_validate({} if subject is None else subject)
        except ValidationError as error:
            for problem in error.errors(include_url=False, include_input=False):
                # Union members and "__root__" parts are no places in the file.
                where = place + tuple(part for part in problem["loc"] if (*place, part) in self.lines or isinstance(part, int | str))
                self.fault(where, _sentence(problem, model, where[len(place) :]))
            return None


def did_you_mean(word: str, known: list[str] | set[str]) -> str:
    """` Did you mean …?` when something close is known, else the list of what is known (when short), else nothing."""
    close = get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    if close:
        return f" Did you mean `{close[0]}`?"
    return f" Known: {', '.join(sorted(known))}." if 0 < len(known) <= 20 else ""


def _sentence(problem: Any, model: type[BaseModel], where: Place) -> str:
    name = str(where[-1]) if where else "the file"
    if problem["type"] == "extra_forbidden":
        return f"`{name}` is not a key here.{did_you_mean(name, _fields_at(model, where[:-1]))}"
    if problem["type"] == "missing":
        return f"`{name}` is missing."
    if problem["type"] in {"model_type", "dict_type"}:
        return f"{'the file' if not where else f'`{name}`'} must be a mapping of keys to values."
    if problem["type"] == "literal_error":
        return f"`{name}` must be {problem['ctx']['expected']}."
    message = problem["msg"].removeprefix("Value error, ")
    return f"`{name}`: {message[0].lower()}{message[1:]}{'' if message.endswith('.') else '.'}"


def _fields_at(model: type[BaseModel], where: Place) -> set[str]:
    """Keys that the model knows at a place (descends through nested models only)."""
    for part in where:
        info = model.model_fields.get(str(part))
        inner = getattr(info, "annotation", None)
        candidates = [inner, *getattr(inner, "__args__", ())]
        nested = [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
        if nested:
            model = nested[0]
    return set(model.model_fields)
