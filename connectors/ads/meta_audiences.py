"""Meta custom audiences: people are added to one audience and taken off it, each by all that is known of them, hashed.

Let the sync's `key` be made of what identifies the person here: then a changed address is a row removed and another added, and the old one
does not stay in the audience. A call is an upload session of its own, by which Meta's pages show it; it works on it for up to a day.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import ClassVar

import orjson
from pydantic import Field

from connectors.ads import _identity as identity
from connectors.ads._meta_answer import content
from connectors.base import Batch, Connector, Fatal, Object, Outcome, Refused, SecretStr, Strict, secret


def _hashed(normalise: Callable[[object], str]) -> Callable[[object], str]:
    return lambda value: identity.sha256(normalise(value))


# Our fields, Meta's keys, and how each is made ready: https://developers.facebook.com/docs/marketing-api/audiences/guides/custom-audiences
KEYS: dict[str, tuple[str, Callable[[object], str]]] = {
    "external_id": ("EXTERN_ID", lambda value: "" if value is None else str(value).strip()),
    "email": ("EMAIL", _hashed(identity.email)),
    "phone": ("PHONE", _hashed(identity.phone)),
    "gender": ("GEN", _hashed(lambda value: {"f": "f", "m": "m"}.get(identity.text(value)[:1], ""))),
    "last_name": ("LN", _hashed(identity.letters)),
    "first_name": ("FN", _hashed(identity.letters)),
    "city": ("CT", _hashed(identity.letters)),
    "state": ("ST", _hashed(identity.letters)),
    "postal_code": ("ZIP", _hashed(lambda value: identity.text(value).split("-")[0].replace(" ", ""))),
    "country": ("COUNTRY", _hashed(identity.country)),
    "mobile_advertiser_id": ("MADID", identity.text),
}
# What finds a person by itself; the rest only helps.
STRONG = ("external_id", "email", "phone", "mobile_advertiser_id")
NOBODY = Outcome(
    "rejected", "NO_IDENTIFIER", f"The row identifies nobody: it needs one of {', '.join(STRONG)}, and that one as it should be."
)


class Members(Strict):
    """`audience_id` is the audience that the sync fills: a customer file audience of the account."""

    audience_id: str = Field(pattern=r"^[0-9]{1,30}$")


class MetaAudiences(Connector):
    channel = "ads"
    base_url = "https://graph.facebook.com"
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
        """`access_token` is a system user's with ads_management; `app_secret` proves that calls come from the app it was given to."""

        access_token: SecretStr = secret(sandbox="EAABsandboxMetaAccessToken")
        app_secret: SecretStr | None = secret(sandbox="sandbox-meta-app-secret", default=None)
        version: str = Field(default="v26.0", pattern=r"^v[0-9]+\.[0-9]+$")

    async def deliver(self, batch: Batch) -> list[Outcome]:
        if batch.operation == "remove" and batch.on_removed != "remove_from_list":
            return [Outcome("skipped", "NOTHING_TO_DO", "Removed rows are left as they are.")] * len(batch.rows)
        unknown = {name for row in batch.rows for name in row.fields} - KEYS.keys()
        if unknown:
            raise Fatal("UNKNOWN_FIELD", f"Meta audiences have no field `{min(unknown)}`. There are {', '.join(KEYS)}.")
        entries = {place: [ready(row.fields.get(name)) for name, (_, ready) in KEYS.items()] for place, row in enumerate(batch.rows)}
        strong = [list(KEYS).index(name) for name in STRONG]
        known = {place: entry for place, entry in entries.items() if any(entry[at] for at in strong)}
        found = await self._upload(batch, known) if known else {}
        return [found.get(place, NOBODY) for place in range(len(batch.rows))]

    async def check(self) -> str:
        response = await self.http.get(f"{self._root}/me", params={"fields": "id,name", **self._credentials})
        me = content(response, 1)
        if isinstance(me, Outcome):
            raise Fatal(me.code, me.reason)
        return f"the token is that of user {me.get('id', 'without an id')}"

    async def _upload(self, batch: Batch, entries: dict[int, list[str]]) -> dict[int, Outcome]:
        """Outcomes by place. Columns that no row has are left out."""
        used = [at for at in range(len(KEYS)) if any(entry[at] for entry in entries.values())]
        schema = [key for key, _ in KEYS.values()]
        data = {place: [entry[at] for at in used] for place, entry in entries.items()}
        payload = {"schema": [schema[at] for at in used], "is_raw": True, "data": list(data.values())}
        session = {"session_id": _session_id(batch), "batch_seq": 1, "last_batch_flag": True, "estimated_num_total": len(data)}
        form = {"payload": orjson.dumps(payload).decode(), "session": orjson.dumps(session).decode(), **self._credentials}
        method = "DELETE" if batch.operation == "remove" else "POST"
        response = await self.http.request(method, f"{self._root}/{batch.settings.audience_id}/users", data=form)
        answer = content(response, len(data))
        if isinstance(answer, Outcome):
            return dict.fromkeys(data, answer)
        sent = Outcome("sent", provider_id=str(answer.get("session_id") or session["session_id"]))
        invalid = int(answer.get("num_invalid_entries") or 0)
        samples = answer.get("invalid_entry_samples") or {}
        named = {place for place, entry in data.items() if any(value and value in samples for value in entry)} if invalid else set()
        if len(named) < invalid:
            # Who the others are is not told. To add the same people again does no harm: the batch is split until they are found.
            if len(data) > 1:
                raise Refused("INVALID_ENTRIES", f"Meta found {invalid} of {len(data)} rows invalid.")
            named = set(data)
        bad = Outcome("rejected", "INVALID_ENTRY", "Meta found what identifies this person invalid.")
        return {place: bad if place in named else sent for place in data}

    @property
    def _root(self) -> str:
        return f"{self.address.rstrip('/')}/{self.options.version}"

    @property
    def _credentials(self) -> dict[str, str]:
        token = self.options.access_token.get_secret_value()
        if self.options.app_secret is None:
            return {"access_token": token}
        return {"access_token": token, "appsecret_proof": proof(self.options.app_secret.get_secret_value(), token)}


def proof(app_secret: str, token: str) -> str:
    """Shows that a call comes from the app that the token was given to."""
    return hmac.digest(app_secret.encode(), token.encode(), "sha256").hex()


def _session_id(batch: Batch) -> int:
    """A positive number of 63 bits, the same again when the same rows are sent again."""
    named = f"{batch.run_id}.{batch.operation}.{batch.number}.{batch.rows[0].index}.{len(batch.rows)}"
    return int.from_bytes(hashlib.blake2b(named.encode(), digest_size=8).digest(), "big") >> 1
