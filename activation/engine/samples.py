"""Rows of a plan to look at, with personal data masked."""

from __future__ import annotations

from typing import Any

import duckdb
import orjson

from activation.engine.declarations import Activation
from activation.engine.masking import mask
from activation.engine.models import Models
from activation.engine.plan import SHOWN, Plan
from activation.engine.project import Project


def sample_rows(project: Project, activation: Activation, plan: Plan) -> list[dict[str, Any]]:
    """A few rows of each operation: key, before, after. A change shows only what changed."""
    models = Models(project)
    model = "dim_profiles" if activation.kind == "send" else activation.sync.model
    personal = models.pii(model)
    fields = activation.spec.fields
    hidden = {name for name, column in fields.items() if column in personal}
    with duckdb.connect() as connection:
        found = connection.execute(
            "select operation, key, before, payload, invalid_code from read_parquet(?) "
            "qualify row_number() over (partition by coalesce(invalid_code, operation) order by row_number) <= ? order by row_number",
            [str(plan.file), SHOWN],
        ).fetchall()
    result = []
    for operation, key, before, payload, invalid in found:
        old, new = orjson.loads(before or "{}"), orjson.loads(payload or "{}")
        if operation == "change":
            differing = {name for name in {*old, *new} if old.get(name) != new.get(name)}
            old, new = ({k: v for k, v in side.items() if k in differing} for side in (old, new))
        result.append(
            {
                "operation": invalid or operation,
                "key": mask(key) if activation.kind == "sync" and activation.sync.key in personal else key,
                "before": _shown(old, hidden) if operation != "add" else "",
                "after": _shown(new, hidden) if operation != "remove" else "",
            }
        )
    return result


def _shown(fields: dict[str, Any], hidden: set[str]) -> str:
    return ", ".join(f"{name}={mask(value) if name in hidden else value}" for name, value in fields.items() if value is not None)
