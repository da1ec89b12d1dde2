"""What recipients do with mail: the same recipient always the same, whichever vendor brought it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import NamedTuple

from connectors.sandbox.emulator import Pending, fate

LINK = re.compile(r"""href=["'](https?://[^"']+)["']""")
USER_AGENT = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15"
ADDRESS = "192.0.2.10"
GONE = "550 5.1.1 The email account does not exist"
FULL = "452 4.2.2 The email account is over quota"


class Act(NamedTuple):
    """One thing that happened: accepted, gone, full, delivered, opened, clicked, left or complained; `at` is how far from start to end."""

    kind: str
    at: float
    url: str = ""


def acts(one: Pending) -> Iterator[Act]:
    """3 in 100 recipients are gone and 1 has a full mailbox; of the rest 35 in 100 open and 10 click, 1 leaves, 1 in 500 complains."""
    kept = one.kept
    chance = fate(kept.to, "delivery")
    yield Act("accepted", 0.0)
    if chance < 0.04:
        yield Act("gone" if chance < 0.03 else "full", 0.01)
        return
    yield Act("delivered", 0.01)
    if fate(kept.to, "opens") < 0.35:
        opened = 0.05 + 0.6 * fate(kept.to, "opened at", str(kept.id))
        yield Act("opened", opened)
        link = LINK.search(kept.content["html"])
        if link and fate(kept.to, "opens") < 0.10:
            yield Act("clicked", opened + 0.05, link[1])
    if fate(kept.to, "leaves") < 0.01:
        yield Act("left", 0.9)
    if fate(kept.to, "complains") < 0.002:
        yield Act("complained", 0.95)


def event_id(one: Pending, act: Act) -> bytes:
    """18 bytes that are the same when the same thing is reported again."""
    return hashlib.sha256(f"{one.kept.id}.{one.kept.at.isoformat()}.{act.kind}".encode()).digest()[:18]
