"""What vendors that take mail over HTTP have in common: the fields of a row are those of `smtp`, so that a send can change its destination.

`messages` is one whole mail a call. `batch_messages` is one template of the vendor's for many rows: fields `to`, `template`, `params`,
`unsubscribe_url` and `from`. No vendor here can be told to take a mail only once, so neither is ever sent again after an unanswered call.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import Any, ClassVar, NamedTuple

from connectors.base import Batch, Connector, Fatal, Object, Outcome, Refused, Row, impersonal
from connectors.email._letter import Draft, draft
from connectors.email._mailbox import Unfit

MAIL: dict[str, Any] = {"message": True, "contact": "email", "modes": frozenset()}  # a message is never kept "in sync"
TEMPLATED = "batch_messages"


class Posted(NamedTuple):
    """A row that can become a mail, with what the mail is made of."""

    row: Row
    mail: Draft


def whole_mails(**limits: Any) -> Object:
    return Object(batch_size=1, required=frozenset({"to", "subject"}), **MAIL, **limits)


def templated_mails(**limits: Any) -> Object:
    return Object(required=frozenset({"to", "template"}), **MAIL, **limits)


class MailApi(Connector, ABC):
    """Rows that cannot become a mail get their outcome here; the others leave in one call of `post`."""

    channel: ClassVar[str] = "email"
    receives: ClassVar[str | None] = "mail_events"

    async def deliver(self, batch: Batch) -> list[Outcome]:
        options, templated = self.options, batch.object == TEMPLATED
        if batch.rows and not options.sender:
            raise Fatal("NO_SENDER", "Set `sender` of this destination to send by it.")
        unfit: dict[int, Outcome] = {}
        posted: list[Posted] = []
        for place, row in enumerate(batch.rows):
            try:
                posted.append(Posted(row, draft(row, options.sender, options.reply_to, ascii_only=True, templated=templated)))
            except Unfit as error:
                unfit[place] = Outcome("rejected", error.code, error.reason)
        answered = iter(await self.post(posted, templated) if posted else ())
        return [unfit[place] if place in unfit else next(answered) for place in range(len(batch.rows))]

    def together(self, row: Row) -> Hashable:
        fields = row.fields
        return fields.get("template"), fields.get("from"), bool(fields.get("unsubscribe_url"))

    @abstractmethod
    async def post(self, posted: Sequence[Posted], templated: bool) -> Sequence[Outcome]:
        """Send these in one call: one outcome for each, in order."""


def shared(posted: Sequence[Posted]) -> tuple[str, Draft]:
    """The template of all rows, and a mail that has their sender. Raises Refused when they differ: one call has one of each."""
    templates = {str(row.fields["template"]) for row, _ in posted}
    senders = {mail.sender for _, mail in posted}
    if len(templates) > 1 or len(senders) > 1:
        raise Refused("MIXED_BATCH", "Rows of one call have one template and one sender; the batch was not sent.")
    return templates.pop(), posted[0].mail


def params(row: Row) -> dict[str, Any]:
    """What fills the template; a missing value is an empty one."""
    return {name: "" if value is None else value for name, value in (row.fields.get("params") or {}).items()}


def said(text: str, posted: Sequence[Posted]) -> str:
    """A vendor's words about these rows, fit for a log: vendors quote the addresses and names that they refuse."""
    for _, mail in posted:
        for personal in (mail.recipient.spec, mail.recipient.name):
            text = text.replace(personal, "…") if personal else text
    return impersonal(text, posted[0].row if len(posted) == 1 else None)
