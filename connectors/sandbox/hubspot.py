"""HubSpot's contacts: batch upsert, create, update, read and archive with its multi-status answers, search, and its webhooks; deals, tasks and lists."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.sandbox._hubspot_deals import Deals
from connectors.sandbox._hubspot_lists import Lists
from connectors.sandbox._hubspot_search import search
from connectors.sandbox._hubspot_tasks import Tasks
from connectors.sandbox.emulator import Emulator, Kept, Outgoing, Pending, Shown, fate
from connectors.sandbox.faults import Fault

TOKEN = "pat-sandbox-hubspot-token"
CLIENT_SECRET = "sandbox-hubspot-client-secret"
PORTAL = 4010
BATCH = 100
BADGES = 300
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
PROPERTY = re.compile(r"[a-z][a-z0-9_]*")
OTHERS = {"deal", "task", "list_add", "list_remove"}  # kinds of things that are no contact
Write = Callable[[dict[str, Any]], dict[str, Any]]  # one input to one result; raises Trouble


class Trouble(Exception):
    """Why one input of a batch is refused."""

    def __init__(self, category: str, message: str, **context: list[str]) -> None:
        super().__init__(message)
        self.category = category
        self.context = context


class HubSpot(Emulator):
    """A batch of valid shape is answered with 200, or with 207 and `errors` for the inputs refused: mail addresses that are none,
    ids that are not there, contacts that exist already, and what a `partial` fault picks. A property name that cannot exist, a repeated
    id or more than 100 inputs refuse the whole batch with 400.

    Some contacts are there from the start: 9000000, 9000001, … with a `badge` of B0, B1, …

    1 in 20 contacts written is then changed by a salesperson, which HubSpot reports to us; 1 in 100 asks to be forgotten.
    """

    destination = "hubspot"
    root: ClassVar[str] = "/crm/v3/objects/contacts"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.contacts: dict[str, dict[str, Any]] = {}  # by record id
        self._found: dict[tuple[str, str], str] = {
            ("badge", f"b{one}"): str(9_000_000 + one) for one in range(BADGES)
        }  # (property, value) to id
        self._old = {record: {"id": record, "properties": {"badge": badge[1].upper()}} for badge, record in self._found.items()}
        self._deals, self._tasks, self._lists = Deals(self), Tasks(self), Lists(self)

    def routes(self) -> Sequence[Route]:
        return [
            Route(f"{self.root}/batch/upsert", self._batch(self._upsert, 200, "id", "properties"), methods=["POST"]),
            Route(f"{self.root}/batch/update", self._batch(self._update, 200, "id", "properties"), methods=["POST"]),
            Route(f"{self.root}/batch/create", self._batch(self._create, 201, "properties"), methods=["POST"]),
            Route(f"{self.root}/batch/read", self._batch(self._read, 200, "id"), methods=["POST"]),
            Route(f"{self.root}/batch/archive", self._archive, methods=["POST"]),
            Route(self.root, self._list, methods=["GET"]),
            Route("/crm/v3/objects/{kind}/search", self._search, methods=["POST"]),
            Route("/crm/v3/objects/deals", self._deal, methods=["POST"]),
            Route("/crm/v4/associations/deals/contacts/batch/read", self._associations, methods=["POST"]),
            Route("/crm/v3/objects/tasks/batch/upsert", self._batch(self._tasks.upsert, 200, "id", "properties"), methods=["POST"]),
            Route("/crm/v4/associations/tasks/contacts/batch/associate/default", self._associate, methods=["POST"]),
            Route("/crm/v3/lists/{list}/memberships/{verb:str}", self._members, methods=["PUT"]),
        ]

    def refuse(self, fault: Fault) -> Response:
        headers = {} if fault.retry_after is None else {"retry-after": str(fault.retry_after)}
        if fault.kind == "rate_limit":
            body = {"status": "error", "message": "You have reached your ten_secondly_rolling limit.", "errorType": "RATE_LIMIT"}
            body |= {"category": "RATE_LIMITS", "policyName": "TEN_SECONDLY_ROLLING", "correlationId": "sandbox"}
            return _json(body, 429, headers)
        return _json({"status": "error", "message": "internal error", "correlationId": "sandbox"}, 500, headers)

    def apply(self, kept: Kept) -> None:
        if kept.kind == "task":
            return self._tasks.apply(kept)
        if kept.kind == "deal":
            return self._deals.apply(kept)
        if kept.kind in {"list_add", "list_remove"}:
            return self._lists.apply(kept)
        record = kept.content["id"]
        if kept.kind == "archived":
            self.contacts.pop(record, None)
            self._found = {where: other for where, other in self._found.items() if other != record}
            return None
        contact = self.contacts.setdefault(record, {"id": record, "properties": {}, "createdAt": kept.at.isoformat()})
        contact["properties"].update(kept.content["properties"])
        contact["updatedAt"] = kept.at.isoformat()
        unique = {"email": contact["properties"].get("email"), kept.content["id_property"]: kept.content["id_value"]}
        for name, value in unique.items():
            if name and value:
                self._found[name, value.lower()] = record
        return None

    def state(self) -> Any:
        return {"contacts": list(self.contacts.values()), "tasks": list(self._tasks.tasks.values()), "lists": self._lists.state()}

    def shown(self, kept: Kept) -> Shown:
        return Shown(
            f"{kept.kind} {kept.content['id']}" if kept.kind in OTHERS else f"contact {kept.content['id']} {kept.kind}",
            _indented(kept.content.get("properties", {})),
        )

    def receipts(self, pending: Sequence[Pending], url: str) -> Iterable[Outgoing]:
        events = [event for one in pending if one.kept.kind in {"created", "changed"} for event in _changes(one)]
        if not events:
            return
        body = orjson.dumps(events)
        timestamp = str(int(time.time() * 1000))
        signed = b"POST" + url.encode() + body + timestamp.encode()
        signature = base64.b64encode(hmac.new(CLIENT_SECRET.encode(), signed, hashlib.sha256).digest()).decode()
        headers = {"content-type": "application/json", "x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": timestamp}
        yield Outgoing(body, len(events), headers)

    # The endpoints.

    async def _list(self, request: Request) -> Response:
        if not _authorised(request):
            return UNAUTHORISED
        return _json({"results": [_shape(contact) for contact in list(self.contacts.values())[:10]]})

    async def _search(self, request: Request) -> Response:
        if not _authorised(request):
            return UNAUTHORISED
        kinds = {"contacts": self.contacts, "deals": self._deals.deals}
        found = list(kinds.get(request.path_params["kind"], {}).values())
        try:
            return _json(search([_shape(contact) for contact in found], orjson.loads(await request.body())))
        except (ValueError, KeyError, TypeError, AttributeError):
            return _refusal("Invalid input JSON")

    async def _deal(self, request: Request) -> Response:
        if not _authorised(request):
            return UNAUTHORISED
        try:
            return _json(self._deals.create(orjson.loads(await request.body())), 201)
        except (ValueError, KeyError, TypeError):
            return _refusal("Invalid input JSON")

    async def _associations(self, request: Request) -> Response:
        inputs = await self._inputs(request, "id")
        if isinstance(inputs, Response):
            return inputs
        told = self._deals.associations([one["id"] for one in inputs])
        return _json(told, 207 if told.get("errors") else 200)

    async def _associate(self, request: Request) -> Response:
        if not _authorised(request):
            return UNAUTHORISED
        try:
            pairs = [(one["from"]["id"], one["to"]["id"]) for one in orjson.loads(await request.body())["inputs"]]
        except (ValueError, KeyError, TypeError):
            return _refusal("Invalid input JSON")
        results = [self._tasks.tie(task, contact) for task, contact in pairs if task in self._tasks.tasks and self.knows(contact)]
        return _json(
            {"status": "COMPLETE", "results": results, "numErrors": len(pairs) - len(results)}, 200 if len(results) == len(pairs) else 207
        )

    async def _members(self, request: Request) -> Response:
        if not _authorised(request):
            return UNAUTHORISED
        try:
            ids = [str(one) for one in orjson.loads(await request.body())]
        except (ValueError, TypeError):
            return _refusal("Invalid input JSON")
        if request.path_params["list"] == "404":
            return _error_answer(404, "OBJECT_NOT_FOUND", "List does not exist with ID 404.")
        if request.path_params["list"] == "400":
            return _error_answer(400, "VALIDATION_ERROR", "Records may only be added to lists of processing type MANUAL or SNAPSHOT.")
        return _json(self._lists.change(request.path_params["list"], request.path_params["verb"], ids))

    def knows(self, record: str) -> bool:
        """Whether a contact with this id is there."""
        return record in self.contacts or record in self._old

    def _batch(self, write: Write, status: int, *needs: str) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            inputs = await self._inputs(request, *needs)
            if isinstance(inputs, Response):
                return inputs
            results, errors = [], []
            for one in inputs:
                trace = [one["objectWriteTraceId"]] if one.get("objectWriteTraceId") else []
                try:
                    if fault := self.refused(orjson.dumps(one).decode()):
                        raise Trouble(fault.code or "VALIDATION_ERROR", f"Property values were not valid: {one.get('id')}")
                    result = write(one)
                except Trouble as trouble:
                    context = {**trouble.context, **({"objectWriteTraceId": trace} if trace else {})}
                    errors.append(_error(trouble.category, str(trouble), context))
                    continue
                results.append({**result, **({"objectWriteTraceId": trace[0]} if trace else {})})
            at = datetime.now(UTC).isoformat()
            body = {"status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at}
            if not errors:
                return _json(body, status)
            return _json({**body, "numErrors": len(errors), "errors": errors}, 207)

        return endpoint

    async def _archive(self, request: Request) -> Response:
        inputs = await self._inputs(request, "id")
        if isinstance(inputs, Response):
            return inputs
        for one in inputs:
            if one["id"] in self.contacts:
                self.keep("archived", to=one["id"], content={"id": one["id"]})
        return Response(status_code=204)

    async def _inputs(self, request: Request, *needs: str) -> list[dict[str, Any]] | Response:
        """The inputs of a batch, each with what it `needs`, or the answer that refuses all of it."""
        if not _authorised(request):
            return UNAUTHORISED
        try:
            asked = orjson.loads(await request.body())
            common = {"idProperty": asked["idProperty"]} if asked.get("idProperty") else {}
            inputs = [{**common, **one} for one in asked["inputs"]]
            names = [name for one in inputs for name in one.get("properties", {})]
            wrong_value = any(not isinstance(value, str) for one in inputs for value in one.get("properties", {}).values())
        except (ValueError, KeyError, TypeError, AttributeError):
            return _refusal("Invalid input JSON")
        if any(not isinstance(one.get(name), dict if name == "properties" else str) for one in inputs for name in needs):
            return _refusal(f"Invalid input JSON: each input needs {' and '.join(needs)}")
        if wrong_value and "properties" in needs:
            return _refusal("Invalid input JSON: properties are strings")
        if len(inputs) > BATCH:
            return _refusal(f"The maximum number of inputs supported in a batch request for contacts is {BATCH}")
        ids = [one["id"].lower() for one in inputs if isinstance(one.get("id"), str)]
        if len(ids) != len(set(ids)):
            return _refusal("Duplicate IDs found in batch input")
        for name in names:
            if not PROPERTY.fullmatch(name):
                trouble = {"isValid": False, "message": f'Property "{name}" does not exist', "error": "PROPERTY_DOESNT_EXIST", "name": name}
                return _refusal(f"Property values were not valid: {orjson.dumps([trouble]).decode()}")
        return inputs

    # What a batch does with one input.

    def _upsert(self, one: dict[str, Any]) -> dict[str, Any]:
        record = self._record(one)
        return self._write(one, record)

    def _create(self, one: dict[str, Any]) -> dict[str, Any]:
        record = self._found.get(("email", one["properties"].get("email", "").lower()))
        if record:
            raise Trouble("CONFLICT", f"Contact already exists. Existing ID: {record}", ids=[record])
        return self._write(one, None)

    def _update(self, one: dict[str, Any]) -> dict[str, Any]:
        record = self._record(one)
        if record is None:
            raise Trouble("OBJECT_NOT_FOUND", "Could not get some CONTACT objects, they may be deleted or not exist.", ids=[one["id"]])
        return self._write(one, record)

    def _read(self, one: dict[str, Any]) -> dict[str, Any]:
        record = self._record(one)
        if record is None:
            raise Trouble("OBJECT_NOT_FOUND", "Could not get some CONTACT objects, they may be deleted or not exist.", ids=[one["id"]])
        return _shape(self.contacts.get(record) or self._old[record])

    def _record(self, one: dict[str, Any]) -> str | None:
        if one.get("idProperty"):
            return self._found.get((one["idProperty"], one["id"].lower()))
        return one["id"] if one["id"] in self.contacts else None

    def _write(self, one: dict[str, Any], record: str | None) -> dict[str, Any]:
        properties = dict(one["properties"])
        if one.get("idProperty") and record is None:
            properties.setdefault(one["idProperty"], one["id"])
        email = properties.get("email", "")
        if email and not EMAIL.fullmatch(email):
            raise Trouble("VALIDATION_ERROR", f"Email address {email} is invalid", propertyName=["email"])
        identity = {"id_property": one.get("idProperty", ""), "id_value": one.get("id", "")}
        content = {"id": record or str(10_000 + len(self.sandbox.journal.kept)), "properties": properties, **identity}
        kept = self.keep("changed" if record else "created", to=one.get("id") or email, content=content)
        return {**_shape(self.contacts[kept.content["id"]]), "new": record is None}


def _changes(one: Pending) -> Iterable[dict[str, Any]]:
    """What a salesperson, or the contact, did after we wrote the contact."""
    kept = one.kept
    chance = fate(kept.to, "crm")
    if chance >= 0.06:
        return
    change: dict[str, Any] = {"subscriptionType": "contact.privacyDeletion"}
    if chance >= 0.01:
        change = {"subscriptionType": "contact.propertyChange", "propertyName": "hs_lead_status", "propertyValue": "IN_PROGRESS"}
        change |= {"changeSource": "CRM_UI"}
    unique = hashlib.sha256(f"{kept.id}.{kept.at.isoformat()}".encode()).digest()
    yield {
        "eventId": int.from_bytes(unique[:6], "big"),
        "portalId": PORTAL,
        "appId": 1,
        "subscriptionId": 1,
        "occurredAt": int(one.at(0.5).timestamp() * 1000),
        "attemptNumber": 0,
        "objectId": int(kept.content["id"]),
        **change,
    }


def _authorised(request: Request) -> bool:
    return hmac.compare_digest(request.headers.get("authorization", ""), f"Bearer {TOKEN}")


def _shape(contact: dict[str, Any]) -> dict[str, Any]:
    return {**contact, "archived": False}


def _error(category: str, message: str, context: dict[str, list[str]]) -> dict[str, Any]:
    return {"status": "error", "category": category, "message": message, "context": context, "links": {}, "errors": []}


def _refusal(message: str) -> Response:
    return _error_answer(400, "VALIDATION_ERROR", message)


def _error_answer(status: int, category: str, message: str) -> Response:
    return _json({"status": "error", "message": message, "category": category, "correlationId": "sandbox"}, status)


def _indented(content: Any) -> str:
    return orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()


def _json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, "application/json")


UNAUTHORISED = _json(
    {
        "status": "error",
        "message": "Authentication credentials not found.",
        "category": "INVALID_AUTHENTICATION",
        "correlationId": "sandbox",
    },
    401,
)
