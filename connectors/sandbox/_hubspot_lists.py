"""HubSpot's lists that are kept by hand, in the sandbox: every number is one, but 404 (none) and 400 (dynamic)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connectors.sandbox.emulator import Kept

if TYPE_CHECKING:
    from connectors.sandbox.hubspot import HubSpot


class Lists:
    """Record ids by list."""

    def __init__(self, emulator: HubSpot) -> None:
        self._emulator = emulator
        self._members: dict[str, set[str]] = {}

    def change(self, name: str, verb: str, ids: list[str]) -> dict[str, list[str]]:
        """Add or remove; who is not there at all is missing. (HubSpot spells it `recordsIdsAdded`.)"""
        answer: dict[str, list[str]] = {"recordsIdsAdded": [], "recordIdsRemoved": [], "recordIdsMissing": []}
        members = self._members.get(name, set())
        for record in ids:
            if self._emulator.refused(f'"{record}"') or not self._emulator.knows(record):
                answer["recordIdsMissing"].append(record)
            elif verb == "add" and record not in members:
                self._emulator.keep("list_add", to=record, content={"id": name, "record": record})
                answer["recordsIdsAdded"].append(record)
            elif verb == "remove" and record in members:
                self._emulator.keep("list_remove", to=record, content={"id": name, "record": record})
                answer["recordIdsRemoved"].append(record)
        return answer

    def apply(self, kept: Kept) -> None:
        members = self._members.setdefault(kept.content["id"], set())
        (members.add if kept.kind == "list_add" else members.discard)(kept.content["record"])

    def state(self) -> dict[str, Any]:
        return {name: sorted(members) for name, members in self._members.items()}
