"""dbt's models, reached by name through its manifest and no other way."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp, select

from activation.engine.errors import PlanRefused
from activation.engine.project import Project
from activation.engine.warehouse import opened
from activation.engine.yaml_file import did_you_mean


@dataclass(frozen=True)
class Relation:
    """Where a model stands in the warehouse."""

    name: str
    schema: str
    table: str

    def expression(self, alias: str | None = None) -> exp.Table:
        return exp.table_(self.table, db=self.schema, alias=alias)

    @property
    def sql(self) -> str:
        return self.expression().sql("duckdb", identify=True)


class Models:
    """The models of a project as dbt last parsed them."""

    def __init__(self, project: Project) -> None:
        if not project.manifest.is_file():
            raise PlanRefused("The models have not been built yet. Run `sluice build` first.")
        self._nodes = _nodes(project.manifest)

    def names(self) -> list[str]:
        return sorted(self._nodes)

    def description(self, name: str) -> str:
        return str(self._nodes[name].get("description") or "")

    def pii(self, name: str) -> set[str]:
        """Columns marked as personal data."""
        columns = self._nodes.get(name, {}).get("columns", {})
        return {
            c for c, info in columns.items() if (info.get("config") or {}).get("meta", {}).get("pii") or info.get("meta", {}).get("pii")
        }

    def relation(self, name: str) -> Relation:
        """The relation of a model. Raises PlanRefused when dbt does not know it."""
        node = self._nodes.get(name)
        if node is None:
            raise PlanRefused(f"dbt knows no model `{name}`.{did_you_mean(name, set(self._nodes))} If it is new, run `sluice build`.")
        return Relation(name, node["schema"], node["alias"] or name)

    def columns(self, connection: duckdb.DuckDBPyConnection, name: str) -> dict[str, str]:
        """The columns of a built model with their types. Raises PlanRefused when it is not in the warehouse."""
        relation = self.relation(name)
        found = connection.execute(
            "select column_name, data_type from information_schema.columns where table_schema = ? and table_name = ? order by ordinal_position",
            [relation.schema, relation.table],
        ).fetchall()
        if not found:
            raise PlanRefused(f"Model `{name}` is not in the warehouse. Run `sluice build`.")
        return dict(found)

    def built(self, connection: duckdb.DuckDBPyConnection) -> set[str]:
        """Names of the models that are in the warehouse. After a build that failed, some are not."""
        there = set(connection.execute("select table_schema, table_name from information_schema.tables").fetchall())
        return {name for name, node in self._nodes.items() if (node["schema"], node["alias"] or name) in there}


def rows_of(project: Project, models: Models, name: str, limit: int) -> list[dict[str, Any]]:
    """The first rows of a built model. Raises PlanRefused when dbt does not know it or has not built it."""
    with opened(project, read_only=True) as connection:
        columns = models.columns(connection, name)
        query = select(*(exp.column(column, quoted=True) for column in columns)).from_(models.relation(name).expression()).limit(limit)
        return [dict(zip(columns, row, strict=True)) for row in connection.execute(query.sql("duckdb")).fetchall()]


def _nodes(manifest: Path) -> dict[str, Any]:
    try:
        nodes = json.loads(manifest.read_text(encoding="utf-8"))["nodes"]
        return {node["name"]: node for node in nodes.values() if node["resource_type"] in {"model", "seed"}}
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, AttributeError):
        raise PlanRefused(f"{manifest.name}, which dbt writes, is damaged. Run `sluice build`, which writes it anew.") from None
