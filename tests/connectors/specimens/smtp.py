"""Mail rows."""

from typing import Any

from mail_rows import mail, marker, personal

__all__ = ["marker", "personal"]
OPTIONS = {"sender": "Sluice 水闸 <news@sender.example>"}
IMPATIENT = {"timeout_seconds": 0.5}
ADDRESS = "smtp"
WRONG = {**OPTIONS, "username": "sandbox", "password": "wrong password"}
TELLS_SECONDS = False
PARTIAL = {"messages": "row"}


def payload(kind: str, number: int) -> dict[str, Any]:
    return mail(number)
