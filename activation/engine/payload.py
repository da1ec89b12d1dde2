"""What leaves of a row, and what tells it from another: expressions over its mapped columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlglot import exp

STRINGS = {"VARCHAR", "TEXT", "STRING"}
NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT", "UHUGEINT", "DECIMAL")
MOMENTS = ("BOOLEAN", "DATE", "TIME", "TIMESTAMP", "INTERVAL", "UUID", "DOUBLE", "FLOAT")


def text(column: exp.Expression) -> exp.Expression:
    return exp.cast(column, "varchar")


def mapped(column: str, types: Mapping[str, str], table: str) -> exp.Expression:
    """A column as it leaves. JSON has no word for "not a number" and infinity: they leave as null."""
    value = exp.column(column, table=table, quoted=True)
    if types[column] in {"DOUBLE", "FLOAT"}:
        return exp.Case().when(exp.Anonymous(this="isfinite", expressions=[value]), value.copy())
    return value


def payload(
    fields: Mapping[str, str],
    types: Mapping[str, str],
    table: str,
    extra: Mapping[str, exp.Expression] | None = None,
    quiet: Iterable[str] = (),
) -> exp.Expression:
    """The mapped columns of `table`, then `extra`, as one JSON object in the order declared: what leaves.

    Fields that are `quiet` come last, and are not there when they are null.
    """
    values = {name: mapped(column, types, table) for name, column in fields.items()} | dict(extra or {})
    if not values:
        return exp.Literal.string("{}")
    quiet = set(quiet)
    whole = json_object({name: value for name, value in values.items() if name not in quiet})
    if quiet:
        # Merging drops what is null in the second object, and nothing else.
        patch = json_object({name: value for name, value in values.items() if name in quiet})
        whole = exp.Anonymous(this="json_merge_patch", expressions=[whole, patch])
    return text(whole)


def json_object(values: Mapping[str, exp.Expression]) -> exp.Expression:
    pairs = [part for name, value in values.items() for part in (exp.Literal.string(name), value)]
    return exp.Anonymous(this="json_object", expressions=pairs)


def fingerprint(values: Iterable[tuple[exp.Expression, str]]) -> exp.Expression:
    """64 bits over values and their types: equal for equal rows, and different for different ones but for one chance in 2⁶⁴.

    Strings are hashed as one, with the length of each, which says where it ends and whether it is null: half of what hashing each costs.
    DuckDB's hash of a string is weak beyond twelve bytes: two characters eight apart can cancel out. They cannot in the string and in
    the same string moved by three bytes, so both are hashed; that costs half of what a slice costs, and far less than md5.
    It may change with DuckDB's version: whoever keeps it keeps the version too.
    """
    others: dict[exp.Expression, None] = {}  # a column that is mapped twice need not be hashed twice
    strings: dict[exp.Expression, None] = {}
    for value, kind in values:
        if isinstance(value, exp.Literal) or (kind.startswith(NUMBERS + MOMENTS) and not kind.endswith("]")):
            others[value] = None
        else:
            strings[value if kind in STRINGS else text(value)] = None
    parts = list(others)
    if strings:
        joined = exp.Anonymous(this="concat", expressions=list(strings))
        parts += [exp.Anonymous(this="strlen", expressions=[string.copy()]) for string in strings]
        parts += [joined, exp.DPipe(this=exp.Literal.string("abc"), expression=joined.copy())]
    return exp.Anonymous(this="hash", expressions=parts)
