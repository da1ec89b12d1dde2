"""A project that only lands: sources as text, files by name, and what is in the warehouse afterwards."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from activation.engine.declarations import Declarations
from activation.engine.landing import LandingReport, SourceReport, land
from activation.engine.project import Project

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

SOURCES = {
    "clicks": "files: clicks/*.jsonl\nformat: jsonl\nkey: [[id]]\nrequired: [id]\n",
    "people": "files: people/*.csv\nformat: csv\nkind: records\nkey: [[id]]\nrequired: [id]\n",
    "orders": "files: orders/*.jsonl\nformat: jsonl\nkind: records\nkey: [[id]]\nversion: updated_at\n",
}


class LandingPlace:
    """`place.file("clicks/a.jsonl", …)` writes below the inbox, `place.land()` lands the whole inbox an hour after the last time."""

    def __init__(self, root: Path) -> None:
        self.project = Project(root.resolve())
        self.inbox = self.project.root / "inbox"
        self.inbox.mkdir(parents=True)
        self.now = NOON
        for name, text in SOURCES.items():
            self.source(name, text)

    def source(self, name: str, text: str) -> None:
        path = self.project.declarations / "sources" / f"{name}.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def file(self, name: str, content: str | bytes) -> Path:
        path = self.inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
        return path

    def spooled(self, name: str, content: str) -> Path:
        path = self.project.spool / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        return path

    def land(self, *paths: Path, source: str | None = None) -> LandingReport:
        self.now += timedelta(hours=1)
        return land(self.project, Declarations.load(self.project), paths or [self.inbox], self.now, source)

    def land_one(self, name: str, content: str | bytes) -> SourceReport:
        """Write one file, land it, and give its source's report, whose books balance."""
        report = self.land(self.file(name, content)).sources[name.split("/")[0]]
        assert report.read == report.landed + report.duplicates + report.quarantined
        return report

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.project.warehouse), read_only=True) as connection:
            return connection.execute(query).fetchall()

    def payloads(self, source: str) -> list[str]:
        return [row[0] for row in self.rows(f"select payload::varchar from raw.{source} order by _landed_at, _batch_id, _line")]

    @property
    def quarantine(self) -> list[tuple[str, int, str, str]]:
        """(file name, line, reason, content) of all that could not land."""
        found = self.rows("select _file, _line, reason, content from raw.quarantine order by _file, _line")
        return [(Path(file).name, line, reason, content) for file, line, reason, content in found]
