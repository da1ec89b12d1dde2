"""What a rule may name, as the files of the project say: no warehouse is needed."""

from __future__ import annotations

import csv
from collections.abc import Set
from pathlib import Path

from activation.engine import columns
from activation.engine.project import Project
from activation.engine.segments.tree import BOOKS, Known


def known(project: Project, models: Set[str], purposes: Set[str] | None) -> Known:
    """Columns of profiles and accounts, segments, score models, stages, dimensions of tags; None for what the files do not tell."""
    seeds = {path.stem: path for path in (project.models / "seeds").glob("*.csv")}
    return Known(
        models=models | BOOKS,
        profiles=_columns(project, "dim_profiles"),
        accounts=_columns(project, "dim_accounts"),
        segments={name for name in models if name.startswith("segment_")} - BOOKS,
        scores=_values(seeds.get("score_models"), "model"),
        stages=_values(seeds.get("lifecycle_stages"), "stage"),
        dimensions=_values(seeds.get("tag_dimensions"), "dimension"),
        purposes=purposes,
        seeds=set(seeds),
    )


def _columns(project: Project, model: str) -> set[str] | None:
    for path in (project.models / "models").rglob(f"{model}.sql"):
        there = columns.of({"raw_code": path.read_text(encoding="utf-8")})
        return set(there.types) if there.complete else None
    return None


def _values(seed: Path | None, column: str) -> set[str] | None:
    if seed is None:
        return None
    try:
        with seed.open(encoding="utf-8", newline="") as lines:
            return {str(row[column]) for row in csv.DictReader(lines) if row.get(column)}
    except (OSError, UnicodeDecodeError, csv.Error, KeyError):
        return None
