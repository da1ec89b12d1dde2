"""Files that wait to land: what people and programs put into the project's inbox, and the collector's spool."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from activation.engine.landing import claim, spool
from activation.engine.project import Project
from activation.engine.specs import Source


def folder(project: Project) -> Path:
    inbox = project.state / "inbox"
    inbox.mkdir(exist_ok=True)
    return inbox


def files(project: Project, sources: Mapping[str, Source]) -> dict[str | None, list[Path]]:
    """What lies in the inbox, by the source that claims it (None: no source does). Hidden files and folders are not looked at."""
    inbox = folder(project)
    found: dict[str | None, list[Path]] = {}
    for path in sorted(inbox.rglob("*")):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(inbox).parts):
            found.setdefault(claim(path, dict(sources)), []).append(path)
    return found


def waiting(project: Project, sources: Mapping[str, Source]) -> dict[str, list[Path]]:
    """What a landing of each source would read: its files in the inbox and in the spool."""
    found = {name: list(paths) for name, paths in files(project, sources).items() if name is not None}
    for name, paths in spool.waiting(project, sources).items():
        found.setdefault(name, []).extend(paths)
    return found
