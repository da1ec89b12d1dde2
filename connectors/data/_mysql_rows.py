"""What a batch does to a table of MySQL, row by row.

`on duplicate key update` is not used: it writes over whatever record has any unique value of the row, be it another person's. A record is
changed by its key, and made where there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.base import Batch, Fatal, Row
from connectors.data._mysql_table import Table, quote
from connectors.data._statements import unique_id


@dataclass(frozen=True)
class Rows:
    """`run` carries out one statement and says how many records it found or made."""

    batch: Batch
    table: Table
    run: Callable[[str, list[Any]], int]

    @property
    def into(self) -> str:
        return ".".join(quote(part) for part in self.batch.settings.table.split("."))

    @property
    def key(self) -> str:
        """The column by which a record is there once."""
        settings = self.batch.settings
        return str(settings.id if self.batch.object == "log" else settings.key)

    def carry_out(self, row: Row) -> int:
        """How many records were found or made for the row."""
        if self.batch.object == "log":
            return self._append(row)
        return self._remove(row) if self.batch.operation == "remove" else self._write(row)

    def _append(self, row: Row) -> int:
        operation = self.batch.settings.operation
        said = {operation: self.batch.operation} if operation is not None else {}
        return self._insert(row.fields | said | {self.key: unique_id(row, self.batch)})

    def _write(self, row: Row) -> int:
        values = {self.key: row.match or row.key} | row.fields
        key = values[self.key]
        if row.provider_id is not None and row.provider_id != str(key):
            # It was found by another value until now: it moves, rather than staying behind for ever.
            self._update({self.key: key}, row.provider_id)
        others = {name: value for name, value in values.items() if name != self.key}
        if self.batch.match_policy == "create_only":
            return self._insert(values)
        if self.batch.match_policy == "update_only":
            return self._update(others, key)
        if self.batch.operation == "add":
            return self._insert(values) or self._update(others, key)
        return self._update(others, key) or self._insert(values)

    def _remove(self, row: Row) -> int:
        """What `on_removed` says."""
        key, removed_at = row.provider_id or row.match or row.key, self.batch.settings.removed_at
        if self.batch.on_removed == "delete":
            return self._where(f"delete from {self.into}", [], key)
        if self.batch.on_removed == "clear_fields":
            return self._update(dict.fromkeys(name for name in row.fields if name != self.key), key)
        if removed_at is None:
            raise Fatal("NO_COLUMN", "With `on_removed: archive` the sync's settings name a column: `removed_at`.")
        return self._where(f"update {self.into} set {quote(removed_at)} = current_timestamp", [], key)

    def _insert(self, values: Mapping[str, Any]) -> int:
        """Make the record, unless one has its key."""
        names, marks = ", ".join(map(quote, values)), ", ".join(["%s"] * len(values))
        given = [self.table.value(name, value) for name, value in values.items()]
        there = f"select 1 from {self.into} where {quote(self.key)} = %s"
        return self.run(
            f"insert into {self.into} ({names}) select {marks} from dual where not exists ({there})",
            [*given, self.table.sought(self.key, values[self.key])],
        )

    def _update(self, values: Mapping[str, Any], found_by: Any) -> int:
        pairs = ", ".join(f"{quote(name)} = %s" for name in values) or f"{quote(self.key)} = {quote(self.key)}"
        return self._where(f"update {self.into} set {pairs}", [self.table.value(name, value) for name, value in values.items()], found_by)

    def _where(self, what: str, values: list[Any], found_by: Any) -> int:
        return self.run(f"{what} where {quote(self.key)} = %s", [*values, self.table.sought(self.key, found_by)])
