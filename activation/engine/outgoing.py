"""The rows of a plan on their way out: streamed from its file, without those that are withheld, in batches of one operation."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import count, pairwise
from pathlib import Path
from typing import overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.base import Operation, Row, begun_with

COLUMNS = ["row_number", "operation", "key", "profile_id", "match_value", "message_id", "provider_id", "payload", "invalid_code"]
ROW = ("row_number", "key", "payload", "match_value", "message_id", "provider_id")
READ_ROWS = 20_000


class Rows(Sequence[Row]):
    """Rows of a plan with the profile each belongs to. Made of columns, they become objects only when somebody looks at one."""

    def __init__(self, columns: pa.RecordBatch) -> None:
        self._columns = columns
        self.first, self.last = (int(columns["row_number"][at].as_py()) for at in (0, columns.num_rows - 1))

    def __len__(self) -> int:
        return int(self._columns.num_rows)

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> list[Row]: ...
    def __getitem__(self, at: int | slice) -> Row | list[Row]:
        if isinstance(at, int) and "_rows" not in self.__dict__:
            return Row(*(self._columns[name][at].as_py() for name in ROW))
        return self._rows[at]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    @cached_property
    def _rows(self) -> list[Row]:
        return [Row(*row) for row in zip(*(self._columns[name].to_pylist() for name in ROW), strict=True)]

    @cached_property
    def payloads(self) -> list[bytes]:
        return self._columns["payload"].to_pylist()  # type: ignore[no-any-return]

    def begun_with(self, start: bytes) -> bytes:
        payloads = self._columns["payload"]
        if payloads.null_count or pc.min_max(pc.binary_length(payloads))["min"].as_py() <= len(b"{}"):
            return begun_with(start, self.payloads)  # one by one; a row without a payload, which no plan has, is not passed over
        # All in one stroke, for a row's own object of bytes would cost more than to sign and send it.
        begun = pc.binary_replace_slice(payloads, 0, 1, b",{" + start + b",")
        _, ends, text = begun.buffers()
        ends = np.frombuffer(ends, np.int32)
        return memoryview(text)[ends[begun.offset] + 1 : ends[begun.offset + len(begun)]].tobytes()

    @cached_property
    def profiles(self) -> list[str | None]:
        return self._columns["profile_id"].to_pylist()  # type: ignore[no-any-return]


class Single(Rows):
    """One row. A slice of columns for each would cost more than the row."""

    def __init__(self, row: Row, profile: str | None) -> None:
        self._rows, self.payloads, self.profiles = [row], [row.payload], [profile]
        self.first = self.last = row.index

    def __len__(self) -> int:
        return 1

    def begun_with(self, start: bytes) -> bytes:
        return begun_with(start, self.payloads)


@dataclass(frozen=True)
class Lot:
    """Rows that may leave in one call."""

    number: int
    operation: Operation
    rows: Rows


def lots(plan_file: Path, verdicts: Path, size: int, number: int = 0) -> Iterator[Lot]:
    """The plan's rows that may leave, in order, numbered from `number`. Memory holds one piece of the file at a time."""
    withheld = _withheld(verdicts)
    waiting: list[pa.RecordBatch] = []  # of one operation, fewer than `size`

    def lot() -> Lot:
        columns = waiting[0] if len(waiting) == 1 else pa.concat_batches(waiting)
        return Lot(number, columns["operation"][0].as_py(), Rows(columns))

    if size == 1:
        yield from _singles(_pieces(plan_file, withheld), number)
        return
    for piece in _by_operation(_pieces(plan_file, withheld)):
        if waiting and waiting[0]["operation"][0] != piece["operation"][0]:
            yield lot()
            number, waiting = number + 1, []
        start = 0
        while start < piece.num_rows:
            room = size - sum(part.num_rows for part in waiting)
            waiting.append(piece.slice(start, room))
            start += waiting[-1].num_rows
            if waiting[-1].num_rows == room:
                yield lot()
                number, waiting = number + 1, []
    if waiting:
        yield lot()


def _by_operation(pieces: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """In order, cut wherever the operation changes."""
    for piece in pieces:
        operations = piece["operation"].dictionary_encode().indices.to_numpy()
        cuts = [0, *(np.flatnonzero(np.diff(operations)) + 1).tolist(), piece.num_rows]
        for start, end in pairwise(cuts):
            yield piece.slice(start, end - start)


def _singles(pieces: Iterator[pa.RecordBatch], number: int) -> Iterator[Lot]:
    numbers = count(number)
    for piece in pieces:
        rows = Rows(piece)
        for operation, row, profile in zip(piece["operation"].to_pylist(), rows, rows.profiles, strict=True):
            yield Lot(next(numbers), operation, Single(row, profile))


def _pieces(plan_file: Path, withheld: np.ndarray) -> Iterator[pa.RecordBatch]:
    for piece in (piece for group in _groups(plan_file) for piece in group.to_batches(READ_ROWS)):
        rows = piece
        if len(withheld) or piece["invalid_code"].null_count < piece.num_rows:  # where all may leave, nothing need be copied
            stays = np.isin(piece["row_number"].to_numpy(), withheld, assume_unique=True)
            rows = piece.filter(pc.and_(pc.is_null(piece["invalid_code"]), pa.array(~stays)))
        if rows.num_rows:
            at = rows.schema.get_field_index("payload")
            yield rows.set_column(at, "payload", rows["payload"].cast(pa.binary()))


def _groups(plan_file: Path) -> Iterator[pa.Table]:
    """Group by group, the next one read while this one leaves. Reading further ahead would hold many of them at once."""
    file = pq.ParquetFile(plan_file)
    read = partial(file.read_row_group, columns=COLUMNS, use_threads=False)
    with ThreadPoolExecutor(1, thread_name_prefix="plan") as reader:
        ahead = [reader.submit(read, 0)] if file.num_row_groups else []
        for group in range(1, file.num_row_groups + 1):
            table = ahead.pop().result()
            if group < file.num_row_groups:
                ahead.append(reader.submit(read, group))
            yield table
            del table


def _withheld(verdicts: Path) -> np.ndarray:
    return np.sort(pq.ParquetFile(verdicts).read(["row_number"])["row_number"].to_numpy())


def write_rest(plan_file: Path, verdicts: Path, answered: Sequence[int], file: Path) -> None:
    """The plan's rows that might leave and have no answer yet, as a plan of their own."""
    over = np.union1d(_withheld(verdicts), np.array(answered, dtype=np.int64))
    writer = None
    try:
        for piece in _pieces(plan_file, over):
            writer = writer or pq.ParquetWriter(file, piece.schema)
            writer.write_batch(piece)
    finally:
        if writer is not None:
            writer.close()
            os.chmod(file, 0o600)


def add_verdicts(verdicts: Path, more: Path) -> None:
    """Rows that are withheld now too. The file is replaced as a whole: others may be reading it."""
    partial_file = verdicts.with_suffix(f".{os.getpid()}.part")
    pq.write_table(pa.concat_tables([pq.read_table(verdicts), pq.read_table(more)]), partial_file)
    os.replace(partial_file, verdicts)


def leaving(plan_file: Path, verdicts: Path) -> int:
    """How many rows will leave."""
    valid = pq.ParquetFile(plan_file).read(["invalid_code"], use_threads=False)["invalid_code"].null_count
    return int(valid) - int(pq.read_metadata(verdicts).num_rows)
