"""What the emulated chat rooms share: how a taken message is shown, and what the room holds."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.responses import Response

from connectors.sandbox.emulator import Emulator, Kept, Shown


class Room(Emulator):
    """A room that keeps what a robot said in it."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.said: list[str] = []

    def apply(self, kept: Kept) -> None:
        self.said.append(kept.content["text"])

    def state(self) -> Any:
        return {"said": self.said}

    def shown(self, kept: Kept) -> Shown:
        return Shown(f"said in {kept.to}", kept.content["text"])

    def take(self, text: str, **called: Any) -> None:
        """Keep what was said, with whom it called."""
        self.keep("message", to="room", content={"text": text, **called})


def answer(**content: Any) -> Response:
    return Response(orjson.dumps(content), 200, media_type="application/json")
