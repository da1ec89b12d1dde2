"""A project that has the macros of the shipped one and a few models of a test's own."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import duckdb

from activation.engine.build import BuildReport, build
from activation.engine.declarations import Declarations
from activation.engine.project import Project


class FewModels:
    """Their files, by their places in `dbt_models`, and what is in the warehouse after a build."""

    def __init__(self, project: Project, files: Mapping[str, str]) -> None:
        self.project = project
        for folder in ("models", "seeds", "tests"):
            shutil.rmtree(project.models / folder)
        (project.models / "models").mkdir()
        for name, text in files.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        (self.project.models / name).write_text(text, encoding="utf-8")

    def build(self, full_refresh: bool = False, as_of: datetime | None = None) -> BuildReport:
        return build(self.project, Declarations(self.project), full_refresh=full_refresh, as_of=as_of)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.project.warehouse), read_only=True) as warehouse:
            return warehouse.sql(sql).fetchall()

    def found(self) -> dict[str, tuple[str, list[Any]]]:
        """Everything there is in the schema `marts`: what it is, and the first column of its rows."""
        names = self.rows("select table_name, table_type from information_schema.tables where table_schema = 'marts'")
        return {name: (kind, [row[0] for row in self.rows(f"from marts.{name} order by all")]) for name, kind in sorted(names)}
