"""A file as physical lines of bytes, with their numbers; gzip is looked through, and damage is noted instead of raised."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

LONGEST_LINE = 64 * 1024 * 1024  # bytes; a file without line ends must not fill the memory
READ_AHEAD = 1024 * 1024  # bytes


class PlainFile:
    """Iterate for lines with their ends. `number` is the line just given, `cut` says that it was too long and only its start is given,
    `damage` what is wrong with the file itself (then the lines end there)."""

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
        readline, longest = self._file.readline, LONGEST_LINE
        try:
            while line := readline(longest):
                self.cut = len(line) >= longest and not line.endswith(b"\n")
                rest = line
                while len(rest) >= longest and not rest.endswith(b"\n"):
                    rest = readline(longest)
                self.number += 1
                yield line.removeprefix(b"\xef\xbb\xbf") if self.number == 1 else line
        except gzip.BadGzipFile:
            self.damage = "is not a gzip file" if self.number == 0 else "the gzip file is damaged"
        except EOFError:
            self.damage = "the gzip file ends early"
        except zlib.error:
            self.damage = "the gzip file is damaged"


def _open(path: Path) -> BinaryIO:
    if path.suffix == ".gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    try:
        return path.open("rb", READ_AHEAD)
    except FileNotFoundError:
        if path.suffix != ".open":
            raise
        return path.with_suffix("").open("rb", READ_AHEAD)  # the collector has finished it since it was found
