"""HubSpot's deals in the sandbox: made with the contacts they are about, and asked for whom that is."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.emulator import Emulator, Kept

CONTACT = 3  # the type of the association from a deal to a contact


class Deals:
    """Deals by record id, each with its contacts and the names that the association has besides."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self.deals: dict[str, dict[str, Any]] = {}
        self._contacts: dict[str, list[str]] = {}

    def create(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Raises KeyError or TypeError for what is no deal."""
        properties = dict(asked["properties"])
        contacts = [str(one["to"]["id"]) for one in asked.get("associations") or [] if _about_a_contact(one)]
        record = str(30_000 + len(self._emulator.sandbox.journal.kept))
        content = {"id": record, "properties": properties, "contacts": contacts}
        self._emulator.keep("deal", to=str(properties.get("dealname", "")), content=content)
        return {**self.deals[record], "archived": False}

    def associations(self, ids: list[str]) -> dict[str, Any]:
        """Whom these deals are about: those about nobody are named among the errors."""
        results, errors = [], []
        for record in ids:
            if not self._contacts.get(record):
                context = {"fromObjectId": [record]}
                message = f"No contact is associated with deal {record}."
                errors.append({"status": "error", "category": "OBJECT_NOT_FOUND", "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
                               "message": message, "context": context})  # fmt: skip
                continue
            kinds = [{"category": "HUBSPOT_DEFINED", "typeId": CONTACT, "label": None}]
            results.append(
                {"from": {"id": record}, "to": [{"toObjectId": int(one), "associationTypes": kinds} for one in self._contacts[record]]}
            )
        told = {"status": "COMPLETE", "results": results}
        return told | ({"numErrors": len(errors), "errors": errors} if errors else {})

    def apply(self, kept: Kept) -> None:
        record, now = kept.content["id"], kept.at.isoformat()
        self.deals[record] = {"id": record, "properties": dict(kept.content["properties"]), "createdAt": now, "updatedAt": now}
        self._contacts[record] = list(kept.content["contacts"])


def _about_a_contact(association: dict[str, Any]) -> bool:
    return any(one["associationTypeId"] == CONTACT for one in association["types"])
