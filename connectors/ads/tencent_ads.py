"""Tencent Ads (腾讯广告): people are added to a customer file audience and taken off it by files, a zipped list of identifiers a call.

A file holds one kind of identifier (`user_id_type`). Telephone numbers are those of mainland China, hashed without the country's code.
Tencent takes a file at once and reads it later: what it found by `wait_seconds` is the outcome, after that its file id is all there is to
ask by. Let the sync's `key` be made of the identifier: then a changed one is a row removed and another added.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, ClassVar, Literal
from uuid import uuid4

from pydantic import Field, model_validator

from connectors.ads._tencent_answer import data
from connectors.ads._tencent_file import KINDS, zipped
from connectors.base import Batch, Connector, Fatal, Object, Outcome, Refused, SecretStr, Strict, Unanswered, secret

WORKING = {"", "PENDING", "WAITING", "PROCESSING"}  # any other state is final


Kind = Literal["HASH_MOBILE_PHONE", "SHA256_MOBILE_PHONE", "WECHAT_OPENID", "WX_UNIONID", "OAID", "IDFA"]


class Members(Strict):
    """`audience_id` is a customer file audience of the account; `open_app_id` the appid that openids are of."""

    audience_id: int = Field(gt=0)
    user_id_type: Kind = "SHA256_MOBILE_PHONE"
    open_app_id: str | None = None

    @model_validator(mode="after")
    def _openids_are_of_an_app(self) -> Members:
        if (self.user_id_type == "WECHAT_OPENID") != (self.open_app_id is not None):
            raise ValueError("`open_app_id` goes with `user_id_type: WECHAT_OPENID`, and only with it")
        return self


class TencentAds(Connector):
    channel = "ads"
    base_url = "https://api.e.qq.com"
    objects: ClassVar = {
        "members": Object(
            batch_size=10_000,
            per_second=5,
            concurrency=2,
            modes=frozenset({"mirror", "upsert"}),
            on_removed=frozenset({"nothing", "remove_from_list"}),
            idempotent=True,
            settings=Members,
        )
    }

    class Options(Strict):
        """`access_token` is one with audience_management for `account_id`; it is good for a day unless it was agreed otherwise."""

        access_token: SecretStr = secret(sandbox="sandbox-tencent-ads-token")
        account_id: int = Field(gt=0)
        wait_seconds: float = Field(default=10, ge=0, le=600)

    async def deliver(self, batch: Batch) -> list[Outcome]:
        if batch.operation == "remove" and batch.on_removed != "remove_from_list":
            return [Outcome("skipped", "NOTHING_TO_DO", "Removed rows are left as they are.")] * len(batch.rows)
        if not batch.rows:
            return []
        field, ready = KINDS[batch.settings.user_id_type]
        unknown = {name for row in batch.rows for name in row.fields} - {field}
        if unknown:
            what = f"An audience of {batch.settings.user_id_type} takes the field `{field}` and no other"
            raise Fatal("UNKNOWN_FIELD", f"{what}: take `{min(unknown)}` out of `fields`.")
        found = {place: ready(row.fields.get(field)) for place, row in enumerate(batch.rows)}
        lines = {place: line for place, line in found.items() if line}
        nobody = Outcome(
            "rejected", "NO_IDENTIFIER", f"The row identifies nobody: its `{field}` is not there, or is not what it should be."
        )
        outcome = await self._upload(batch, lines.values()) if lines else nobody
        return [outcome if place in lines else nobody for place in range(len(batch.rows))]

    async def check(self) -> str:
        answer = await self._get("custom_audiences/get", {"account_id": self.options.account_id, "page": 1, "page_size": 1})
        return f"the account has {(answer.get('page_info') or {}).get('total_number', 'no')} audiences"

    async def _upload(self, batch: Batch, lines: Iterable[str]) -> Outcome:
        settings, unique = batch.settings, list(dict.fromkeys(lines))
        form = {
            "account_id": str(self.options.account_id),
            "audience_id": str(settings.audience_id),
            "user_id_type": settings.user_id_type,
            "operation_type": "REDUCE" if batch.operation == "remove" else "APPEND",
        } | ({"open_app_id": settings.open_app_id} if settings.open_app_id else {})
        file = {"file": ("members.zip", zipped(unique), "application/zip")}
        url, parameters = self._url("custom_audience_files/add"), self._credentials()
        # Not again as it is: its nonce counts once.
        response = await self.http.post(url, params=parameters, data=form, files=file, extensions={"retry": False})
        file_id = data(response).get("custom_audience_file_id")
        if not file_id:
            raise Unanswered("BAD_ANSWER", "Tencent Ads took a file and did not say by which id.")
        return await self._came_of(settings.audience_id, str(file_id), len(batch.rows))

    async def _came_of(self, audience_id: int, file_id: str, rows: int) -> Outcome:
        """What Tencent found when it read the file, as far as it is known in time."""
        pause, waited = 1.0, 0.0
        asked = {"account_id": self.options.account_id, "audience_id": audience_id, "custom_audience_file_id": file_id}
        while True:
            answer = await self._get("custom_audience_files/get", asked)
            files = answer.get("list") or [{}]
            if str(files[0].get("process_status") or "") not in WORKING:
                return _outcome(files[0], file_id, rows)
            if waited + pause > self.options.wait_seconds:
                return Outcome("sent", "PROCESSING", "Tencent Ads took the file and still reads it.", file_id)
            await self.wait(pause)
            pause, waited = pause * 2, waited + pause

    async def _get(self, path: str, parameters: dict[str, Any]) -> dict[str, Any]:
        url = self._url(path)
        response = await self.http.get(url, params=parameters | self._credentials(), extensions={"retry": False})
        return data(response)

    def _url(self, path: str) -> str:
        return f"{self.address.rstrip('/')}/v3.0/{path}"

    def _credentials(self) -> dict[str, str]:
        token = self.options.access_token.get_secret_value()
        return {"access_token": token, "timestamp": str(int(time.time())), "nonce": uuid4().hex}


def _outcome(file: dict[str, Any], file_id: str, rows: int) -> Outcome:
    code, lines, valid = (int(file.get(name) or 0) for name in ("process_code", "line_count", "valid_line_count"))
    if not code and valid >= lines:
        return Outcome("sent", provider_id=file_id)
    named = str(code) if code else "INVALID_LINES"
    said = "could not read the file" if code else f"could not use {lines - valid} of {lines} lines"
    # It counts them and names none: to add the same people again does no harm, so a batch is split until they are found.
    if rows > 1:
        raise Refused(named, f"Tencent Ads {said}.")
    return Outcome("rejected", named, f"Tencent Ads {said}.", file_id)
