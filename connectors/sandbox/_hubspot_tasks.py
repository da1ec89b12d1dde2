"""HubSpot's tasks in the sandbox: written by a unique property, and tied to contacts."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.emulator import Emulator, Kept


class Tasks:
    """Tasks by record id, each with the contacts it is about."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self.tasks: dict[str, dict[str, Any]] = {}
        self._found: dict[tuple[str, str], str] = {}

    def upsert(self, one: dict[str, Any]) -> dict[str, Any]:
        where = (str(one["idProperty"]), str(one["id"]).lower())
        record = self._found.get(where)
        made = record or str(70_000 + len(self._emulator.sandbox.journal.kept))
        content = {"id": made, "properties": {one["idProperty"]: one["id"], **one["properties"]}, "where": list(where)}
        self._emulator.keep("task", to=str(one["id"]), content=content)
        return {**self.tasks[made], "new": record is None}

    def tie(self, task: str, contact: str) -> dict[str, Any]:
        # Not kept when it is so already, and not kept as a thing of its own: the task is what a person sees.
        if contact not in self.tasks[task]["contacts"]:
            self.tasks[task]["contacts"].append(contact)
        spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 204}
        return {"from": {"id": task}, "to": {"id": contact}, "associationSpec": spec}

    def apply(self, kept: Kept) -> None:
        record = kept.content["id"]
        task = self.tasks.setdefault(record, {"id": record, "properties": {}, "contacts": [], "createdAt": kept.at.isoformat()})
        task["properties"].update(kept.content["properties"])
        task["updatedAt"] = kept.at.isoformat()
        name, value = kept.content["where"]
        self._found[name, value] = record
