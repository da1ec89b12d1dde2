"""Which row a result or an error of HubSpot's batch answers belongs to, and what it means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.base import Outcome, Row, impersonal
from connectors.crm._matches import ALREADY_EXISTS, NO_MATCH

MISSES = {"OBJECT_NOT_FOUND": NO_MATCH, "CONFLICT": ALREADY_EXISTS}


def outcomes(body: Mapping[str, Any], rows: Sequence[Row], id_property: str) -> dict[int, Outcome]:
    """Outcomes by row index. Each result and each error belongs to the row with its trace id; where HubSpot leaves that out, to the
    one with its match value. Rows that are not mentioned are missing, unless as many results came as rows and no error."""
    results, errors = body.get("results") or [], body.get("errors") or []
    by_name = {str(row.index): row for row in rows} | {f"match {(row.match or '').lower()}": row for row in rows}
    found: dict[int, Outcome] = {}
    for result in results:
        value = (result.get("properties") or {}).get(id_property) or ""
        row = by_name.get(str(result.get("objectWriteTraceId"))) or by_name.get(f"match {value.lower()}")
        if row:
            found[row.index] = Outcome("sent", "CREATED" if result.get("new") else "", provider_id=result.get("id"))
    for error in errors:
        context, category = error.get("context") or {}, str(error.get("category") or "REJECTED")
        names = [*context.get("objectWriteTraceId", []), *(f"match {value.lower()}" for value in context.get("ids", []))]
        for row in filter(None, map(by_name.get, names)):
            rejected = Outcome("rejected", category, impersonal(str(error.get("message") or ""), row))
            found.setdefault(row.index, MISSES.get(category, rejected))
    if not errors and len(results) == len(rows):
        for row in rows:
            found.setdefault(row.index, Outcome("sent"))
    return found
