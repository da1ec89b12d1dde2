"""One YAML file, read strictly: every value knows its line, nothing is guessed.

Only JSON's scalars are recognised (`true`, `false`, `null`, numbers); `on`, `22:00`, `007` and `2026-10-01` stay the text that was
written. Anchors, aliases, merge keys and tags are refused: what a file says stands in it, once, where it is used.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from activation.engine.errors import Fault

Place = tuple[str | int, ...]
LARGEST = 1024 * 1024  # bytes; a declaration fits on a screen
STANDARD = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """Composes nodes and notes what a declaration may not use. Nothing is ever expanded or constructed."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.refused: dict[tuple[int, str], None] = {}  # in order, each once

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        anchor, line = getattr(event, "anchor", None), event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            self.get_event()  # type: ignore[no-untyped-call]
            self.refused[
                (line, f"`*{anchor}` stands for something written elsewhere. Write it out here (in quotes, if the * belongs to it).")
            ] = None
            return yaml.ScalarNode(f"{STANDARD}null", "", event.start_mark, event.end_mark)  # type: ignore[arg-type]
        if anchor is not None:
            self.refused[
                (line, f"`&{anchor}` marks something for use elsewhere. Leave it out (or put it in quotes, if the & belongs to it).")
            ] = None
            event.anchor = None
        return super().compose_node(parent, index)


