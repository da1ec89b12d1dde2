"""What a connector is: how one vendor is talked to, both ways.

A connector is one file with one class. Class attributes say what it can do, `Options` how it is configured, `deliver` turns a
batch into outcomes, `receive` turns what the vendor sends us into events. It never sleeps, retries, logs or reads the
environment: the HTTP client it is handed already throttles, retries and redacts.

Trouble with one row is a value (`Outcome`). Trouble with the whole request is an exception, sorted by what the caller must do:

    ConnectorError
    ├── Fatal         stop the run, a person must fix something (credentials, template, permission)
    ├── Transient     surely not processed; the same request may be sent again, after `after` seconds
    ├── Refused       the batch was refused for its content; split it to find the bad row
    ├── Interrupted   the first rows have their outcomes, the others were not tried: they may leave in another call
    └── Unanswered    the request left and no answer came; it may have been processed
    BadSignature      an incoming callback was not signed by the vendor, is stale, or is malformed
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from types import TracebackType
from typing import Any, ClassVar, Literal, Protocol, Self

import httpx
import orjson
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from connectors._callback import BadSignature, Callback, Received, same

Operation = Literal["add", "change", "remove"]
Status = Literal["sent", "rejected", "unknown", "skipped"]


class ConnectorError(Exception):
    """Trouble with a whole request. `code` is stable and for programs, `reason` a sentence without personal data or secrets."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class Fatal(ConnectorError):
    """Stop the run: it cannot succeed before a person fixes what `reason` says."""


class Transient(ConnectorError):
    """The destination surely did not process the request; send it again, no sooner than `after` seconds from now."""

    def __init__(self, code: str, reason: str, after: float | None = None) -> None:
        super().__init__(code, reason)
        self.after = after


class Refused(ConnectorError):
    """The destination refused the whole batch because of something in it, and processed none of it."""


class Unanswered(ConnectorError):
    """The request left and no answer came back: it may or may not have been processed.

    Where asking again is harmless, that is no sooner than `after` seconds from now.
    """

    def __init__(self, code: str, reason: str, after: float | None = None) -> None:
        super().__init__(code, reason)
        self.after = after


class Interrupted(ConnectorError):
    """A batch that is sent row by row broke off. `outcomes` are those of the first rows; the rest surely did not leave."""

    def __init__(self, code: str, reason: str, outcomes: Sequence[Outcome]) -> None:
        super().__init__(code, reason)
        self.outcomes = outcomes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one row: `sent`, `rejected`, `unknown` or `skipped`, with a stable code and a sentence."""

    status: Status
    code: str = ""
    reason: str = ""
    provider_id: str | None = None


@dataclass(repr=False)  # not frozen: that costs three times as much, for every row there is
class Row:
    """One row of a plan on its way out. `payload` is a JSON object as bytes, shaped in the warehouse; `fields` parses it on demand.

    `index` is the row's place in the plan, `key` identifies the source row, `match` the record at the destination,
    `message_id` is stable over retries (messages only), `provider_id` is what the destination called the record last time.
    """

    index: int
    key: str
    payload: bytes
    match: str | None = None
    message_id: str | None = None
    provider_id: str | None = None

    @cached_property
    def fields(self) -> dict[str, Any]:
        return orjson.loads(self.payload)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"Row({self.index})"  # personal data never reaches a repr


@dataclass(frozen=True)
class Batch:
    """Rows that leave in one call: all of one operation, at most `batch_size` of them.

    `settings` are the sync's own options for this object (validated by the object's `Settings`). `run_id` and `number` name
    the batch, the same again when the same batch is sent again.
    """

    object: str
    operation: Operation
    rows: Sequence[Row]
    run_id: str
    number: int
    match_policy: str = "upsert"
    on_removed: str = "nothing"
    settings: Any = None
    encoded: Encoded | None = None

    @property
    def payloads(self) -> Sequence[bytes]:
        """The rows' JSON objects, for who hands them on as they are: no row is made into an object for that."""
        return [row.payload for row in self.rows] if self.encoded is None else self.encoded.payloads

    def begun_with(self, start: bytes) -> bytes:
        """The rows' JSON objects, commas between them, each with the member `start` (as `"name":value`) before its own."""
        return begun_with(start, self.payloads) if self.encoded is None else self.encoded.begun_with(start)


