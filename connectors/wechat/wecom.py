"""WeCom (企业微信) towards customers: group messages as tasks that a member confirms, customer tags, the customers themselves, and callbacks.

An answer with HTTP 200 may be a refusal: `errcode` says. Messages to employees are another app's business: see `chat/wecom_app.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from functools import cached_property
from typing import ClassVar

from pydantic import Field, field_validator

from connectors.base import BadSignature, Batch, Callback, Connector, Object, Outcome, Pulled, Received, SecretStr, Strict, secret
from connectors.wechat import _callback, _customers, _tasks
from connectors.wechat._api import CorpApi


class CustomerTags(Strict):
    """`group` is the corp's group of tags in which they are looked for and made."""

    group: str = Field(default="Sluice", min_length=1, max_length=15)


class Wecom(Connector):
    channel = "wechat"
    base_url = "https://qyapi.weixin.qq.com"
    receives = "wecom_callbacks"
    pulls: ClassVar = {"customers": "wecom_records", "tags": "wecom_records", "message_results": "wecom_records"}
    objects: ClassVar = {
        "group_messages": Object(
            message=True,
            contact="wecom_external_userid",
            batch_size=10_000,
            per_second=1,
            concurrency=1,
            modes=frozenset(),
            required=frozenset({"external_userid"}),
        ),
        "tags": Object(
            contact="wecom_external_userid",
            batch_size=50,
            per_second=50,
            modes=frozenset({"mirror", "upsert"}),
            on_removed=frozenset({"nothing", "remove_from_list"}),
            idempotent=True,
            required=frozenset({"external_userid", "userid", "tag"}),
            settings=CustomerTags,
        ),
    }

    class Options(Strict):
        """`corp_secret` is that of 客户联系, or of an app that may use it; `callback_token` and `encoding_aes_key` are those of its event server."""

        corpid: SecretStr = secret(sandbox="ww5f1e2d3c4b5a6978")
        corp_secret: SecretStr = secret(sandbox="sandbox-wecom-customer-secret")
        callback_token: SecretStr | None = secret(sandbox="sandboxWecomToken", default=None)
        encoding_aes_key: SecretStr | None = secret(sandbox="c2FuZGJveC13ZWNvbS1hZXMta2V5LTMyLWJ5dGVzISE", default=None)

        _is_a_key = field_validator("encoding_aes_key")(_callback.a_key)

    @cached_property
    def _api(self) -> CorpApi:
        return CorpApi(self.http, self.address, self.options.corpid, self.options.corp_secret)

    @cached_property
    def _marks(self) -> _customers.Marks:
        return _customers.Marks(self._api)

    async def deliver(self, batch: Batch) -> list[Outcome]:
        if not batch.rows:
            return []
        if batch.object == "tags":
            return await self._marks.deliver(batch)
        return await _tasks.deliver(self._api, batch.rows)

    async def check(self) -> str:
        await self._api.token()
        return "a token was given for this corp"

    def pull(self, name: str, cursor: str | None) -> AsyncIterator[Pulled]:
        corpid = self.options.corpid.get_secret_value()
        if name == "customers":
            return _customers.customers(self._api, corpid, self.pulls[name], cursor)
        if name == "tags":
            return _customers.tags(self._api, corpid, self.pulls[name])
        if name == "message_results":
            return _tasks.results(self._api, corpid, self.pulls[name], cursor)
        return super().pull(name, cursor)

    def receive(self, callback: Callback) -> Received:
        """WeCom signs and encrypts everything, the check of the address too, whose answer is what `echostr` holds."""
        query, token, key = callback.query, self.options.callback_token, self.options.encoding_aes_key
        if token is None or key is None:
            raise BadSignature("this destination has no callback_token and encoding_aes_key")
        asked = callback.method == "GET"
        encrypted = query.get("echostr", "") if asked else _callback.elements(_callback.text(callback.body)).get("Encrypt", "")
        timestamp, nonce = query.get("timestamp", ""), query.get("nonce", "")
        _callback.check_signature(query.get("msg_signature", ""), token.get_secret_value(), timestamp, nonce, encrypted)
        callback.check_time(timestamp, _callback.WINDOW)
        corpid = self.options.corpid.get_secret_value()
        said = _callback.decrypt(_callback.aes_key(key.get_secret_value()), encrypted, corpid)
        if asked:
            return Received("wecom_callbacks", [], said.encode())
        # Several events of a second are told apart by all that they say, and one that is repeated says the same.
        ours = {"corpid": corpid, "event_id": hashlib.sha256(said.encode()).hexdigest()[:32]}
        event = _callback.elements(said) | ours | {"received_at": callback.received_at.isoformat(), "xml": said}
        return Received("wecom_callbacks", [event], b"success")
