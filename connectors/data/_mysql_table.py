"""What the columns of a table of MySQL are, and what is written and looked for in them because of that.

This server compares a number with any text by the digits that the text begins with: `id = 'abc'` finds the record 0. So what a record is found
by must be what its column can hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.base import Fatal, Refused
from connectors.data._statements import text

WHOLE = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint", "year"})
NUMBERS = WHOLE | {"bit", "decimal", "float", "double"}
MOMENTS = frozenset({"datetime", "timestamp"})
WRITTEN = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set", "uuid", "binary", "varbinary"})
DIGITS = re.compile(r"[+-]?[0-9]{1,20}")
ZONED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}.*")
HERE = "table_schema = coalesce(%s, database()) and table_name = %s"
TYPES = f"select column_name, data_type from information_schema.columns where {HERE}"
UNIQUE = (
    f"select min(column_name), count(*) from information_schema.statistics where non_unique = 0 and {HERE} "
    "group by index_name having count(*) = 1"
)


@dataclass(frozen=True)
class Table:
    """Types of the columns, and which of them are unique by themselves; names are in lower case."""

    types: Mapping[str, str]
    unique: frozenset[str]

    @classmethod
    def described(cls, name: str, ask: Callable[[str, list[Any]], Iterable[tuple[Any, ...]]]) -> Table:
        """As the server describes it; without columns where there is no such table."""
        schema, _, table = name.rpartition(".")
        types = {str(one).lower(): str(kind).lower() for one, kind in ask(TYPES, [schema or None, table])}
        return cls(types, frozenset(str(one).lower() for one, _ in ask(UNIQUE, [schema or None, table])))

    def must_be_unique(self, column: str) -> None:
        """Raises `Fatal` when the table has the column, and may have one value of it twice."""
        if column.lower() in self.types and column.lower() not in self.unique:
            raise Fatal("NO_KEY", "The database refused: the key column has no unique constraint. Check the sync's settings and fields.")

    def value(self, column: str, value: Any) -> Any:
        """A value to be written. One that does not fit is the server's to refuse."""
        kind = self.types.get(column.lower(), "")
        if isinstance(value, bool) and kind in NUMBERS:
            return int(value)
        if isinstance(value, str) and kind in MOMENTS and ZONED.fullmatch(value):
            return _in_utc(value)
        return text(value)

    def sought(self, column: str, value: Any) -> Any:
        """A value that a record is found by. Raises `Refused` for one that its column cannot hold."""
        kind, written = self.types.get(column.lower(), ""), str(text(value))
        if kind in WRITTEN or not kind:  # the server itself says which column there is not
            return written
        if kind in WHOLE and DIGITS.fullmatch(written):
            return int(written)
        try:
            if kind == "decimal":
                return Decimal(written)
            if kind == "date":
                return date.fromisoformat(written).isoformat()
            if kind in MOMENTS and datetime.fromisoformat(written):
                return _in_utc(written)
        except (InvalidOperation, ValueError):
            pass
        raise Refused("BAD_KEY", f"What a record is to be found by is nothing that the column {column} ({kind}) can hold.")


def quote(name: str) -> str:
    if not name or "\0" in name:
        raise Fatal("BAD_NAME", "A table or column of this sync has no name that a database can have.")
    # The driver reads `%` as the start of a value.
    return "`" + name.replace("`", "``").replace("%", "%%") + "`"


def _in_utc(moment: str) -> str:
    """A moment as this server writes it, in UTC: it takes no `Z`. What is none stays as it is."""
    try:
        read = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    return (read.astimezone(UTC) if read.tzinfo else read).strftime("%Y-%m-%d %H:%M:%S.%f")
