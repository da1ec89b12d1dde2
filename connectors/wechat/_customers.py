"""The customers of a WeCom corp: who has whom as a contact, with unionid and tags; the corp's tags, and marking a customer with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from connectors.base import Batch, Outcome, Pulled, Transient
from connectors.wechat._api import Api

ROOM = "/cgi-bin/externalcontact"
AT_ONCE = 100  # members in a call, and customers in a page
NO_CUSTOMERS = 84061  # of these members; in marking: this member has no such customer
NO_SUCH_TAG = frozenset({40068})
UNKNOWN_TAG = Outcome("sent", "NO_SUCH_TAG", "The corp has no such tag, so nobody has it.")


async def customers(api: Api, corpid: str, source: str, cursor: str | None) -> AsyncIterator[Pulled]:
    """Every pair of member and customer. The last page is empty and has no cursor: WeCom tells no changes, so each round reads all."""
    begin, _, place = (cursor or "").partition("\t")
    answer = await api.call(f"{ROOM}/get_follow_user_list", idempotent=True)
    api.codes.stop(answer, "The members who have customers cannot be listed.")
    members: list[str] = sorted(answer.get("follow_user") or [])
    place = place if begin in members else ""
    members = [member for member in members if member >= begin]
    for start in range(0, len(members), AT_ONCE):
        part = members[start : start + AT_ONCE]
        while True:
            asked = {"userid_list": part, "cursor": place, "limit": AT_ONCE}
            answer = await api.call(f"{ROOM}/batch/get_by_user", asked, idempotent=True)
            if answer.get("errcode") == NO_CUSTOMERS:
                break
            api.codes.stop(answer, "The customers cannot be read.")
            place = answer.get("next_cursor") or ""
            behind = part[0] if place else members[start + AT_ONCE] if start + AT_ONCE < len(members) else None
            events = [_customer(corpid, one) for one in answer.get("external_contact_list") or []]
            yield Pulled(source, events, None if behind is None else f"{behind}\t{place}")
            if not place:
                break
    yield Pulled(source, [], None)


async def tags(api: Api, corpid: str, source: str) -> AsyncIterator[Pulled]:
    """The tags a corp has for its customers: one page."""
    events = [
        {
            "corpid": corpid,
            "kind": "tag",
            "record_id": tag["id"],
            "group_id": group.get("group_id"),
            "group_name": group.get("group_name"),
            **tag,
        }
        for group in await _groups(api)
        for tag in group.get("tag") or []
    ]
    yield Pulled(source, events, None)


class Marks:
    """Marks customers with the tags of one group, which are found by name and made when missing. One customer of one member a call."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._ids: dict[tuple[str, str], str] = {}
        self._looking = asyncio.Lock()

    async def deliver(self, batch: Batch) -> list[Outcome]:
        pairs: dict[tuple[str, str], list[int]] = {}
        for place, row in enumerate(batch.rows):
            pairs.setdefault((str(row.fields["userid"]), str(row.fields["external_userid"])), []).append(place)
        outcomes: dict[int, Outcome] = {}
        for (member, customer), places in pairs.items():
            names = {place: str(batch.rows[place].fields["tag"]) for place in places}
            outcomes |= await self._mark(member, customer, names, batch.settings.group, batch.operation == "remove")
        return [outcomes[place] for place in range(len(batch.rows))]

    async def _mark(self, member: str, customer: str, names: dict[int, str], group: str, remove: bool) -> dict[int, Outcome]:
        outcomes: dict[int, Outcome] = {}
        ids: dict[int, str] = {}
        for place, name in names.items():
            found = await self._id(group, name, make=not remove)
            if isinstance(found, str):
                ids[place] = found
            else:
                outcomes[place] = found
        if ids:
            marked = {"remove_tag" if remove else "add_tag": sorted(set(ids.values()))}
            asked = {"userid": member, "external_userid": customer, **marked}
            answer = await self._api.call(f"{ROOM}/mark_tag", asked, idempotent=True)
            if answer.get("errcode") in NO_SUCH_TAG:
                self._ids.clear()
                raise Transient(
                    str(answer["errcode"]), f"{self._api.codes.reason(answer)}. A tag was deleted meanwhile; it is looked up again."
                )
            if answer.get("errcode") == NO_CUSTOMERS and remove:
                outcome = Outcome("sent", "NO_CUSTOMER", "The member has no such customer any more, so no tag either.")
            else:
                outcome = self._api.codes.sort(answer) if answer.get("errcode") else Outcome("sent")
            outcomes |= dict.fromkeys(ids, outcome)
        return outcomes

    async def _id(self, group: str, name: str, make: bool) -> str | Outcome:
        """The tag's id, or why there is none."""
        async with self._looking:
            if (group, name) not in self._ids:
                listed = await _groups(self._api)
                self._ids = {(one["group_name"], tag["name"]): tag["id"] for one in listed for tag in one.get("tag") or []}
            if (group, name) not in self._ids:
                if not make:
                    return UNKNOWN_TAG
                answer = await self._api.call(f"{ROOM}/add_corp_tag", {"group_name": group, "tag": [{"name": name}]}, idempotent=True)
                if answer.get("errcode"):
                    return self._api.codes.sort(answer)
                self._ids |= {(group, tag["name"]): tag["id"] for tag in answer["tag_group"]["tag"]}
            return self._ids[group, name]


async def _groups(api: Api) -> list[dict[str, Any]]:
    answer = await api.call(f"{ROOM}/get_corp_tag_list", {}, idempotent=True)
    api.codes.stop(answer, "The tags of the corp cannot be listed.")
    return list(answer.get("tag_group") or [])


def _customer(corpid: str, one: dict[str, Any]) -> dict[str, Any]:
    person, follow = one.get("external_contact") or {}, one.get("follow_info") or {}
    ids = {"external_userid": person.get("external_userid"), "userid": follow.get("userid"), "unionid": person.get("unionid")}
    record = f"{ids['userid']}/{ids['external_userid']}"
    return {"corpid": corpid, "kind": "customer", "record_id": record, **ids, "external_contact": person, "follow_info": follow}
