"""Files read as numbered lines or CSV rows, in chunks that fit in memory. Nothing here gives up on a file for one bad line."""

from __future__ import annotations

import codecs
import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import orjson

from activation.engine.landing.chunk import Chunk
from activation.engine.landing.plain_file import LONGEST_LINE, PlainFile
from activation.engine.specs import Source

LONGEST_RECORD = 200  # physical lines; a quote left open must not swallow the file
UNCLOSED = "a quote is opened and not closed"
WORDS = {  # what Python's reader says, in words for the one who made the file
    "unexpected end of data": UNCLOSED,
    "',' expected after '\"'": "something follows a closing quote",
    "new-line character seen in unquoted field": "a carriage return stands in it without a line feed",
}


def chunks(path: Path, source: Source, whole_lines_only: bool = False) -> Iterator[Chunk]:
    """The file's records in order. `whole_lines_only` leaves out a last line that has no end yet: it is still being written."""
    if source.format == "csv" and ".jsonl" in path.suffixes:
        # What the collector or a vendor brings of a source whose files people make in a spreadsheet.
        source = source.model_copy(update={"format": "jsonl", "encoding": "utf-8"})
    with PlainFile(path) as file:
        yield from _json_lines(file, source, whole_lines_only) if source.format == "jsonl" else _csv_rows(file, source)
        if file.damage:
            chunk = Chunk(source)
            chunk.reject(file.number + 1, f"{file.damage}: nothing can be read from here on", "")
            yield chunk


def _json_lines(file: PlainFile, source: Source, whole_lines_only: bool) -> Iterator[Chunk]:
    chunk = Chunk(source)
    is_utf8 = codecs.lookup(source.encoding).name == "utf-8"
    for line in file:
        if whole_lines_only and not line.endswith(b"\n"):
            break
        # Nearly every line is good as it is. Only of the others it is asked what they are, and what is wrong with them.
        if file.cut or not is_utf8 or not chunk.take_text(file.number, line.removesuffix(b"\n").removesuffix(b"\r")):
            _take_carefully(chunk, file, line, source.encoding)
        if chunk.full:
            yield chunk
            chunk = Chunk(source)
    yield chunk


def _take_carefully(chunk: Chunk, file: PlainFile, line: bytes, encoding: str) -> None:
    text, wrong = _decode(line, file.cut, encoding)
    if not wrong and not text.strip(" \t\r\n"):
        return
    text = _without_end(text)
    if not wrong and not chunk.take_text(file.number, text.encode()):
        wrong = _json_fault(text)
    if wrong:
        chunk.reject(file.number, wrong, text)


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


def _csv_rows(file: PlainFile, source: Source) -> Iterator[Chunk]:
    csv.field_size_limit(LONGEST_LINE)  # the reader's own limit is 131,072 characters
    lines = _Lines(file, source.encoding)
    reader = csv.reader(lines, strict=True)
    header: list[str] | None = None
    chunk = Chunk(source)
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
            chunk = Chunk(source)
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
