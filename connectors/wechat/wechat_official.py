"""WeChat Official Accounts (service accounts): template messages, follower tags, and the callbacks of an account.

An answer with HTTP 200 may be a refusal: `errcode` says. JSON goes out as raw UTF-8, `\\u` escapes are refused (40033).
A token is fetched by stable_token, kept, and replaced once when a call says that it is no longer good.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from functools import cached_property
from typing import Any, ClassVar

import httpx
from pydantic import field_validator

from connectors.base import BadSignature, Batch, Callback, Connector, Object, Outcome, Received, Row, SecretStr, Strict, secret
from connectors.wechat import _callback
from connectors.wechat._api import Api
from connectors.wechat._errcode import sort
from connectors.wechat._tags import Tags

TEMPLATE_FIELDS = ("template_id", "url", "miniprogram", "data")
REMEMBERED = 10_000


class WechatOfficial(Connector):
    channel = "wechat"
    base_url = "https://api.weixin.qq.com"
    receives = "wechat_callbacks"
    objects: ClassVar = {
        # No rate is published for template messages; bursts are said to be intercepted.
        "template_messages": Object(
            message=True,
            contact="wechat_openid",
            per_second=50,
            modes=frozenset(),
            idempotency_seconds=600,
            required=frozenset({"openid", "template_id", "data"}),
        ),
        "tags": Object(
            contact="wechat_openid",
            batch_size=50,
            modes=frozenset({"mirror", "upsert"}),
            on_removed=frozenset({"nothing", "remove_from_list"}),
            idempotent=True,
            required=frozenset({"openid", "tag"}),
        ),
    }

    class Options(Strict):
        """`callback_token` and `encoding_aes_key` are those of the account's server settings; without the key callbacks come in plain mode."""

        appid: SecretStr = secret(sandbox="wx5f1e2d3c4b5a6978")
        app_secret: SecretStr = secret(sandbox="sandbox-wechat-app-secret")
        callback_token: SecretStr | None = secret(sandbox="sandboxWechatToken", default=None)
        encoding_aes_key: SecretStr | None = secret(sandbox="c2FuZGJveC13ZWNoYXQtYWVzLWtleS0zMi1ieXRlcyE", default=None)

        @field_validator("encoding_aes_key")
        @classmethod
        def _is_a_key(cls, value: SecretStr | None) -> SecretStr | None:
            if value is not None:
                _callback.aes_key(value.get_secret_value())
            return value

    def __init__(self, options: Any, http: httpx.AsyncClient | None = None, base_url: str | None = None) -> None:
        super().__init__(options, http, base_url)
        self._seen: OrderedDict[str, bytes] = OrderedDict()

    @cached_property
    def _api(self) -> Api:
        return Api(self.http, self.address, self.options.appid.get_secret_value(), self.options.app_secret)

    @cached_property
    def _tags(self) -> Tags:
        return Tags(self._api)

    async def deliver(self, batch: Batch) -> list[Outcome]:
        if not batch.rows:
            return []
        if batch.object == "tags":
            return await self._tags.deliver(batch)
        return [await self._send(row) for row in batch.rows]

    async def check(self) -> str:
        await self._api.token()
        return "a token was given for this account"

    def receive(self, callback: Callback) -> Received:
        query, token, appid = callback.query, self.options.callback_token, self.options.appid.get_secret_value()
        if token is None:
            raise BadSignature("this destination has no callback_token")
        timestamp, nonce = query.get("timestamp", ""), query.get("nonce", "")
        _callback.check_signature(query.get("signature", ""), token.get_secret_value(), timestamp, nonce)
        _callback.check_time(timestamp, callback.received_at)
        if callback.method == "GET":
            return Received("wechat_callbacks", [], query.get("echostr", "").encode(errors="replace"))
        xml = _callback.text(callback.body)
        if self.options.encoding_aes_key is not None:
            encrypted = _callback.elements(xml).get("Encrypt", "")
            _callback.check_signature(query.get("msg_signature", ""), token.get_secret_value(), timestamp, nonce, encrypted)
            key = _callback.aes_key(self.options.encoding_aes_key.get_secret_value())
            xml = _callback.decrypt(key, encrypted, appid)
        else:
            self._refuse_replay(query["signature"], callback.body)
        ours = {"appid": appid, "received_at": callback.received_at.isoformat(), "xml": xml}
        return Received("wechat_callbacks", [_callback.elements(xml) | ours], b"success")

    def _refuse_replay(self, signature: str, body: bytes) -> None:
        """In plain mode nothing binds a signature to a body, so one signature opens one body only.

        The same body again is WeChat repeating an unanswered call: it passes, and lands once by its event id.
        """
        digest = hashlib.sha256(body).digest()
        if self._seen.setdefault(signature, digest) != digest:
            raise BadSignature("the signature was used for another message")
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    async def _send(self, row: Row) -> Outcome:
        fields = row.fields
        message = {"touser": fields["openid"]} | {name: fields[name] for name in TEMPLATE_FIELDS if fields.get(name) is not None}
        if row.message_id:
            message["client_msg_id"] = row.message_id
        answer = await self._api.call("/cgi-bin/message/template/send", message, idempotent=False)
        if answer.get("errcode"):
            return sort(answer)
        return Outcome("sent", provider_id=str(answer["msgid"]) if "msgid" in answer else None)
