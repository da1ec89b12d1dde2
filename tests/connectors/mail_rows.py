"""Rows that every mail connector takes, whole and for a template of the vendor's, and what the contract suite asks of them."""

from typing import Any


def mail(number: int) -> dict[str, Any]:
    """The row that every mail connector takes."""
    return {
        "to": f"李雷 <person{number}@example.com>",
        "subject": f"你好 {number} 🎉",
        "text": "早上好,第一行\n.\n..点开头的行",
        "html": f"<p>你好 🎉 {number}</p><a href='https://x.example/c'>看看</a>",
        "unsubscribe_url": f"https://x.example/u/{number}",
        "from": None,
    }


def templated(number: int, template: str) -> dict[str, Any]:
    """The row of a template of the vendor's."""
    row = {name: value for name, value in mail(number).items() if name in ("to", "unsubscribe_url", "from")}
    return {**row, "template": template, "params": {"subject": f"你好 {number} 🎉", "city": None}}


def marker(kind: str, row: dict[str, Any]) -> str:
    return str(row["to"]).split("<")[1].rstrip(">")


def personal(kind: str, row: dict[str, Any]) -> list[str]:
    subject = row["subject"] if "subject" in row else row["params"]["subject"]
    return [marker(kind, row), "李雷", subject, row["unsubscribe_url"], "第一行"]
