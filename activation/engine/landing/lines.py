"""Files read as numbered lines or CSV rows, in chunks that fit in memory. Nothing here gives up on a file for one bad line."""

from __future__ import annotations

import codecs
import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import orjson

from activation.engine.landing.block import Block
from activation.engine.landing.chunk import FEW, Chunk
from activation.engine.landing.plain_file import LONGEST_LINE, PlainFile
from activation.engine.landing.shapes import Shapes
from activation.engine.specs import Source

MOST_APART = 6  # doublings of the few lines that are taken one by one
LONGEST_RECORD = 200  # physical lines; a quote left open must not swallow the file
UNCLOSED = "a quote is opened and not closed"
WORDS = {  # what Python's reader says, in words for the one who made the file
    "unexpected end of data": UNCLOSED,
    "',' expected after '\"'": "something follows a closing quote",
    "new-line character seen in unquoted field": "a carriage return stands in it without a line feed",
}


def chunks(path: Path, source: Source, whole_lines_only: bool = False, shapes: Shapes | None = None) -> Iterator[Chunk]:
    """The file's records in order, their fields noted in `shapes`. `whole_lines_only` leaves out a last line that has no end yet: it is still
    being written."""
    shapes = shapes or Shapes()
    if source.format == "csv" and ".jsonl" in path.suffixes:
        # What the collector or a vendor brings of a source whose files people make in a spreadsheet.
        source = source.model_copy(update={"format": "jsonl", "encoding": "utf-8"})
    with PlainFile(path) as file:
        if source.format == "csv":
            yield from _csv_rows(file, source, shapes)
        else:
            yield from _json_lines(file, source, shapes, whole_lines_only)
        if file.damage:
            chunk = Chunk(source, shapes)
            chunk.reject(file.number + 1, f"{file.damage}: nothing can be read from here on", "")
            yield chunk


def _json_lines(file: PlainFile, source: Source, shapes: Shapes, whole_lines_only: bool) -> Iterator[Chunk]:
    chunk = Chunk(source, shapes)
    is_utf8 = _is_utf8(source.encoding)
    for block in file.blocks():
        if whole_lines_only and not block.is_whole:
            break
        first = 0
        while first < len(block):
            last = block.within(first, *chunk.room)
            # Nearly every line is good as it is. Only of the others it is asked what they are, and what is wrong with them.
            if is_utf8 and not block.cut and shapes.learn():
                _take(chunk, block, first, last, source.encoding)
            else:
                _take_singly(chunk, block, first, last, source.encoding)
            first = last
            if chunk.full:
                yield chunk
                chunk = Chunk(source, shapes)
    yield chunk


def _is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name == "utf-8"


def _take(chunk: Chunk, block: Block, first: int, last: int, encoding: str) -> None:
    """Lines together, and those apart that have one among them that is not like those before.

    Where few are found again and again, more and more go without being asked together: it costs, and gains nothing with such lines.
    """
    shapes = chunk.shapes
    while first < last:
        place = chunk.take_together(block, first, last)
        shapes.misses = 0 if place > first else shapes.misses
        first = min(place + (FEW << min(shapes.misses, MOST_APART)), last)
        if shapes.misses:
            _take_singly(chunk, block, place, first, encoding)
        else:
            for number in range(place, first):
                if not chunk.take_known(block.number + number, block.text(number)):
                    _take_singly(chunk, block, number, number + 1, encoding)
        shapes.misses += place < last


def _take_singly(chunk: Chunk, block: Block, first: int, last: int, encoding: str) -> None:
    as_it_is = _is_utf8(encoding) and not block.cut
    for place in range(first, last):
        number = block.number + place
        if not as_it_is or not chunk.take_text(number, block.text(place)):
            _take_carefully(chunk, number, block.lines(place, place + 1), block.cut, encoding)


def _take_carefully(chunk: Chunk, number: int, line: bytes, cut: bool, encoding: str) -> None:
    text, wrong = _decode(line, cut, encoding)
    if not wrong and not text.strip(" \t\r\n"):
        return
    text = _without_end(text)
    if not wrong and not chunk.take_text(number, text.encode()):
        wrong = _json_fault(text)
    if wrong:
        chunk.reject(number, wrong, text)