_Loader.yaml_implicit_resolvers = {}
for _kind, _pattern, _first in (
    ("bool", r"^(?:true|false)$", "tf"),
    ("null", r"^(?:null|~|)$", ["n", "~", ""]),
    ("int", r"^-?(?:0|[1-9][0-9]*)$", "-0123456789"),
    ("float", r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$", "-0123456789"),
):
    _Loader.add_implicit_resolver(f"{STANDARD}{_kind}", re.compile(_pattern), list(_first))

# What the parser says about the mistakes that people make, and what to do about them.
WORDS = (
    ("character '\\t'", "a tab stands where spaces belong. Indent with spaces"),
    ("mapping values are not allowed", "a colon makes no sense here. Put text that holds `: ` in quotes, and look at the indentation"),
    ("scanning an alias", "text that begins with * must be in quotes"),
    ("scanning an anchor", "text that begins with & must be in quotes"),
    ("character '@'", "text that begins with @ must be in quotes"),
    ("character '`'", "text that begins with ` must be in quotes"),
    ("character '%'", "text that begins with % must be in quotes"),
    ("quoted scalar", "a quote is opened and not closed"),
    ("single document", "a second document begins (`---`). One thing a file"),
    ("special characters are not allowed", "it holds a control character. Take it out"),
)


@dataclass
class YamlFile:
    """A parsed file: `data`, the line of every place in it, what was wrong (`faults`) and at which places (`faulty`)."""

    path: Path
    shown: str
    data: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    faulty: set[Place] = field(default_factory=set)
    broken: bool = False  # not all of it could be read, so what it says cannot be judged

    @classmethod
    def read(cls, path: Path, shown: str) -> YamlFile:
        """Read `path`; trouble lands in `faults`, never in an exception (a missing file is the caller's to check)."""
        file = cls(path, shown)
        try:
            data = path.read_bytes()
            if len(data) > LARGEST:
                file._refuse(1, f"is larger than {LARGEST:,} bytes. A declaration fits on a screen.")
                return file
            text = data.decode("utf-8")
        except OSError as error:
            file._refuse(1, f"cannot be read: {error.strerror}.")
            return file
        except UnicodeDecodeError as error:
            file._refuse(data[: error.start].count(b"\n") + 1, f"is not UTF-8 text (byte {error.start + 1}). Save it as UTF-8.")
            return file
        try:
            loader = _Loader(text)
            node = loader.get_single_node()
            for line, message in loader.refused:
                file._refuse(line, message)
            if node is not None:
                file.data = file._build(node, ())
        except yaml.MarkedYAMLError as error:
            # A quote that is not closed is found at the end of the file; where it was opened says more.
            mark = error.context_mark if "quoted scalar" in str(error.context) else error.problem_mark
            file._refuse(
                mark.line + 1 if mark else 1, f"is not valid YAML: {_in_words(f'{error.context} {error.problem}', error.problem)}."
            )
        except yaml.YAMLError as error:  # a character that YAML does not allow
            before = text[: getattr(error, "position", 0)]
            file._refuse(before.count("\n") + 1, f"is not valid YAML: {_in_words(str(error), 'cannot be parsed')}.")
        except RecursionError:
            file.data = None
            file._refuse(1, "is nested too deeply.")
        return file

    def _refuse(self, line: int, message: str) -> None:
        self.faults.append(Fault(self.shown, line, message))
        self.broken = True

    def _build(self, node: yaml.Node, place: Place) -> Any:
        line = node.start_mark.line + 1
        self.lines[place] = line
        if isinstance(node, yaml.MappingNode) and node.tag == f"{STANDARD}map":
            result: dict[str, Any] = {}
            for key_node, value_node in node.value:
                key_line = key_node.start_mark.line + 1
                if not isinstance(key_node, yaml.ScalarNode):
                    self._refuse(key_line, "a key must be a word. Put text that begins with { or [ in quotes.")
                    continue
                key = key_node.value
                if key == "<<":
                    self._refuse(key_line, "`<<` merges keys from elsewhere. Write them out.")
                    continue
                if not key or not key_node.tag.startswith(STANDARD):
                    self._refuse(key_line, f"`{_shown_tag(key_node.tag)} {key}` is not a key." if key else "a key is empty.")
                    continue
                if key in result:
                    self.faults.append(Fault(self.shown, key_line, f"`{key}` stands twice. Keep one."))
                result[key] = self._build(value_node, (*place, key))
                self.lines[(*place, key)] = key_line
            return result
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{STANDARD}seq":
            return [self._build(child, (*place, index)) for index, child in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            try:
                return _scalar(node.tag.removeprefix(STANDARD), node.value)
            except ValueError:
                pass
        self._refuse(line, f"`{_shown_tag(node.tag)}` is not allowed here. Write a plain value.")
        return None

    def line(self, place: Place) -> int:
        """The line of a place, or of the nearest thing around it."""
        while place not in self.lines and place:
            place = place[:-1]
        return self.lines.get(place, 1)

    def fault(self, place: Place, message: str) -> None:
        """Note something wrong at a place."""
        self.faults.append(Fault(self.shown, self.line(place), message))
        self.faulty.add(place)

    def said(self, model: type[BaseModel]) -> Mapping[str, Any]:
        """The file's top-level values with the model's defaults, as they were written, without those that are at fault as a whole."""
        written = self.data if isinstance(self.data, dict) else {}
        return {
            name: written.get(name, info.get_default())
            for name, info in model.model_fields.items()
            if (name,) not in self.faulty and (name in written or not info.is_required())
        }

    def validate(self, model: type[BaseModel], data: Any = None, place: Place = (), only: Collection[str] | None = None) -> Any:
        """`data` (default: the whole file) as `model`, or None after noting every fault in it (or every fault of the keys in `only`)."""
        if self.broken:
            return None
        subject = self.data if data is None and not place else data
        try:
            return model.model_validate({} if subject is None else subject)
        except ValidationError as error:
            for where, message in sentences(error, model, place):
                if only is None or where[len(place) : len(place) + 1] in {(key,) for key in only}:
                    self.fault(where, message)
            return None


def sentences(error: ValidationError, model: type[BaseModel], around: Place = ()) -> Iterator[tuple[Place, str]]:
    """What is wrong with what stands at `around`, as (place, sentence) without values. A misspelling of a missing key is told once."""
    problems = error.errors(include_url=False, include_input=False)
    misspelt: set[Place] = set()
    for problem in problems:
        if problem["type"] == "extra_forbidden":
            *parents, name = problem["loc"]
            misspelt.update((*parents, word) for word in get_close_matches(str(name), _fields_at(model, tuple(parents)), n=1, cutoff=0.6))
    for problem in problems:
        if problem["type"] != "missing" or problem["loc"] not in misspelt:
            yield (*around, *problem["loc"]), _sentence(problem, model, (*around, *problem["loc"]))


def did_you_mean(word: str, known: Collection[str]) -> str:
    """` Did you mean …?` when something close is known, else the list of what is known (when short), else nothing."""
    close = get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    if close:
        return f" Did you mean `{close[0]}`?"
    return f" Known: {', '.join(sorted(known))}." if 0 < len(known) <= 20 else ""


def _scalar(kind: str, text: str) -> Any:
    """The value of a scalar node. Raises ValueError for a tag that is not JSON's, or text that is not what the tag says."""
    if kind == "str":
        return text
    if kind == "null" and text in {"", "~", "null"}:
        return None
    if kind == "bool" and text in {"true", "false"}:
        return text == "true"
    if kind == "int":
        return int(text)  # Python refuses numbers of thousands of digits with a ValueError
    if kind == "float" and math.isfinite(float(text)):
        return float(text)
    raise ValueError(kind)


def _shown_tag(tag: str) -> str:
    return f"!!{tag.removeprefix(STANDARD)}" if tag.startswith(STANDARD) else tag


def _in_words(said: str, otherwise: str | None) -> str:
    return next((words for sign, words in WORDS if sign in said), otherwise or "cannot be parsed")


TYPES = {
    "string_type": "must be text (in quotes, if it looks like a number or is true, false or null)",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "string_pattern_mismatch": "must look like {pattern}",
}


def _sentence(problem: Any, model: type[BaseModel], where: Place) -> str:
    name = _named(where)
    if problem["type"] == "extra_forbidden":
        return f"{name} is not a key here.{did_you_mean(str(where[-1]), _fields_at(model, problem['loc'][:-1]))}"
    if problem["type"] == "missing":
        return f"{name} is missing."
    if problem["type"] in {"model_type", "dict_type"}:
        return f"{name} must be a mapping of keys to values."
    if problem["type"] in TYPES:
        limits = {key: f"{value:g}" if isinstance(value, float) else value for key, value in problem.get("ctx", {}).items()}
        return f"{name} {TYPES[problem['type']].format(**limits)}."
    message = problem["msg"].removeprefix("Value error, ")
    return f"{name}: {message[0].lower()}{message[1:]}{'' if message.endswith('.') else '.'}"


def _named(where: Place) -> str:
    """A place by its last key: `` `caps` ``, `` the 2nd of `include` `` as "item 2 of `include`", or "the file"."""
    if not where:
        return "the file"
    if isinstance(where[-1], int):
        return f"item {where[-1] + 1} of {_named(where[:-1])}"
    return f"`{where[-1]}`"


def _fields_at(model: type[BaseModel], where: Place) -> set[str]:
    """Keys that the model knows at a place (descends through nested models only)."""
    for part in where:
        info = model.model_fields.get(str(part))
        inner = getattr(info, "annotation", None)
        candidates = [inner, *getattr(inner, "__args__", ())]
        nested = [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
        if nested:
            model = nested[0]
    return {info.alias or name for name, info in model.model_fields.items()}
