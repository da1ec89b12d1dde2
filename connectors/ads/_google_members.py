"""People as Google's lists take them: https://developers.google.com/data-manager/api/devguides/concepts/formatting"""

from __future__ import annotations

from typing import Any

from connectors.ads import _identity as identity

FIELDS = {"email", "phone", "first_name", "last_name", "country", "postal_code"}
GMAIL = ("gmail.com", "googlemail.com")


def identifiers(fields: dict[str, Any]) -> list[dict[str, Any]]:
    """All that a row says of a person, as Google wants it: hashed, but for country and postal code. Empty if it identifies nobody."""
    found: list[dict[str, Any]] = []
    if address := email(fields.get("email")):
        found.append({"emailAddress": identity.sha256(address)})
    if number := identity.phone(fields.get("phone")):
        found.append({"phoneNumber": identity.sha256(f"+{number}")})
    first, last = identity.text(fields.get("first_name")), identity.text(fields.get("last_name"))
    country, postal_code = identity.country(fields.get("country")).upper(), str(fields.get("postal_code") or "").strip()
    if first and last and country and postal_code:
        names = {"givenName": identity.sha256(first), "familyName": identity.sha256(last)}
        found.append({"address": {**names, "regionCode": country, "postalCode": postal_code}})
    return found


def email(value: object) -> str:
    """Google's own mailboxes are one, whatever dots and `+…` are in their name."""
    name, _, domain = identity.email(value).partition("@")
    if domain in GMAIL:
        name = name.partition("+")[0].replace(".", "")
    return f"{name}@{domain}" if name else ""
