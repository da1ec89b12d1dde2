"""What dbt said to the warehouse when it built the models, read from its log and said again by hand, in one session."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb

from activation.engine.build import memory_limit
from activation.engine.project import Project
from activation.engine.warehouse import literal


def said(project: Project) -> list[str]:
    """
    The statements of all models of the last build, in order; those that a model's macros carried out beforehand are among them. Where
    transactions begin and end is not: those of models built at the same time cannot be told apart in one session.
    """
    return [
        sql
        for kind, sql in _queries(project.logs / "dbt.log")
        if kind == "model" and _last_word(sql) not in ("BEGIN", "COMMIT", "ROLLBACK")
    ]


def _last_word(sql: str) -> str:
    return sql.split("*/")[-1].strip(" ;\n").upper()


def _queries(log: Path) -> Iterator[tuple[str, str]]:
    for line in log.read_text(encoding="utf-8").splitlines():
        event = json.loads(line) if line.startswith("{") else {}
        if event.get("info", {}).get("name") == "SQLQuery":
            yield str(event["data"].get("node_info", {}).get("resource_type", "")), str(event["data"]["sql"])


def say_again(statements: list[str], warehouse: Path, seeds: Path) -> None:
    """Run them over `warehouse`, which has what landed and nothing else, in the settings of a build; the seeds are taken from the warehouse `seeds`."""
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set enable_progress_bar = false")
        connection.execute("set preserve_insertion_order = false")
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
        for statement in statements:
            try:
                connection.execute(statement)
            except duckdb.Error as error:
                error.add_note(f"It was saying: {statement[:300]}")
                raise
