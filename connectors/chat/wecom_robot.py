"""A robot of a WeCom group (企业微信群机器人): `…/cgi-bin/webhook/send?key=…`. At most 20 messages a minute, 2048 bytes each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from connectors.base import SecretStr, Strict, secret
from connectors.chat._robot import Robot, is_number, room
from connectors.sms._numbers import bare


class WecomRobot(Robot):
    base_url = "https://qyapi.weixin.qq.com"
    objects: ClassVar = room(per_second=20 / 60)
    vendor = "WeCom"
    longest = 2048
    wrong = frozenset({93000})  # invalid webhook url
    busy = frozenset({45009, -1})  # 45009: api freq out of limit; -1: the system is busy

    class Options(Strict):
        """`key` is what follows `key=` in the robot's address."""

        key: SecretStr = secret(sandbox="sandbox-wecom-robot-key")

    def request(self, text: str, whom: str) -> tuple[str, Mapping[str, str], Mapping[str, Any]]:
        called = {"mentioned_mobile_list": [bare(whom)]} if is_number(whom) else {"mentioned_list": [whom]} if whom else {}
        body = {"msgtype": "text", "text": {"content": text, **called}}
        return "/cgi-bin/webhook/send", {"key": self.options.key.get_secret_value()}, body
