"""A partner's HTTPS endpoint, signed both ways by Standard Webhooks (HMAC-SHA256 over id, timestamp and body).

Rows go out as a JSON array, each with its `_operation`, as an object {"object", "operation", "rows"}, or as the body's own template makes
them. The `webhook-id` is the same when the same rows are sent again, and the receiver is asked, as the specification says, to take each
id once.

Any 2xx means that all rows were taken, unless the answer says otherwise row by row: {"results": [{"status": "sent" | "rejected" | "skipped",
"code", "reason"}, …]}, one for each row in order.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import cached_property
from typing import ClassVar, Literal

import httpx
import orjson
from pydantic import Field, field_validator

from connectors.base import (
    Answer,
    BadSignature,
    Batch,
    Callback,
    Connector,
    Fatal,
    Object,
    Outcome,
    Received,
    Refused,
    SecretStr,
    Strict,
    secret,
)
from connectors.web import _webhook_signature
from connectors.web._webhook_answer import outcomes
from connectors.web._webhook_template import check, render

ANSWER = Answer("The endpoint", idempotent=True, fatal_statuses=frozenset({401, 403, 410}))


class Rows(Strict):
    """`body`: an `array` of rows, each with its `_operation`, or an `object` that says it once and has the rows under "rows".

    `template` makes the body instead: sandboxed, strict Jinja2 over `rows`, `object` and `operation`, whose result is JSON. Put values
    in with `| tojson`; then whatever is in them stays in them.
    """

    body: Literal["array", "object"] = "array"
    template: str | None = Field(default=None, min_length=1)

    @field_validator("template")
    @classmethod
    def _can_be_read(cls, value: str | None) -> str | None:
        if value is not None:
            check(value)
        return value


class Webhook(Connector):
    channel = "web"
    receives = "web_events"
    objects: ClassVar = {
        "rows": Object(
            batch_size=100,
            per_second=5,
            concurrency=2,
            modes=frozenset({"upsert", "mirror", "append"}),
            on_removed=frozenset({"nothing", "delete"}),
            idempotent=True,
            settings=Rows,
        )
    }

    class Options(Strict):
        """`path` is put behind the base address. What the partner sends us lands in the raw source `lands_in`, in that source's own shape."""

        secret: SecretStr = secret(sandbox="whsec_c2FuZGJveC13ZWJob29rLXNlY3JldC1mb3ItbG9vcGJhY2s=")
        path: str = Field(default="/webhooks/partner", pattern=r"^(/[^\s?#]*)?$")
        lands_in: str = Field(default="web_events", pattern=r"^[a-z][a-z0-9_]*$")

        _is_a_key = field_validator("secret")(_webhook_signature.a_key)

    async def deliver(self, batch: Batch) -> list[Outcome]:
        if not batch.rows:
            return []
        body = _body(batch)
        # Which rows they are is part of the id: a refused batch that is split must not be taken for its first half. A batch only ever
        # loses rows, so that its ends, their number and the length of the body tell; to hash the body would cost as much as to sign it.
        name = [batch.run_id, batch.number, batch.operation, batch.rows[0].index, batch.rows[-1].index, len(batch.rows), len(body)]
        unique = "msg_" + hashlib.sha256("\x1f".join(map(str, name)).encode()).hexdigest()[:32]
        headers = self._headers(unique, body)
        # Signed for now: sent again after a long wait, it must be signed again.
        response = await self.http.post(self._url, content=body, headers=headers, extensions={"retry": False})
        ANSWER.raise_for(response)
        if not response.is_success:
            raise Refused(f"HTTP_{response.status_code}", f"The endpoint refused the batch with {response.status_code}.")
        answer = ANSWER.json(response) if "json" in response.headers.get("content-type", "") and response.content else None
        return outcomes(batch.rows, answer, response.status_code)

    async def check(self) -> str:
        """Sends no rows: an empty array proves address and signature."""
        response = await self.http.post(self._url, content=b"[]", headers=self._headers("msg_check", b"[]"))
        ANSWER.raise_for(response)
        if not response.is_success:
            raise Fatal(f"HTTP_{response.status_code}", f"The endpoint answered {response.status_code} to an empty array.")
        return f"the endpoint answered {response.status_code} to a signed empty array"

    def receive(self, callback: Callback) -> Received:
        _webhook_signature.check(callback, self.options.secret)
        said = callback.json()
        events = said if isinstance(said, list) else [said]
        if not all(isinstance(event, dict) for event in events):
            raise BadSignature("the body is neither an object nor an array of objects")
        return Received(self.options.lands_in, events)

    @cached_property
    def _url(self) -> httpx.URL:
        return httpx.URL(self.address + self.options.path)

    def _headers(self, unique: str, body: bytes) -> dict[str, str]:
        return {"content-type": "application/json", **_webhook_signature.headers(unique, body, datetime.now(UTC), self.options.secret)}


def _body(batch: Batch) -> bytes:
    template = getattr(batch.settings, "template", None)
    if template is not None:
        return render(template, batch)
    if getattr(batch.settings, "body", "array") == "object":
        rows = b",".join(batch.payloads)
        return b'{"object":%b,"operation":%b,"rows":[%b]}' % (orjson.dumps(batch.object), orjson.dumps(batch.operation), rows)
    # The rows are JSON already, shaped in the warehouse: taking them apart would cost more than everything else.
    return b"[" + batch.begun_with(b'"_operation":' + orjson.dumps(batch.operation)) + b"]"
