"""The follower tags of a WeChat account. A call of tagging takes all of its openids or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from connectors.sandbox._wechat_answers import OPENID, answer, error, follows
from connectors.sandbox.emulator import Kept

if TYPE_CHECKING:
    from connectors.sandbox.wechat_official import WechatOfficial

TAGS, OF_ONE_FAN, OPENIDS, NAME_BYTES = 100, 20, 50, 30
FIRST_ID = 100


class FanTags:
    """Built by `apply` from what the account kept: kinds tag, tagged and untagged."""

    def __init__(self, account: WechatOfficial) -> None:
        self._account = account
        self._names: dict[int, str] = {2: "星标组"}
        self._fans: dict[int, set[str]] = {2: set()}

    def listed(self, sent: Mapping[str, Any]) -> Response:
        return answer({"tags": [{"id": tag, "name": name, "count": len(self._fans[tag])} for tag, name in self._names.items()]})

    def create(self, sent: Mapping[str, Any]) -> Response:
        tag = sent.get("tag")
        name = tag.get("name") if isinstance(tag, dict) else None
        if not isinstance(name, str) or not name.strip() or name in self._names.values():
            return error(45157)
        if len(name.encode()) > NAME_BYTES:
            return error(45158)
        if len(self._names) > TAGS:
            return error(45056)
        kept = self._account.keep("tag", to=name, content={"id": FIRST_ID + len(self._names), "name": name})
        return answer({"tag": kept.content})

    def mark(self, sent: Mapping[str, Any], kind: str) -> Response:
        openids, tag = sent.get("openid_list"), sent.get("tagid")
        if not isinstance(openids, list) or not 0 < len(openids) <= OPENIDS:
            return error(40032)
        if not isinstance(tag, int) or tag not in self._names:
            return error(45159)
        for openid in openids:
            if refused := self._account.refusal(f"{openid} {self._names[tag]}", otherwise=40003):
                return refused
            if not isinstance(openid, str) or not OPENID.fullmatch(openid):
                return error(40003)
            if not follows(openid):
                return error(50005)
            if kind == "tagged" and sum(openid in fans for other, fans in self._fans.items() if other != tag) >= OF_ONE_FAN:
                return error(45059)
        for openid in openids:
            self._account.keep(kind, to=openid, content={"id": tag, "name": self._names[tag]})
        return answer({"errcode": 0, "errmsg": "ok"})

    def fans(self, tag: int) -> set[str] | None:
        """Who has it; None when there is no such tag."""
        return self._fans.get(tag)

    def of(self, openid: str) -> list[int]:
        """The tags of one person."""
        return sorted(tag for tag, fans in self._fans.items() if openid in fans)

    def apply(self, kept: Kept) -> None:
        tag = kept.content["id"]
        if kept.kind == "tag":
            self._names[tag] = kept.content["name"]
            self._fans[tag] = set()
        elif kept.kind == "tagged":
            self._fans[tag].add(kept.to)
        else:
            self._fans[tag].discard(kept.to)

    def state(self) -> dict[str, list[str]]:
        return {name: sorted(self._fans[tag]) for tag, name in self._names.items()}
