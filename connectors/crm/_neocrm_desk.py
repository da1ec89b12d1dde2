"""Records of Neocrm, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from connectors.base import Outcome, Refused, Row, impersonal
from connectors.crm._desk import milliseconds
from connectors.crm._neocrm_api import WELL, Api, code, words

LISTED = 50  # values of one question


class NeocrmDesk:
    """Find by XOQL, create, change and delete one record at a time."""

    def __init__(self, api: Api, dates: Sequence[str]) -> None:
        self._api, self._dates = api, dates

    async def find(self, kind: str, field: str, values: Iterable[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        wanted = sorted(set(values))
        for start in range(0, len(wanted), LISTED):
            listed = ",".join(map(literal, wanted[start : start + LISTED]))
            for one in await self._api.query(f"select id,{field} from {kind} where {field} in ({listed})"):
                found.setdefault(str(one.get(field)).lower(), []).append(str(one["id"]))
        return found

    async def create(self, kind: str, row: Row, fields: Mapping[str, Any]) -> Outcome:
        data = self._shaped({name: value for name, value in fields.items() if value is not None})
        answer = await self._api.call("POST", f"/rest/data/v2.0/xobjects/{kind}", {"data": data})
        record = (answer.get("data") or answer.get("result") or {}).get("id") if code(answer) in WELL else None
        return Outcome("sent", "CREATED", provider_id=str(record)) if record else _rejected(answer, row)

    async def change(self, kind: str, row: Row, record: str, fields: Mapping[str, Any]) -> Outcome:
        answer = await self._api.call("PATCH", f"/rest/data/v2.0/xobjects/{kind}/{record}", {"data": self._shaped(fields)})
        return Outcome("sent", provider_id=record) if code(answer) in WELL else _rejected(answer, row)

    async def remove(self, kind: str, row: Row, record: str) -> Outcome:
        answer = await self._api.call("DELETE", f"/rest/data/v2.0/xobjects/{kind}/{record}")
        return Outcome("sent", provider_id=record) if code(answer) in WELL else _rejected(answer, row)

    def _shaped(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        return {name: milliseconds(value) if name in self._dates else value for name, value in fields.items()}


def literal(value: str) -> str:
    """A string of XOQL. How it escapes is not published, so what would need it is refused."""
    if set(value) & set("'\\\n\r"):
        raise Refused("MATCH_VALUE", "A match value with a quote, a backslash or a line break cannot be looked for in Neocrm.")
    return f"'{value}'"


def _rejected(answer: Mapping[str, Any], row: Row) -> Outcome:
    return Outcome("rejected", str(code(answer)), impersonal(words(answer), row))
