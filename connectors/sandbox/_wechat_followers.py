"""Who follows a WeChat account, and how many calls of each interface were made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from connectors.sandbox._wechat_answers import OPENID, answer, error, follows
from connectors.sandbox.emulator import fate

if TYPE_CHECKING:
    from connectors.sandbox.wechat_official import WechatOfficial

OPENIDS = [openid for n in range(130) if follows(openid := f"oSandboxFollower{n:012}")]
LIMITS = {"/cgi-bin/message/mass/send": 100, "/cgi-bin/message/mass/sendall": 100, "/cgi-bin/user/get": 500}
OTHERWISE = 100_000


class Followers:
    """`openids` are those who follow, `at_once` how many of them a page has."""

    def __init__(self, account: WechatOfficial) -> None:
        self._account = account
        self.openids = list(OPENIDS)
        self.at_once = 10_000
        self.calls: Counter[str] = Counter()

    def listed(self, query: Mapping[str, str]) -> Response:
        after = query.get("next_openid", "")
        if after and after not in self.openids:
            return error(40003)
        start = self.openids.index(after) + 1 if after else 0
        page = self.openids[start : start + self.at_once]
        data = {"data": {"openid": page}} if page else {}
        return answer({"total": len(self.openids), "count": len(page), **data, "next_openid": page[-1] if page else ""})

    def info(self, sent: Mapping[str, Any]) -> Response:
        wanted = sent.get("user_list")
        if not isinstance(wanted, list) or not 0 < len(wanted) <= 100:
            return error(40032)
        openids = [one.get("openid") if isinstance(one, dict) else None for one in wanted]
        if not all(isinstance(openid, str) and OPENID.fullmatch(openid) for openid in openids):
            return error(40003)
        return answer({"user_info_list": [self._person(str(openid)) for openid in openids]})

    def quota(self, sent: Mapping[str, Any]) -> Response:
        path = str(sent.get("cgi_path"))
        if not path.startswith("/cgi-bin/"):
            return error(76003)
        limit, used = LIMITS.get(path, OTHERWISE), self.calls[path]
        return answer({"errcode": 0, "errmsg": "ok", "quota": {"daily_limit": limit, "used": used, "remain": max(0, limit - used)}})

    def _person(self, openid: str) -> dict[str, Any]:
        if openid not in self.openids and not follows(openid):
            return {"subscribe": 0, "openid": openid}
        number = int(fate(openid, "person") * 10**12)
        return {
            "subscribe": 1,
            "openid": openid,
            "language": "zh_CN",
            "subscribe_time": 1_760_000_000 + number % 10_000_000,
            "unionid": f"oUnion{number:022}",
            "remark": "",
            "groupid": 0,
            "tagid_list": self._account.tags.of(openid),
            "subscribe_scene": "ADD_SCENE_QR_CODE",
            "qr_scene": 0,
            "qr_scene_str": "展会🎉",
        }
