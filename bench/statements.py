"""What dbt said to the warehouse when it built the models, read from its log and said again by hand, in one session."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import duckdb

from activation.engine.build import memory_limit
from activation.engine.project import Project
from activation.engine.warehouse import literal


def said(project: Project) -> dict[str, list[str]]:
    """
    The statements of each model of the last build, which wrote its log as JSON at the level debug, those that its macros carried out
    beforehand among them, model after model in the order in which they were begun: what a model is made of was done by then. What is
    said at the start of a build comes first, under the name dbt has for it. Where transactions begin and end is left out.
    """
    models: dict[str, list[str]] = {}
    for kind, model, sql in _queries(project.logs / "dbt.log"):
        if kind in ("model", "operation") and _last_word(sql) not in ("BEGIN", "COMMIT", "ROLLBACK"):
            models.setdefault(model, []).append(sql)
    return models


def _last_word(sql: str) -> str:
    return sql.split("*/")[-1].strip(" ;\n").upper()


def _queries(log: Path) -> Iterator[tuple[str, str, str]]:
    for line in log.read_text(encoding="utf-8").splitlines():
        event = json.loads(line) if line.startswith("{") else {}
        if event.get("info", {}).get("name") == "SQLQuery":
            node = event["data"].get("node_info", {})
            yield str(node.get("resource_type", "")), str(node.get("node_name", "")), str(event["data"]["sql"])


def say_again(models: Mapping[str, Iterable[str]], warehouse: Path, seeds: Path) -> None:
    """Run them over `warehouse`, which has what landed and nothing else, in the settings of a build; the seeds are taken from the warehouse `seeds`."""
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set enable_progress_bar = false")
        connection.execute("set preserve_insertion_order = false")
        connection.execute("set checkpoint_threshold = '256MB'")
        connection.execute(f"set memory_limit = {literal(memory_limit())}")
        connection.execute(f"attach {literal(str(seeds))} as built (read_only)")
        for (schema,) in connection.execute(
            "select schema_name from duckdb_schemas() where database_name = 'built' and not internal"
        ).fetchall():
            connection.execute(f"create schema if not exists {schema}")
        for (name,) in connection.execute(
            "select table_name from duckdb_tables() where database_name = 'built' and schema_name = 'seeds'"
        ).fetchall():
            connection.execute(f"create table seeds.{name} as from built.seeds.{name}")
        connection.execute("detach built")
        for model, statements in models.items():
            say(connection, model, statements)


def say(connection: duckdb.DuckDBPyConnection, model: str, statements: Iterable[str]) -> None:
    """Run the statements of one model, and put away what only they needed, which dbt's connection takes with it when the model is done."""
    for statement in statements:
        try:
            connection.execute(statement)
        except duckdb.Error as error:
            error.add_note(f"It was saying, for {model}: {statement[:300]}")
            raise
    for (table,) in connection.execute("select table_name from duckdb_tables() where temporary").fetchall():
        connection.execute(f'drop table temp."{table}"')
