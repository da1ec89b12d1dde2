"""销售易 contacts, leads and records of an object of one's own."""

from typing import Any

OPTIONS: dict[str, Any] = {}
ADDRESS = "http"
WRONG = {"password": "somebody-elses-password"}
SETTINGS = {
    "contacts": {"key_field": "sluiceId__c"},
    "leads": {"key_field": "sluiceId__c"},
    "records": {"key_field": "sluiceId__c", "object": "customEntity1__c"},
}
PARTIAL = dict.fromkeys(SETTINGS, "row")


def payload(kind: str, number: int) -> dict[str, Any]:
    name = {"contacts": "contactName"}.get(kind, "name")
    more = {"score__c": 12.5 + number, "subscribed__c": True, "interests__c": ["crm", "邮件"], "phone": None}
    return {name: "李雷 🎉", "email": f"Person{number}@example.com", "comment": f"note {number}.", **more}


def match(kind: str, row: dict[str, Any]) -> str:
    return "p_" + marker(kind, row).split()[-1].strip(".")


def marker(kind: str, row: dict[str, Any]) -> str:
    return str(row["comment"])


def personal(kind: str, row: dict[str, Any]) -> list[str]:
    return [row["email"], "李雷 🎉"]
