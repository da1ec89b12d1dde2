"""Bulk API 2.0: many rows as one job. Make it, upload CSV, close it, ask until it is done, and read the results row by row."""

from __future__ import annotations

import csv
import io
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import orjson

from connectors.base import Fatal, Outcome, Row, Unanswered, impersonal
from connectors.crm._salesforce_records import text
from connectors.crm._salesforce_session import ANSWER, Session

DONE = {"JobComplete", "Failed", "Aborted"}
NULL = "#N/A"  # an empty cell leaves a field as it is
NOT_PROCESSED = "Salesforce ended the job before it came to this row."


class Jobs:
    """Jobs by what was uploaded: asked again for the same rows, it goes on waiting for the job that has them."""

    def __init__(self, session: Session, wait: Callable[[float], Awaitable[None]], every: float, at_most: float) -> None:
        self._session, self._wait, self._every, self._at_most = session, wait, every, at_most
        self._uploaded: dict[tuple[str, str, bytes], str] = {}

    async def upsert(self, kind: str, external_id: str, rows: Sequence[Row]) -> dict[int, Outcome]:
        """Outcomes by row index. Raises Unanswered while the job is not done; the next call with these rows goes on with it."""
        content = _csv(external_id, rows)
        name = (kind, external_id, content)
        if name not in self._uploaded:
            self._uploaded[name] = await self._upload(kind, external_id, content)
        job = f"jobs/ingest/{self._uploaded[name]}"
        state = await self._finish(job)
        found = await self._results(job, external_id, rows)
        del self._uploaded[name]
        message = str(state.get("errorMessage") or "")
        if state["state"] == "Failed" and not any(outcome.status == "sent" for outcome in found.values()) and "InvalidBatch" in message:
            raise Fatal("INVALID_BATCH", f"Salesforce could not read the job: {impersonal(message)}")
        return found

    async def _upload(self, kind: str, external_id: str, content: bytes) -> str:
        asked = {"object": kind, "operation": "upsert", "externalIdFieldName": external_id, "contentType": "CSV"}
        answer = ANSWER.json(await self._session.call("POST", "jobs/ingest", asked | {"lineEnding": "LF", "columnDelimiter": "COMMA"}))
        job = str(answer["id"])
        await self._session.call("PUT", "/" + str(answer.get("contentUrl") or f"jobs/ingest/{job}/batches").lstrip("/"), content)
        await self._session.call("PATCH", f"jobs/ingest/{job}", {"state": "UploadComplete"})
        return job

    async def _finish(self, job: str) -> dict[str, Any]:
        waited = 0.0
        while True:
            state: dict[str, Any] = ANSWER.json(await self._session.call("GET", job))
            if state.get("state") in DONE:
                return state
            if waited >= self._at_most:
                raise Unanswered("JOB_NOT_DONE", f"Salesforce has not finished the job within {waited:.0f} s.")
            await self._wait(self._every)
            waited += self._every

    async def _results(self, job: str, external_id: str, rows: Sequence[Row]) -> dict[int, Outcome]:
        by_match = {str(row.match): row for row in rows}
        found: dict[int, Outcome] = {}
        for kind in ("successfulResults", "failedResults", "unprocessedRecords"):
            response = await self._session.call("GET", f"{job}/{kind}")
            for line in csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"), newline="")):
                row = by_match.get(line.get(external_id) or "")
                if row is not None:
                    found[row.index] = _outcome(kind, line, row)
        return found


def _outcome(kind: str, line: Mapping[str, str], row: Row) -> Outcome:
    if kind == "successfulResults":
        return Outcome("sent", "CREATED" if line.get("sf__Created") == "true" else "", provider_id=line.get("sf__Id") or None)
    if kind == "unprocessedRecords":
        return Outcome("skipped", "NOT_PROCESSED", NOT_PROCESSED)
    code, _, message = (line.get("sf__Error") or "REJECTED").partition(":")
    return Outcome("rejected", code.strip(), impersonal(message, row))


def _csv(external_id: str, rows: Sequence[Row]) -> bytes:
    names = list(dict.fromkeys([external_id, *(name for row in rows for name in row.fields)]))
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\n")
    lines.writerow(names)
    for row in rows:
        fields = {**row.fields, external_id: row.match}
        lines.writerow([_cell(name, fields[name]) if name in fields else "" for name in names])
    return written.getvalue().encode()


def _cell(name: str, value: Any) -> str:
    value = text(value)
    if value is None or value == "":
        return "" if "." in name else NULL  # a parent that is not known is left as it is
    return value if isinstance(value, str) else orjson.dumps(value).decode()
