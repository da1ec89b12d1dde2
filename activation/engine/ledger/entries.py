"""What is written into the ledger: intents before a call, outcomes after it, row by row or a whole lot in one line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from activation.engine.errors import SluiceError


class LeaseLost(SluiceError):
    """Another process took this sync over while this one was paused. It has written nothing since."""


@dataclass(frozen=True)
class Lease:
    """The right to run one sync, fenced by its token."""

    ref: str
    token: int


class Intent(NamedTuple):
    """A row about to leave. For messages `message_id` is claimed; `resend_within` is how long the vendor drops repeats of it (seconds)."""

    row_number: int
    batch: int
    message_id: str | None = None
    profile_id: str | None = None
    resend_within: float = 0.0


class Recorded(NamedTuple):
    """What came of a row. Wins over what its lot was answered."""

    row_number: int
    outcome: str
    code: str
    reason: str
    provider_id: str | None = None
    message_id: str | None = None


class LotIntent(NamedTuple):
    """Rows about to leave in one call, noted in one line: records only, since a message is claimed by its own id.

    The rows are `first_row` to `last_row` of the plan without those that are withheld or invalid; `rows` is how many that are.
    """

    batch: int
    first_row: int
    last_row: int
    rows: int


class LotRecorded(NamedTuple):
    """What came of every row of a lot that has no answer of its own."""

    batch: int
    outcome: str
    code: str
    reason: str


Entry = Intent | Recorded | LotIntent | LotRecorded
