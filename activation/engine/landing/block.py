"""Whole lines of bytes as they stand in a file, told apart without an object for each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

NEWLINE, RETURN, OPENING, CLOSING = b"\n\r{}"


class Block:
    """`number` is that of the first line. `cut` says that this is but the start of one line, which is too long."""

    def __init__(self, data: bytes, number: int, cut: bool = False) -> None:
        self.number, self.cut = number, cut
        self._data, self._bytes = data, np.frombuffer(data, np.uint8)
        newlines = np.flatnonzero(self._bytes == NEWLINE)
        is_whole = data.endswith(b"\n")
        self._next = np.concatenate([[0], newlines + 1] if is_whole else [[0], newlines + 1, [len(data)]]).astype(np.int32)
        # A line ends with its text, then perhaps one carriage return, then a line feed, which the last one may lack.
        ends = self._next[1:] - 1 if is_whole else np.concatenate([newlines, [len(data)]]).astype(np.int32)
        if b"\r" in data:
            ends = ends - ((ends > self._next[:-1]) & (self._bytes[ends - 1] == RETURN))
        self._ends = ends.astype(np.int32)
        starts = self._next[:-1]
        self._braced = self._ends > starts
        self._braced[self._braced] = (self._bytes[starts[self._braced]] == OPENING) & (self._bytes[self._ends[self._braced] - 1] == CLOSING)

    def __len__(self) -> int:
        return len(self._ends)

    def __iter__(self) -> Iterator[bytes]:
        """The lines with their ends."""
        return (self.lines(place, place + 1) for place in range(len(self)))

    @property
    def is_whole(self) -> bool:
        return self._data.endswith(b"\n")

    def lines(self, first: int, last: int) -> bytes:
        """The lines from `first` to before `last`, counted from 0, with their ends."""
        return self._data[self._next[first] : self._next[last]]

    def text(self, place: int) -> bytes:
        """A line without its end."""
        return self._data[self._next[place] : self._ends[place]]

    def texts(self, first: int, last: int) -> pa.StringArray:
        """Lines without their ends, unchecked: that they are UTF-8 is for the caller to know."""
        # Texts and ends by turns, of which the texts are kept: what is copied is copied at once.
        offsets = np.empty(2 * (last - first) + 1, np.int32)
        offsets[0::2], offsets[1::2] = self._next[first : last + 1], self._ends[first:last]
        both = pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(self._data))
        return both.take(pa.array(np.arange(0, len(offsets) - 1, 2)))

    def within(self, first: int, rows: int, size: int) -> int:
        """How far from `first` so many rows and bytes go, but one line at least."""
        fit = int(np.searchsorted(self._next, self._next[first] + size, "right")) - 1
        return min(max(fit, first + 1), first + max(rows, 1), len(self))

    def size(self, first: int, last: int) -> int:
        """Bytes, ends included."""
        return int(self._next[last] - self._next[first])

    def are_braced(self, first: int, last: int) -> bool:
        """Whether each of these lines begins with `{` and ends with `}`.

        Then no JSON object goes on from one to the next, for after a `}` in the middle of one comes no `{`, and text holds no line feed.
        """
        return bool(self._braced[first:last].all())