class Encoded(Protocol):
    """Rows that can be handed on without becoming objects."""

    @property
    def payloads(self) -> Sequence[bytes]: ...
    def begun_with(self, start: bytes) -> bytes: ...


def begun_with(start: bytes, payloads: Sequence[bytes]) -> bytes:
    """See `Batch.begun_with`."""
    return b",".join(b"{" + start + (b"," + payload[1:] if len(payload) > len(b"{}") else b"}") for payload in payloads)


class Strict(BaseModel):
    """A declaration: unknown keys are errors, values are not coerced across types, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class NoSettings(Strict):
    """For objects that need no options of their own."""


@dataclass(frozen=True)
class Object:
    """What a connector can do with one kind of record or message. Limits are the vendor's, as defaults that a destination may lower.

    `per_second` counts requests; mail by SMTP counts message by message.

    `idempotent`: sending the same batch again changes nothing over there. `idempotency_seconds`: repeats of one `message_id` are
    dropped by the vendor for so long. A message with neither is never sent again after an unanswered call.

    `removed_by_key`: words of `on_removed` for which key, match value and provider id of a row are enough; with others the plan reads
    what the rows held, which takes it longer than all else.
    """

    message: bool = False
    contact: str | None = None  # the identifier a row needs: email, phone, wechat_openid
    batch_size: int = 1
    per_second: float = 10.0
    concurrency: int = 4
    modes: frozenset[str] = frozenset({"upsert"})
    match_policies: frozenset[str] = frozenset({"upsert"})
    on_removed: frozenset[str] = frozenset({"nothing"})
    removed_by_key: frozenset[str] = frozenset({"nothing"})
    idempotent: bool = False
    idempotency_seconds: float = 0.0
    bulk_above: int = 0  # plans of more rows leave in batches of `bulk_size`, for vendors who take many in another way (0: they do not)
    bulk_size: int = 0
    required: frozenset[str] = frozenset()  # payload fields without which a row is invalid
    patterns: Mapping[str, str] = field(
        default_factory=dict, hash=False
    )  # what fields that are the same for all rows look like, else all are refused
    settings: type[Strict] = NoSettings


@dataclass(frozen=True)
class Pulled:
    """One page of a pull: JSON objects to land in `raw.<source>`, and the cursor from which the next pull goes on."""

    source: str
    events: Sequence[Mapping[str, Any]]
    cursor: str | None


def secret(sandbox: str, **keywords: Any) -> Any:
    """Declare a secret option (type `SecretStr`). On a loopback address a missing one takes the sandbox's value."""
    return Field(json_schema_extra={"sandbox": sandbox}, **keywords)


