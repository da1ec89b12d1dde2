"""What an Official Account knows, page by page: its followers with their unionid and tags, and how much of each quota is used up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from connectors.base import Pulled
from connectors.wechat._api import Api
from connectors.wechat._errcode import CHINA

AT_ONCE = 100  # openids in a call of batchget; a page of user/get has 10,000, and there are 500 of those a day
UNKNOWN_OPENID = 40003
# The interfaces used here, whose calls WeChat counts by the day.
COUNTED = (
    "/cgi-bin/message/template/send",
    "/cgi-bin/message/subscribe/bizsend",
    "/cgi-bin/message/custom/send",
    "/cgi-bin/message/mass/send",
    "/cgi-bin/message/mass/sendall",
    "/cgi-bin/tags/members/batchtagging",
    "/cgi-bin/user/get",
    "/cgi-bin/user/info/batchget",
)


async def followers(api: Api, appid: str, source: str, cursor: str | None) -> AsyncIterator[Pulled]:
    """Everybody who follows, from the openid `cursor` on. The last page is empty and has no cursor: the next pull begins anew.

    WeChat tells no changes, so each round reads all; only what has changed lands.
    """
    after = cursor
    while True:
        page = await api.call("/cgi-bin/user/get", idempotent=True, query={"next_openid": after} if after else {})
        if page.get("errcode") == UNKNOWN_OPENID and after:
            after = None  # who was last has left meanwhile
            continue
        api.codes.stop(page, "The followers cannot be listed.")
        openids: list[str] = (page.get("data") or {}).get("openid") or []
        for start in range(0, len(openids), AT_ONCE):
            part = openids[start : start + AT_ONCE]
            yield Pulled(source, await _info(api, appid, part), part[-1])
        if not openids or not page.get("next_openid"):
            yield Pulled(source, [], None)
            return
        after = openids[-1]


async def quotas(api: Api, appid: str, source: str) -> AsyncIterator[Pulled]:
    """How many calls of each interface this day allows, and how many were made: one page."""
    today = datetime.now(CHINA).date().isoformat()
    events = []
    for path in COUNTED:
        answer = await api.call("/cgi-bin/openapi/quota/get", {"cgi_path": path}, idempotent=True)
        if answer.get("errcode") in (None, 0):  # an account need not have every interface
            events.append({"appid": appid, "day": today, "interface": path, **(answer.get("quota") or {})})
        elif answer.get("errcode") in api.codes.fatal or answer.get("errcode") in api.codes.busy:
            api.codes.stop(answer, "The quotas cannot be read.")
    yield Pulled(source, events, None)


async def _info(api: Api, appid: str, openids: list[str]) -> list[dict[str, Any]]:
    wanted = {"user_list": [{"openid": openid, "lang": "zh_CN"} for openid in openids]}
    answer = await api.call("/cgi-bin/user/info/batchget", wanted, idempotent=True)
    api.codes.stop(answer, "The followers cannot be read.")
    return [{"appid": appid, **person} for person in answer.get("user_info_list") or []]
