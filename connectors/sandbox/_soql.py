"""As much of SOQL as the sandbox answers: one object, conditions with AND, OR, IN and comparisons, ORDER BY and LIMIT."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

QUERY = re.compile(
    r"\s*SELECT\s+(?P<fields>.+?)\s+FROM\s+(?P<kind>\w+)(?:\s+WHERE\s+(?P<where>.+?))?(?:\s+ORDER BY\s+(?P<order>[\w., ]+?))?(?:\s+LIMIT\s+(?P<limit>\d+))?\s*",
    re.IGNORECASE | re.DOTALL,
)
TOKEN = re.compile(r"\s*('(?:\\.|[^'\\])*'|[\d-]+T[\d:.]+Z|>=|<=|[=<>(),]|[\w.]+)")
ESCAPES = {"n": "\n", "r": "\r"}
Condition = Callable[[Mapping[str, Any]], bool]


class BadQuery(Exception):
    """What Salesforce calls MALFORMED_QUERY."""


class Query:
    """A query that was understood. Raises BadQuery when it is not."""

    def __init__(self, text: str) -> None:
        found = QUERY.fullmatch(text)
        if not found:
            raise BadQuery("unexpected token")
        self.kind = found["kind"]
        self.fields = [name.strip() for name in found["fields"].split(",")]
        self.order = [name.strip() for name in (found["order"] or "").split(",") if name.strip()]
        self.limit = int(found["limit"]) if found["limit"] else None
        self._tokens = TOKEN.findall(found["where"] or "")
        self._condition: Condition = self._either() if self._tokens else lambda record: True
        if self._tokens:
            raise BadQuery(f"unexpected token: {self._tokens[0]}")

    def run(self, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        found = [record for record in records if self._condition(record)]
        for name in reversed(self.order):
            found.sort(key=lambda record: str(look(record, name) or ""))
        return [self._shape(record) for record in found[: self.limit]]

    def _shape(self, record: Mapping[str, Any]) -> dict[str, Any]:
        shaped: dict[str, Any] = {"attributes": {"type": self.kind}}
        for name in self.fields:
            if name.upper() == "FIELDS(STANDARD)":
                shaped |= {field: value for field, value in record.items() if not field.endswith("__c") and not isinstance(value, dict)}
            elif "." in name:
                parent, _, field = name.partition(".")
                shaped[parent] = {"attributes": {"type": parent}, field: look(record, name)}
            else:
                shaped[name] = record.get(name)
        return shaped

    def _either(self) -> Condition:
        sides = [self._both()]
        while self._tokens and self._tokens[0].upper() == "OR":
            self._tokens.pop(0)
            sides.append(self._both())
        return lambda record: any(side(record) for side in sides)

    def _both(self) -> Condition:
        sides = [self._one()]
        while self._tokens and self._tokens[0].upper() == "AND":
            self._tokens.pop(0)
            sides.append(self._one())
        return lambda record: all(side(record) for side in sides)

    def _one(self) -> Condition:
        first = self._next()
        if first == "(":
            inner = self._either()
            self._expect(")")
            return inner
        sign = self._next()
        if sign.upper() == "IN":
            self._expect("(")
            values = {_value(self._next()).lower()}
            while self._expect(",", ")") == ",":
                values.add(_value(self._next()).lower())
            return lambda record: str(look(record, first)).lower() in values
        value = _value(self._next())
        compare: dict[str, Callable[[str], bool]] = {
            "=": lambda other: other == value,
            ">": lambda other: other > value,
            ">=": lambda other: other >= value,
        }
        if sign not in compare:
            raise BadQuery(f"unexpected token: {sign}")
        return lambda record: compare[sign](_value(str(look(record, first))))

    def _next(self) -> str:
        if not self._tokens:
            raise BadQuery("unexpected end of query")
        return str(self._tokens.pop(0))

    def _expect(self, *wanted: str) -> str:
        token = self._next()
        if token not in wanted:
            raise BadQuery(f"unexpected token: {token}")
        return token


def look(record: Mapping[str, Any], name: str) -> Any:
    value: Any = record
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _value(token: str) -> str:
    """A literal as text; moments in the one form in which they can be compared."""
    if token.startswith("'"):
        return re.sub(r"\\(.)", lambda found: ESCAPES.get(found[1], found[1]), token[1:-1], flags=re.DOTALL)
    return re.sub(r"(\+0000|Z)$", "", token)
