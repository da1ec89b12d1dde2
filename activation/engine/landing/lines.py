"""Files read as numbered lines or CSV rows, in chunks that fit in memory. Nothing here gives up on a file for one bad line."""

from __future__ import annotations

import csv
import gzip
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import orjson

from activation.engine.specs import Source

CHUNK_BYTES = 32 * 1024 * 1024
CHUNK_ROWS = 100_000
LONGEST_RECORD = 200  # physical lines; a quote left open must not swallow the file


@dataclass
class Chunk:
    """Numbered JSON texts, and the lines that are not even that: (line, reason, content)."""

    lines: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    bad: list[tuple[int, str, str]] = field(default_factory=list)

    @property
    def last_line(self) -> int:
        return max([*self.lines[-1:], *(line for line, _, _ in self.bad)], default=0)

    def leave_out(self, until: int) -> None:
        """Forget the lines up to `until`."""
        kept = bisect_right(self.lines, until)
        self.lines, self.texts = self.lines[kept:], self.texts[kept:]
        self.bad = [line for line in self.bad if line[0] > until]


def chunks(path: Path, source: Source, whole_lines_only: bool = False) -> Iterator[Chunk]:
    """The file's records in order. `whole_lines_only` leaves out a last line that has no end yet: it is still being written."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        opened = opener(path, "rb")
    except FileNotFoundError:
        if path.suffix != ".open":
            raise
        opened = path.with_suffix("").open("rb")  # the collector has finished the file since it was found
    with opened as file:
        if source.format == "jsonl":
            yield from _json_lines(file, source.encoding, whole_lines_only)  # type: ignore[arg-type]
        else:
            yield from _csv_rows(file, source.encoding)  # type: ignore[arg-type]


def _json_lines(file: BinaryIO, encoding: str, whole_lines_only: bool) -> Iterator[Chunk]:
    number, rest, first = 0, b"", True
    while True:
        block = file.read(CHUNK_BYTES)
        if first:
            block, first = block.removeprefix(b"\xef\xbb\xbf"), False
        data = rest + block
        if not data:
            return
        if block:
            cut = data.rfind(b"\n") + 1
            data, rest = data[:cut], data[cut:]
            if not data:
                continue
        elif whole_lines_only:
            return
        else:
            rest = b""
        pieces = data.split(b"\n")
        if data.endswith(b"\n"):
            pieces.pop()
        chunk = Chunk()
        for piece in pieces:
            number += 1
            text = _decode(piece, encoding)
            if text is None:
                chunk.bad.append((number, f"is not {encoding} text", piece.decode(encoding, "backslashreplace")))
            elif text.strip():
                chunk.lines.append(number)
                chunk.texts.append(text)
        yield chunk
        if not block:
            return


def _decode(piece: bytes, encoding: str) -> str | None:
    try:
        return piece.decode(encoding).rstrip("\r")
    except UnicodeDecodeError:
        return None


class _Lines:
    """Physical lines with their numbers, that can be given back."""

    def __init__(self, file: BinaryIO, encoding: str) -> None:
        self.file, self.encoding = file, encoding
        self.waiting: deque[tuple[int, str]] = deque()
        self.taken: list[tuple[int, str]] = []
        self.undecodable: list[tuple[int, str, str]] = []
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self.taken) >= LONGEST_RECORD:
            raise csv.Error("a quote is opened and not closed")
        line = self.waiting.popleft() if self.waiting else self._read()
        self.taken.append(line)
        return line[1]

    def _read(self) -> tuple[int, str]:
        while raw := self.file.readline():
            self.number += 1
            text = _decode(raw.removeprefix(b"\xef\xbb\xbf") if self.number == 1 else raw, self.encoding)
            if text is not None:
                return self.number, text
            self.undecodable.append(
                (self.number, f"is not {self.encoding} text", raw.decode(self.encoding, "backslashreplace").rstrip("\r\n"))
            )
        raise StopIteration


def _csv_rows(file: BinaryIO, encoding: str) -> Iterator[Chunk]:
    lines = _Lines(file, encoding)
    reader = csv.reader(lines, strict=True)
    header: list[str] | None = None
    chunk = Chunk()
    while True:
        lines.taken = []
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            # Only the first line is known to be bad: what it swallowed is read again.
            number, text = lines.taken[0]
            lines.waiting.extendleft(reversed(lines.taken[1:]))
            chunk.bad.append((number, f"is not a CSV row: {error}", text.rstrip("\r\n")))
            reader = csv.reader(lines, strict=True)
            continue
        if not any(row):
            continue
        if header is None:
            header = [name.strip() for name in row]
            if len(set(header)) != len(header) or not all(header):
                twice = sorted({name for name in header if header.count(name) > 1})
                chunk.bad.append(
                    (1, f"the header has columns without a name or twice ({', '.join(twice)}): no row can be read", ",".join(row))
                )
                break
        elif len(row) != len(header):
            text = "".join(text for _, text in lines.taken).rstrip("\r\n")
            chunk.bad.append((lines.taken[0][0], f"has {len(row)} columns where the header has {len(header)}", text))
        else:
            chunk.lines.append(lines.taken[0][0])
            chunk.texts.append(
                orjson.dumps({name: value if value != "" else None for name, value in zip(header, row, strict=True)}).decode()
            )
        if len(chunk.texts) >= CHUNK_ROWS:
            yield chunk
            chunk = Chunk()
    chunk.bad += lines.undecodable
    yield chunk
