"""What there is to choose from: every segment, by rule or in SQL, with who is in it and how many the last build found."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from activation.engine.declarations import Declarations
from activation.engine.errors import SluiceError
from activation.engine.models import Models
from activation.engine.project import Project
from activation.engine.segments.tree import BOOKS
from activation.engine.warehouse import opened


@dataclass(frozen=True)
class Listed:
    """One segment. `people` is None where no build has made it yet; `written_in` is the rule's file, or SQL."""

    name: str
    description: str
    people: int | None
    written_in: str

    @property
    def row(self) -> tuple[str, int | str, str, str]:
        return self.name, "not built" if self.people is None else self.people, self.written_in, self.description

    @property
    def said(self) -> dict[str, str | int | None]:
        return {"description": self.description, "people": self.people, "written_in": self.written_in}


def catalogue(project: Project, declarations: Declarations) -> list[Listed]:
    """All of them by name. Needs neither a build nor a warehouse: what those would tell is then left out."""
    names = sorted(({name for name in declarations.models if name.startswith("segment_")} | set(declarations.segments)) - BOOKS)
    try:
        models = Models(project)
    except SluiceError:
        models = None
    people = _people(project, models, names) if models else {}
    found = []
    for name in names:
        rule = declarations.segments.get(name)
        if rule:
            found.append(Listed(name, rule.spec.description, people.get(name), rule.file))
        else:
            said = models.description(name) if models and name in models.names() else ""
            found.append(Listed(name, said.removeprefix("One row per ").split(". ")[0], people.get(name), "SQL"))
    return found


def _people(project: Project, models: Models, names: list[str]) -> dict[str, int]:
    """How many are in each that is built; nothing where there is no warehouse, or another process writes to it."""
    if not project.warehouse.is_file():
        return {}
    try:
        with opened(project, read_only=True) as connection:
            built = models.built(connection) & set(names)
            return {name: _count(connection, models, name) for name in built if "profile_id" in models.columns(connection, name)}
    except SluiceError:
        return {}


def _count(connection: duckdb.DuckDBPyConnection, models: Models, name: str) -> int:
    row = connection.execute(f"select count(distinct profile_id) from {models.relation(name).sql}").fetchone()
    return int(row[0]) if row else 0
