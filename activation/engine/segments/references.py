"""What a compiled rule refers to: models and the moment of the build, written for dbt or for the warehouse itself.

In the tree a model is a table of the schema `ref`, and the moment is the function `as_of()`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from sqlglot import exp

from activation.engine.warehouse import DIALECT

HISTORY = "segment_history"  # the changes of segments up to the last build
JINJA = re.compile(r"\{[{%#]")


def model(name: str, alias: str) -> exp.Table:
    """A model, or HISTORY, to select from."""
    return exp.table_(name, db="ref", alias=alias)


def as_of() -> exp.Expr:
    """The moment the build speaks about, a timestamp in UTC."""
    return exp.Anonymous(this="as_of")


def for_dbt(query: exp.Query) -> str:
    """SQL with `ref` and `as_of` for dbt to fill in. Braces in texts stay texts."""

    def written(node: exp.Expr) -> exp.Expr:
        if _is_reference(node):
            named = f"{{{{ {HISTORY}() }}}}" if node.name == HISTORY else f"{{{{ ref('{node.name}') }}}}"
            return exp.Table(this=exp.Var(this=named), alias=node.args.get("alias"))
        if _is_moment(node):
            return exp.Var(this="{{ as_of() }}")
        if isinstance(node, exp.Literal) and node.is_string and JINJA.search(node.name):
            return exp.Var(this=JINJA.sub(lambda found: "{{ '" + found[0] + "' }}", node.sql(DIALECT)))
        return node

    return query.copy().transform(written).sql(DIALECT, pretty=True, comments=False)


def for_warehouse(query: exp.Expr, relation: Callable[[str], exp.Expr], moment: datetime) -> str:
    """SQL that runs as it is: `relation` says where a model stands, `moment` (UTC) is the moment."""

    def written(node: exp.Expr) -> exp.Expr:
        if _is_reference(node):
            found = relation(node.name)
            found.set("alias", node.args.get("alias"))
            return found
        if _is_moment(node):
            return exp.cast(exp.Literal.string(moment.replace(tzinfo=None).isoformat(sep=" ")), "timestamp")
        return node

    return query.copy().transform(written).sql(DIALECT, comments=False)


def models(query: exp.Query) -> list[str]:
    """The models it reads, each once."""
    return list(dict.fromkeys(table.name for table in query.find_all(exp.Table) if _is_reference(table) and table.name != HISTORY))


def _is_reference(node: exp.Expr) -> bool:
    return isinstance(node, exp.Table) and node.db == "ref"


def _is_moment(node: exp.Expr) -> bool:
    return isinstance(node, exp.Anonymous) and node.name.lower() == "as_of"
