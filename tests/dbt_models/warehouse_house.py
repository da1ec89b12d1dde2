"""A warehouse of its own for a test: records land through the real landing, dbt builds in this process, SQL reads what came of it."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

from activation.engine.declarations import Declarations
from activation.engine.landing import LandingReport, land, prepare
from activation.engine.project import REPOSITORY, Project
from activation.engine.segments import generated
from activation.engine.warehouse import opened

MODELS = REPOSITORY / "dbt_models"
Record = tuple[str, dict[str, Any]]


class Dbt:
    """dbt with the project parsed once; where it writes to is its own folder."""

    def __init__(self, folder: Path, monkeypatch: Any) -> None:
        self.folder = folder
        self.monkeypatch = monkeypatch
        self.monkeypatch.setenv("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
        # Beside what it writes, as in a project.
        generated.write(Project(REPOSITORY), Declarations.collect(Project(REPOSITORY)).segments, folder / "models")
        self.monkeypatch.setenv("SLUICE_GENERATED_MODELS", os.path.relpath(folder / "models", MODELS))
        self.manifest: Manifest = self._invoke(["parse"], folder / "warehouse.duckdb", None)

    def run(
        self,
        command: Sequence[str],
        warehouse: Path,
        as_of: datetime | None = None,
        select: Sequence[str] = (),
        full: bool = False,
        variables: Mapping[str, Any] | None = None,
    ) -> Any:
        """`command` over the project; fails with what dbt said about each node that went wrong."""
        arguments = [*command, *(["--select", *select] if select else []), *(["--full-refresh"] if full else [])]
        given = {**(variables or {}), **({"as_of": as_of.replace(tzinfo=None).isoformat()} if as_of else {})}
        arguments += ["--vars", json.dumps(given)] if given else []
        return self._invoke(arguments, warehouse, self.manifest.deepcopy())

    def _invoke(self, arguments: list[str], warehouse: Path, manifest: Manifest | None) -> Any:
        self.monkeypatch.setenv("SLUICE_WAREHOUSE", str(warehouse))
        places = [
            "--project-dir",
            str(MODELS),
            "--profiles-dir",
            str(MODELS),
            "--target-path",
            str(self.folder),
            "--log-path",
            str(self.folder),
        ]
        try:
            outcome = dbtRunner(manifest=manifest).invoke(["--quiet", "--no-write-json", "--log-level-file", "none", *arguments, *places])
        finally:
            DuckDBConnectionManager.close_all_connections()
        if outcome.exception is not None:
            raise outcome.exception
        wrong = [
            f"{r.node.name}: {r.message}" for r in getattr(outcome.result, "results", []) if r.status not in ("success", "pass", "skipped")
        ]
        assert outcome.success, "\n".join(wrong)
        return outcome.result


class House:
    """One warehouse, from landing to reading."""

    def __init__(self, folder: Path, dbt: Dbt) -> None:
        self.project = Project(folder)
        self.dbt = dbt
        self.declarations = Declarations(self.project, sources=Declarations.collect(Project(REPOSITORY)).sources)
        self.landings = 0
        self.profiles: dict[str, str] = {}
        with opened(self.project) as connection:
            prepare(connection, self.declarations)

    def land(self, now: datetime, records: Iterable[Record] = (), folders: Sequence[Path] = ()) -> LandingReport:
        """Write the records to files as a sender would, and land them."""
        self.landings += 1
        folder = self.project.root / f"landing_{self.landings}"
        by_file: dict[str, list[dict[str, Any]]] = {}
        for name, record in records:
            by_file.setdefault(name, []).append(record)
        for name, rows in by_file.items():
            _write(folder / name, rows)
        report = land(self.project, self.declarations, [*([folder] if by_file else []), *folders], now)
        assert report.quarantined == 0 or folders
        return report

    def execute(self, sql: str, rows: Sequence[Sequence[Any]] = ()) -> None:
        with opened(self.project) as connection:
            connection.executemany(sql, rows) if rows else connection.execute(sql)

    def build(
        self,
        as_of: datetime | None = None,
        select: Sequence[str] = (),
        tested: bool = False,
        full: bool = False,
        variables: Mapping[str, Any] | None = None,
    ) -> Any:
        """Seeds and models; with `tested` their tests as well."""
        self.profiles = {}
        options = [] if tested else ["--resource-type", "seed", "--resource-type", "model"]
        return self.dbt.run(["build", *options], self.project.warehouse, as_of, select, full, variables)

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.project.warehouse), read_only=True) as connection:
            return connection.execute(sql, values).fetchall()

    def column(self, sql: str, *values: Any) -> list[Any]:
        return [row[0] for row in self.rows(sql, *values)]

    def profile(self, identifier: str) -> str | None:
        """The profile of an identifier, None where it has none."""
        if not self.profiles:
            self.profiles = dict(self.rows("select identifier, profile_id from identity.bridge_profile_identifiers"))
        return self.profiles.get(identifier)


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
        writer.writeheader()
        writer.writerows(rows)
