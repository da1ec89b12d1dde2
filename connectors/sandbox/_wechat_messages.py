"""What a WeChat account may say: notices somebody asked for, customer-service messages while a window is open, mass messages four times a month."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import Response

from connectors.sandbox._wechat_answers import OPENID, answer, error, follows
from connectors.sandbox.emulator import Kept, fate

if TYPE_CHECKING:
    from connectors.sandbox.wechat_official import WechatOfficial

CHINA = timezone(timedelta(hours=8))
WINDOWS = {"message": (5, timedelta(hours=48)), "event": (3, timedelta(minutes=1))}  # by what opens one: messages it takes, and how long
A_MONTH = 4
REMEMBERED = timedelta(hours=24)
LONGEST_ID = 64
FIRST_JOB = 1_000_000_000
KINDS = {
    "text": "content",
    "image": "media_id",
    "mpnews": "media_id",
    "voice": "media_id",
    "mpvideo": "media_id",
    "mpnewsarticle": "article_id",
}


@dataclass
class Window:
    """What is left of what somebody opened by writing (`message`), or by a menu click, a follow or a scan (`event`)."""

    left: int
    until: datetime


class Speech:
    """Built by `apply` from what the account kept: kinds notice, service and mass."""

    def __init__(self, account: WechatOfficial) -> None:
        self._account = account
        self._windows: dict[str, Window] = {}
        self._jobs: dict[str, Kept] = {}
        self._mass_of: dict[tuple[str, str], int] = {}
        self._count = 0

    def opens(self, openid: str, by: str, at: datetime) -> None:
        """Somebody opens a window. Who never did, wrote when the sandbox began to listen."""
        left, long = WINDOWS[by]
        self._windows[openid] = Window(left, at + long)

    def notice(self, sent: Mapping[str, Any]) -> Response:
        if refused := self._account.refusal(orjson.dumps(sent).decode(), otherwise=43101) or self._account.malformed(sent):
            return refused
        openid = sent["touser"]
        if not follows(openid) or fate(openid, "refuses notices") < 0.02:
            return error(43101)
        self._account.keep("notice", to=openid, content=dict(sent))
        return answer({"errcode": 0, "errmsg": "ok"})

    def service(self, sent: Mapping[str, Any]) -> Response:
        openid, kind = sent.get("touser"), sent.get("msgtype")
        if refused := self._account.refusal(orjson.dumps(sent).decode(), otherwise=45015):
            return refused
        if not isinstance(openid, str) or not OPENID.fullmatch(openid):
            return error(40003)
        if trouble := _trouble(sent, str(kind)):
            return error(trouble)
        now = datetime.now(UTC)
        if openid not in self._windows:
            self.opens(openid, "message", now)
        window = self._windows[openid]
        if not follows(openid) or now > window.until:
            return error(45015)
        if window.left <= 0:
            return error(45047)
        self._account.keep("service", to=openid, content=dict(sent))
        return answer({"errcode": 0, "errmsg": "ok"})

    def to_openids(self, sent: Mapping[str, Any]) -> Response:
        openids = sent.get("touser")
        if refused := self._account.refusal(orjson.dumps(sent).decode(), otherwise=40003):
            return refused
        if not isinstance(openids, list) or len(openids) > 10_000:
            return error(40032)
        if len(openids) < 2:
            return error(40130)
        if not all(isinstance(openid, str) and OPENID.fullmatch(openid) for openid in openids):
            return error(40003)
        return self._job(sent, openids)

    def to_tag(self, sent: Mapping[str, Any]) -> Response:
        chosen = sent.get("filter")
        if refused := self._account.refusal(orjson.dumps(sent).decode(), otherwise=40003):
            return refused
        tag = chosen.get("tag_id", chosen.get("group_id")) if isinstance(chosen, dict) else None
        if not isinstance(tag, int) or (fans := self._account.tags.fans(tag)) is None:
            return error(45159)
        return self._job(sent, sorted(fans))

    def status(self, sent: Mapping[str, Any]) -> Response:
        msg_id = str(sent.get("msg_id"))
        known = any(str(job.content["msg_id"]) == msg_id for job in self._jobs.values())
        return answer({"msg_id": sent.get("msg_id"), "msg_status": "SEND_SUCCESS"}) if known else error(40059, "invalid msg id")

    def _job(self, sent: Mapping[str, Any], openids: list[str]) -> Response:
        if trouble := _trouble(sent, str(sent.get("msgtype"))):
            return error(trouble)
        name = str(sent.get("clientmsgid") or hash_of(sent, openids))
        if len(name.encode()) > LONGEST_ID:
            return error(45067)
        before = self._jobs.get(name)
        if before is not None and time.time() - before.at.timestamp() < REMEMBERED.total_seconds():
            return answer({"errcode": 45065, "errmsg": "clientmsgid exist", "msg_id": before.content["msg_id"]})
        month = datetime.now(CHINA).strftime("%Y-%m")
        reached = [openid for openid in openids if follows(openid) and self._mass_of.get((openid, month), 0) < A_MONTH]
        content = {**sent, "clientmsgid": name, "msg_id": FIRST_JOB + self._count, "month": month, "openids": openids, "reached": reached}
        kept = self._account.keep("mass", to=f"{len(openids)} followers", content=content)
        told = {"msg_id": kept.content["msg_id"], "msg_data_id": 2_000_000_000 + self._count}
        return answer({"errcode": 0, "errmsg": "send job submission success", **told})

    def apply(self, kept: Kept) -> None:
        if kept.kind == "service":
            if kept.to not in self._windows:
                self.opens(kept.to, "message", kept.at)
            self._windows[kept.to].left -= 1
        elif kept.kind == "mass":
            self._count += 1
            self._jobs[kept.content["clientmsgid"]] = kept
            for openid in kept.content["reached"]:
                month = (openid, kept.content["month"])
                self._mass_of[month] = self._mass_of.get(month, 0) + 1


def _trouble(sent: Mapping[str, Any], kind: str) -> int | None:
    said = sent.get(kind)
    if kind not in KINDS or not isinstance(said, dict):
        return 40008
    return None if said.get(KINDS[kind]) else 44004


def hash_of(sent: Mapping[str, Any], openids: list[str]) -> str:
    """Without a clientmsgid the account takes one from whom and what."""
    return f"{fate(orjson.dumps([openids, sent.get(str(sent.get('msgtype')))]).decode(), 'mass'):.15f}"
