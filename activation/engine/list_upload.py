"""Uploads: a file of people becomes members of a list, and a report of every line and value that did not.

A member has at least one identifier that can be one. What the file says of consent is not asked for and not believed: whoever is on a list
gets a message only if consent is recorded for it. The same file again lands nothing new; a member whose details changed lands again.
"""

from __future__ import annotations

import csv
import dataclasses
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import orjson
import phonenumbers

from activation.collector.spool_file import SpoolFile
from activation.engine import list_file, list_mapping
from activation.engine.declarations import Declarations
from activation.engine.errors import UsageError
from activation.engine.landing import SourceReport, land
from activation.engine.list_mapping import ATTRIBUTES, IDENTIFIERS, Columns
from activation.engine.project import Project
from activation.engine.specs import NAME

SOURCE = "list_members"
ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")  # what the models take for an address
AT_ONCE = 10_000  # members on their way to the disk together
LONGEST = 1_000  # characters of a value
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Refusal:
    """A line that is not on the list (`column` is empty), or a value that a member came without. No personal data is in it."""

    line: int
    column: str
    code: str
    reason: str


@dataclass
class UploadReport:
    """What became of a file: `lines` = members + refused + repeated. `dropped` values are of members who are on the list without them."""

    list_name: str
    file: str
    lines: int = 0
    members: int = 0
    refused: int = 0
    repeated: int = 0
    dropped: int = 0
    ignored_columns: list[str] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    landing: SourceReport = field(default_factory=lambda: SourceReport(SOURCE))

    @property
    def counts(self) -> dict[str, int]:
        return dict(Counter(refusal.code for refusal in self.refusals))


def upload(
    project: Project,
    declarations: Declarations,
    path: Path,
    name: str,
    now: datetime,
    mapping: Path | None = None,
    encoding: str = "utf-8",
    sheet: str | None = None,
    refused_to: Path | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> UploadReport:
    """Put the people of a file on a list. `refused_to` gets the lines that are not on it, as they were, with the reasons; it is its owner's alone.

    Raises UsageError for a file, a name or a mapping that does not fit; then nothing has landed.
    """
    if not NAME.match(name):
        raise UsageError(f"`{name}` is no name for a list: use lower-case letters, digits and underscores.")
    if SOURCE not in declarations.sources:
        raise UsageError(f"Lists land in `{SOURCE}`, which no file declares. Copy activation/sources/{SOURCE}.yml from a new project.")
    if not path.is_file():
        raise UsageError(f"{path} does not exist. Name a CSV or XLSX file of people.")
    if path.suffix.lower() == ".xls":
        raise UsageError(f"{path} is a workbook of Excel before 2007. Save it as .xlsx or CSV.")
    names = list_file.headers(path, encoding, sheet)
    columns = list_mapping.read(mapping, names, str(path))
    report = UploadReport(name, path.name, ignored_columns=[*columns.ignored])
    spool = None if dry_run else SpoolFile.create(project.spool / SOURCE, now)
    try:
        with _refused(refused_to, names) as write:
            for members in _members(list_file.lines(path, encoding, sheet), columns, report, write, progress):
                if spool is not None:
                    spool.append(b"".join(orjson.dumps(member, option=orjson.OPT_APPEND_NEWLINE) for member in members))
    finally:
        if spool is not None:
            spool.finish()
    if spool is not None:
        only = dataclasses.replace(declarations, sources={SOURCE: declarations.sources[SOURCE]})
        report.landing = land(project, only, [], now).sources.get(SOURCE, SourceReport(SOURCE))
    return report


Write = Callable[[int, str, Mapping[str, str]], None]


def _members(
    lines: Iterator[list_file.Line], columns: Columns, report: UploadReport, write: Write, progress: Progress | None
) -> Iterator[list[dict[str, Any]]]:
    """Members in lots; whoever is none is in the report."""
    seen: dict[str, int] = {}
    lot: list[dict[str, Any]] = []
    for number, cells, wrong in lines:
        report.lines += 1
        if progress:
            progress(1)
        if cells is None:
            _refuse(report, write, Refusal(number, "", "UNREADABLE", f"The line {wrong}."), {})
            continue
        member, dropped = _member(number, cells, columns)
        identifier = next((f"{kind}:{member[kind]}" for kind in IDENTIFIERS if kind in member), None)
        if identifier is None:
            report.refusals += dropped
            why = "No identifier of the line can be one." if dropped else "The line has no identifier."
            _refuse(report, write, Refusal(number, "", "NO_IDENTIFIER", why), cells)
            continue
        if identifier in seen:
            report.repeated += 1
            report.refusals.append(Refusal(number, "", "REPEATED", f"Line {seen[identifier]} is the same person; the first line counts."))
            continue
        seen[identifier] = number
        report.members += 1
        report.dropped += len(dropped)
        report.refusals += dropped
        lot.append({"list": report.list_name, "member": identifier, **member})
        if len(lot) >= AT_ONCE:
            yield lot
            lot = []
    if lot:
        yield lot


def _refuse(report: UploadReport, write: Write, refusal: Refusal, cells: Mapping[str, str]) -> None:
    report.refused += 1
    report.refusals.append(refusal)
    write(refusal.line, refusal.reason, cells)


def _member(number: int, cells: Mapping[str, str], columns: Columns) -> tuple[dict[str, Any], list[Refusal]]:
    member: dict[str, Any] = {}
    dropped = []
    for kind in (*IDENTIFIERS, *ATTRIBUTES):
        header = columns.named.get(kind)
        text = cells.get(header, "").strip() if header else ""
        if not header or not text:
            continue
        value, code, reason = _judged(kind, text, columns.country)
        if value is None:
            dropped.append(Refusal(number, header, code, reason))
        else:
            member[kind] = value
    kept = {header: text for header in columns.keep if (text := cells.get(header, "").strip())}
    if kept:
        member["kept"] = kept
    return member, dropped


def _judged(kind: str, text: str, country: str) -> tuple[str | None, str, str]:
    """The value as it lands; or None, a code and a sentence."""
    if len(text) > LONGEST:
        return None, "TOO_LONG", f"The value is longer than {LONGEST:,} characters."
    if kind == "email":
        return (text.lower(), "", "") if ADDRESS.fullmatch(text) else (None, "BAD_EMAIL", "The value is no mail address.")
    if kind == "birthday":
        try:
            return date.fromisoformat(text[:10].replace("/", "-")).isoformat(), "", ""
        except ValueError:
            return None, "BAD_DATE", "The value is no date such as 1990-05-17."
    if kind == "phone":
        try:
            number = phonenumbers.parse(text, country)
        except phonenumbers.NumberParseException:
            number = None
        if number is None or not phonenumbers.is_valid_number(number):
            return None, "BAD_PHONE", f"The value is no telephone number (of {country}, unless it begins with + and a country code)."
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), "", ""
    if kind in IDENTIFIERS and any(character.isspace() for character in text):
        return None, "BAD_IDENTIFIER", "An identifier has no spaces in it."
    return text, "", ""


@contextmanager
def _refused(path: Path | None, names: list[str]) -> Iterator[Write]:
    if path is None:
        yield lambda *_: None
        return
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["_line", "_reason", *names])
        yield lambda line, reason, cells: writer.writerow([line, reason, *(cells.get(name, "") for name in names)])
