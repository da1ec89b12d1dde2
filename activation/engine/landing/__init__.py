"""Landing: files become rows of `raw.<source>`, as they came. Landing the same thing twice lands it once.

A bad line goes to `raw.quarantine` with file, line number and reason, and the rest of the file lands. Fields are noted as they
appear; a field that changes type is reported, never lost, because the payload is kept as text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import duckdb

from activation.engine.declarations import Declarations
from activation.engine.errors import UsageError
from activation.engine.landing import fields, spool
from activation.engine.landing.lines import chunks
from activation.engine.landing.store import add_chunk, begin, commit_incoming, create_table
from activation.engine.project import Project
from activation.engine.specs import Source
from activation.engine.warehouse import opened, transaction

Progress = Callable[[str, int, int], None]


@dataclass
class SourceReport:
    """What landing did for one source. `read` = landed + duplicates + quarantined, always."""

    source: str
    files: int = 0
    files_known: int = 0
    read: int = 0
    landed: int = 0
    duplicates: int = 0
    quarantined: int = 0
    new_fields: list[str] = field(default_factory=list)
    changed_fields: list[str] = field(default_factory=list)


@dataclass
class LandingReport:
    """What one landing did. `unclaimed` are files that no declared source matches."""

    batch_id: str = ""
    sources: dict[str, SourceReport] = field(default_factory=dict)
    unclaimed: list[str] = field(default_factory=list)

    @property
    def landed(self) -> int:
        return sum(report.landed for report in self.sources.values())

    @property
    def quarantined(self) -> int:
        return sum(report.quarantined for report in self.sources.values())


def claim(path: Path, sources: dict[str, Source]) -> str | None:
    """The source whose `files` pattern matches the end of the path (a `.gz` is looked through), or None."""
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    for name, source in sources.items():
        if plain.match(source.files):
            return name
    return None


def prepare(connection: duckdb.DuckDBPyConnection, declarations: Declarations) -> None:
    """Make every declared source's table, empty where nothing has landed, so that every model compiles."""
    for name in declarations.sources:
        create_table(connection, name)


def land(
    project: Project,
    declarations: Declarations,
    paths: Sequence[Path],
    now: datetime,
    source: str | None = None,
    progress: Progress | None = None,
) -> LandingReport:
    """Land files and folders, and the collector's spool with them. `source` names the source for files that no pattern claims.

    Raises UsageError for a path or source that does not exist. Each source commits by itself: after a crash, land again.
    """
    if source is not None and source not in declarations.sources:
        raise UsageError(f"There is no source `{source}`. Declared: {', '.join(sorted(declarations.sources))}.")
    report = LandingReport()
    claimed: dict[str, list[Path]] = {}
    for path in _files(paths):
        name = source or claim(path, declarations.sources)
        if name is None:
            report.unclaimed.append(project.relative(path))
        else:
            claimed.setdefault(name, []).append(path)
    spooled = spool.waiting(project, declarations.sources)
    for name, files in spooled.items():
        claimed.setdefault(name, []).extend(files)
    with opened(project) as connection:
        prepare(connection, declarations)
        number = (connection.execute("select nextval('raw.batch_numbers')").fetchone() or (0,))[0]
        report.batch_id = f"b{now:%Y%m%dT%H%M%S}-{number:06d}"
        for name in declarations.sources:
            if name in claimed:
                report.sources[name] = _land_source(
                    connection, project, name, declarations.sources[name], claimed[name], now, report.batch_id, progress
                )
    spool.retire(project, spooled)
    return report


def _files(paths: Sequence[Path]) -> Iterable[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(
                p for p in path.rglob("*") if p.is_file() and not any(part.startswith(".") for part in p.relative_to(path).parts)
            )
        elif path.is_file():
            yield path
        else:
            raise UsageError(f"{path} does not exist. Name a file, or a folder of files, to land.")


def _land_source(
    connection: duckdb.DuckDBPyConnection,
    project: Project,
    name: str,
    source: Source,
    files: Sequence[Path],
    now: datetime,
    batch_id: str,
    progress: Progress | None,
) -> SourceReport:
    report = SourceReport(name)
    landed_at = now.replace(tzinfo=None)
    with transaction(connection):
        begin(connection)
        noted: list[tuple[str, str, int, int, int]] = []
        for path in files:
            is_open = path.suffix == ".open"
            shown = project.relative(path.with_suffix("") if is_open else path)  # one name for a spooled file, open or closed
            digest = "" if is_open else _digest(path)
            if (
                digest
                and connection.execute(
                    "select 1 from raw.files where _source = ? and file = ? and sha256 = ? limit 1", [name, shown, digest]
                ).fetchone()
            ):
                report.files_known += 1
                continue
            report.files += 1
            read = bad = 0
            seen = last = spool.last_line(connection, name, shown) if project.spool in path.parents else 0
            for chunk in chunks(path, source, whole_lines_only=is_open):
                last = max(last, chunk.last_line)
                if seen:
                    chunk.leave_out(seen)
                good, rejected = add_chunk(connection, name, source, shown, chunk, batch_id, landed_at)
                read += good + rejected
                bad += rejected
                if progress:
                    progress(name, report.read + read, len(files))
            report.read += read
            report.quarantined += bad
            if is_open:
                spool.note_line(connection, name, shown, last, batch_id, landed_at)
            if digest:
                noted.append((shown, digest, path.stat().st_size, read, bad))
        report.new_fields, report.changed_fields = fields.note(connection, name, landed_at, batch_id)
        landed_by_file = commit_incoming(connection, name, source)
        report.landed = sum(landed_by_file.values())
        report.duplicates = report.read - report.quarantined - report.landed
        for shown, digest, size, read, bad in noted:
            landed = landed_by_file.get(shown, 0)
            connection.execute(
                "insert into raw.files values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [name, shown, digest, size, read, landed, read - bad - landed, bad, batch_id, landed_at],
            )
    return report


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