class Connector:
    """Base of all connectors. Subclasses set the class attributes and override what the vendor offers."""

    channel: ClassVar[str]
    base_url: ClassVar[str] = ""
    objects: ClassVar[Mapping[str, Object]] = {}
    receives: ClassVar[str | None] = None  # the raw source that callbacks land in
    pulls: ClassVar[Mapping[str, str]] = {}  # the raw source of each pull, by its name

    class Options(Strict):
        """How one destination of this connector is configured."""

    def __init__(self, options: Any, http: httpx.AsyncClient | None = None, base_url: str | None = None) -> None:
        self.options = options
        self._http = http
        self.address = base_url or self.base_url

    @property
    def http(self) -> httpx.AsyncClient:
        """The client handed in. A connector used only to verify callbacks has none."""
        if self._http is None:
            raise RuntimeError(f"{type(self).__name__} was opened without an HTTP client")
        return self._http

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close what was opened (connections other than the HTTP client)."""

    async def deliver(self, batch: Batch) -> list[Outcome]:
        """Carry out one batch: one outcome for each row, in order. An empty batch makes no call."""
        raise Fatal("CANNOT_DELIVER", f"{type(self).__name__} only receives; it has nothing to deliver to.")

    def together(self, row: Row) -> Hashable:
        """What the messages of one call have in common over there, such as their template. Those that differ in it leave in calls of their own."""
        return None

    async def check(self) -> str:
        """Make the cheapest call that proves address and credentials, and say in a sentence what was found."""
        return "nothing to check"

    def wants(self, callback: Callback) -> str | None:
        """The address, of the vendor's and no other's, that `receive` needs to be told about first (`learn`): a certificate. Usually None."""
        return None

    def learn(self, address: str, found: bytes) -> None:
        """Remember what was found at an address that `wants` named. Raises ValueError when it is not what it should be."""

    def receive(self, callback: Callback) -> Received:
        """Verify and parse what the vendor sent us. Raises `BadSignature`."""
        raise BadSignature("this destination sends no callbacks")

    @classmethod
    def declared_pulls(cls, written: Mapping[str, Any]) -> Mapping[str, str]:
        """Pulls that the options of one destination name, as they are written, beside those in `pulls`."""
        return {}

    def lands_in(self, name: str) -> str:
        """The raw source of one of `pulls`. Raises Fatal when there is none of that name."""
        if name not in self.pulls:
            raise Fatal("CANNOT_PULL", f"{type(self).__name__} has no `{name}` to pull. There are {', '.join(self.pulls)}.")
        return self.pulls[name]

    def pull(self, name: str, cursor: str | None) -> AsyncIterator[Pulled]:
        """Pages of what the vendor holds under that name in `pulls`, from `cursor` on (None: from the beginning), oldest first.

        A page's cursor is kept once the page has landed, so a pull that was cut off repeats one page at most.
        """
        raise Fatal("CANNOT_PULL", f"{type(self).__name__} has nothing named {name} to pull.")

    async def wait(self, seconds: float) -> None:
        """Let time pass while the vendor works on a job it took: the one reason for which a connector waits."""
        await asyncio.sleep(seconds)


@dataclass
class Answer:
    """Sorts HTTP answers into the error tree. `idempotent` says whether a 5xx may simply be sent again."""

    vendor: str
    idempotent: bool
    fatal_statuses: frozenset[int] = field(default=frozenset({401, 403}))

    def raise_for(self, response: httpx.Response) -> None:
        """Raise for an answer that speaks of the whole request: 401/403, 404, 429, 5xx. Other answers are the connector's to read."""
        status = response.status_code
        if status in self.fatal_statuses:
            raise Fatal("UNAUTHORIZED", f"{self.vendor} answered {status}: check the credentials of this destination.")
        if status == 404:
            raise Fatal("NOT_FOUND", f"{self.vendor} answered 404: check the base address of this destination.")
        if status == 429:
            raise Transient("RATE_LIMITED", f"{self.vendor} answered 429: too many requests.", retry_after(response))
        if status >= 500:
            if self.idempotent or status == 503:
                raise Transient("UNAVAILABLE", f"{self.vendor} answered {status}.", retry_after(response))
            raise Unanswered("SERVER_ERROR", f"{self.vendor} answered {status}: it is not known whether the request was carried out.")

    def json(self, response: httpx.Response) -> Any:
        """The JSON of an answer that said it is well. Raises `Unanswered` when it cannot be read: the request was probably carried out."""
        try:
            return orjson.loads(response.content)
        except orjson.JSONDecodeError:
            raise Unanswered("BROKEN_ANSWER", f"{self.vendor} answered {response.status_code} with something that is not JSON.") from None


def answered(response: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer, whatever its status; empty when there is none."""
    try:
        found = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


PERSONAL = re.compile(r"[^\s<>\"'(),:;=]+@[^\s<>\"'(),:;]+|\+?\d[\d\s().-]{5,}\d")  # mail addresses and telephone numbers


def impersonal(text: str, row: Row | None = None, limit: int = 200) -> str:
    """A vendor's words, fit for a log: one line of at most `limit` characters without addresses, telephone numbers, or values of the row."""
    for value in sorted(map(str, row.fields.values()), key=len, reverse=True) if row else ():
        if len(value) > 3:
            text = text.replace(value, "…")
    text = " ".join(PERSONAL.sub("…", text).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def retry_after(response: httpx.Response, now: datetime | None = None) -> float | None:
    """Seconds the `Retry-After` header asks to wait (RFC 9110 10.2.3: seconds or a date), or None."""
    value = response.headers.get("retry-after", "").strip()
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:  # the zone "-0000" is UTC of unknown origin
        moment = moment.replace(tzinfo=UTC)
    return float(max(0.0, (moment - (now or datetime.now(UTC))).total_seconds()))


__all__ = [
    "Answer", "BadSignature", "Batch", "Callback", "Connector", "ConnectorError", "Fatal", "Interrupted", "NoSettings", "Object", "Operation",
    "Outcome", "Pulled", "Received", "Refused", "Row", "SecretStr", "Status", "Strict", "Transient", "Unanswered", "answered", "impersonal", "retry_after", "same", "secret",
]  # fmt: skip
