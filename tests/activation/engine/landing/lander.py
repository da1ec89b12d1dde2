"""A process that lands the inbox and says when it is in the middle of it: `lander.py ROOT SOURCE STOP_AFTER_READ_ROWS`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from activation.engine.declarations import Declarations
from activation.engine.landing import chunk, land
from activation.engine.project import Project

if __name__ == "__main__":
    chunk.CHUNK_ROWS = 100
    project = Project(Path(sys.argv[1]))

    def progress(source: str, rows: int, files: int) -> None:
        if source == sys.argv[2] and rows >= int(sys.argv[3]):
            print("in the middle", flush=True)
            sys.stdin.read()  # until somebody ends this process

    land(project, Declarations.load(project), [project.root / "inbox"], datetime(2026, 11, 20, 12, tzinfo=UTC), progress=progress)
