"""Seeds that are in the warehouse already: dbt loads every seed with every build, three seconds of it, and they hardly ever change.

They are left alone only while both sides are what they were after a build that loaded all of them: the files and settings they are made from,
and every row of their tables. So a file that was edited, and a table that was dropped, edited by hand or loaded by somebody else in between,
are loaded anew by the build that sees it, as dbt would. Finding out takes some 80 ms for thirty seeds.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import duckdb
import yaml

from activation.engine.errors import WarehouseBusy
from activation.engine.models import Models
from activation.engine.project import Project
from activation.engine.warehouse import literal, opened

SETTINGS = {".csv", ".yml", ".yaml"}
MOMENT = b"SLUICE_DBT_AS_OF"  # which a macro reads: another with each build, and nothing that seeds are made of
VARIABLE = re.compile(rb"""\benv_var\(\s*['"](\w+)['"]""")


def sources(project: Project, environment: Mapping[str, str]) -> str | None:
    """A fingerprint of all that decides what the seeds hold and where they stand; none where only dbt can say what that is.

    Those are dbt's and DuckDB's versions, every setting of the project and the variables it reads from `environment`, macros, and the seeds.
    """
    paths = _paths(project.models / "dbt_project.yml")
    if paths is None:
        return None
    found = {file for file in project.models.rglob("*") if file.suffix in SETTINGS}
    found |= {file for path in paths for file in (project.models / path).rglob("*")}
    said = hashlib.sha256(repr([version(name) for name in ("dbt-core", "dbt-duckdb", "duckdb")]).encode())
    read = {b"DBT_TARGET", b"DBT_PROFILE"}
    for file in sorted(file for file in found if file.is_file()):
        text = file.read_bytes()
        read |= set(VARIABLE.findall(text)) if file.suffix != ".csv" else set()
        said.update(repr((os.path.relpath(file, project.models), hashlib.sha256(text).digest())).encode())
    said.update(repr([environment.get(name.decode()) for name in sorted(read - {MOMENT})]).encode())
    return said.hexdigest()


def _paths(file: Path) -> list[str] | None:
    """Where seeds and macros lie."""
    try:
        told = yaml.safe_load(file.read_bytes())
        paths = [str(path) for name in ("seed", "macro") for path in told.get(f"{name}-paths") or [f"{name}s"]]
    except (OSError, AttributeError, yaml.YAMLError):
        return None
    return None if any("{{" in path for path in paths) else paths


def unchanged(project: Project, connection: duckdb.DuckDBPyConnection, now: str | None) -> int:
    """How many seeds there are, if all of them are in the warehouse as their `sources` are `now`; otherwise none."""
    try:
        kept = json.loads(_kept(project).read_text(encoding="utf-8"))
        same = now is not None and kept["sources"] == now and kept["rows"] == _rows(connection, kept["rows"])
        return len(kept["rows"]) if same else 0
    except (OSError, ValueError, LookupError, TypeError, duckdb.CatalogException):
        return 0


def keep(project: Project, seeds: Sequence[str], made_from: str) -> None:
    """Remember these, all the seeds there are, as loaded just now. A warehouse that is busy by now has them loaded again next time."""
    models = Models(project)
    try:
        with opened(project, wait=1, read_only=True) as connection:
            rows = _rows(connection, [models.relation(name).sql for name in seeds])
    except WarehouseBusy:
        return
    _kept(project).write_text(json.dumps({"sources": made_from, "rows": rows}), encoding="utf-8")


def _kept(project: Project) -> Path:
    return project.target / "seeds.json"


def _rows(connection: duckdb.DuckDBPyConnection, tables: Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    """What stands in these tables, in any order, as one number each."""
    if not tables:
        return {}
    each = (f"select {literal(table)}, concat(count(*), ' ', sum(hash(entire_row))) from {table} as entire_row" for table in tables)
    return dict(connection.execute(" union all ".join(each)).fetchall())
