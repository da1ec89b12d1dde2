"""Salesforce records, tasks and campaign members, who are among the contacts that the sandbox has from the start."""

from typing import Any

OPTIONS: dict[str, Any] = {}
ADDRESS = "http"
WRONG = {"consumer_secret": "somebody-elses-secret"}
EXTERNAL = {"external_id_field": "Sluice_Id__c"}
SETTINGS = {
    **dict.fromkeys(("contacts", "leads", "tasks"), EXTERNAL),
    "records": {**EXTERNAL, "sobject": "Event_Visit__c"},
    "campaign_members": {"external_id_field": "Badge__c", "campaign_id": "701000000000001AAA"},
}
PARTIAL = dict.fromkeys(SETTINGS, "row")


def payload(kind: str, number: int) -> dict[str, Any]:
    note = {"Description": f"note {number}.", "Score__c": 12.5 + number, "Tags__c": ["crm", "邮件"], "Phone": None}
    return {
        "contacts": {"LastName": "李雷 🎉", "Email": f"Person{number}@example.com", **note},
        "leads": {"LastName": "李雷 🎉", "Company": "北京酒店", "Email": f"Person{number}@example.com", **note},
        "tasks": {"Subject": "致电 🎉", **note},
        "records": note,
        "campaign_members": {"Status": f"Sent {number}.", "Score__c": None},
    }[kind]


def match(kind: str, row: dict[str, Any]) -> str:
    return ("B" if kind == "campaign_members" else "p_") + marker(kind, row).split()[-1].strip(".")


def marker(kind: str, row: dict[str, Any]) -> str:
    return str(row.get("Description") or row["Status"])


def personal(kind: str, row: dict[str, Any]) -> list[str]:
    return [str(row[name]) for name in ("LastName", "Email", "Subject") if name in row]
