"""For CRMs without an upsert: look for the records of a batch by a key, then create or change them one by one.

A creation that was not answered is not repeated at once: the row is `unknown`, and the next run looks for the record first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import Any, Protocol

import httpx
from pydantic import Field

from connectors.base import Batch, Outcome, Row, Strict, Transient, Unanswered
from connectors.crm._matches import ALREADY_EXISTS, CONTACT_EXISTS, NO_MATCH, NOTHING_TO_DO, SEVERAL, each_once

FIELD = r"^[A-Za-z_][A-Za-z0-9_]*$"


class Records(Strict):
    """`key_field` is the field that `match_on` holds the values of. It should be unique over there, for nothing else keeps records apart.
    `dates` are the fields that are moments: they leave as the CRM writes them, as milliseconds."""

    key_field: str = Field(pattern=FIELD)
    dates: list[str] = Field(default=[])


class Leads(Records):
    """No lead is made where a contact has the same value, by pairs of a lead's and a contact's field. Empty: nobody looks."""

    contact_by: dict[str, str] = Field(default={"email": "email"})


class Custom(Records):
    """`object` is the API name of the kind of record."""

    object: str = Field(pattern=FIELD)


class Desk(Protocol):
    """What a vendor must be able to do. Every call raises for what speaks of the whole destination."""

    async def find(self, kind: str, field: str, values: Iterable[str]) -> Mapping[str, Sequence[str]]:
        """Record ids by the value of a field, in lower case."""

    async def create(self, kind: str, row: Row, fields: Mapping[str, Any]) -> Outcome: ...

    async def change(self, kind: str, row: Row, record: str, fields: Mapping[str, Any]) -> Outcome: ...

    async def remove(self, kind: str, row: Row, record: str) -> Outcome: ...


async def deliver(desk: Desk, batch: Batch, kind: str, contacts: str) -> list[Outcome]:
    """One outcome for each row, in order."""
    return await each_once(batch.rows, partial(_carry_out, desk, batch, kind, contacts))


async def _carry_out(desk: Desk, batch: Batch, kind: str, contacts: str, rows: Mapping[str, Row]) -> dict[int, Outcome]:
    if batch.operation == "remove" and batch.on_removed == "nothing":
        return dict.fromkeys((row.index for row in rows.values()), NOTHING_TO_DO)
    settings = batch.settings
    there = await desk.find(kind, settings.key_field, [str(row.match) for row in rows.values()])
    known = await _known(desk, getattr(settings, "contact_by", {}), contacts, [row for match, row in rows.items() if match not in there])

    def write(match: str, row: Row) -> Outcome | Awaitable[Outcome]:
        records = there.get(match, ())
        if len(records) > 1:
            return SEVERAL
        if batch.operation == "remove":
            if not records:
                return NO_MATCH
            if batch.on_removed == "clear_fields":
                return desk.change(kind, row, records[0], dict.fromkeys((name for name in row.fields if name != settings.key_field), None))
            return desk.remove(kind, row, records[0])
        if records:
            return ALREADY_EXISTS if batch.match_policy == "create_only" else desk.change(kind, row, records[0], row.fields)
        if batch.match_policy == "update_only":
            return NO_MATCH
        return CONTACT_EXISTS if row.index in known else desk.create(kind, row, {**row.fields, settings.key_field: row.match})

    return await one_by_one(rows, write)


async def one_by_one(rows: Mapping[str, Row], write: Callable[[str, Row], Outcome | Awaitable[Outcome]]) -> dict[int, Outcome]:
    """Outcomes by row index. A row without an answer is `unknown`, and the next has its turn; when the CRM wants no more, the rest is skipped.

    Raises what the first row raises, when nothing was written yet.
    """
    found: dict[int, Outcome] = {}
    written = False
    for match, row in rows.items():
        try:
            outcome = write(match, row)
            if not isinstance(outcome, Outcome):
                outcome, written = await outcome, True
        except (httpx.ReadTimeout, httpx.WriteTimeout, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError, Unanswered):
            outcome, written = Outcome("unknown", "NO_ANSWER", "The request left and no answer came."), True
        except Transient as error:
            if not written:
                raise
            return {one.index: Outcome("skipped", error.code, error.reason) for one in rows.values()} | found
        found[row.index] = outcome
    return found


async def _known(desk: Desk, pairs: Mapping[str, str], contacts: str, rows: Sequence[Row]) -> set[int]:
    """The rows whose person is a contact already."""
    known: set[int] = set()
    for field, contact_field in pairs.items():
        values = {row.index: str(row.fields[field]) for row in rows if row.fields.get(field)}
        if values:
            there = await desk.find(contacts, contact_field, values.values())
            known |= {index for index, value in values.items() if value.lower() in there}
    return known


def milliseconds(value: Any, day: tzinfo = UTC) -> Any:
    """A moment as milliseconds since 1970: without a zone it is UTC, and a mere date begins where the zone `day` has it. What is no moment stays."""
    try:
        moment = datetime.fromisoformat(value)
    except (ValueError, TypeError):
        return value
    zone = day if len(value) == 10 else UTC
    return int((moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp() * 1000)
