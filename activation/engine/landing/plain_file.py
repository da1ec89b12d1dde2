"""A file as physical lines of bytes, with their numbers; gzip is looked through, and damage is noted instead of raised."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from activation.engine.landing.block import Block

LONGEST_LINE = 64 * 1024 * 1024  # bytes; a file without line ends must not fill the memory
READ_AHEAD = 512 * 1024  # bytes


class PlainFile:
    """Iterate for lines with their ends, or take them in `blocks`. `number` is the last line given, `cut` says that it was too long and only
    its start is given, `damage` what is wrong with the file itself (then the lines end there)."""

    def __init__(self, path: Path) -> None:
        self.number = 0
        self.cut = False
        self.damage = ""
        self._file = _open(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[bytes]:
        for block in self.blocks():
            for self.number, line in enumerate(block, block.number):
                yield line

    def blocks(self) -> Iterator[Block]:
        """As many whole lines at once as are read at once. A line that is too long is a block of its own, and so is a last one without end."""
        for data, cut in self._whole_lines():
            self.cut = cut
            block = Block(data.removeprefix(b"\xef\xbb\xbf") if self.number == 0 else data, self.number + 1, cut)
            self.number += len(block)
            yield block

    def _whole_lines(self) -> Iterator[tuple[bytes, bool]]:
        longest = LONGEST_LINE
        begun, held, is_cut = list[bytes](), 0, False  # what of a line has been read, of which the end has not
        for data in self._pieces(min(READ_AHEAD, longest)):  # then no line but the first in `data` can be too long
            end = data.find(b"\n") + 1
            if is_cut:
                if not end:
                    continue
                data, is_cut = data[end:], False
                end = data.find(b"\n") + 1
            if held + end > longest or (not end and held + len(data) >= longest):
                yield b"".join([*begun, data])[:longest], True
                begun, held, is_cut = [], 0, not end
                data = data[end:] if end else b""
            whole = data.rfind(b"\n") + 1
            if whole:
                yield b"".join([*begun, data[:whole]]), False
                begun, held = [], 0
            if whole < len(data):
                begun.append(data[whole:])
                held += len(data) - whole
        if begun and not self.damage:
            yield b"".join(begun), False

    def _pieces(self, size: int) -> Iterator[bytes]:
        try:
            while data := self._file.read1(size):
                yield data
        except gzip.BadGzipFile:
            self.damage = "is not a gzip file" if self.number == 0 else "the gzip file is damaged"
        except EOFError:
            self.damage = "the gzip file ends early"
        except zlib.error:
            self.damage = "the gzip file is damaged"


def _open(path: Path) -> BufferedReader:
    if path.suffix == ".gz":
        return cast(BufferedReader, gzip.open(path, "rb"))
    try:
        return path.open("rb")
    except FileNotFoundError:
        if path.suffix != ".open":
            raise
        return path.with_suffix("").open("rb")  # the collector has finished it since it was found
