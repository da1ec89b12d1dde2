"""Google's Data Manager API as seen from outside: tokens for the service account, audience members, and what became of each request."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import jwt
import orjson
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.ads._google_key import SANDBOX
from connectors.sandbox.emulator import Emulator, Kept, Shown
from connectors.sandbox.faults import Fault

KEY = orjson.loads(SANDBOX)
PUBLIC = load_pem_private_key(KEY["private_key"].encode(), None).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
SCOPE = "https://www.googleapis.com/auth/datamanager"
MOST = 10_000
MOST_IDENTIFIERS = 10
ENCODINGS = ("HEX", 1)  # the vendor's own client sends numbers
HEX = re.compile(r"[0-9a-f]{64}")


class GoogleDataManager(Emulator):
    """Any account and list, but lists whose id begins with 404. A hash that is none refuses the request, and names the field; what a
    `partial` fault picks does so too. With the code `PROCESSING`, `FAILED` or `PARTIAL_SUCCESS` the request is taken, and that is what
    becomes of it; every other request is done at once.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.lists: dict[str, dict[str, Any]] = {}
        self.requests: dict[str, str] = {}
        self.tokens: set[str] = set()

    def routes(self) -> Sequence[Route]:
        return [
            Route("/token", self.token, methods=["POST"]),
            Route("/v1/audienceMembers:ingest", self.ingest, methods=["POST"]),
            Route("/v1/audienceMembers:remove", self.remove, methods=["POST"]),
            Route("/v1/requestStatus:retrieve", self.retrieve, methods=["GET"]),
        ]

    def refuse(self, fault: Fault) -> Response:
        if fault.kind == "rate_limit":
            info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{fault.retry_after or 0}s"}
            details = [info] if fault.retry_after else []
            return _error(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).", details)
        return _error(500, "INTERNAL", "Internal error encountered.")

    def apply(self, kept: Kept) -> None:
        members = self.lists.setdefault(kept.content["list"], {})
        if kept.kind == "removed":
            members.pop(kept.to, None)
        else:
            members[kept.to] = kept.content["identifiers"]

    def state(self) -> Any:
        return {"lists": {name: list(members.values()) for name, members in self.lists.items()}}

    def shown(self, kept: Kept) -> Shown:
        said = orjson.dumps(kept.content["identifiers"], option=orjson.OPT_INDENT_2).decode()
        return Shown(f"{kept.kind} {'from' if kept.kind == 'removed' else 'to'} list {kept.content['list']}", said)

    async def token(self, request: Request) -> Response:
        given = dict(parse_qsl((await request.body()).decode(errors="replace")))
        try:
            claims = jwt.decode(
                given.get("assertion", ""),
                PUBLIC,
                ["RS256"],
                audience=[KEY["token_uri"], str(request.url)],
                issuer=KEY["client_email"],
                options={"require": ["exp", "iat", "iss", "aud"]},
            )
        except jwt.PyJWTError:
            return _json({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, 400)
        if given.get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" or claims["exp"] - claims["iat"] > 3600:
            return _json(
                {"error": "invalid_grant", "error_description": "Invalid JWT: Token must be a short-lived token (60 minutes)."}, 400
            )
        if SCOPE not in str(claims.get("scope")).split():
            return _json({"error": "invalid_scope", "error_description": "Invalid OAuth scope or ID token audience provided."}, 400)
        token = f"ya29.sandbox-{uuid4().hex}"
        self.tokens.add(token)
        return _json({"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    async def ingest(self, request: Request) -> Response:
        return await self._take(request, "added")

    async def remove(self, request: Request) -> Response:
        return await self._take(request, "removed")

    async def retrieve(self, request: Request) -> Response:
        if not self._authorised(request):
            return UNAUTHENTICATED
        status = self.requests.get(request.query_params.get("requestId", ""))
        if status is None:
            return _error(404, "NOT_FOUND", "The request was not found.")
        counts = [{"recordCount": "1", "reason": "PROCESSING_ERROR_REASON_DENIED_CONSENT"}]
        errors = {"errorInfo": {"errorCounts": counts}} if status in {"FAILED", "PARTIAL_SUCCESS"} else {}
        return _json({"requestStatusPerDestination": [{"requestStatus": status, **errors}]})

    async def _take(self, request: Request, kind: str) -> Response:
        if not self._authorised(request):
            return UNAUTHENTICATED
        try:
            asked = orjson.loads(await request.body())
            (destination,) = asked["destinations"]
            audience, account = destination["productDestinationId"], destination["operatingAccount"]["accountId"]
            members = [member["userData"]["userIdentifiers"] for member in asked["audienceMembers"]]
        except (ValueError, KeyError, TypeError):
            return _invalid("", "REQUIRED_FIELD_MISSING", "A required field is missing.")
        if asked.get("encoding") not in ENCODINGS:
            return _invalid("encoding", "INVALID_ENUM_VALUE", "The encoding is not valid.")
        if not account.isdigit() or audience.startswith("404"):
            return _invalid("destinations[0].product_destination_id", "INVALID_USER_LIST_ID", "The user list ID is invalid.")
        if len(members) > MOST:
            return _invalid("audience_members", "TOO_MANY_AUDIENCE_MEMBERS", "Too many audience members in a request.")
        status = "SUCCESS"
        for place, member in enumerate(members):
            field = f"audience_members.audience_members[{place}].user_data.user_identifiers"
            fault = self.refused(orjson.dumps(member).decode())
            if fault and fault.code in {"PROCESSING", "FAILED", "PARTIAL_SUCCESS"}:
                status = fault.code
            elif fault or not member or len(member) > MOST_IDENTIFIERS:
                return _invalid(field, (fault and fault.code) or "INVALID_AUDIENCE_MEMBER", "The audience member is invalid.")
            for index, identifier in enumerate(member):
                if not _is_hashed(identifier):
                    return _invalid(f"{field}[{index}]", "INVALID_SHA256_FORMAT", "The SHA-256 encoding is malformed.")
        for member in members:
            first = member[0]
            to = first.get("emailAddress") or first.get("phoneNumber") or first["address"]["familyName"]
            if not asked.get("validateOnly"):
                self.keep(kind, to=to, content={"list": audience, "account": account, "identifiers": member})
        request_id = uuid4().hex
        self.requests[request_id] = status
        return _json({"requestId": request_id})

    def _authorised(self, request: Request) -> bool:
        """By a token that was given, or by a JWT of the account itself, as the vendor's own client sends."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token in self.tokens:
            return True
        try:
            claims = jwt.decode(token, PUBLIC, ["RS256"], issuer=KEY["client_email"], options={"verify_aud": False, "require": ["exp"]})
        except jwt.PyJWTError:
            return False
        return SCOPE in str(claims.get("scope")).split() or "datamanager.googleapis.com" in str(claims.get("aud"))


def _is_hashed(identifier: Mapping[str, Any]) -> bool:
    if "address" in identifier:
        address = identifier["address"]
        return (
            all(HEX.fullmatch(str(address.get(name))) for name in ("givenName", "familyName")) and len(str(address.get("regionCode"))) == 2
        )
    return bool(HEX.fullmatch(str(identifier.get("emailAddress") or identifier.get("phoneNumber"))))


def _invalid(field: str, reason: str, description: str) -> Response:
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "INVALID_ARGUMENT", "domain": "datamanager.googleapis.com"}
    violation = {"field": field, "description": description, "reason": reason}
    bad = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}
    return _error(400, "INVALID_ARGUMENT", "There was a problem with the request.", [info, bad])


def _error(code: int, status: str, message: str, details: Sequence[Mapping[str, Any]] = ()) -> Response:
    return _json({"error": {"code": code, "message": message, "status": status, "details": list(details)}}, code)


def _json(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json; charset=UTF-8")


UNAUTHENTICATED = _error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
