"""dbt's manifest, parsed anew when a model is younger than it. Needs no warehouse and no network."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from activation.engine.build import parse
from activation.engine.declarations import Declarations
from activation.engine.project import Project
from activation.engine.segments import generated

WRITTEN_BY_DBT = {"target", "logs", "dbt_packages", "__pycache__"}


def load(project: Project) -> Mapping[str, Any]:
    """The manifest of the models as they are now. Raises BuildFailed with dbt's own words when they do not parse."""
    with _one_at_a_time(project):
        declarations = Declarations.collect(project)
        if generated.write(project, declarations.segments) or not _fresh(project):
            parse(project, declarations)
        manifest: dict[str, Any] = json.loads(project.manifest.read_bytes())
    return manifest


def _fresh(project: Project) -> bool:
    # A folder's own time changes when a file in it is added or removed.
    written = project.manifest.stat().st_mtime_ns if project.manifest.is_file() else 0
    if any(path.stat().st_mtime_ns >= written for path in project.models.iterdir() if path.is_file()):
        return False
    rooms = [room for room in project.models.iterdir() if room.is_dir() and room.name not in WRITTEN_BY_DBT]
    rooms.append(project.generated)
    return all(path.stat().st_mtime_ns < written for room in rooms for path in (room, *room.rglob("*")))


@contextmanager
def _one_at_a_time(project: Project) -> Iterator[None]:
    """The web server, the daemon and every step load the definitions, and dbt's target folder is no place for two at once."""
    with (project.target / "manifest.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
