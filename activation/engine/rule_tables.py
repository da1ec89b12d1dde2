"""The rules that stand in tables (seeds of dbt): scores and tags. Read strictly, so that a slip is told with its line and not scored in silence."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from activation.engine.errors import Fault
from activation.engine.project import Project
from activation.engine.warehouse import literal
from activation.engine.yaml_file import did_you_mean

Row = Mapping[str, str]
KINDS = {"event", "inactivity", "attribute"}
DECAYS = {"half_life", "window", "linear", "step", "none"}
FIELDS = {
    "title", "city", "country", "language", "lifecycle_stage", "email_domain", "is_free_mail", "has_phone", "has_account", "industry",
    "employees", "annual_revenue",
}  # fmt: skip
# The columns that a table must have, and which of them are numbers.
TABLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "score_models": (("model", "kind", "fit_model", "is_enabled"), ()),
    "score_bands": (("model", "band", "min_score"), ("min_score",)),
    "score_groups": (("model", "rule_group", "group_cap"), ("group_cap",)),
    "score_rules": (
        ("model", "rule", "rule_group", "kind", "event_name", "path_like", "object_like", "category_like", "field", "value_pattern",
         "min_value", "max_value", "weight", "daily_cap", "decay", "decay_days", "decay_loss", "value_unit", "value_cap"),
        ("min_value", "max_value", "weight", "daily_cap", "decay_days", "decay_loss", "value_unit", "value_cap"),
    ),
    "score_rule_overrides": (
        ("model", "rule", "is_enabled", "weight", "daily_cap", "decay", "decay_days", "decay_loss"),
        ("weight", "daily_cap", "decay_days", "decay_loss"),
    ),
    "score_thresholds": (("model", "threshold", "rises_at", "falls_at"), ("rises_at", "falls_at")),
    "score_account_parts": (("part", "weight", "cap"), ("weight", "cap")),
    "account_roles": (("priority", "pattern", "role", "weight"), ("priority", "weight")),
    "tag_dimensions": (("dimension", "parent"), ()),
    "tag_rules": (
        ("rule", "event_name", "category_like", "object_like", "url_like", "min_count", "window_days", "ttl_days", "tag"),
        ("min_count", "window_days", "ttl_days"),
    ),
    "tag_lexicons": (("lexicon", "is_enabled", "min_count", "window_days", "ttl_days"), ("min_count", "window_days", "ttl_days")),
    "tag_lexicon_terms": (("lexicon", "language", "term", "tag"), ()),
    "tag_manual": (("identifier_type", "identifier", "tag", "action", "said_by", "said_at", "expires_at"), ()),
}  # fmt: skip


def faults(project: Project) -> list[Fault]:
    """Everything wrong in the tables of rules that the project has, each with its line."""
    reader = _Reader(project)
    for name in TABLES:
        path = project.models / "seeds" / f"{name}.csv"
        if path.is_file():
            reader.read(name, path)
    for name, check in _CHECKS.items():
        if name in reader.tables:
            for line, row in reader.tables[name]:
                check(reader, name, line, row)
    return reader.found


@dataclass
class _Reader:
    project: Project
    tables: dict[str, list[tuple[int, Row]]] = field(default_factory=dict)
    found: list[Fault] = field(default_factory=list)

    def read(self, name: str, path: Path) -> None:
        columns, numbers = TABLES[name]
        shown = self.project.relative(path)
        rows: list[tuple[int, Row]] = []
        try:
            with path.open(encoding="utf-8-sig", newline="") as lines:
                reader = csv.DictReader(lines)
                there = reader.fieldnames or []
                for column in columns:
                    if column not in there:
                        near = did_you_mean(column, set(there) - set(columns))
                        self.found.append(Fault(shown, 1, f"has no column `{column}`.{near if 'mean' in near else ''}"))
                if set(columns) - set(there):
                    return
                for row in reader:
                    if None in row or None in row.values():
                        self.found.append(
                            Fault(
                                shown,
                                reader.line_num,
                                f"has not the {len(there)} values of the first line. Is a comma too many, or a quote missing?",
                            )
                        )
                        continue
                    rows.append((reader.line_num, {key: value.strip() for key, value in row.items()}))
        except (UnicodeDecodeError, csv.Error) as error:
            self.found.append(Fault(shown, 1, f"is not a CSV file in UTF-8: {error.__class__.__name__}."))
            return
        self.tables[name] = rows
        for line, values in rows:
            for column in numbers:
                if values[column] and not _is_number(values[column]):
                    self.fault(name, line, f"`{column}` must be a number.")

    def fault(self, name: str, line: int, message: str) -> None:
        self.found.append(Fault(self.project.relative(self.project.models / "seeds" / f"{name}.csv"), line, message))

    def values(self, name: str, *columns: str) -> set[tuple[str, ...]] | None:
        """The keys of another table, None where that cannot be read."""
        return {tuple(row[column] for column in columns) for _, row in self.tables[name]} if name in self.tables else None

    # -- what rows are asked ------------------------------------------------------------------------------------------

    def one_of(self, name: str, line: int, what: str, value: str, known: Set[str] | None) -> None:
        if known is not None and value not in known:
            said = f"`{what}` is empty." if not value else f"there is no {what} `{value}`."
            self.fault(name, line, f"{said}{did_you_mean(value, known)}")

    def once(self, name: str, line: int, row: Row, *columns: str) -> None:
        key = tuple(row[column] for column in columns)
        first = next(number for number, other in self.tables[name] if tuple(other[column] for column in columns) == key)
        if first != line:
            self.fault(name, line, f"`{', '.join(key)}` stands in line {first} already.")

    def needed(self, name: str, line: int, row: Row, *columns: str) -> None:
        for column in columns:
            if not row[column]:
                self.fault(name, line, f"`{column}` is empty.")

    def least(self, name: str, line: int, row: Row, column: str, least: float) -> None:
        if _is_number(row[column]) and float(row[column]) < least:
            self.fault(name, line, f"`{column}` must be at least {least:g}.")

    def pattern(self, name: str, line: int, row: Row, column: str) -> None:
        if row[column]:
            try:
                # As text: a parameter would load a library of a second.
                duckdb.execute(f"select regexp_matches('', {literal(row[column])})")
            except duckdb.Error:
                self.fault(name, line, f"`{column}` is not a regular expression.")

    def model(self, name: str, line: int, row: Row) -> None:
        models = self.values("score_models", "model")
        self.one_of(name, line, "score model", row["model"], None if models is None else {model for (model,) in models})

    def decay(self, name: str, line: int, row: Row) -> None:
        if row["decay"]:
            self.one_of(name, line, "decay", row["decay"], DECAYS)
        if row["decay"] in DECAYS - {"none"} and row["decay_days"] and _is_number(row["decay_days"]) and float(row["decay_days"]) <= 0:
            self.fault(name, line, "`decay_days` must be more than 0.")
        if row["decay_loss"] and _is_number(row["decay_loss"]) and not 0 <= float(row["decay_loss"]) <= 1:
            self.fault(name, line, "`decay_loss` is the share that is lost each period: from 0 to 1.")

    def tag(self, name: str, line: int, row: Row) -> None:
        dimension, separator, value = row["tag"].partition(":")
        if not separator or not value:
            self.fault(name, line, "`tag` is written dimension:value.")
            return
        dimensions = self.values("tag_dimensions", "dimension")
        self.one_of(name, line, "dimension", dimension, None if dimensions is None else {one for (one,) in dimensions})


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?([eE][-+]?\d+)?", text) is not None


def _score_model(read: _Reader, name: str, line: int, row: Row) -> None:
    read.needed(name, line, row, "model")
    read.once(name, line, row, "model")
    read.one_of(name, line, "kind", row["kind"], {"engagement", "fit"})
    if row["is_enabled"].lower() not in {"true", "false"}:
        read.fault(name, line, "`is_enabled` must be true or false.")
    if row["fit_model"]:
        read.one_of(
            name, line, "score model", row["fit_model"], {other["model"] for _, other in read.tables[name] if other["kind"] == "fit"}
        )
    bands = read.values("score_bands", "model", "min_score")
    if bands is not None and not any(model == row["model"] and _is_number(least) and float(least) == 0 for model, least in bands):
        read.fault(name, line, f"score_bands has no band of `{row['model']}` that begins at 0, so who has few points would have no score.")


def _score_band(read: _Reader, name: str, line: int, row: Row) -> None:
    read.model(name, line, row)
    read.needed(name, line, row, "band", "min_score")
    read.once(name, line, row, "model", "band")


def _score_group(read: _Reader, name: str, line: int, row: Row) -> None:
    read.model(name, line, row)
    read.once(name, line, row, "model", "rule_group")


def _score_rule(read: _Reader, name: str, line: int, row: Row) -> None:
    read.model(name, line, row)
    read.needed(name, line, row, "rule", "weight")
    read.once(name, line, row, "model", "rule")
    groups, models = read.values("score_groups", "model", "rule_group"), read.values("score_models", "model")
    if groups is not None and (models is None or (row["model"],) in models):
        read.one_of(name, line, "rule_group", row["rule_group"], {group for model, group in groups if model == row["model"]})
    read.one_of(name, line, "kind", row["kind"], KINDS)
    read.decay(name, line, row)
    if row["kind"] == "event":
        read.needed(name, line, row, "event_name", "path_like", "object_like", "category_like", "decay")
        if row["decay"] != "none":
            read.needed(name, line, row, "decay_days")
        if row["decay"] == "step":
            read.needed(name, line, row, "decay_loss")
    if row["kind"] == "inactivity":
        read.needed(name, line, row, "decay_days")
    if row["kind"] == "attribute":
        read.one_of(name, line, "field", row["field"], FIELDS)
        read.pattern(name, line, row, "value_pattern")
        if not row["value_pattern"] and not row["min_value"] and not row["max_value"]:
            read.fault(name, line, "an attribute needs value_pattern, min_value or max_value.")
    read.least(name, line, row, "daily_cap", 0)


def _override(read: _Reader, name: str, line: int, row: Row) -> None:
    rules, models = read.values("score_rules", "model", "rule"), read.values("score_models", "model")
    read.model(name, line, row)
    if rules is not None and (models is None or (row["model"],) in models):
        read.one_of(name, line, "rule", row["rule"], {rule for model, rule in rules if model == row["model"]})
    read.once(name, line, row, "model", "rule")
    if row["is_enabled"].lower() not in {"", "true", "false"}:
        read.fault(name, line, "`is_enabled` must be true or false.")
    read.decay(name, line, row)


def _threshold(read: _Reader, name: str, line: int, row: Row) -> None:
    read.model(name, line, row)
    read.needed(name, line, row, "threshold", "rises_at", "falls_at")
    read.once(name, line, row, "model", "threshold")
    if _is_number(row["rises_at"]) and _is_number(row["falls_at"]) and float(row["falls_at"]) > float(row["rises_at"]):
        read.fault(name, line, "`falls_at` must not be above `rises_at`.")


def _account_part(read: _Reader, name: str, line: int, row: Row) -> None:
    read.one_of(name, line, "part", row["part"], {"people", "breadth", "depth", "surge", "completeness"})
    read.once(name, line, row, "part")
    read.needed(name, line, row, "weight", "cap")


def _role(read: _Reader, name: str, line: int, row: Row) -> None:
    read.needed(name, line, row, "priority", "pattern", "role", "weight")
    read.pattern(name, line, row, "pattern")


def _dimension(read: _Reader, name: str, line: int, row: Row) -> None:
    read.needed(name, line, row, "dimension")
    read.once(name, line, row, "dimension")
    parents = {other["dimension"]: other["parent"] for _, other in read.tables[name]}
    if row["parent"]:
        read.one_of(name, line, "dimension", row["parent"], set(parents))
    seen, above = {row["dimension"]}, row["parent"]
    while above:
        if above in seen:
            read.fault(name, line, f"`{row['dimension']}` is a part of itself in the end.")
            return
        seen.add(above)
        above = parents.get(above, "")


def _counted(read: _Reader, name: str, line: int, row: Row) -> None:
    read.needed(name, line, row, "min_count", "window_days", "ttl_days")
    for column in ("min_count", "window_days", "ttl_days"):
        read.least(name, line, row, column, 1)


def _tag_rule(read: _Reader, name: str, line: int, row: Row) -> None:
    read.needed(name, line, row, "rule", "event_name", "category_like", "object_like", "url_like")
    read.once(name, line, row, "rule")
    _counted(read, name, line, row)
    read.tag(name, line, row)


def _lexicon(read: _Reader, name: str, line: int, row: Row) -> None:
    read.needed(name, line, row, "lexicon")
    read.once(name, line, row, "lexicon")
    if row["is_enabled"].lower() not in {"true", "false"}:
        read.fault(name, line, "`is_enabled` must be true or false.")
    _counted(read, name, line, row)


def _term(read: _Reader, name: str, line: int, row: Row) -> None:
    lexicons = read.values("tag_lexicons", "lexicon")
    read.one_of(name, line, "lexicon", row["lexicon"], None if lexicons is None else {one for (one,) in lexicons})
    read.one_of(name, line, "language", row["language"], {"en", "zh"})
    read.needed(name, line, row, "term")
    if row["term"] != row["term"].lower():
        read.fault(name, line, "`term` must be in lower case: texts are too, when they are looked at.")
    read.once(name, line, row, "lexicon", "term", "tag")
    read.tag(name, line, row)


def _manual(read: _Reader, name: str, line: int, row: Row) -> None:
    read.needed(name, line, row, "identifier_type", "identifier", "said_at")
    read.one_of(name, line, "action", row["action"], {"give", "take"})
    read.tag(name, line, row)
    for column in ("said_at", "expires_at"):
        if row[column] and not re.fullmatch(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2})?)?", row[column]):
            read.fault(name, line, f"`{column}` is written like 2026-10-31 or 2026-10-31 10:00:00 (UTC).")


_CHECKS: dict[str, Callable[[_Reader, str, int, Row], None]] = {
    "score_models": _score_model, "score_bands": _score_band, "score_groups": _score_group, "score_rules": _score_rule,
    "score_rule_overrides": _override, "score_thresholds": _threshold, "score_account_parts": _account_part, "account_roles": _role,
    "tag_dimensions": _dimension, "tag_rules": _tag_rule, "tag_lexicons": _lexicon, "tag_lexicon_terms": _term, "tag_manual": _manual,
}  # fmt: skip
