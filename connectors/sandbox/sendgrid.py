"""SendGrid's event webhook for the mail that the sandbox's mail server took: what recipients would have done, signed as SendGrid signs."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from connectors.sandbox.emulator import Emulator, Outgoing, Pending, fate

# A fixed key, so that connectors know it without being told. It signs nothing but the sandbox's own events.
KEY = ec.derive_private_key(int.from_bytes(hashlib.sha256(b"sluice sandbox").digest(), "big") % 2**255, ec.SECP256R1())
LINK = re.compile(r'href="(https?://[^"]+)"')
USER_AGENT = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15"


class SendGrid(Emulator):
    """3 in 100 recipients bounce hard and 1 is blocked; of the rest 35 in 100 open and 10 click, 1 unsubscribes, 1 in 500 complains."""

    destination = "sendgrid"
    reports_on = "smtp"
    chunk = 200
    kinds: ClassVar[frozenset[str]] = frozenset()

    def receipts(self, pending: Sequence[Pending], url: str) -> Iterable[Outgoing]:
        events = [event for one in pending for event in _events(one)]
        # SendGrid ends its body with CRLF, and signs that too.
        body = orjson.dumps(events) + b"\r\n"
        timestamp = str(int(time.time()))
        signature = KEY.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        headers = {
            "content-type": "application/json",
            "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
            "x-twilio-email-event-webhook-timestamp": timestamp,
        }
        yield Outgoing(body, len(events), headers)


def _events(one: Pending) -> Iterator[dict[str, Any]]:
    kept = one.kept
    sent_id = f"sandbox{kept.id}.recvd-0"

    def event(kind: str, fraction: float, **fields: Any) -> dict[str, Any]:
        unique = hashlib.sha256(f"{kept.id}.{kept.at.isoformat()}.{kind}".encode()).digest()
        common = {
            "email": kept.to,
            "timestamp": int(one.at(fraction).timestamp()),
            "smtp-id": kept.content["smtp_id"],
            "event": kind,
            "sg_event_id": base64.urlsafe_b64encode(unique[:18]).decode(),
            "sg_message_id": sent_id,
        }
        return {**common, **kept.content["unique_args"], **fields}

    seen = {"useragent": USER_AGENT, "ip": "192.0.2.10"}
    chance = fate(kept.to, "delivery")
    yield event("processed", 0.0)
    if chance < 0.03:
        yield event("bounce", 0.01, type="bounce", status="5.1.1", reason="550 5.1.1 The email account does not exist")
        return
    if chance < 0.04:
        yield event("bounce", 0.01, type="blocked", status="4.2.2", reason="452 4.2.2 The email account is over quota")
        return
    yield event("delivered", 0.01, response="250 2.0.0 OK")
    if fate(kept.to, "opens") < 0.35:
        opened = 0.05 + 0.6 * fate(kept.to, "opened at", str(kept.id))
        yield event("open", opened, sg_machine_open=False, **seen)
        link = LINK.search(kept.content["html"])
        if link and fate(kept.to, "opens") < 0.10:
            yield event("click", opened + 0.05, url=link[1], **seen)
    if fate(kept.to, "leaves") < 0.01:
        yield event("unsubscribe", 0.9)
    if fate(kept.to, "complains") < 0.002:
        yield event("spamreport", 0.95)
