"""A Salesforce org: OAuth tokens, sObject Collections, SOQL queries, and Bulk API 2.0 ingest jobs."""

from __future__ import annotations

import base64
import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

import jwt
import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from connectors.sandbox._salesforce_jobs import TABLES, Job
from connectors.sandbox._soql import BadQuery, Query
from connectors.sandbox.emulator import Emulator, Kept, Shown
from connectors.sandbox.faults import Fault

CONSUMER_KEY = "sandbox-salesforce-consumer-key"
CONSUMER_SECRET = "sandbox-salesforce-consumer-secret"
USERNAME = "integration@sluice.example"
LOGIN = "https://login.salesforce.com"
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
REQUIRED = {
    "Contact": ["LastName"],
    "Lead": ["LastName", "Company"],
    "Account": ["Name"],
    "Opportunity": ["Name", "StageName", "CloseDate"],
}
PREFIXES = {"Contact": "003", "Lead": "00Q", "Account": "001", "Opportunity": "006", "Task": "00T", "CampaignMember": "00v"}
COLLECTION, PAGE = 200, 2000
BADGES = 300  # contacts that are there from the start, with a Badge__c B0, B1, …
Fields = Mapping[str, Any]


class Salesforce(Emulator):
    """A token is given for the sandbox's consumer key, to the secret or to a JWT signed by a key in `public_keys` (PEM).

    A collection is answered with 200 and a result for each record; refused are addresses that are none, records without what their
    object requires, parents that are not there, a repeated external id, and what a `partial` fault picks. A field that begins with a
    small letter does not exist, and refuses the whole call, or the whole job.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.public_keys: list[str] = []
        self.tokens: set[str] = set()
        old = {"IsDeleted": False, "LastName": "Visitor", "SystemModstamp": "2026-01-01T00:00:00.000+0000"}
        visitors = {f"003B{one:014d}": {"Id": f"003B{one:014d}", "Badge__c": f"B{one}", **old} for one in range(BADGES)}
        self.records: dict[str, dict[str, dict[str, Any]]] = {"Contact": visitors}  # by object and id
        self._jobs: dict[str, Job] = {}

    def routes(self) -> Sequence[Route]:
        root = "/services/data/{version}"
        mine = self._authorised
        return [
            Route("/services/oauth2/token", self._token, methods=["POST"]),
            Route(f"{root}/limits", mine(self._limits), methods=["GET"]),
            Route(f"{root}/query", mine(self._query), methods=["GET"]),
            Route(f"{root}/query/", mine(self._query), methods=["GET"]),
            Route(f"{root}/queryAll", mine(self._query), methods=["GET"]),
            Route(f"{root}/composite/sobjects", mine(self._collection), methods=["POST", "PATCH", "DELETE"]),
            Route(f"{root}/composite/sobjects/{{kind}}/{{key}}", mine(self._collection), methods=["PATCH"]),
            Route(f"{root}/jobs/ingest", mine(self._make_job), methods=["POST"]),
            Route(f"{root}/jobs/ingest/{{job}}", mine(self._job), methods=["GET", "PATCH"]),
            Route(f"{root}/jobs/ingest/{{job}}/batches", mine(self._upload), methods=["PUT"]),
            Route(f"{root}/jobs/ingest/{{job}}/{{table}}", mine(self._results), methods=["GET"]),
        ]

    def refuse(self, fault: Fault) -> Response:
        headers = {} if fault.retry_after is None else {"retry-after": str(fault.retry_after)}
        if fault.kind == "rate_limit":
            return _refusal(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", headers)
        return _refusal(503, "SERVER_UNAVAILABLE", "Server is unavailable", headers)

    def apply(self, kept: Kept) -> None:
        content, stamp = kept.content, kept.at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
        kind, record = content["object"], content["id"]
        known = self.records.setdefault(kind, {}).setdefault(record, {"Id": record, "IsDeleted": False, "CreatedDate": stamp})
        before = dict(known)
        known.update(content.get("fields", {}), SystemModstamp=stamp, IsDeleted=kept.kind == "deleted")
        self._remember(kind, before, known, stamp, kept.id)

    def state(self) -> Any:
        """What was written; not the contacts that were there from the start."""
        return {kind: [one for one in records.values() if "CreatedDate" in one] for kind, records in self.records.items()}

    def shown(self, kept: Kept) -> Shown:
        return Shown(
            f"{kept.content['object']} {kept.kind}", orjson.dumps(kept.content.get("fields", {}), option=orjson.OPT_INDENT_2).decode()
        )

    def _remember(self, kind: str, before: Fields, now: Fields, stamp: str, number: int) -> None:
        """History: of an opportunity, each stage as a whole; of others, each field that changed."""
        if kind == "Opportunity" and before.get("StageName") != now.get("StageName"):
            names = ("StageName", "Amount", "Probability", "ForecastCategory", "CloseDate")
            kept = {
                "Id": f"008{number:015d}",
                "OpportunityId": now["Id"],
                "CreatedDate": stamp,
                "SystemModstamp": stamp,
                "IsDeleted": False,
            }
            self.records.setdefault("OpportunityHistory", {})[kept["Id"]] = kept | {name: now.get(name) for name in names}
        elif kind in {"Lead", "Contact", "Account"} and len(before) > 3:
            for place, name in enumerate(sorted(set(now) - {"SystemModstamp", "IsDeleted"})):
                if before.get(name) != now[name]:
                    kept = {"Id": f"017{number:012d}{place:03d}", f"{kind}Id": now["Id"], "Field": name, "CreatedDate": stamp}
                    self.records.setdefault(f"{kind}History", {})[kept["Id"]] = kept | {"OldValue": before.get(name), "NewValue": now[name]}

    # Tokens.

    async def _token(self, request: Request) -> Response:
        given = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        if given.get("grant_type") == "client_credentials":
            expected = "Basic " + base64.b64encode(f"{CONSUMER_KEY}:{CONSUMER_SECRET}".encode()).decode()
            if not hmac.compare_digest(request.headers.get("authorization", ""), expected):
                return _oauth("invalid_client", "invalid client credentials")
        elif given.get("grant_type") == "urn:ietf:params:oauth:grant-type:jwt-bearer":
            if trouble := self._assertion(given.get("assertion", "")):
                return _oauth("invalid_grant", trouble)
        else:
            return _oauth("unsupported_grant_type", "grant type not supported")
        token = f"00DSANDBOX!{secrets.token_hex(24)}"
        self.tokens.add(token)
        answer = {"access_token": token, "instance_url": str(request.base_url).rstrip("/"), "token_type": "Bearer", "scope": "api"}
        return _json({**answer, "issued_at": str(int(time.time() * 1000))})

    def _assertion(self, assertion: str) -> str:
        for key in self.public_keys:
            try:
                # An expiry as text is taken too, as simple-salesforce sends it.
                claims = jwt.decode(assertion, key, algorithms=["RS256"], options={"verify_exp": False, "verify_aud": False})
            except jwt.PyJWTError:
                continue
            if claims.get("iss") != CONSUMER_KEY or claims.get("aud") not in {LOGIN, "https://test.salesforce.com"}:
                return "invalid assertion"
            if claims.get("sub") != USERNAME:
                return "user hasn't approved this consumer"
            return "" if time.time() < float(claims.get("exp", 0)) <= time.time() + 300 else "expired authorization code"
        return "invalid assertion"

    def _authorised(self, endpoint: Callable[[Request], Any]) -> Callable[[Request], Any]:
        async def guarded(request: Request) -> Response:
            if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
                return _refusal(401, "INVALID_SESSION_ID", "Session expired or invalid")
            try:
                return await endpoint(request)  # type: ignore[no-any-return]
            except (ValueError, KeyError, TypeError, AttributeError):
                return _refusal(400, "JSON_PARSER_ERROR", "The HTTP entity body is not what is expected here")

        return guarded

    # Reading.

    async def _limits(self, request: Request) -> Response:
        return _json({"DailyApiRequests": {"Max": 100_000, "Remaining": 99_000}})

    async def _query(self, request: Request) -> Response:
        try:
            query = Query(request.query_params["q"])
        except BadQuery as error:
            return _refusal(400, "MALFORMED_QUERY", str(error))
        rows = list(self.records.get(query.kind, {}).values())
        if not request.url.path.endswith("queryAll"):
            rows = [row for row in rows if not row.get("IsDeleted")]
        found = query.run(rows)[:PAGE]
        return _json({"totalSize": len(found), "done": True, "records": found})

    # Writing.

    async def _collection(self, request: Request) -> Response:
        if request.method == "DELETE":
            ids = request.query_params["ids"].split(",")
            return _refusal(400, "INVALID_INPUT", "too many ids") if len(ids) > COLLECTION else _json([self._delete(one) for one in ids])
        records = orjson.loads(await request.body())["records"]
        kind, key = request.path_params.get("kind"), request.path_params.get("key", "")
        if len(records) > COLLECTION:
            return _refusal(400, "INVALID_INPUT", f"collection size exceeds maximum size of {COLLECTION}")
        if any((kind and one["attributes"]["type"] != kind) or (kind and "id" in one) for one in records):
            return _refusal(400, "INVALID_INPUT", "records must be of one type and have no id")
        for name in (name for one in records for name in one if name not in {"attributes", "id"}):
            if not name[:1].isupper():
                return _refusal(400, "INVALID_FIELD", f"No such column '{name}' on sobject")
        values = [str(one.get(key) or "").lower() for one in records] if key else []
        results = []
        for one in records:
            if key and (not one.get(key) or values.count(str(one[key]).lower()) > 1):
                results.append(_failed("DUPLICATE_VALUE", f"Duplicate external id specified: {one.get(key)}", [key]))
            elif request.method == "PATCH" and not key and one["id"] not in self.records.get(one["attributes"]["type"], {}):
                results.append(_failed("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"))
            else:
                fields = {name: value for name, value in one.items() if name not in {"attributes", "id"}}
                results.append(self.write(one["attributes"]["type"], key, fields, one.get("id")))
        return _json(results)

    def write(self, kind: str, key: str, fields: Fields, record: str | None = None) -> dict[str, Any]:
        """Create or change one record; the result as of a collection."""
        if fault := self.refused(orjson.dumps(fields).decode()):
            return _failed(fault.code or "FIELD_CUSTOM_VALIDATION_EXCEPTION", f"not wanted: {fields.get(key)}")
        if record is None and key:
            found = [one["Id"] for one in self._alive(kind) if str(one.get(key) or "").lower() == str(fields[key]).lower()]
            if len(found) > 1:
                return _failed("DUPLICATE_EXTERNAL_ID", f"{key}: more than one record found for external id field", [key])
            record = found[0] if found else None
        values, trouble = self._with_parents(fields)
        if trouble:
            return _failed("INVALID_FIELD", trouble)
        if values.get("Email") and not EMAIL.fullmatch(str(values["Email"])):
            return _failed("INVALID_EMAIL_ADDRESS", f"Email: invalid email address: {values['Email']}", ["Email"])
        known = self.records.get(kind, {}).get(record or "", {})
        if missing := [name for name in REQUIRED.get(kind, []) if not {**known, **values}.get(name)]:
            return _failed("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", missing)
        if kind == "CampaignMember" and record is None and self._member(values):
            return _failed("DUPLICATE_VALUE", "Already a campaign member.")
        made = record or f"{PREFIXES.get(kind, 'a00')}{len(self.sandbox.journal.kept) + 1:015d}"
        to = str(fields.get(key) or values.get("Email") or made)
        self.keep("changed" if record else "created", to=to, content={"object": kind, "id": made, "fields": values})
        return {"id": made, "success": True, "errors": [], "created": record is None}

    def _with_parents(self, fields: Fields) -> tuple[dict[str, Any], str]:
        """Fields with the parents that are named by an external id, or what is wrong with them."""
        values = dict(fields)
        for name, value in fields.items():
            if "." in name:  # as CSV says it: Account.Ext__c, Contact:Who.Ext__c
                parent, _, field = name.rpartition(".")
                what, _, relation = parent.rpartition(":")
                values[relation] = value = {"attributes": {"type": what or relation}, field: values.pop(name)}
                name = relation
            if isinstance(value, dict):
                field, wanted = next((field, other) for field, other in value.items() if field != "attributes")
                kind = value.get("attributes", {}).get("type", name)
                found = next((one["Id"] for one in self._alive(kind) if str(one.get(field)).lower() == str(wanted).lower()), None)
                if found is None:
                    return {}, f"Foreign key external ID: {wanted} not found for field {field} in entity {kind}"
                values |= {f"{name}Id": found, name: {field: wanted}}
        return values, ""

    def _delete(self, record: str) -> dict[str, Any]:
        for kind, records in self.records.items():
            if record in records:
                if records[record]["IsDeleted"]:
                    return _failed("ENTITY_IS_DELETED", "entity is deleted")
                self.keep("deleted", to=record, content={"object": kind, "id": record})
                return {"id": record, "success": True, "errors": []}
        return _failed("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")

    def _alive(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.records.get(kind, {}).values() if not one.get("IsDeleted")]

    def _member(self, values: Fields) -> bool:
        same = ("CampaignId", "ContactId", "LeadId")
        return any(all(one.get(name) == values.get(name) for name in same) for one in self._alive("CampaignMember"))

    # Jobs.

    async def _make_job(self, request: Request) -> Response:
        asked = orjson.loads(await request.body())
        if asked["operation"] != "upsert" or not asked["externalIdFieldName"] or not asked["object"]:
            return _refusal(400, "INVALIDJOB", "the sandbox takes jobs that upsert by an external id")
        job = Job(f"750{len(self._jobs) + 1:015d}", asked)
        self._jobs[job.id] = job
        return _json(job.json(_root(request)))

    async def _job(self, request: Request) -> Response:
        job = self._jobs.get(request.path_params["job"])
        if job is None:
            return _refusal(404, "NOT_FOUND", "The requested resource does not exist")
        if request.method == "PATCH":
            state = orjson.loads(await request.body())["state"]
            if job.state != "Open" or state != "UploadComplete":
                return _refusal(400, "INVALIDJOBSTATE", f"Transition from {job.state} to {state} is not allowed")
            job.close(self.write)
        else:
            job.look()
        return _json(job.json(_root(request)))

    async def _upload(self, request: Request) -> Response:
        job = self._jobs[request.path_params["job"]]
        if job.state != "Open" or not request.headers.get("content-type", "").startswith("text/csv"):
            return _refusal(400, "INVALIDJOBSTATE", "the job is not open, or this is not CSV")
        job.upload((await request.body()).decode())
        return Response(status_code=201)

    async def _results(self, request: Request) -> Response:
        job, table = self._jobs[request.path_params["job"]], request.path_params["table"]
        if table not in TABLES:
            return _refusal(404, "NOT_FOUND", "The requested resource does not exist")
        return PlainTextResponse(job.table(table), media_type="text/csv")


def _root(request: Request) -> str:
    return f"/services/data/{request.path_params['version']}"


def _failed(code: str, message: str, fields: Sequence[str] = ()) -> dict[str, Any]:
    return {"success": False, "errors": [{"statusCode": code, "message": message, "fields": list(fields)}]}


def _refusal(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    return _json([{"message": message, "errorCode": code}], status, headers)


def _oauth(error: str, description: str) -> Response:
    return _json({"error": error, "error_description": description}, 400)


def _json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, "application/json")
