"""Amazon SES v2 as seen from outside: single and bulk sends, the suppression list, and events in signed SNS envelopes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.header import decode_header, make_header
from email.utils import parseaddr
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.sandbox._recipients import ADDRESS, FULL, GONE, USER_AGENT, Act, acts, event_id
from connectors.sandbox.emulator import Emulator, Kept, Outgoing, Pending, Shown
from connectors.sandbox.faults import Fault

ACCESS_KEY_ID = "AKIASANDBOXSLUICE000"
SECRET_ACCESS_KEY = "sandbox-secret-access-key"
REGION = "us-east-1"
TOPIC = f"arn:aws:sns:{REGION}:000000000000:sluice-sandbox"
CERTIFICATE = f"https://sns.{REGION}.amazonaws.com/SimpleNotificationService-{'0' * 32}.pem"
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8}/[a-z0-9-]+/ses/aws4_request), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})"
)
EMAIL = re.compile(r"[!-~]+@[A-Za-z0-9.-]+\.[A-Za-z0-9-]+")
SKEW = timedelta(minutes=15)
A_CALL = 50

# A fixed key, so that connectors know it without being told. It signs nothing but the sandbox's own events.
P = int(
    "db20509bc9e34fdb3266c5436c98d8681e72f92a5c1c70619c740b7efc6634bce14aef6a1499fbedc7841ca6bfa42f9c0064d61931010fd6287597f0e27ad177764aa127dd1306d3c7d556c176bf206c67320293552057bc87aec22090a33de292573fa72f489e1a130ee7d012f0442e9db0fb96aacdb4c199f0827d1fc99c1d",
    16,
)
Q = int(
    "ccfcd0e5ba9cb47ae8e45379ad5c53838c9ad1e89c71e4b4ecffe697f114719fbb11ef4f19ca198757b032e095f2a34cdd2e8438d70aa1171a37d509e3b590bde4aa2f08ce51d15ae72c58b9d6c42a095fe4248af6cec6bd453e55aa7491b419741c899c661992e203ae554739c28ffdb159403c056c29a1c839d8638521b0ef",
    16,
)
EVENTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "accepted": ("Send", "send", {}),
    "gone": ("Bounce", "bounce", {"bounceType": "Permanent", "bounceSubType": "General"}),
    "full": ("Bounce", "bounce", {"bounceType": "Transient", "bounceSubType": "MailboxFull"}),
    "delivered": ("Delivery", "delivery", {"smtpResponse": "250 2.0.0 OK", "processingTimeMillis": 500}),
    "opened": ("Open", "open", {"ipAddress": ADDRESS, "userAgent": USER_AGENT}),
    "clicked": ("Click", "click", {"ipAddress": ADDRESS, "userAgent": USER_AGENT}),
    "left": ("Subscription", "subscription", {"source": "UnsubscribeHeader", "newTopicPreferences": {"unsubscribeAll": True}}),
    "complained": ("Complaint", "complaint", {"complaintFeedbackType": "abuse"}),
}


class Ses(Emulator):
    """Every sender is verified, and every template is there whose name does not begin with `missing`. A `partial` fault refuses the entry
    that matches with `code` (default MESSAGE_REJECTED), or the single mail with MessageRejected."""

    destination = "ses"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.suppressed: dict[str, dict[str, Any]] = {}

    def routes(self) -> Sequence[Route]:
        list_path = "/v2/email/suppression/addresses"
        return [
            Route("/v2/email/outbound-emails", self._send, methods=["POST"]),
            Route("/v2/email/outbound-bulk-emails", self._send_bulk, methods=["POST"]),
            Route("/v2/email/account", self._account, methods=["GET"]),
            Route(list_path, self._suppress, methods=["PUT"]),
            Route(list_path + "/{address:path}", self._suppression, methods=["GET", "DELETE"]),
        ]

    def refuse(self, fault: Fault) -> Response:
        headers = {} if fault.retry_after is None else {"retry-after": str(fault.retry_after)}
        if fault.kind == "rate_limit":
            return error(429, "TooManyRequestsException", "Maximum sending rate exceeded.", headers)
        return error(500, "InternalServiceErrorException", "An internal error occurred.", headers)

    def apply(self, kept: Kept) -> None:
        if kept.kind == "suppressed":
            self.suppressed[kept.to] = {**kept.content, "LastUpdateTime": kept.at.timestamp()}
        elif kept.kind == "unsuppressed":
            self.suppressed.pop(kept.to, None)

    def state(self) -> Any:
        return {"suppressed": self.suppressed}

    def shown(self, kept: Kept) -> Shown:
        if kept.kind != "message":
            return Shown(f"{kept.to} {kept.kind}")
        content = kept.content
        return Shown(content["subject"] or content["template"], content["text"], content["html"] or None)

    async def _account(self, request: Request) -> Response:
        quota = {"Max24HourSend": 50_000.0, "MaxSendRate": 14.0, "SentLast24Hours": 0.0}
        refusal = refused(request, b"")
        return refusal or _json({"SendingEnabled": True, "ProductionAccessEnabled": True, "SendQuota": quota})

    async def _suppress(self, request: Request) -> Response:
        body = await request.body()
        if refusal := refused(request, body):
            return refusal
        given = orjson.loads(body)
        address, reason = given.get("EmailAddress"), given.get("Reason")
        if reason not in ("BOUNCE", "COMPLAINT") or not EMAIL.fullmatch(str(address)) or self.refused(str(address)):
            return error(400, "BadRequestException", f"Invalid email address <{address}> or reason.")
        self.keep("suppressed", to=address, content={"EmailAddress": address, "Reason": reason})
        return _json({})

    async def _suppression(self, request: Request) -> Response:
        if refusal := refused(request, b""):
            return refusal
        address = request.path_params["address"]
        if address not in self.suppressed:
            return error(404, "NotFoundException", f"Email address {address} does not exist on your suppression list.")
        if request.method == "GET":
            return _json({"SuppressedDestination": self.suppressed[address]})
        self.keep("unsuppressed", to=address, content={})
        return _json({})

    async def _send(self, request: Request) -> Response:
        body = await request.body()
        if refusal := refused(request, body):
            return refusal
        mail = orjson.loads(body)
        simple, to = mail["Content"].get("Simple") or {}, mail.get("Destination", {}).get("ToAddresses") or []
        parts = simple.get("Body") or {}
        if not to or not simple.get("Subject", {}).get("Data") or not parts:
            return error(400, "BadRequestException", "Missing required parameter: Destination, Subject or Body.")
        if len(to) > A_CALL:
            return error(400, "BadRequestException", "Recipient count exceeds 50.")
        if wrong := _wrong_header(simple.get("Headers") or []) or _wrong_tag(mail.get("EmailTags") or []):
            return error(400, "BadRequestException", wrong)
        for recipient in to:
            if not EMAIL.fullmatch(parseaddr(recipient)[1]):
                return error(400, "BadRequestException", f"Illegal address: {recipient}")
            if self.refused(f"{recipient} {body.decode()}"):
                return error(400, "MessageRejected", f"Email to {recipient} was rejected.")
        content = {"subject": simple["Subject"]["Data"], "headers": simple.get("Headers"), "tags": mail.get("EmailTags"), "template": ""}
        content |= {name: parts.get(part, {}).get("Data", "") for name, part in (("text", "Text"), ("html", "Html"))}
        return _json({"MessageId": self._take(to, {**content, "from": _plain(mail["FromEmailAddress"])})})

    async def _send_bulk(self, request: Request) -> Response:
        body = await request.body()
        if refusal := refused(request, body):
            return refusal
        mail = orjson.loads(body)
        template, entries = mail["DefaultContent"].get("Template") or {}, mail.get("BulkEmailEntries") or []
        if not 1 <= len(entries) <= A_CALL:
            return error(400, "BadRequestException", "The number of destinations must be between 1 and 50.")
        if str(template.get("TemplateName")).startswith("missing"):
            return _json({"BulkEmailEntryResults": [{"Status": "TEMPLATE_NOT_FOUND", "Error": "Template does not exist."}] * len(entries)})
        results = []
        for entry in entries:
            to, tags = entry["Destination"]["ToAddresses"], entry.get("ReplacementTags") or []
            wrong = _wrong_header(entry.get("ReplacementHeaders") or []) or _wrong_tag(tags)
            fault = self.refused(orjson.dumps(entry).decode())
            if fault or wrong or not all(EMAIL.fullmatch(parseaddr(one)[1]) for one in to):
                status = (fault.code if fault else None) or ("MESSAGE_REJECTED" if fault else "INVALID_PARAMETER")
                results.append({"Status": status, "Error": wrong or f"Email to {to[0]} was not taken."})
                continue
            data = entry["ReplacementEmailContent"]["ReplacementTemplate"]["ReplacementTemplateData"]
            content = {"subject": "", "text": "", "html": "", "template": template["TemplateName"], "params": orjson.loads(data)}
            content |= {"headers": entry.get("ReplacementHeaders"), "tags": tags, "from": _plain(mail["FromEmailAddress"])}
            results.append({"Status": "SUCCESS", "MessageId": self._take(to, content)})
        return _json({"BulkEmailEntryResults": results})

    def _take(self, to: Sequence[str], content: Mapping[str, Any]) -> str:
        message_id = f"0100{uuid4().hex[:12]}-{uuid4()}-000000"
        for recipient in to:
            self.keep("message", to=parseaddr(recipient)[1], content={**content, "to": _plain(recipient), "message_id": message_id})
        return message_id

    def receipts(self, pending: Sequence[Pending], url: str) -> Iterable[Outgoing]:
        for one in pending:
            for act in acts(one) if one.kept.kind == "message" else ():
                body = envelope(orjson.dumps(_event(one, act)).decode(), event_id(one, act).hex(), datetime.now(UTC))
                headers = {"content-type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": "Notification"}
                yield Outgoing(orjson.dumps(body), 1, headers)


def envelope(message: str, message_id: str, now: datetime, version: str = "2", **more: str) -> dict[str, str]:
    """What SNS posts, signed. `more`: what a confirmation has besides."""
    body = {"Type": "Notification", "MessageId": message_id, "TopicArn": TOPIC, "Message": message}
    body |= {"Timestamp": now.strftime("%Y-%m-%dT%H:%M:%S.000Z"), **more}
    signed = sorted(
        name for name in body if name in ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
    )
    text = "".join(f"{name}\n{body[name]}\n" for name in signed).encode()
    numbers = rsa.RSAPublicNumbers(65537, P * Q)
    d = pow(65537, -1, (P - 1) * (Q - 1))
    key = rsa.RSAPrivateNumbers(P, Q, d, d % (P - 1), d % (Q - 1), pow(Q, -1, P), numbers).private_key()
    signature = key.sign(text, padding.PKCS1v15(), hashes.SHA1() if version == "1" else hashes.SHA256())
    return {**body, "SignatureVersion": version, "Signature": base64.b64encode(signature).decode(), "SigningCertURL": CERTIFICATE}


def _event(one: Pending, act: Act) -> dict[str, Any]:
    event, name, fields = EVENTS[act.kind]
    content, moment = one.kept.content, _iso(one.at(act.at))
    about: dict[str, Any] = {**fields, "timestamp": moment}
    if name == "bounce":
        code = {"status": "5.1.1", "diagnosticCode": GONE} if act.kind == "gone" else {"status": "4.2.2", "diagnosticCode": FULL}
        about["bouncedRecipients"] = [{"emailAddress": one.kept.to, "action": "failed", **code}]
    elif name == "complaint":
        about["complainedRecipients"] = [{"emailAddress": one.kept.to}]
    elif name == "delivery":
        about["recipients"] = [one.kept.to]
    elif name == "click":
        about["link"] = act.url
    mail = {
        "timestamp": _iso(one.start),
        "messageId": content["message_id"],
        "source": content["from"],
        "destination": [one.kept.to],
        "tags": {tag["Name"]: [tag["Value"]] for tag in content["tags"] or []},
    }
    return {"eventType": event, "mail": mail, name: about if act.kind != "accepted" else {}}


def refused(request: Request, body: bytes) -> Response | None:
    """The refusal of a request that is not signed by the sandbox's key."""
    found = AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if found is None:
        return error(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
    key_id, scope, names, signature = found.groups()
    if key_id != ACCESS_KEY_ID:
        return error(403, "UnrecognizedClientException", "The security token included in the request is invalid.")
    date = request.headers.get("x-amz-date", "")
    try:
        moment = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        moment = datetime.min.replace(tzinfo=UTC)
    if abs(datetime.now(UTC) - moment) > SKEW or not scope.startswith(f"{date[:8]}/{REGION}/"):
        return error(403, "InvalidSignatureException", "Signature expired, or its scope is another.")
    lines = "".join(f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in names.split(";"))
    path = quote(request.scope["raw_path"].decode().split("?")[0], safe="/~")
    canonical = "\n".join([request.method, path, request.url.query, lines, names, hashlib.sha256(body).hexdigest()])
    to_sign = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = b"AWS4" + SECRET_ACCESS_KEY.encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    right = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    if "host" not in names.split(";") or not hmac.compare_digest(signature, right):
        said = "The request signature we calculated does not match the signature you provided."
        return error(403, "InvalidSignatureException", f"{said} The Canonical String for this request should have been '{canonical}'")
    return None


def error(status: int, name: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps({"message": message}), status, {**(headers or {}), "x-amzn-errortype": name}, "application/json")


def _wrong_header(headers: Sequence[Mapping[str, str]]) -> str:
    wrong = [
        one for one in headers if not re.fullmatch(r"[ -~]{1,995}", one["Value"]) or not re.fullmatch(r"[!-9;-@A-~]{1,126}", one["Name"])
    ]
    return "Invalid header." if wrong or len(headers) > 15 else ""


def _wrong_tag(tags: Sequence[Mapping[str, str]]) -> str:
    return "" if all(re.fullmatch(r"[A-Za-z0-9_-]{1,256}", tag["Name"] + tag["Value"]) for tag in tags) else "Invalid tag."


def _plain(address: str) -> str:
    return str(make_header(decode_header(address)))


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _json(content: Any) -> Response:
    return Response(orjson.dumps(content), 200, media_type="application/json")
