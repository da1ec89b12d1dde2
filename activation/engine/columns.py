"""The columns of a model as its files say, without a warehouse: by its contract, by its SQL, or as far as its yml names them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from activation.engine.warehouse import DIALECT

EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)
COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)


@dataclass(frozen=True)
class Columns:
    """`types` by column, None where only dbt knows it after a build. `complete`: there are no others."""

    types: Mapping[str, str | None] = field(default_factory=dict)
    complete: bool = False


def of(node: Mapping[str, Any]) -> Columns:
    """The columns of a node of dbt's manifest."""
    named = {name.lower(): column.get("data_type") for name, column in (node.get("columns") or {}).items()}
    if ((node.get("config") or {}).get("contract") or {}).get("enforced"):
        return Columns(named, complete=True)  # dbt refuses to build a model whose SQL gives others
    selected = _selected(str(node.get("raw_code") or ""))
    if selected is None:
        return Columns(named)
    return Columns({name: named.get(name) for name in selected}, complete=True)


def _selected(sql: str) -> list[str] | None:
    """The names that the outermost select gives. None where they cannot be seen: a star, a macro that writes columns, a loop."""
    plain = COMMENT.sub("", sql)
    if "{%" in plain:
        return None
    try:
        query = parse_one(EXPRESSION.sub("jinja", plain), dialect=DIALECT)
    except SqlglotError:
        return None
    while isinstance(query, exp.SetOperation):
        query = query.left
    if not isinstance(query, exp.Select):
        return None
    names = [one.alias_or_name.lower() for one in query.expressions]
    # A name that the macro gave, or none at all, is not known.
    return None if "" in names or "*" in names or "jinja" in names else names
