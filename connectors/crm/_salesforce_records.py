"""Records as sObject Collections take them, 200 a call, and what the result of each says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from connectors.base import Outcome, Row, Unanswered, impersonal
from connectors.crm._salesforce_session import ANSWER, Session

COLLECTION = 200
QUERY_BYTES = 8000  # of values in one query: an address may be 16 kB long
AGAIN = {"UNABLE_TO_LOCK_ROW", "QUERY_TIMEOUT"}  # somebody else was writing at that moment
GONE = {"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"}
ALREADY = {"DUPLICATE_VALUE", "ALREADY_IN_PROCESS"}
Records = Sequence[tuple[Row, Mapping[str, Any]]]


def record(kind: str, fields: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """One record as JSON. A field `Account.Ext__c` names a parent by its external id, `Contact:Who.Ext__c` one that may be of several kinds."""
    made: dict[str, Any] = {"attributes": {"type": kind}}
    for name, value in fields.items():
        parent, _, field = name.rpartition(".")
        if not parent:
            made[name] = text(value)
        elif value is not None:
            what, _, relation = parent.rpartition(":")
            made[relation] = {**({"attributes": {"type": what}} if what else {}), field: value}
    return made | more


def text(value: Any) -> Any:
    """Several values of a picklist are joined by semicolons; everything else is JSON's own."""
    return ";".join(map(str, value)) if isinstance(value, list) else value


async def write(session: Session, method: str, below: str, records: Records) -> dict[int, Outcome]:
    """Outcomes by row index. What met a lock is tried once more. `below` the collections' address are kind and external id, if it goes by one."""
    path = f"composite/sobjects{below}"
    found: dict[int, Outcome] = {}
    for part in parts(records):
        found |= await _call(session, method, path, part)
        locked = [(row, one) for row, one in part if found[row.index].code in AGAIN]
        if locked:
            found |= await _call(session, method, path, locked)
    return found


async def delete(session: Session, ids: Mapping[int, str], rows: Sequence[Row]) -> dict[int, Outcome]:
    """Delete by record id. What is gone already is as it should be."""
    found: dict[int, Outcome] = {}
    for part in parts([row for row in rows if row.index in ids]):
        listed = ",".join(ids[row.index] for row in part)
        response = await session.call("DELETE", "composite/sobjects", params={"ids": listed, "allOrNone": "false"})
        for row, result in zip(part, _results(response, len(part)), strict=True):
            outcome = read(result, row)
            found[row.index] = Outcome("sent") if outcome.code in GONE else outcome
    return found


async def find(session: Session, kind: str, field: str, values: Iterable[str], where: str = "") -> dict[str, list[str]]:
    """Record ids by the value of a field, in lower case. `field` may be a parent's (`Contact.Ext__c`)."""
    found: dict[str, list[str]] = {}
    for listed in _lists(sorted(set(values))):
        path: str = f"query?q={quote(f'SELECT Id, {field} FROM {kind} WHERE {where}{field} IN ({listed})', safe='')}"
        while path:
            answer = ANSWER.json(await session.call("GET", path))
            for one in answer.get("records", []):
                value: Any = one
                for name in field.split("."):
                    value = value.get(name) if isinstance(value, dict) else None
                found.setdefault(str(value).lower(), []).append(str(one["Id"]))
            path = answer.get("nextRecordsUrl") or ""
    return found


def read(result: Any, row: Row) -> Outcome:
    """What became of one record."""
    if not isinstance(result, dict) or "success" not in result:
        return Outcome("unknown", "NO_RESULT", "Salesforce's answer did not say what became of this row.")
    if result["success"]:
        return Outcome("sent", "CREATED" if result.get("created") else "", provider_id=result.get("id"))
    error = (result.get("errors") or [{}])[0]
    return Outcome("rejected", str(error.get("statusCode") or "REJECTED"), impersonal(str(error.get("message") or ""), row))


def parts(things: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (things[start : start + COLLECTION] for start in range(0, len(things), COLLECTION))


async def _call(session: Session, method: str, path: str, part: Records) -> dict[int, Outcome]:
    body = {"allOrNone": False, "records": [one for _, one in part]}
    results = _results(await session.call(method, path, body), len(part))
    return {row.index: read(result, row) for (row, _), result in zip(part, results, strict=True)}


def _results(response: Any, count: int) -> list[Any]:
    results = ANSWER.json(response)
    if not isinstance(results, list) or len(results) != count:
        raise Unanswered("BROKEN_ANSWER", "Salesforce did not answer with one result for each record.")
    return results


def _lists(values: Sequence[str]) -> Iterator[str]:
    """SOQL lists of strings, each short enough for an address."""
    pending: list[str] = []
    size = 0
    for value in values:
        quoted = "'" + value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r") + "'"
        length = len(quote(quoted, safe="")) + 3
        if pending and size + length > QUERY_BYTES:
            yield ",".join(pending)
            pending, size = [], 0
        pending.append(quoted)
        size += length
    if pending:
        yield ",".join(pending)
