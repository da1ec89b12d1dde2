"""A custom robot of a Feishu or Lark group (飞书): `…/open-apis/bot/v2/hook/…`, signed where the robot asks for it.

The signature is HMAC-SHA256 over nothing, keyed with the timestamp in seconds, a line feed and the secret; it is good for an hour.
At most 100 messages a minute, 20 KB each.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from html import escape
from typing import Any, ClassVar

from connectors.base import SecretStr, Strict, secret
from connectors.chat._robot import Robot, room


class FeishuRobot(Robot):
    base_url = "https://open.feishu.cn"
    objects: ClassVar = room(per_second=100 / 60)
    vendor = "Feishu"
    longest = 18_000
    code_field = "code"
    message_field = "msg"
    wrong = frozenset({19001, 19021, 19022})  # no such robot; signature wrong or older than an hour; address not allowed
    busy = frozenset({11232})

    class Options(Strict):
        """`hook` is the last part of the robot's address, `signing_secret` what its security settings show, where it checks signatures."""

        hook: SecretStr = secret(sandbox="sandbox-feishu-hook")
        signing_secret: SecretStr | None = secret(sandbox="sandbox-feishu-signing-secret", default=None)

    def request(self, text: str, whom: str) -> tuple[str, Mapping[str, str], Mapping[str, Any]]:
        called = f'<at user_id="{escape(whom)}"></at> ' if whom else ""
        body: dict[str, Any] = {"msg_type": "text", "content": {"text": called + text}}
        if self.options.signing_secret:
            timestamp = str(int(time.time()))
            key = f"{timestamp}\n{self.options.signing_secret.get_secret_value()}".encode()
            body |= {"timestamp": timestamp, "sign": base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode()}
        return f"/open-apis/bot/v2/hook/{self.options.hook.get_secret_value()}", {}, body
