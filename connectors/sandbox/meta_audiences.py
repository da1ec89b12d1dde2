"""Meta's custom audiences as seen from outside: people are added and removed by hashes, in sessions."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.sandbox.emulator import Emulator, Kept, Shown
from connectors.sandbox.faults import Fault

TOKEN = "EAABsandboxMetaAccessToken"
APP_SECRET = "sandbox-meta-app-secret"
MOST = 10_000
SAMPLES = 5
PLAIN = {"EXTERN_ID", "MADID", "LOOKALIKE_VALUE"}
KEYS = {*PLAIN, "EMAIL", "PHONE", "GEN", "DOBY", "DOBM", "DOBD", "LN", "FN", "FI", "CT", "ST", "ZIP", "COUNTRY", "APPUID"}
KEYS_OF_ONE = {"EMAIL_SHA256": "EMAIL", "PHONE_SHA256": "PHONE", "MOBILE_ADVERTISER_ID": "MADID"}


class MetaAudiences(Emulator):
    """Any audience whose id is a number, for the sandbox's token, with the proof of its app if one is sent. A hash that is none is an invalid
    entry, as is what a `partial` fault picks; five of those are named. Audiences whose id begins with 404 are not there."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.audiences: dict[str, dict[str, Mapping[str, str]]] = {}

    def routes(self) -> Sequence[Route]:
        return [
            Route("/v{major:int}.0/{audience:int}/users", self.users, methods=["POST", "DELETE"]),
            Route("/v{major:int}.0/me", self.me, methods=["GET"]),
        ]

    def refuse(self, fault: Fault) -> Response:
        if fault.kind == "rate_limit":
            usage = {"1": [{"type": "custom_audience", "estimated_time_to_regain_access": (fault.retry_after or 0) // 60}]}
            headers = {"x-business-use-case-usage": orjson.dumps(usage).decode()}
            return _error(400, 80003, "There have been too many calls to this ad-account.", headers=headers)
        return _error(500, 2, "An unexpected error has occurred. Please retry your request later.", is_transient=True)

    def apply(self, kept: Kept) -> None:
        members = self.audiences.setdefault(kept.content["audience"], {})
        if kept.kind == "removed":
            members.pop(kept.to, None)
        else:
            members[kept.to] = kept.content["entry"]

    def state(self) -> Any:
        return {"audiences": {audience: list(members.values()) for audience, members in self.audiences.items()}}

    def shown(self, kept: Kept) -> Shown:
        keys = "\n".join(f"{key}: {value}" for key, value in kept.content["entry"].items())
        return Shown(f"{kept.kind} {'from' if kept.kind == 'removed' else 'to'} audience {kept.content['audience']}", keys)

    async def me(self, request: Request) -> Response:
        return _refuses(dict(request.query_params)) or _json({"id": "10150000000000001", "name": "Sandbox system user"})

    async def users(self, request: Request) -> Response:
        body = (await request.body()).decode(errors="replace")
        given = {**request.query_params, **dict(parse_qsl(body, keep_blank_values=True))}
        if refusal := _refuses(given):
            return refusal
        audience = str(request.path_params["audience"])
        if audience.startswith("404"):
            return _error(400, 100, f"Unsupported post request. Object with ID '{audience}' does not exist", subcode=33)
        try:
            payload = orjson.loads(given.get("payload", ""))
            session = orjson.loads(given.get("session") or "{}")
            schema, data = payload["schema"], payload["data"]
            keys = [KEYS_OF_ONE[schema]] if isinstance(schema, str) else list(schema)
            entries = [[entry] if isinstance(schema, str) else list(entry) for entry in data]
        except (ValueError, KeyError, TypeError):
            return _error(400, 100, "Invalid parameter")
        if set(keys) - KEYS or any(len(entry) != len(keys) for entry in entries) or len(entries) > MOST:
            return _error(400, 100, "Invalid parameter")
        kind = "removed" if request.method == "DELETE" else "added"
        invalid: dict[str, str] = {}
        count = 0
        for entry in entries:
            named = {key: str(value) for key, value in zip(keys, entry, strict=True) if value}
            if self.refused(" ".join(named.values())) or not _valid(named):
                count += 1
                if len(invalid) < SAMPLES and named:
                    invalid[next(iter(named.values()))] = "Invalid entry"
                continue
            self.keep(kind, to=next(iter(named.values())), content={"audience": audience, "entry": named})
        answer = {"audience_id": audience, "session_id": str(session.get("session_id", 0)), "num_received": len(entries)}
        return _json(answer | {"num_invalid_entries": count, "invalid_entry_samples": invalid or []})


def _valid(entry: Mapping[str, str]) -> bool:
    return bool(entry) and all(key in PLAIN or re.fullmatch(r"[0-9a-f]{64}", value) for key, value in entry.items())


def _refuses(given: Mapping[str, str]) -> Response | None:
    if not hmac.compare_digest(given.get("access_token", "").encode(), TOKEN.encode()):
        return _error(401, 190, "Invalid OAuth access token - Cannot parse access token")
    right = hmac.digest(APP_SECRET.encode(), TOKEN.encode(), "sha256").hex()
    if "appsecret_proof" in given and not hmac.compare_digest(given["appsecret_proof"].encode(), right.encode()):
        return _error(400, 100, "Invalid appsecret_proof provided in the API argument", type="GraphMethodException")
    return None


def _error(status: int, code: int, message: str, headers: Mapping[str, str] | None = None, subcode: int = 0, **more: Any) -> Response:
    error = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "Asandbox", **more}
    return _json({"error": error | ({"error_subcode": subcode} if subcode else {})}, status, headers)


def _json(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, "application/json; charset=UTF-8")
