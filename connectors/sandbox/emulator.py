"""What an emulator is: one vendor's door as seen from outside, with its real request and answer shapes."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from connectors.sandbox.faults import KINDS, Fault

if TYPE_CHECKING:
    from connectors.sandbox.server import Sandbox


@dataclass(frozen=True)
class Kept:
    """One thing a vendor took: a message to one recipient, or one record written. `content` is a JSON object."""

    id: int
    vendor: str
    kind: str
    to: str
    at: datetime
    content: Mapping[str, Any]

    def json(self) -> dict[str, Any]:
        return {"id": self.id, "vendor": self.vendor, "kind": self.kind, "to": self.to, "at": self.at.isoformat(), "content": self.content}


@dataclass(frozen=True)
class Shown:
    """How the page shows one thing: a title, plain text, and HTML if the message has it. Nothing needs to be escaped beforehand."""

    title: str
    text: str = ""
    html: str | None = None


@dataclass(frozen=True)
class Pending:
    """A kept thing whose receipts are due. What is reported happened between `start` and `end`, never after the present."""

    kept: Kept
    start: datetime
    end: datetime

    def at(self, fraction: float) -> datetime:
        """The moment that lies so far (0 to 1) between start and end."""
        return self.start + (self.end - self.start) * fraction


@dataclass(frozen=True)
class Outgoing:
    """One HTTP POST to our collector, signed the way the vendor signs. `events` is how many things it reports."""

    body: bytes
    events: int = 1
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


class Marked(Route):
    """An endpoint on a path that several vendors have: it takes the requests that carry its vendor's `header`."""

    def __init__(self, path: str, endpoint: Callable[..., Any], *, header: str, methods: Sequence[str]) -> None:
        super().__init__(path, endpoint, methods=list(methods))
        self.header = header

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] == "http" and self.header not in Headers(scope=scope):
            return Match.NONE, {}
        return super().matches(scope)


class Emulator:
    """Base of all emulators. A subclass sets the attributes and overrides what its vendor has.

    Handlers of `routes` check the vendor's credentials and shapes, then call, for each recipient or record they accept,

        self.keep("message", to=recipient, content={…})       # durable when it returns

    and ask `self.refused(text)` for each row whether a `partial` fault refuses it: the fault is returned once per row refused, and
    `fault.code` may name the vendor's error code. Every other kind of fault is injected around the handlers by the sandbox;
    only `refuse` says how the vendor words it.
    """

    destination: ClassVar[str] = ""  # receipts go to <receipts_to>/hooks/<destination>; empty: this vendor sends none
    reports_on: ClassVar[frozenset[str]] = frozenset()  # the vendors whose kept things are receipted; empty: its own
    chunk: ClassVar[int] = 100  # kept things per call of `receipts`; all of a chunk is sent again if one of its requests failed
    own_port: ClassVar[bool] = False  # true: `listen` serves a protocol other than HTTP
    kinds: ClassVar[frozenset[str]] = KINDS  # the faults it can be ordered to have

    def __init__(self, sandbox: Sandbox, name: str) -> None:
        self.sandbox = sandbox
        self.name = name

    # What a vendor overrides.

    def routes(self) -> Sequence[Route]:
        """The vendor's HTTP endpoints, as paths from the server's root."""
        return []

    def refuse(self, fault: Fault) -> Response:
        """The vendor's answer to a `rate_limit` or `server_error` fault. The request is not taken."""
        headers = {} if fault.retry_after is None else {"retry-after": str(fault.retry_after)}
        status = 429 if fault.kind == "rate_limit" else 500
        return Response(orjson.dumps({"message": fault.kind}), status, headers, "application/json")

    def apply(self, kept: Kept) -> None:
        """Change the state by one kept thing: called when it is taken, and again for each when a sandbox comes back."""

    def state(self) -> Any:
        """The state as JSON."""
        return {}

    def shown(self, kept: Kept) -> Shown:
        """How the page shows it."""
        return Shown(kept.kind, orjson.dumps(kept.content, option=orjson.OPT_INDENT_2).decode())

    def receipts(self, pending: Sequence[Pending], url: str) -> Iterable[Outgoing]:
        """The requests that report on these things (none is fine). Event ids must be the same when the same thing is reported again.

        `url` is where they go, for signatures that cover it. Signatures use the real clock, events use `Pending.at`.
        """
        return ()

    def listen(self, host: str, port: int) -> AbstractAsyncContextManager[str]:
        """Serve on a port of its own (only with `own_port`); yields the address."""
        raise LookupError(f"{self.name} has no port of its own")

    # What it is given.

    def keep(self, kind: str, to: str, content: Mapping[str, Any]) -> Kept:
        """Take one thing. It is on disk, and in the state, when this returns."""
        return self.sandbox.keep(self.name, kind, to, content)

    def refused(self, text: str) -> Fault | None:
        """The `partial` fault that refuses this row, or None. `text` is what the fault's `match` is looked for in."""
        return self.sandbox.faults.take(self.name, text, frozenset({"partial"}))


def fate(recipient: str, *salt: str) -> float:
    """A number in [0, 1) that is always the same for a recipient: what they do with messages is decided by it."""
    digest = hashlib.sha256("\x1f".join((recipient.strip().lower(), *salt)).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def find() -> dict[str, type[Emulator]]:
    """Every emulator by vendor name: the one `Emulator` subclass of each file here that defines one."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        module = import_module(f"connectors.sandbox.{path.stem}")
        own = [
            value
            for value in vars(module).values()
            if inspect.isclass(value) and issubclass(value, Emulator) and value is not Emulator and value.__module__ == module.__name__
        ]
        if len(own) > 1:
            raise TypeError(f"{module.__name__} must define at most one Emulator, it defines {len(own)}")
        if own:
            found[path.stem] = own[0]
    return found
