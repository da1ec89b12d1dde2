"""Rows by what they match over there: a record is addressed once in a call, and every row gets its outcome."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from connectors.base import Outcome, Row

NO_MATCH = Outcome("skipped", "NO_MATCH", "The CRM has no record with this match value.")
ALREADY_EXISTS = Outcome("skipped", "ALREADY_EXISTS", "The CRM has this record already.")
CONTACT_EXISTS = Outcome("skipped", "CONTACT_EXISTS", "A contact with this value is there: no lead is made of somebody who is known.")
NOTHING_TO_DO = Outcome("skipped", "NOTHING_TO_DO", "Removed rows are left as they are.")
SEVERAL = Outcome("rejected", "SEVERAL_MATCHES", "Several records have this match value. Make the field unique over there.")
NO_MATCH_VALUE = Outcome("rejected", "NO_MATCH_VALUE", "The row has no match value.")
DUPLICATE = Outcome("rejected", "DUPLICATE_MATCH", "An earlier row of this batch addresses the same record.")
NO_RESULT = Outcome("unknown", "NO_RESULT", "The CRM's answer did not mention this row.")


async def each_once(rows: Sequence[Row], carry_out: Callable[[Mapping[str, Row]], Awaitable[Mapping[int, Outcome]]]) -> list[Outcome]:
    """One outcome for each row, in order.

    `carry_out` gets, by match value in lower case, the rows that address a record of their own, for CRMs compare without regard to case
    and refuse two rows of one record. It answers by row index, and is not asked when there are none.
    """
    refused: dict[int, Outcome] = {}
    by_match: dict[str, Row] = {}
    for place, row in enumerate(rows):
        if not row.match:
            refused[place] = NO_MATCH_VALUE
        elif row.match.lower() in by_match:
            refused[place] = DUPLICATE
        else:
            by_match[row.match.lower()] = row
    found = await carry_out(by_match) if by_match else {}
    return [refused.get(place) or found.get(row.index, NO_RESULT) for place, row in enumerate(rows)]
