"""Mail rows."""

from typing import Any

OPTIONS = {"sender": "Sluice 水闸 <news@sender.example>"}
IMPATIENT = {"timeout_seconds": 0.5}
ADDRESS = "smtp"
WRONG = {**OPTIONS, "username": "sandbox", "password": "wrong password"}
TELLS_SECONDS = False
PARTIAL = {"messages": "row"}


def payload(kind: str, number: int) -> dict[str, Any]:
    return {
        "to": f"李雷 <person{number}@example.com>",
        "subject": f"你好 {number} 🎉",
        "text": "早上好,第一行\n.\n..点开头的行",
        "html": f"<p>你好 🎉 {number}</p><a href='https://x.example/c'>看看</a>",
        "unsubscribe_url": f"https://x.example/u/{number}",
        "from": None,
    }


def marker(kind: str, row: dict[str, Any]) -> str:
    return str(row["to"]).split("<")[1].rstrip(">")


def personal(kind: str, row: dict[str, Any]) -> list[str]:
    return [marker(kind, row), "李雷", row["subject"], row["unsubscribe_url"], "第一行"]
