"""Bulk API 2.0 in the sandbox: ingest jobs that take CSV, are done at the second look, and tell results row by row."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Write = Callable[[str, str, Mapping[str, Any]], dict[str, Any]]  # object, external id field, fields → a result as of a collection
TABLES = ("successfulResults", "failedResults", "unprocessedRecords")


@dataclass
class Job:
    """One ingest job. Jobs are not kept on disk: a sandbox that comes back has forgotten those that were open."""

    id: str
    asked: Mapping[str, Any]
    state: str = "Open"
    looks: int = 0
    content: str = ""
    error: str = ""
    results: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    def json(self, root: str) -> dict[str, Any]:
        told = {"id": self.id, "state": self.state, "apiVersion": 62.0, "contentUrl": f"{root.lstrip('/')}/jobs/ingest/{self.id}/batches"}
        failed, good = (len(self.results.get(name, [])) for name in ("failedResults", "successfulResults"))
        told |= {"numberRecordsFailed": failed, "numberRecordsProcessed": failed + good}
        if self.error:
            told["errorMessage"] = self.error
        return {**self.asked, **told}

    def upload(self, content: str) -> None:
        self.content += content

    def close(self, write: Write) -> None:
        """Everything is written now, and told of later."""
        self.state = "UploadComplete"
        lines = csv.DictReader(io.StringIO(self.content, newline=""))
        names = lines.fieldnames or []
        if any(not name[:1].isupper() for name in names):
            self.error = "InvalidBatch : Field name not found : " + next(name for name in names if not name[:1].isupper())
            self.results = {"unprocessedRecords": list(lines)}
            return
        key = self.asked["externalIdFieldName"]
        seen: set[str] = set()
        for line in lines:
            fields = {name: None if value == "#N/A" else value for name, value in line.items() if value != ""}
            value = str(fields.get(key) or "").lower()
            if not value or value in seen:
                error = "MISSING_ARGUMENT" if not value else "DUPLICATE_VALUE"
                self._add("failedResults", {"sf__Id": "", "sf__Error": f"{error}:{key} not specified or repeated:{key} --"}, line)
                continue
            seen.add(value)
            result = write(self.asked["object"], key, fields)
            if result["success"]:
                self._add("successfulResults", {"sf__Id": result["id"], "sf__Created": str(result["created"]).lower()}, line)
            else:
                error = result["errors"][0]
                self._add("failedResults", {"sf__Id": "", "sf__Error": f"{error['statusCode']}:{error['message']}:--"}, line)

    def look(self) -> None:
        if self.state in {"UploadComplete", "InProgress"}:
            self.looks += 1
            self.state = "InProgress" if self.looks < 2 else "Failed" if self.error else "JobComplete"

    def table(self, name: str) -> str:
        rows = self.results.get(name, [])
        head = {"successfulResults": ["sf__Id", "sf__Created"], "failedResults": ["sf__Id", "sf__Error"], "unprocessedRecords": []}[name]
        names = [*head, *(csv.DictReader(io.StringIO(self.content, newline="")).fieldnames or [])]
        written = io.StringIO()
        table = csv.DictWriter(written, names, lineterminator="\n", quoting=csv.QUOTE_ALL)
        table.writeheader()
        table.writerows(rows)
        return written.getvalue()

    def _add(self, name: str, said: dict[str, str], line: Mapping[str, str]) -> None:
        self.results.setdefault(name, []).append({**said, **line})
