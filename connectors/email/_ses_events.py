"""What SES publishes: events of a configuration set (`eventType`) and notifications of an identity (`notificationType`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

# In events: the object that is about what happened, and where in it the recipients are.
RECIPIENTS = {
    "bounce": "bouncedRecipients",
    "complaint": "complainedRecipients",
    "delivery": "recipients",
    "deliveryDelay": "delayedRecipients",
}


def events(message: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """One for each recipient it is about; what else is published to the topic (SES greets it) is none."""
    try:
        event = orjson.loads(message["Message"])
    except orjson.JSONDecodeError:
        return
    if not isinstance(event, dict) or not isinstance(event.get("mail"), dict):
        return
    kind = str(event.get("eventType") or event.get("notificationType") or "")
    name = next((name for name in event if name.lower() == kind.replace(" ", "").lower()), "")
    about = event[name] if isinstance(event.get(name), dict) else {}
    recipients = about.get(RECIPIENTS.get(name, "")) or event["mail"].get("destination") or []
    for number, recipient in enumerate(recipients if isinstance(recipients, list) else []):
        own = recipient if isinstance(recipient, dict) else {"emailAddress": recipient}
        yield {
            **event,
            "vendor": "ses",
            "event_id": f"{message['MessageId']}.{number}",
            "event": kind,
            "email": own.get("emailAddress"),
            "timestamp": about.get("timestamp") or event["mail"].get("timestamp"),
            "status": own.get("status"),
            "reason": own.get("diagnosticCode") or about.get("complaintFeedbackType") or about.get("smtpResponse"),
        }
