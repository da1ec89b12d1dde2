"""Landing: files become rows of `raw.<source>`, as they came. Landing the same thing twice lands it once.

A bad line goes to `raw.quarantine` with file, line number and reason, and the rest of the file lands. Fields are noted as they
appear; a field that changes type is reported, never lost, because the payload is kept as text.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from activation.engine.declarations import Declarations
from activation.engine.errors import UsageError
from activation.engine.landing import fields, spool
from activation.engine.landing.lines import chunks
from activation.engine.landing.shapes import Shapes
from activation.engine.landing.store import Incoming, create_table
from activation.engine.project import Project
from activation.engine.specs import Source
from activation.engine.warehouse import opened, quote, transaction
from activation.engine.yaml_file import did_you_mean

Progress = Callable[[str, int, int], None]

# Chunks that are read before they are written. The writer compresses a row group, some seven chunks of ordinary events, at once, and is
# quick in between: with fewer ahead each side waits for the other by turns. They are held in memory, 16 MB each.
AHEAD = 8


@dataclass
class SourceReport:
    """What landing did for one source. `read` = landed + duplicates + quarantined, always; a duplicate landed, or was quarantined, before."""

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
    """The source whose `files` pattern matches the end of the path (a `.gz` is looked through), or None.

    Raises UsageError when several do: which of them is meant is not guessed.
    """
    plain = path.absolute()
    plain = plain.with_suffix("") if plain.suffix == ".gz" else plain
    names = [name for name, source in sources.items() if plain.match(source.files)]
    if len(names) > 1:
        raise UsageError(f"{path} is taken by several sources: {', '.join(names)}. Make their `files` differ, or name one with --source.")
    return names[0] if names else None


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
        raise UsageError(f"There is no source `{source}`.{did_you_mean(source, set(declarations.sources))}")
    report = LandingReport()
    claimed: dict[str, list[Path]] = {}
    for path in _files(paths):
        name = source or claim(path, declarations.sources)
        if name is None:
            report.unclaimed.append(project.relative(path))
        else:
            claimed.setdefault(name, []).append(path)
    with opened(project) as connection:
        # The spool is looked at in our turn at the warehouse: another landing may just have set its files aside.
        spooled = spool.waiting(project, declarations.sources)
        for name, files in spooled.items():
            claimed.setdefault(name, []).extend(path for path in files if path not in claimed.get(name, []))
        report.unclaimed += [project.relative(path) for path in spool.unclaimed(project, declarations.sources)]
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
    """Every file named or below a folder named, once, however it was named."""
    seen: set[Path] = set()
    for path in paths:
        if path.is_dir():
            found = sorted(
                p for p in path.rglob("*") if p.is_file() and not any(part.startswith(".") for part in p.relative_to(path).parts)
            )
        elif path.is_file():
            found = [path]
        elif path.exists():
            raise UsageError(f"{path} is neither a file nor a folder.")
        else:
            raise UsageError(f"{path} does not exist. Name a file, or a folder of files, to land.")
        for file in found:
            if file.resolve() not in seen:
                seen.add(file.resolve())
                yield file


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
    declared = _declared(source)
    spooled = source.model_copy(update={"format": "jsonl"})  # the spool holds lines of JSON, whatever files of this source are
    # Chunks are written while the next ones are read: DuckDB does without the interpreter meanwhile.
    with transaction(connection), ThreadPoolExecutor(1, "landing") as writer:
        incoming = Incoming(connection, name, source, batch_id)
        landed_at = _landed_at(connection, name, source, now)
        noted: list[tuple[str, str, int, int, int]] = []
        shapes = Shapes()
        landed_before = _landed_before(connection, name, [_shown(project, path) for path in files])
        written = deque[Future[int]]()
        for path in files:
            is_open, shown = path.suffix == ".open", _shown(project, path)
            digest = "" if is_open else _digest(path)
            known = landed_before.get(shown)
            if known == (digest, declared):
                report.files_known += 1
                continue
            report.files += 1
            read = bad = 0
            read_as = spooled if project.spool in path.parents else source
            # The same bytes under a new declaration: what is still wrong with them is found again.
            is_anew = known is not None and known[0] == digest
            for chunk in chunks(path, read_as, is_open, shapes):
                if len(written) == AHEAD:
                    report.quarantined += written.popleft().result()
                written.append(writer.submit(incoming.add, shown, landed_at, chunk, is_anew))
                is_anew = False
                read += chunk.read
                bad += len(chunk.bad)
                if progress:
                    progress(name, report.read + read, len(files))
            report.read += read
            if digest:
                noted.append((shown, digest, path.stat().st_size, read, bad))
            if source.kind == "records":
                landed_at += timedelta(microseconds=1)  # what came in a later file is later, whatever its line
        report.quarantined += sum(part.result() for part in written)
        report.new_fields, report.changed_fields = fields.note(connection, name, shapes.fields, landed_at, batch_id)
        landed_by_file = incoming.keep_new()
        report.landed = sum(landed_by_file.values())
        report.duplicates = report.read - report.quarantined - report.landed
        for shown, digest, size, read, bad in noted:
            landed = landed_by_file.get(shown, 0)
            connection.execute(
                "insert into raw.files values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [name, shown, digest, declared, size, read, landed, read - bad - landed, bad, batch_id, landed_at],
            )
    return report


def _shown(project: Project, path: Path) -> str:
    """What a file is called in the warehouse: one name for a spooled file, open or closed."""
    return project.relative(path.with_suffix("") if path.suffix == ".open" else path)


def _landed_before(connection: duckdb.DuckDBPyConnection, name: str, files: Sequence[str]) -> dict[str, tuple[str, str]]:
    """The digest of the content of each file, and of the declaration, with which it landed last."""
    rows = connection.execute(
        "select file, sha256, declared from raw.files where _source = ? and file in (select unnest(?::varchar[])) "
        "qualify row_number() over (partition by file order by _landed_at desc, _batch_id desc) = 1",
        [name, list(files)],
    ).fetchall()
    return {file: (digest, declared) for file, digest, declared in rows}


def _landed_at(connection: duckdb.DuckDBPyConnection, name: str, source: Source, now: datetime) -> datetime:
    """The moment of this landing. Landings of records under one and the same clock (a replay) follow each other by microseconds."""
    moment = now.replace(tzinfo=None)
    if source.kind == "records":
        last: datetime | None = (connection.execute(f"select max(_landed_at) from raw.{quote(name)}").fetchone() or (None,))[0]
        if last is not None and moment <= last < moment + timedelta(seconds=1):
            return last + timedelta(microseconds=1)
    return moment


def _declared(source: Source) -> str:
    """What decides how a file of this source is read. When that changes, a file that has landed is read again."""
    return hashlib.md5(source.model_dump_json(exclude={"description", "files"}).encode(), usedforsecurity=False).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
