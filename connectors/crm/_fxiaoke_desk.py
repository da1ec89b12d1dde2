"""Records of Fxiaoke, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta, timezone
from typing import Any

from connectors.base import Outcome, Row, impersonal
from connectors.crm._desk import milliseconds
from connectors.crm._fxiaoke_api import PAGE, Api

INVALID = {"invalid", "作废"}  # the life_status of what a person, or we, took out of use
CHINA = timezone(timedelta(hours=8))


class FxiaokeDesk:
    """Find, create, change and invalidate. Flows of approval and work are not set off by what a sync writes."""

    def __init__(self, api: Api, dates: Sequence[str]) -> None:
        self._api, self._dates = api, dates

    async def find(self, kind: str, field: str, values: Iterable[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        wanted = sorted(set(values))
        rule = {"field_name": field, "operator": "IN", "field_values": wanted}
        offset = 0
        while True:
            orders = [{"fieldName": "_id", "isAsc": True}]
            page = await self._api.query(kind, limit=PAGE, offset=offset, filters=[rule], orders=orders)
            for one in page:
                if one.get("life_status") in INVALID:
                    continue
                found.setdefault(str(one.get(field)).lower(), []).append(str(one["_id"]))
            if len(page) < PAGE:
                return found
            offset += PAGE

    async def create(self, kind: str, row: Row, fields: Mapping[str, Any]) -> Outcome:
        answer = await self._write(kind, "create", {name: value for name, value in fields.items() if value is not None})
        if answer.get("errorCode") == 0:
            return Outcome("sent", "CREATED", provider_id=answer.get("dataId"))
        return _rejected(answer, row)

    async def change(self, kind: str, row: Row, record: str, fields: Mapping[str, Any]) -> Outcome:
        # An owner is set when a record is made; afterwards it changes hands over there.
        answer = await self._write(kind, "update", {"_id": record, **{name: value for name, value in fields.items() if name != "owner"}})
        return Outcome("sent", provider_id=record) if answer.get("errorCode") == 0 else _rejected(answer, row)

    async def remove(self, kind: str, row: Row, record: str) -> Outcome:
        content = {"data": {"dataObjectApiName": kind, "object_data_id": record}}
        answer = await self._api.call(kind, "invalid", content)
        return Outcome("sent", provider_id=record) if answer.get("errorCode") == 0 else _rejected(answer, row)

    async def _write(self, kind: str, verb: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        made = {name: milliseconds(value, CHINA) if name in self._dates else _text(value) for name, value in fields.items()}
        content = {"triggerApprovalFlow": False, "triggerWorkFlow": False, "data": {"object_data": {"dataObjectApiName": kind, **made}}}
        return await self._api.call(kind, verb, content)


def _rejected(answer: Mapping[str, Any], row: Row) -> Outcome:
    return Outcome("rejected", str(answer.get("errorCode")), impersonal(str(answer.get("errorMessage") or ""), row))


def _text(value: Any) -> Any:
    """Numbers are strings over there; yes, no, nothing and lists are themselves."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
