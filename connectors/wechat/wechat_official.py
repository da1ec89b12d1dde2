"""WeChat Official Accounts (service accounts): messages of every kind to followers, their tags, the followers themselves, and callbacks.

An answer with HTTP 200 may be a refusal: `errcode` says. JSON goes out as raw UTF-8, `\\u` escapes are refused (40033).
A token is fetched by stable_token, kept, and replaced once when a call says that it is no longer good.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator
from functools import cached_property
from typing import Any, ClassVar

import httpx
from pydantic import field_validator

from connectors.base import BadSignature, Batch, Callback, Connector, Object, Outcome, Pulled, Received, SecretStr, Strict, secret
from connectors.wechat import _callback, _followers
from connectors.wechat._api import AccountApi
from connectors.wechat._mass import Mass
from connectors.wechat._messages import send
from connectors.wechat._tags import Tags

REMEMBERED = 10_000


def _message(**said: Any) -> Object:
    """No rate is published for messages to one follower; bursts are said to be intercepted."""
    return Object(**{"message": True, "contact": "wechat_openid", "per_second": 50, "modes": frozenset(), **said})


class WechatOfficial(Connector):
    channel = "wechat"
    base_url = "https://api.weixin.qq.com"
    receives = "wechat_callbacks"
    pulls: ClassVar = {"followers": "wechat_followers", "quotas": "wechat_quotas"}
    objects: ClassVar = {
        "template_messages": _message(idempotency_seconds=600, required=frozenset({"openid", "template_id", "data"})),
        "subscription_notices": _message(required=frozenset({"openid", "template_id", "data"})),
        "service_messages": _message(required=frozenset({"openid"})),
        # A batch is one message by its clientmsgid. A person's message is not: in another batch it would be another.
        "mass_messages": _message(batch_size=10_000, per_second=1, concurrency=1, idempotent=True, required=frozenset({"openid"})),
        # The gate cannot see who has a tag: use one that a sync keeps, whose gate has asked everybody.
        "mass_to_tags": Object(per_second=1, concurrency=1, modes=frozenset({"append"}), idempotent=True, required=frozenset({"tag"})),
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

        _is_a_key = field_validator("encoding_aes_key")(_callback.a_key)

    def __init__(self, options: Any, http: httpx.AsyncClient | None = None, base_url: str | None = None) -> None:
        super().__init__(options, http, base_url)
        self._seen: OrderedDict[str, bytes] = OrderedDict()

    @cached_property
    def _api(self) -> AccountApi:
        return AccountApi(self.http, self.address, self.options.appid, self.options.app_secret)

    @cached_property
    def _tags(self) -> Tags:
        return Tags(self._api)

    @cached_property
    def _mass(self) -> Mass:
        return Mass(self._api, self._tags)

    async def deliver(self, batch: Batch) -> list[Outcome]:
        if not batch.rows:
            return []
        if batch.object == "tags":
            return await self._tags.deliver(batch)
        if batch.object == "mass_messages":
            return await self._mass.to_openids(batch)
        if batch.object == "mass_to_tags":
            return [await self._mass.to_tag(row) for row in batch.rows]
        return [await send(self._api, batch.object, row) for row in batch.rows]

    async def check(self) -> str:
        await self._api.token()
        return "a token was given for this account"

    def pull(self, name: str, cursor: str | None) -> AsyncIterator[Pulled]:
        appid = self.options.appid.get_secret_value()
        if name == "followers":
            return _followers.followers(self._api, appid, self.pulls[name], cursor)
        if name == "quotas":
            return _followers.quotas(self._api, appid, self.pulls[name])
        return super().pull(name, cursor)

    def receive(self, callback: Callback) -> Received:
        query, token, appid = callback.query, self.options.callback_token, self.options.appid.get_secret_value()
        if token is None:
            raise BadSignature("this destination has no callback_token")
        timestamp, nonce = query.get("timestamp", ""), query.get("nonce", "")
        _callback.check_signature(query.get("signature", ""), token.get_secret_value(), timestamp, nonce)
        callback.check_time(timestamp, _callback.WINDOW)
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
