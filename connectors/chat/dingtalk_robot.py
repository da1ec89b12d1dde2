"""A custom robot of a DingTalk group (钉钉): `…/robot/send?access_token=…`, signed where the robot asks for it (加签).

The signature is HMAC-SHA256 over the timestamp in milliseconds, a line feed and the secret, keyed with the secret; it is good for an
hour. At most 20 messages a minute; more, and the robot is silenced for ten.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from connectors.base import SecretStr, Strict, secret
from connectors.chat._robot import Robot, is_number, room
from connectors.sms._numbers import bare


class DingtalkRobot(Robot):
    base_url = "https://oapi.dingtalk.com"
    objects: ClassVar = room(per_second=20 / 60)
    vendor = "DingTalk"
    longest = 18_000
    # 300001, 400101, 400106: no such robot; 400013: no such group; 400102: switched off; 310000: signature, keyword or address not accepted
    wrong = frozenset({300001, 310000, 400013, 400101, 400102, 400106})
    busy = frozenset({130101, 410100, -1})

    class Options(Strict):
        """`access_token` stands in the robot's address; `signing_secret` (it begins with SEC) in its security settings, where it signs."""

        access_token: SecretStr = secret(sandbox="sandbox-dingtalk-access-token")
        signing_secret: SecretStr | None = secret(sandbox="SECsandbox-dingtalk-signing-secret", default=None)

    def request(self, text: str, whom: str) -> tuple[str, Mapping[str, str], Mapping[str, Any]]:
        query = {"access_token": self.options.access_token.get_secret_value()}
        if self.options.signing_secret:
            key, timestamp = self.options.signing_secret.get_secret_value(), str(int(time.time() * 1000))
            digest = hmac.new(key.encode(), f"{timestamp}\n{key}".encode(), hashlib.sha256).digest()
            query |= {"timestamp": timestamp, "sign": base64.b64encode(digest).decode()}
        called = {"atMobiles": [bare(whom)]} if is_number(whom) else {"atUserIds": [whom]}
        return "/robot/send", query, {"msgtype": "text", "text": {"content": text}, **({"at": called} if whom else {})}
