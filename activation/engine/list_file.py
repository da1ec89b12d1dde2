"""The rows of a file that people fill in, CSV or XLSX, with their line numbers; and what cannot be read, with the reason."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import orjson

from activation.engine.errors import UsageError
from activation.engine.landing.lines import chunks
from activation.engine.specs import Source

NO_VALUE = frozenset({"#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!"})  # what Excel shows where a formula failed
Line = tuple[int, Mapping[str, str] | None, str]  # number, cells by header (None: cannot be read), what is wrong


def headers(path: Path, encoding: str, sheet: str | None) -> list[str]:
    """The names of the columns. Raises UsageError when the file has none that can be read."""
    if _is_workbook(path):
        first = next(_sheet_rows(path, sheet), None)
        names = [] if first is None else _names(first[1])
    else:
        names = next((list(cells) for _, cells, _ in _csv_rows(path, encoding, header=True) if cells is not None), [])
    if not any(names):
        wrong = "" if _is_workbook(path) else next((wrong for *_, wrong in _csv_rows(path, encoding) if wrong), "")
        if "text (byte" in wrong:
            raise UsageError(f"{path} {wrong}. Say in what it is written: a CSV made by Excel in China is often `--encoding gb18030`.")
        raise UsageError(
            f"{path} holds nobody: it needs a line with the names of the columns, and one for each person{f' ({wrong})' if wrong else ''}."
        )
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise UsageError(f"{path} has {', '.join(f'`{name}`' for name in twice)} twice. Rename one of them.")
    return [name for name in names if name]


def lines(path: Path, encoding: str, sheet: str | None) -> Iterator[Line]:
    """Every line below the names of the columns, one at a time. Blank ones are left out."""
    if not _is_workbook(path):
        yield from _csv_rows(path, encoding)
        return
    names: list[str] | None = None
    for number, values in _sheet_rows(path, sheet):
        cells = [_cell(value) for value in values]
        if names is None:
            names = _names(values)
        elif any(cells[len(names) :]):
            yield number, None, f"has more cells than the {len(names)} columns that have a name"
        elif any(cells):
            yield number, {name: cell for name, cell in zip(names, cells, strict=False) if name}, ""


def _is_workbook(path: Path) -> bool:
    return path.suffix.lower() in {".xlsx", ".xlsm"}


def _csv_rows(path: Path, encoding: str, header: bool = False) -> Iterator[Line]:
    source = Source(files="*.csv", format="csv", key=[["-"]], encoding=encoding)
    for chunk in chunks(path, source):
        found: list[Line] = [(number, orjson.loads(text), "") for number, text in zip(chunk.lines, chunk.texts, strict=True)]
        found += [(number, None, reason) for number, reason, _ in chunk.bad]
        for number, cells, wrong in sorted(found, key=lambda line: line[0]):
            yield number, None if cells is None else {name: cell or "" for name, cell in cells.items()}, wrong
            if header and cells is not None:
                return


def _sheet_rows(path: Path, sheet: str | None) -> Iterator[tuple[int, tuple[Any, ...]]]:
    import openpyxl  # takes its time to load

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError):
        raise UsageError(f"{path} is not an Excel workbook (.xlsx). Save it anew, or as CSV.") from None
    try:
        if sheet is not None and sheet not in book.sheetnames:
            raise UsageError(f"{path} has no sheet `{sheet}`. It has: {', '.join(book.sheetnames)}.")
        yield from enumerate((book[sheet] if sheet else book.worksheets[0]).iter_rows(values_only=True), 1)
    finally:
        book.close()


def _names(row: tuple[Any, ...]) -> list[str]:
    names = [_cell(value) for value in row]
    while names and not names[-1]:
        names.pop()
    return names


def _cell(value: Any) -> str:
    """A cell as a person sees it: Excel keeps telephone numbers as numbers, and days as moments."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    text = str(value).strip()
    return "" if text in NO_VALUE else text
