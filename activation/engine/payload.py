"""What leaves of a row: its mapped columns as one JSON object, in SQL."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp


def text(column: exp.Expression) -> exp.Expression:
    return exp.cast(column, "varchar")


def payload(fields: Mapping[str, str], types: Mapping[str, str], table: str) -> exp.Expression:
    """The mapped columns of `table` as one JSON object, in the order declared: what leaves, and what is hashed."""
    pairs: list[exp.Expression] = []
    for name, source in fields.items():
        column: exp.Expression = exp.column(source, table=table, quoted=True)
        if types[source] in {"DOUBLE", "FLOAT"}:
            # JSON has no word for "not a number" and infinity.
            column = exp.Case().when(exp.Anonymous(this="isfinite", expressions=[column]), column.copy())
        pairs += [exp.Literal.string(name), column]
    return text(exp.Anonymous(this="json_object", expressions=pairs)) if pairs else exp.Literal.string("{}")
