"""Mail addresses, checked: nothing in them ends a header, and each is one that servers take."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import formataddr
from typing import Any

ADDRESS = re.compile(r"[^\s\x00-\x1f\x7f<>()\[\]\",:;\\@]{1,64}@[^\s\x00-\x1f\x7f<>()\[\]\",:;\\@]{1,253}")
NAMED = re.compile(r"\s*\"?(?P<name>[^<>\"]*?)\"?\s*<(?P<address>[^<>]+)>\s*")
CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


class Unfit(Exception):
    """A row that cannot become a mail: a code, and a sentence without what the row holds."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True)
class Mailbox:
    """A mail address with a name. The domain is in ASCII if what is before it is."""

    name: str
    spec: str

    @property
    def domain(self) -> str:
        return self.spec.rpartition("@")[2]

    def header(self) -> str:
        if self.spec.isascii():
            return formataddr((self.name, self.spec))
        return self.written()

    def written(self) -> str:
        """As people write it, for vendors who encode it themselves."""
        return '"{}" <{}>'.format(self.name.replace("\\", "\\\\"), self.spec) if self.name else self.spec


def an_address(value: str | None) -> str | None:
    """The value of an option, if it is a mail address. Raises ValueError."""
    try:
        if value is not None:
            mailbox(value, "", "value")
    except Unfit as unfit:
        raise ValueError(unfit.reason) from None
    return value


def mailbox(text: Any, code: str, what: str) -> Mailbox:
    """`a@b.example` or `Name <a@b.example>`. Raises Unfit."""
    wrong = Unfit(code, f"The {what} is not a mail address.")
    if not isinstance(text, str) or CONTROL.search(text):
        raise wrong
    named = NAMED.fullmatch(text)
    name, spec = (named["name"], named["address"]) if named else ("", text.strip())
    local, _, domain = spec.rpartition("@")
    try:
        spec = f"{local}@{domain.encode('idna').decode()}" if local.isascii() else spec
        spec.encode()
    except UnicodeError:
        raise wrong from None
    if not ADDRESS.fullmatch(spec) or ".." in spec or local.startswith(".") or local.endswith("."):
        raise wrong
    return Mailbox(name, spec)
