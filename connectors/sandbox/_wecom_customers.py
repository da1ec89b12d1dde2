"""The customers of the emulated corp: who has whom, tags in groups, and tasks of group messages that members confirm."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import Response

from connectors.sandbox.emulator import Kept, fate

if TYPE_CHECKING:
    from connectors.sandbox.wecom import Wecom

CUSTOMER = re.compile(r"w[mo][A-Za-z0-9_-]{6,62}")
MEMBERS = ("lisi", "wangwu", "zhangsan")
CUSTOMERS = [f"wmSandboxCustomer{n:015}" for n in range(130)]
CONFIRMED_AFTER = 3600.0  # seconds, when nobody was told to confirm before


def is_customer(customer: Any) -> bool:
    """2 in 100 are nobody's."""
    return isinstance(customer, str) and bool(CUSTOMER.fullmatch(customer)) and fate(customer, "is a customer") >= 0.02


def is_no_friend(customer: str) -> bool:
    """3 in 100 have removed the member whose customer they were."""
    return fate(customer, "takes group messages") < 0.03


class Customers:
    """Built by `apply` from what the corp kept: kinds tag, marked and task."""

    def __init__(self, corp: Wecom) -> None:
        self._corp = corp
        self._tags: dict[str, dict[str, str]] = {"客户等级": {"et0001": "重要"}}  # by group, names by id
        self._marks: dict[tuple[str, str], set[str]] = {}
        self._tasks: dict[str, list[Kept]] = {}
        self._confirmed: set[str] = set()

    # -- customers ----------------------------------------------------------------------------------------------

    def members(self, sent: Mapping[str, Any]) -> Response:
        return self._corp.well(follow_user=list(MEMBERS))

    def of_member(self, sent: Mapping[str, Any]) -> Response:
        found = [customer for customer in CUSTOMERS if member_of(customer) == sent.get("userid")]
        return self._corp.well(external_userid=found) if found else self._corp.error(84061)

    def batch(self, sent: Mapping[str, Any]) -> Response:
        members, limit = sent.get("userid_list"), sent.get("limit", 50)
        if not isinstance(members, list) or not 0 < len(members) <= 100 or not isinstance(limit, int) or not 0 < limit <= 100:
            return self._corp.error(40058)
        found = [customer for member in members for customer in CUSTOMERS if member_of(customer) == member]
        if not found:
            return self._corp.error(84061)
        page, cursor = _page(found, sent, limit)
        return self._corp.well(external_contact_list=[self._contact(customer) for customer in page], next_cursor=cursor)

    def _contact(self, customer: str) -> dict[str, Any]:
        member, number = member_of(customer), int(fate(customer, "person") * 10**9)
        person = {
            "external_userid": customer,
            "name": f"客户{number % 1000}🎉",
            "type": 1,
            "gender": number % 3,
            "avatar": "http://p.example/0",
        }
        tags = sorted(self._marks.get((member, customer), set()))
        follow = {
            "userid": member,
            "remark": "",
            "description": "",
            "createtime": 1_760_000_000 + number % 10**7,
            "tag_id": tags,
            "add_way": 1,
        }
        return {"external_contact": {**person, "unionid": f"oUnion{number:022}"}, "follow_info": follow}

    # -- tags ---------------------------------------------------------------------------------------------------

    def tags(self, sent: Mapping[str, Any]) -> Response:
        return self._corp.well(tag_group=[self._group(name) for name in self._tags])

    def make_tag(self, sent: Mapping[str, Any]) -> Response:
        group, wanted = sent.get("group_name"), sent.get("tag")
        if (
            not isinstance(group, str)
            or not isinstance(wanted, list)
            or not all(isinstance(one, dict) and one.get("name") for one in wanted)
        ):
            return self._corp.error(40058)
        names = [str(one["name"]) for one in wanted]
        if any(len(name) > 30 for name in names):
            return self._corp.error(40058)
        if set(names) & set(self._tags.get(group, {}).values()):
            return self._corp.error(40071)
        for name in names:
            self._corp.keep("tag", to=name, content={"id": f"et{sum(map(len, self._tags.values())) + 1:04}", "name": name, "group": group})
        made = self._group(group)
        return self._corp.well(tag_group={**made, "tag": [tag for tag in made["tag"] if tag["name"] in names]})

    def mark(self, sent: Mapping[str, Any]) -> Response:
        if refused := self._corp.refusal(orjson.dumps(sent).decode(), otherwise=84061):
            return refused
        member, customer = sent.get("userid"), sent.get("external_userid")
        add, remove = list(sent.get("add_tag") or []), list(sent.get("remove_tag") or [])
        if not isinstance(member, str) or not member or not isinstance(customer, str):
            return self._corp.error(40003)
        if not is_customer(customer):
            return self._corp.error(84061)
        known = {tag for tags in self._tags.values() for tag in tags}
        if (not add and not remove) or not set(add) | set(remove) <= known:
            return self._corp.error(40068)
        self._corp.keep("marked", to=customer, content={"userid": member, "add": add, "remove": remove})
        return self._corp.well()

    def _group(self, name: str) -> dict[str, Any]:
        tags = [{"id": tag, "name": said, "create_time": 1_760_000_000, "order": 0} for tag, said in self._tags[name].items()]
        return {"group_id": f"eg{fate(name, 'group'):.6f}"[2:], "group_name": name, "create_time": 1_760_000_000, "order": 0, "tag": tags}

    # -- group messages -----------------------------------------------------------------------------------------

    def make_task(self, sent: Mapping[str, Any]) -> Response:
        wanted, said = sent.get("external_userid"), sent.get("text")
        if sent.get("chat_type", "single") != "single" or not isinstance(wanted, list) or not 0 < len(wanted) <= 10_000:
            return self._corp.error(40058)
        if not sent.get("attachments") and not (isinstance(said, dict) and said.get("content")):
            return self._corp.error(44004)
        if isinstance(said, dict) and len(str(said.get("content") or "").encode()) > 4000:
            return self._corp.error(40058)
        failed = [one for one in wanted if not is_customer(one) or self._corp.refused(str(one))]
        taken = [one for one in wanted if one not in set(failed)]
        if not taken:
            return self._corp.well(fail_list=failed, msgid="")
        msgid = f"msgGCAAAXtWyujaWJHDDGi0m{len(self._tasks):07}"
        words = {"text": sent.get("text"), "attachments": sent.get("attachments")}
        for customer in taken:
            content = {"msgid": msgid, "sender": sent.get("sender") or member_of(customer), "created": int(time.time()), **words}
            self._corp.keep("task", to=customer, content=content)
        return self._corp.well(fail_list=failed, msgid=msgid)

    def confirm(self, msgid: str) -> None:
        """Every member sends it now."""
        self._confirmed.add(msgid)

    def tasks(self, sent: Mapping[str, Any]) -> Response:
        begin, end = sent.get("start_time"), sent.get("end_time")
        if not isinstance(begin, int) or not isinstance(end, int) or end - begin > 31 * 86400:
            return self._corp.error(40058)
        # Newest first.
        found = [kept[0] for kept in reversed(self._tasks.values()) if begin <= kept[0].content["created"] <= end]
        page, cursor = _page(found, sent, int(sent.get("limit", 50)))
        listed = [
            {"msgid": kept.content["msgid"], "creator": "admin", "create_time": str(kept.content["created"]), "create_type": 0}
            for kept in page
        ]
        return self._corp.well(group_msg_list=listed, next_cursor=cursor)

    def task_members(self, sent: Mapping[str, Any]) -> Response:
        members = sorted({kept.content["sender"] for kept in self._tasks.get(str(sent.get("msgid")), [])})
        page, cursor = _page(members, sent, int(sent.get("limit", 500)))
        sent_already = self._is_confirmed(str(sent.get("msgid")))
        return self._corp.well(task_list=[{"userid": member, "status": 2 if sent_already else 0} for member in page], next_cursor=cursor)

    def task_results(self, sent: Mapping[str, Any]) -> Response:
        found = [kept for kept in self._tasks.get(str(sent.get("msgid")), []) if kept.content["sender"] == sent.get("userid")]
        page, cursor = _page(found, sent, int(sent.get("limit", 500)))
        return self._corp.well(send_list=[self._result(kept) for kept in page], next_cursor=cursor)

    def _result(self, kept: Kept) -> dict[str, Any]:
        about = {"external_userid": kept.to, "userid": kept.content["sender"]}
        if not self._is_confirmed(kept.content["msgid"]):
            return {**about, "status": 0}
        status = 2 if is_no_friend(kept.to) else 3 if fate(kept.to, "takes group messages") < 0.05 else 1
        return {**about, "status": status, **({"send_time": kept.content["created"] + 60} if status == 1 else {})}

    def _is_confirmed(self, msgid: str) -> bool:
        kept = self._tasks.get(msgid)
        return msgid in self._confirmed or bool(kept and time.time() - kept[0].content["created"] > CONFIRMED_AFTER)

    # -- state --------------------------------------------------------------------------------------------------

    def apply(self, kept: Kept) -> None:
        if kept.kind == "tag":
            self._tags.setdefault(kept.content["group"], {})[kept.content["id"]] = kept.content["name"]
        elif kept.kind == "task":
            self._tasks.setdefault(kept.content["msgid"], []).append(kept)
        elif kept.kind == "marked":
            marks = self._marks.setdefault((kept.content["userid"], kept.to), set())
            marks |= set(kept.content["add"])
            marks -= set(kept.content["remove"])

    def state(self) -> dict[str, Any]:
        names = {tag: name for tags in self._tags.values() for tag, name in tags.items()}
        marked = {f"{member} {customer}": sorted(names[tag] for tag in tags) for (member, customer), tags in self._marks.items()}
        return {"tags": self._tags, "marked": marked, "tasks": {msgid: len(kept) for msgid, kept in self._tasks.items()}}


def member_of(customer: str) -> str:
    return MEMBERS[int(fate(customer, "member") * len(MEMBERS))]


def _page(found: Sequence[Any], sent: Mapping[str, Any], limit: int) -> tuple[Sequence[Any], str]:
    cursor = str(sent.get("cursor") or "0")
    start = int(cursor) if cursor.isdigit() else len(found)
    behind = start + limit
    return found[start:behind], str(behind) if behind < len(found) else ""


def events(kept: Kept, moment: int) -> Iterator[dict[str, str]]:
    """What the corp reports about a customer: that somebody has marked it, or that it has removed the member who was to write to it."""
    about = {"FromUserName": "sys", "CreateTime": str(moment), "MsgType": "event", "Event": "change_external_contact"}
    if kept.kind == "marked":
        yield {**about, "ChangeType": "edit_external_contact", "UserID": kept.content["userid"], "ExternalUserID": kept.to}
    elif kept.kind == "task" and is_no_friend(kept.to):
        yield {**about, "ChangeType": "del_follow_user", "UserID": kept.content["sender"], "ExternalUserID": kept.to}
