"""What the ledger remembers of alerts: how it is with each subject, and who knows. Shared by all who share the ledger.

Each change is told once to each channel, whichever process sees it first: a channel is claimed before it is told, and a claim that
nobody made good runs out. A channel that was never told of a failure is not told that it is over.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from activation.engine.alert_channels import Channel
from activation.engine.alerts.troubles import Found, Trouble
from activation.engine.ledger import Ledger

CLAIM_SECONDS = 120.0
EMPTY = json.dumps([])


@dataclass(frozen=True)
class Change:
    """One thing to tell one channel: `subject` fails since `since`, or (`ended` is set) works again."""

    subject: str
    trouble: Trouble
    since: str
    ended: str | None


def note(ledger: Ledger, found: Found, now: datetime) -> None:
    """Write down how it is with a subject. What has not changed stays as it was first told."""
    moment, trouble = now.isoformat(timespec="seconds"), found.trouble
    while True:
        rows = ledger.rows("select * from alerts where subject = ?", (found.subject,))
        if not rows and trouble is None:
            return
        if not rows and trouble is not None:
            values = (found.subject, moment, trouble.code, trouble.sentence, trouble.advice, EMPTY, "{}")
            sql = "insert into alerts (subject, failing, since, code, sentence, advice, told, claims, version) values (?, 1, ?, ?, ?, ?, ?, ?, 0) on conflict (subject) do nothing"
            if ledger.execute(sql, values):
                return
            continue
        row = rows[0]
        if bool(row["failing"]) == (trouble is not None):
            return
        if trouble is None:
            changed = ledger.execute(
                "update alerts set failing = 0, ended = ?, claims = '{}', version = version + 1 where subject = ? and version = ?",
                (moment, found.subject, row["version"]),
            )
        else:
            changed = ledger.execute(
                "update alerts set failing = 1, since = ?, ended = null, code = ?, sentence = ?, advice = ?, claims = '{}', version = version + 1 "
                "where subject = ? and version = ?",
                (moment, trouble.code, trouble.sentence, trouble.advice, found.subject, row["version"]),
            )
        if changed:
            return


def due(ledger: Ledger, channels: Sequence[Channel]) -> Iterator[tuple[Channel, Change]]:
    """What somebody has not been told yet, claimed for the caller, who makes each claim good with `told` or gives it up with `untold`."""
    for row in ledger.rows("select subject from alerts where failing = 1 or told <> ? order by subject", (EMPTY,)):
        for channel in channels:
            if channel.wants(row["subject"]):
                change = _claim(ledger, row["subject"], channel)
                if change is not None:
                    yield channel, change


def told(ledger: Ledger, channel: Channel, change: Change) -> None:
    _settle(ledger, channel, change, known=True)


def untold(ledger: Ledger, channel: Channel, change: Change) -> None:
    """It is tried again at the next run of anything."""
    _settle(ledger, channel, change, known=False)


def _claim(ledger: Ledger, subject: str, channel: Channel) -> Change | None:
    row = ledger.rows("select * from alerts where subject = ?", (subject,))[0]
    knows = channel.key in json.loads(row["told"])
    claims = json.loads(row["claims"])
    if knows == bool(row["failing"]) or claims.get(channel.key, 0.0) > time.time():
        return None
    claims[channel.key] = time.time() + CLAIM_SECONDS
    if not _update(ledger, row, row["told"], json.dumps(claims)):
        return None  # somebody else is at it
    trouble = Trouble(row["code"], row["sentence"], row["advice"])
    return Change(subject, trouble, row["since"], None if row["failing"] else row["ended"])


def _settle(ledger: Ledger, channel: Channel, change: Change, known: bool) -> None:
    while True:
        row = ledger.rows("select * from alerts where subject = ?", (change.subject,))[0]
        claims = json.loads(row["claims"])
        if row["since"] == change.since and bool(row["failing"]) == (change.ended is None):
            claims.pop(channel.key, None)
        names = set(json.loads(row["told"]))
        if known:
            names = names | {channel.key} if change.ended is None else names - {channel.key}
        if _update(ledger, row, json.dumps(sorted(names)), json.dumps(claims)):
            return


def _update(ledger: Ledger, row: Any, names: str, claims: str) -> bool:
    sql = "update alerts set told = ?, claims = ?, version = version + 1 where subject = ? and version = ?"
    return bool(ledger.execute(sql, (names, claims, row["subject"], row["version"])))
