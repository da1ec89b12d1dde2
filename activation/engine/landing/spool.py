"""The collector's spool as a source of files: `.sluice/spool/<raw source>/*.jsonl`, and those still being written."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from activation.engine.project import Project
from activation.engine.specs import Source

LANDED = "landed"


def waiting(project: Project, sources: Mapping[str, Source]) -> dict[str, list[Path]]:
    """Spooled files by source. Of an open file (`.jsonl.open`) the complete lines are read; what lands twice lands once."""
    found = {}
    for name in sources:
        files = sorted(path for path in (project.spool / name).glob("*.jsonl*") if path.name.endswith((".jsonl", ".jsonl.open")))
        if files:
            found[name] = files
    return found


def unclaimed(project: Project, sources: Mapping[str, Source]) -> list[Path]:
    """Spooled files of sources that are not declared any more: they wait, and somebody should know."""
    return sorted(path for path in project.spool.glob("*/*.jsonl*") if path.parent.name not in {*sources, LANDED} and path.is_file())


def retire(project: Project, files: Mapping[str, Sequence[Path]]) -> None:
    """Set aside the closed files that have landed. They are kept: the warehouse can be rebuilt from them."""
    for name, paths in files.items():
        folder = project.spool / LANDED / name
        for path in paths:
            if path.suffix == ".jsonl":
                folder.mkdir(parents=True, exist_ok=True)
                os.replace(path, folder / path.name)
