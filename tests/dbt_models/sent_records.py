"""Records in the shapes that senders produce, with only what a test cares about to be given."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

from warehouse_house import Record

NUMBERS = itertools.count(1)


def at(text: str) -> datetime:
    """A moment in UTC: `at("2026-06-01 10:00")`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _iso(text: str) -> str:
    return at(text).isoformat().replace("+00:00", "Z")


def _message(kind: str, when: str, given: dict[str, Any]) -> Record:
    return "web/events.jsonl", {"messageId": f"w{next(NUMBERS)}", "type": kind, "timestamp": _iso(when), **given}


def identify(when: str = "2026-06-01 10:00", anonymous: str | None = None, user: str | None = None, **traits: str) -> Record:
    return _message("identify", when, {"anonymousId": anonymous, "userId": user, "traits": traits})


def alias(previous: str, user: str, when: str = "2026-06-01 10:00") -> Record:
    return _message("alias", when, {"previousId": previous, "userId": user})


def page(when: str, anonymous: str | None = None, user: str | None = None, **page_or_context: Any) -> Record:
    context = page_or_context.pop("context", {})
    return _message("page", when, {"anonymousId": anonymous, "userId": user, "context": {"page": page_or_context, **context}})


def track(event: str, when: str, anonymous: str | None = None, user: str | None = None, context: Any = None, **properties: Any) -> Record:
    given = {"anonymousId": anonymous, "userId": user, "event": event, "properties": properties, "context": context or {}}
    return _message("track", when, given)


def form(
    when: str = "2026-06-01 10:00", form_id: str = "demo-request", anonymous: str | None = None, consent: Any = None, **fields: str
) -> Record:
    return "forms/submissions.jsonl", {
        "submission_id": f"f{next(NUMBERS)}",
        "form_id": form_id,
        "submitted_at": _iso(when),
        "anonymous_id": anonymous,
        "fields": fields,
        "consent": consent,
    }


def contact(contact_id: str, updated: str = "2026-06-01 10:00", **given: str) -> Record:
    base = dict.fromkeys(
        ["account_id", "email", "phone", "first_name", "last_name", "title", "lifecycle_stage", "do_not_contact", "wechat_unionid"], ""
    )
    return "crm/contacts.csv", {
        "contact_id": contact_id,
        **base,
        **given,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": _iso(updated),
    }


def account(account_id: str, name: str, domain: str, created: str = "2026-01-01") -> Record:
    return "crm/accounts.csv", {"account_id": account_id, "name": name, "domain": domain, "created_at": created, "updated_at": created}


def opportunity(
    opportunity_id: str, contact_id: str, stage: str, created: str, closed: str = "", updated: str = "", amount: str = ""
) -> Record:
    return "crm/opportunities.csv", {
        "opportunity_id": opportunity_id,
        "account_id": "",
        "contact_id": contact_id,
        "stage": stage,
        "created_at": created,
        "closed_at": closed,
        "updated_at": updated or closed or created,
        "amount": amount,
    }


def order(order_id: str, when: str, status: str = "paid", total: float = 100.0, updated: str | None = None, **identifiers: str) -> Record:
    return "shop/orders.jsonl", {
        "order_id": order_id,
        "status": status,
        "total": total,
        "currency": "CNY",
        "items": [],
        "ordered_at": _iso(when),
        "updated_at": _iso(updated or when),
        **identifiers,
    }


def mail(event: str, email: str, when: str, message_id: str | None = None, **given: Any) -> Record:
    return "mail/events.jsonl", {
        "sg_event_id": f"s{next(NUMBERS)}",
        "event": event,
        "email": email,
        "timestamp": int(at(when).timestamp()),
        "message_id": message_id,
        **given,
    }


def sms(phone: str, when: str, code: str = "DELIVERED", out_id: str = "", biz_id: str = "") -> Record:
    """`when` is what the clock in China shows."""
    return "sms/receipts.jsonl", {
        "phone_number": phone,
        "report_time": when,
        "send_time": when,
        "success": code == "DELIVERED",
        "err_code": code,
        "biz_id": biz_id or f"b{next(NUMBERS)}",
        "out_id": out_id,
    }


def tencent_sms(phone: str, when: str, errmsg: str = "DELIVRD", sid: str | None = None) -> Record:
    """As the connector hands it on. `when` is what the clock in China shows."""
    return "sms/receipts.jsonl", {
        "vendor": "tencent_sms",
        "phone_number": phone,
        "user_receive_time": when,
        "report_status": "SUCCESS" if errmsg == "DELIVRD" else "FAIL",
        "errmsg": errmsg,
        "sid": sid or f"5000:{next(NUMBERS)}",
    }


def tencent_reply(phone: str, when: str, text: str) -> Record:
    """As the connector hands it on."""
    return "sms/receipts.jsonl", {"vendor": "tencent_sms", "phone_number": phone, "text": text, "time": int(at(when).timestamp())}


def twilio(phone: str, when: str, status: str, **fields: str) -> Record:
    """As the connector hands it on."""
    return "sms/receipts.jsonl", {
        "vendor": "twilio",
        "phone_number": phone,
        "received_at": at(when).isoformat(),
        "MessageSid": f"SM{next(NUMBERS)}",
        "SmsStatus": status,
        **({} if status == "received" else {"MessageStatus": status}),
        **fields,
    }


def wechat(openid: str, event: str, when: str, **elements: str) -> Record:
    return "wechat/callbacks.jsonl", {
        "appid": "wx1",
        "FromUserName": openid,
        "CreateTime": str(int(at(when).timestamp())),
        "MsgType": "event",
        "Event": event,
        **elements,
    }


def consent(identifier_type: str, identifier: str, channel: str, purpose: str, status: str, when: str, **given: str) -> Record:
    return "consent/records.jsonl", {
        "consent_id": f"c{next(NUMBERS)}",
        "identifier_type": identifier_type,
        "identifier": identifier,
        "channel": channel,
        "purpose": purpose,
        "status": status,
        "source": "preference_centre",
        "occurred_at": _iso(when),
        **given,
    }


def tracking(kind: str, message_id: str, when: str, channel: str = "email", purpose: str | None = None, **given: str) -> Record:
    return "tracking/events.jsonl", {
        "event_id": f"t{next(NUMBERS)}",
        "type": kind,
        "message_id": message_id,
        "channel": channel,
        "purpose": purpose,
        "occurred_at": _iso(when),
        **given,
    }


def crm_change(subscription: str, object_id: int, when: str, name: str | None = None, value: str | None = None) -> Record:
    return "crm_changes/changes.jsonl", {
        "eventId": next(NUMBERS),
        "subscriptionType": subscription,
        "objectId": object_id,
        "propertyName": name,
        "propertyValue": value,
        "occurredAt": int(at(when).timestamp() * 1000),
    }
