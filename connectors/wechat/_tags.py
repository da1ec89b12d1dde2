"""Follower tags: one tag and up to 50 openids a call, all or none. Tags are found by name and made when missing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from connectors.base import Batch, Outcome, Refused, Row, Transient
from connectors.wechat._api import Api

NO_SUCH_TAG = 45159
NOT_FOLLOWING = frozenset({43004, 50005})


class Tags:
    def __init__(self, api: Api) -> None:
        self._api = api
        self._ids: dict[str, int] = {}
        self._looking = asyncio.Lock()

    async def deliver(self, batch: Batch) -> list[Outcome]:
        """Add or remove, tag by tag. A batch of one tag is refused as a whole; among several, the rows at fault are found here."""
        by_tag: dict[str, list[int]] = {}
        for place, row in enumerate(batch.rows):
            by_tag.setdefault(str(row.fields["tag"]), []).append(place)
        if len(by_tag) == 1:
            return await self._mark(batch)
        outcomes: dict[int, Outcome] = {}
        for places in by_tag.values():
            part = replace(batch, rows=[batch.rows[place] for place in places])
            outcomes |= zip(places, await self._halve(part), strict=True)
        return [outcomes[place] for place in range(len(batch.rows))]

    async def _halve(self, batch: Batch) -> list[Outcome]:
        try:
            return await self._mark(batch)
        except Refused as refused:
            if len(batch.rows) == 1:
                return [Outcome("rejected", refused.code, refused.reason)]
            half = len(batch.rows) // 2
            parts: tuple[Sequence[Row], ...] = (batch.rows[:half], batch.rows[half:])
            return [outcome for rows in parts for outcome in await self._halve(replace(batch, rows=rows))]

    async def _mark(self, batch: Batch) -> list[Outcome]:
        remove = batch.operation == "remove"
        tag = await self.id(str(batch.rows[0].fields["tag"]), make=not remove)
        if tag is None:
            return [Outcome("sent", "NO_SUCH_TAG", "The account has no such tag, so nobody has it.")] * len(batch.rows)
        openids = list(dict.fromkeys(str(row.fields["openid"]) for row in batch.rows))
        path = f"/cgi-bin/tags/members/{'batchuntagging' if remove else 'batchtagging'}"
        answer = await self._api.call(path, {"openid_list": openids, "tagid": tag}, idempotent=True)
        if not answer.get("errcode"):
            return [Outcome("sent")] * len(batch.rows)
        outcome = self._api.codes.sort(answer)
        if answer["errcode"] == NO_SUCH_TAG:
            self._ids.clear()
            raise Transient(outcome.code, f"{outcome.reason}. The tag was deleted meanwhile; it is looked up again.")
        if remove and len(batch.rows) == 1 and answer["errcode"] in NOT_FOLLOWING:
            # Somebody who left has no tags that could do anything; refused, the row would come back for ever.
            return [Outcome("sent", "NOT_FOLLOWING", outcome.reason)]
        raise Refused(outcome.code, outcome.reason)

    async def id(self, name: str, make: bool) -> int | None:
        """The id of the tag of that name, or None when the account has none and it is not to be made. Raises Refused for a bad name."""
        async with self._looking:
            if name not in self._ids:
                answer = await self._api.call("/cgi-bin/tags/get", idempotent=True)
                self._api.codes.stop(answer, "The tags of the account cannot be listed.")
                self._ids = {tag["name"]: tag["id"] for tag in answer.get("tags", [])}
            if name not in self._ids and make:
                answer = await self._api.call("/cgi-bin/tags/create", {"tag": {"name": name}}, idempotent=True)
                if answer.get("errcode"):
                    trouble = self._api.codes.sort(answer)
                    raise Refused(trouble.code, trouble.reason)
                self._ids[name] = answer["tag"]["id"]
            return self._ids.get(name)