def _json_fault(text: str) -> str:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return f"is not valid JSON: {error.msg} at character {error.pos + 1}"
    return ""


def _decode(line: bytes, cut: bool, encoding: str) -> tuple[str, str]:
    """The line's text with its end, and what is wrong with it."""
    if cut:
        return line[:1000].decode(encoding, "replace"), f"is longer than {LONGEST_LINE:,} bytes"
    try:
        text = line.decode(encoding)
        text.encode()
        return text, ""
    except UnicodeEncodeError as error:  # UTF-7 and the like can say half a surrogate pair, which is nothing
        return text.encode("utf-8", "backslashreplace").decode(), f"is not {encoding} text (half a character at {error.start + 1})"
    except UnicodeDecodeError as error:
        return line.decode(encoding, "backslashreplace"), f"is not {encoding} text (byte {error.start + 1})"


def _without_end(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")


class _Lines:
    """Physical lines for the CSV reader, that can be given back. Raises csv.Error at a line that is no text."""

    def __init__(self, file: PlainFile, encoding: str) -> None:
        self.file, self.encoding = file, encoding
        self.taken: list[tuple[int, str, str]] = []  # number, text, what is wrong
        self._waiting: deque[tuple[int, str, str]] = deque()
        self._unread = iter(file)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self.taken) >= LONGEST_RECORD:
            raise csv.Error(UNCLOSED)
        line = self._waiting.popleft() if self._waiting else self._read()
        self.taken.append(line)
        if line[2]:
            raise csv.Error(line[2] if len(self.taken) == 1 else UNCLOSED)
        return line[1]

    def _read(self) -> tuple[int, str, str]:
        line = next(self._unread)
        return self.file.number, *_decode(line, self.file.cut, self.encoding)

    def give_back(self) -> tuple[int, str]:
        """Give back all but the first of the lines taken; that one's number and text."""
        number, text, _ = self.taken[0]
        self._waiting.extendleft(reversed(self.taken[1:]))
        return number, _without_end(text)


def _csv_rows(file: PlainFile, source: Source, shapes: Shapes) -> Iterator[Chunk]:
    csv.field_size_limit(LONGEST_LINE)  # the reader's own limit is 131,072 characters
    lines = _Lines(file, source.encoding)
    reader = csv.reader(lines, strict=True)
    header: list[str] | None = None
    chunk = Chunk(source, shapes)
    while True:
        lines.taken = []
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            # Only the first line is known to be bad: what it swallowed is read again.
            number, text = lines.give_back()
            chunk.reject(number, _row_fault(str(error), header is None), text)
            if header is None:
                break
            reader = csv.reader(lines, strict=True)
            continue
        number, text = lines.taken[0][0], _without_end("".join(line[1] for line in lines.taken))
        if not any(row):
            continue
        if header is None:
            header = [name.strip() for name in row]
            if wrong := _header_fault(header):
                chunk.reject(number, wrong, text)
                break
        elif len(row) != len(header):
            chunk.reject(number, f"has {len(row)} columns where the header has {len(header)}", text)
        else:
            value = {name: cell if cell != "" else None for name, cell in zip(header, row, strict=True)}
            chunk.take(number, orjson.dumps(value), value)
        if chunk.full:
            yield chunk
            chunk = Chunk(source, shapes)
    yield chunk


def _row_fault(message: str, is_header: bool) -> str:
    wrong = next((words for start, words in WORDS.items() if message.startswith(start)), message)
    if is_header:
        return f"the header {wrong if wrong.startswith('is ') else f'is not a CSV row: {wrong}'}, so no row can be read"
    return wrong if wrong.startswith("is ") else f"is not a CSV row: {wrong}"


def _header_fault(header: list[str]) -> str:
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        return f"the header has {', '.join(f'`{name}`' for name in twice)} twice, so no row can be read"
    if "" in header:
        return f"the header has no name for column {header.index('') + 1}, so no row can be read"
    return ""
