"""A Salesforce org on the sandbox, for tests: rows for it, what came of them, and the client that Python people use."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from simple_salesforce import Salesforce as TheirClient
from simple_salesforce import SalesforceLogin

from connectors.base import Batch, Outcome, Row
from connectors.crm._salesforce_upsert import Records
from connectors.crm.salesforce import Salesforce
from connectors.sandbox import Sandbox

KEY, SECRET, USER = "sandbox-salesforce-consumer-key", "sandbox-salesforce-consumer-secret", "integration@sluice.example"
PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = PRIVATE.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
PUBLIC = PRIVATE.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
BY = "Sluice_Id__c"
CAMPAIGN = "701000000000001AAA"


def rows(*fields: dict[str, Any], **known: dict[str, Any]) -> list[Row]:
    everything = [
        *({**one, "match": f"p_{place}"} for place, one in enumerate(fields)),
        *({**one, "match": name} for name, one in known.items()),
    ]
    return [
        Row(place, f"k{place}", orjson.dumps({k: v for k, v in one.items() if k != "match"}), one["match"])
        for place, one in enumerate(everything)
    ]


def batch(what: list[Row], kind: str = "contacts", settings: Any = None, **changes: Any) -> Batch:
    return Batch(
        **{
            "object": kind,
            "operation": "add",
            "rows": what,
            "run_id": "r1",
            "number": 1,
            "settings": settings or Records(external_id_field=BY),
            **changes,
        }
    )


def opened(address: str, http: httpx.AsyncClient, **options: Any) -> Salesforce:
    given = {"consumer_key": KEY, "consumer_secret": SECRET, "poll_seconds": 0.001, **options}
    return Salesforce(Salesforce.Options(**given), http, address)


async def deliver(sandbox: Sandbox, http: httpx.AsyncClient, what: Batch) -> list[Outcome]:
    return await opened(sandbox.addresses.http, http).deliver(what)


def said(outcomes: list[Outcome]) -> list[tuple[str, str]]:
    return [(outcome.status, outcome.code) for outcome in outcomes]


def there(sandbox: Sandbox, kind: str) -> list[dict[str, Any]]:
    return [one for one in sandbox.emulators["salesforce"].state().get(kind, []) if not one["IsDeleted"]]


class Nearby(requests.adapters.HTTPAdapter):
    """Carries what was meant for salesforce.com to the sandbox, and remembers it."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.host, self.seen = urlsplit(address).netloc, []  # type: ignore[var-annotated]

    def send(self, request: Any, *arguments: Any, **keywords: Any) -> Any:
        self.seen.append(request)
        parts = urlsplit(request.url)
        request.url = parts._replace(scheme="http", netloc=self.host).geturl()
        return super().send(request, *arguments, **keywords)


def vendors_session(sandbox: Sandbox) -> tuple[requests.Session, Nearby]:
    session, nearby = requests.Session(), Nearby(sandbox.addresses.http)
    session.trust_env = False
    session.mount("https://", nearby)
    return session, nearby


def their_client(sandbox: Sandbox) -> TheirClient:
    session, _ = vendors_session(sandbox)
    token, instance = SalesforceLogin(session=session, consumer_key=KEY, consumer_secret=SECRET, domain="sluice.my")
    return TheirClient(session_id=token, instance=instance, session=session, version="62.0")
