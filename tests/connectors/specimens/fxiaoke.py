"""纷享销客 contacts, leads and records of an object of one's own."""

from typing import Any

OPTIONS: dict[str, Any] = {"user_id": "1000"}
ADDRESS = "http"
WRONG = {**OPTIONS, "app_secret": "somebody-elses-secret"}
SETTINGS = {
    "contacts": {"key_field": "sluice_id__c"},
    "leads": {"key_field": "sluice_id__c"},
    "records": {"key_field": "sluice_id__c", "object": "visit__c"},
}
PARTIAL = dict.fromkeys(SETTINGS, "row")


def payload(kind: str, number: int) -> dict[str, Any]:
    person = {"name": "李雷 🎉", "email": f"Person{number}@example.com", "remark": f"note {number}."}
    return {**person, "score__c": 12.5 + number, "subscribed__c": True, "interests__c": ["crm", "邮件"], "tel": None}


def match(kind: str, row: dict[str, Any]) -> str:
    return "p_" + marker(kind, row).split()[-1].strip(".")


def marker(kind: str, row: dict[str, Any]) -> str:
    return str(row["remark"])


def personal(kind: str, row: dict[str, Any]) -> list[str]:
    return [row["email"], row["name"]]
