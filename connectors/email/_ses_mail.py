"""Mails as SES v2 takes them: one whole mail, or a template of SES's for many recipients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from connectors.base import Row
from connectors.email._mail_api import Posted, params, shared


def whole(one: Posted, configuration_set: str | None) -> dict[str, Any]:
    """The call of SendEmail."""
    row, mail = one
    body = {name: {"Data": text, "Charset": "UTF-8"} for name, text in (("Text", mail.text), ("Html", mail.html)) if text}
    subject = {"Data": mail.subject, "Charset": "UTF-8"}
    return {
        **_envelope(one, configuration_set),
        "Destination": {"ToAddresses": [mail.recipient.header()]},
        "Content": {"Simple": {"Subject": subject, "Body": body, "Headers": _headers(mail.headers)}},
        "EmailTags": _tags(row),
    }


def templated(posted: Sequence[Posted], configuration_set: str | None) -> dict[str, Any]:
    """The call of SendBulkEmail. Raises Refused when they are not of one template and sender."""
    template, _ = shared(posted)
    entries = [
        {
            "Destination": {"ToAddresses": [mail.recipient.header()]},
            "ReplacementTags": _tags(row),
            "ReplacementEmailContent": {"ReplacementTemplate": {"ReplacementTemplateData": orjson.dumps(params(row)).decode()}},
            "ReplacementHeaders": _headers(mail.headers),
        }
        for row, mail in posted
    ]
    default = {"Template": {"TemplateName": template, "TemplateData": "{}"}}
    return {**_envelope(posted[0], configuration_set), "DefaultContent": default, "BulkEmailEntries": entries}


def _envelope(one: Posted, configuration_set: str | None) -> dict[str, Any]:
    mail = one.mail
    given = {"ReplyToAddresses": [mail.reply_to.header()] if mail.reply_to else None, "ConfigurationSetName": configuration_set}
    return {"FromEmailAddress": mail.sender.header(), **{name: value for name, value in given.items() if value}}


def _headers(headers: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in headers.items()]


def _tags(row: Row) -> list[dict[str, str]]:
    return [{"Name": "message_id", "Value": row.message_id}] if row.message_id else []
