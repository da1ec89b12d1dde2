"""Google's Data Manager API: people are added to a customer list (Google Ads, Display & Video 360) and taken off it, by what is known of
them, hashed.

Let the sync's `key` be made of what identifies the person here: then a changed address is a row removed and another added. Google takes a
request at once and works on it later: what it found by `wait_seconds` is the outcome, after that its request id is all there is to ask by.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar, Literal

import httpx
import orjson
from pydantic import Field, field_validator

from connectors.ads._google_answer import content, state
from connectors.ads._google_key import SANDBOX
from connectors.ads._google_members import FIELDS, identifiers
from connectors.ads._google_token import Tokens, read
from connectors.base import Batch, Connector, Fatal, Object, Outcome, Refused, SecretStr, Strict, secret

SCOPE = "https://www.googleapis.com/auth/datamanager"
Consent = Literal["CONSENT_GRANTED", "CONSENT_DENIED"]
NOBODY = Outcome(
    "rejected", "NO_IDENTIFIER", "The row identifies nobody: it needs an email, a phone, or a whole name with country and postal code."
)


class Members(Strict):
    """`audience_id` is the list that the sync fills. What people agreed to is told to Google if it is set here: it holds for all rows."""

    audience_id: str = Field(pattern=r"^[0-9]{1,30}$")
    ad_user_data: Consent | None = None
    ad_personalization: Consent | None = None


class GoogleDataManager(Connector):
    channel = "ads"
    base_url = "https://datamanager.googleapis.com"
    objects: ClassVar = {
        "members": Object(
            batch_size=10_000,
            per_second=5,
            concurrency=4,
            modes=frozenset({"mirror", "upsert"}),
            on_removed=frozenset({"nothing", "remove_from_list"}),
            idempotent=True,
            settings=Members,
        )
    }

    class Options(Strict):
        """`service_account_key` is the JSON key of a service account that may write to the account (`account_id`, digits only).

        `login_account_id` is the manager account it has access by. `accept_customer_match_terms` tells Google, with every request, that
        you accepted the terms of Customer Match.
        """

        service_account_key: SecretStr = secret(sandbox=SANDBOX)
        account_id: str = Field(pattern=r"^[0-9]{1,30}$")
        account_type: Literal["GOOGLE_ADS", "DISPLAY_VIDEO_PARTNER", "DISPLAY_VIDEO_ADVERTISER"] = "GOOGLE_ADS"
        login_account_id: str | None = Field(default=None, pattern=r"^[0-9]{1,30}$")
        accept_customer_match_terms: bool = False
        wait_seconds: float = Field(default=10, ge=0, le=600)

        @field_validator("service_account_key")
        @classmethod
        def _is_a_key(cls, value: SecretStr) -> SecretStr:
            read(value)
            return value

    async def deliver(self, batch: Batch) -> list[Outcome]:
        if batch.operation == "remove" and batch.on_removed != "remove_from_list":
            return [Outcome("skipped", "NOTHING_TO_DO", "Removed rows are left as they are.")] * len(batch.rows)
        unknown = {name for row in batch.rows for name in row.fields} - FIELDS
        if unknown:
            raise Fatal("UNKNOWN_FIELD", f"Google's lists have no field `{min(unknown)}`. There are {', '.join(sorted(FIELDS))}.")
        members = {place: identifiers(row.fields) for place, row in enumerate(batch.rows)}
        known = {place: found for place, found in members.items() if found}
        outcome = await self._send(batch, list(known.values())) if known else NOBODY
        return [outcome if place in known else NOBODY for place in range(len(batch.rows))]

    async def check(self) -> str:
        await self._tokens.token()
        return "a token was given to the service account"

    async def _send(self, batch: Batch, members: list[list[dict[str, Any]]]) -> Outcome:
        remove = batch.operation == "remove"
        body: dict[str, Any] = {
            "destinations": [self._destination(batch.settings.audience_id)],
            "audienceMembers": [{"userData": {"userIdentifiers": found}} for found in members],
            "encoding": "HEX",
        }
        consent = {"adUserData": batch.settings.ad_user_data, "adPersonalization": batch.settings.ad_personalization}
        if not remove and any(consent.values()):
            body["consent"] = {name: value for name, value in consent.items() if value}
        if not remove and self.options.accept_customer_match_terms:
            body["termsOfService"] = {"customerMatchTermsOfServiceStatus": "ACCEPTED"}
        answer = content(await self._call("POST", f"audienceMembers:{'remove' if remove else 'ingest'}", orjson.dumps(body)), len(members))
        return answer if isinstance(answer, Outcome) else await self._came_of(str(answer.get("requestId") or ""), len(members))

    async def _came_of(self, request_id: str, rows: int) -> Outcome:
        """What Google found when it worked on the request, as far as it is known in time."""
        pause, waited = 1.0, 0.0
        while request_id:
            answer = content(await self._call("GET", f"requestStatus:retrieve?requestId={request_id}"), 1)
            status, why = ("PROCESSING", "") if isinstance(answer, Outcome) else state(answer)
            if status == "SUCCESS":
                return Outcome("sent", provider_id=request_id)
            if status in {"FAILED", "PARTIAL_SUCCESS"}:
                # It counts them and names none: asking again does no harm, so a batch is split until they are found.
                if rows > 1:
                    raise Refused(status, f"Google could not use some of {rows} rows: {why or 'it does not say why'}.")
                return Outcome("rejected", status, f"Google could not use the row: {why or 'it does not say why'}.", request_id)
            if waited + pause > self.options.wait_seconds:
                break
            await self.wait(pause)
            pause, waited = pause * 2, waited + pause
        return Outcome("sent", "PROCESSING", "Google took the row and still works on it.", request_id or None)

    async def _call(self, method: str, path: str, body: bytes | None = None) -> httpx.Response:
        """With a token; once more with a new one when the first is no longer good."""
        token = await self._tokens.token()
        response = await self._request(method, path, body, token)
        if response.status_code == 401:
            response = await self._request(method, path, body, await self._tokens.token(stale=token))
        return response

    async def _request(self, method: str, path: str, body: bytes | None, token: str) -> httpx.Response:
        headers = {"authorization": f"Bearer {token}"} | ({} if body is None else {"content-type": "application/json"})
        return await self.http.request(method, f"{self.address.rstrip('/')}/v1/{path}", content=body, headers=headers)

    def _destination(self, audience_id: str) -> dict[str, Any]:
        account = {"accountType": self.options.account_type, "accountId": self.options.account_id}
        login = self.options.login_account_id
        manager = {"loginAccount": {"accountType": self.options.account_type, "accountId": login}} if login else {}
        return {"operatingAccount": account, **manager, "productDestinationId": audience_id}

    @cached_property
    def _tokens(self) -> Tokens:
        # Behind an address of one's own, tokens are given there too.
        elsewhere = None if self.address.rstrip("/") == self.base_url else f"{self.address.rstrip('/')}/token"
        return Tokens(self.http, self.options.service_account_key, SCOPE, elsewhere)
