"""Files that hold rows of a person: plans with their verdicts, which go whole, and the landed spool, which loses their lines."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from activation.engine.erasure.person import VALUES, Person, lines_of
from activation.engine.landing.spool import LANDED
from activation.engine.project import Project
from activation.engine.warehouse import literal

NEEDED = {"key", "profile_id", "match_value"}


def plans(connection: duckdb.DuckDBPyConnection, project: Project) -> list[Path]:
    """Plans that hold a row of the person."""
    found = []
    for file in sorted(project.plans.glob("*.parquet")):
        if not set(pq.read_schema(file).names) >= NEEDED:
            continue  # verdicts: numbers of rows, and why
        theirs = connection.execute(
            f"select 1 from read_parquet({literal(str(file))}) where profile_id in (select value from {VALUES} where kind = 'profile_id') "
            f"or key in (select value from {VALUES} where anywhere) or match_value in (select value from {VALUES} where anywhere) limit 1"
        ).fetchone()
        if theirs:
            found.append(file)
    return found


def remove(project: Project, plans: Iterable[Path], run_ids: Iterable[str]) -> int:
    """Delete plans, and the verdicts of runs. What a process that died left half written goes too. Returns how many files."""
    files = [*plans, *(project.plans / f"{run_id}.gate.parquet" for run_id in run_ids), *project.plans.glob("*.part")]
    gone = [file for file in files if file.exists()]
    for file in gone:
        file.unlink(missing_ok=True)
    return len(gone)


def open_spool(connection: duckdb.DuckDBPyConnection, project: Project, person: Person, pattern: str = "*.jsonl*") -> list[Path]:
    """Files that the collector has not finished, or that have not landed (no source claims them), with lines of the person."""
    waiting = [path for path in project.spool.glob(f"*/{pattern}") if path.is_file() and path.parent.name != LANDED]
    return sorted(path for path in waiting if lines_of(connection, person, _texts(_lines(path))))


def clean_spool(connection: duckdb.DuckDBPyConnection, project: Project, person: Person, keep: bool = False) -> int:
    """Take the person's lines out of the landed spool, each file whole or not at all. Returns how many; with `keep` only that."""
    gone = 0
    for partial in (project.spool / LANDED).glob("*/*.part"):
        partial.unlink()  # of a process that died
    for path in sorted((project.spool / LANDED).glob("*/*.jsonl")):
        lines = _lines(path)
        theirs = lines_of(connection, person, _texts(lines))
        gone += len(theirs)
        if theirs and not keep:
            partial = path.with_suffix(".part")
            with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.writelines(line for number, line in enumerate(lines) if number not in theirs)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
    return gone


def _lines(path: Path) -> list[bytes]:
    """Lines with their ends. Only a line feed ends a line of JSON."""
    with path.open("rb") as file:
        return file.readlines()


def _texts(lines: list[bytes]) -> list[str]:
    return [line.decode("utf-8", "replace") for line in lines]
