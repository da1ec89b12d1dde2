"""One sync or send as the loader understood it: its declaration, its destination, and what it must know of others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from activation.engine.destinations import Destination
from activation.engine.specs import Send, Sync
from connectors.base import Object

COLLEAGUES = "chat"  # the channel of messages that are about a person, and not to them


@dataclass(frozen=True)
class Activation:
    """One sync or send, by its reference `destination/name`, with what the loader found out about it.

    `ahead`: sends before this one in its waterfall. `excluded`: segments of people it never reaches. `parent`: the sync its scope names.
    """

    ref: str
    kind: str  # sync | send
    name: str
    destination: Destination
    spec: Sync | Send
    object: Object
    settings: Any
    file: str
    ahead: tuple[Activation, ...] = ()
    excluded: tuple[str, ...] = ()
    parent: Activation | None = None

    @property
    def channel(self) -> str:
        """What the gate, the caps and the history know it by. What goes to a colleague takes none of the person's own channels."""
        return COLLEAGUES if isinstance(self.spec, Send) and self.spec.to else self.variant

    @property
    def variant(self) -> str:
        """The channel in whose words it is written."""
        return self.destination.connector.channel

    @property
    def sync(self) -> Sync:
        assert isinstance(self.spec, Sync)
        return self.spec

    @property
    def send(self) -> Send:
        assert isinstance(self.spec, Send)
        return self.spec
