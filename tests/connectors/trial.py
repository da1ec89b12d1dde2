"""What the contract suite needs to try a connector: its specimen, opened as the engine opens it, and batches of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import orjson

import connectors
from connectors.base import Batch, Connector, Outcome, Row
from connectors.sandbox import Addresses, Fault, Sandbox

SPECIMENS = Path(__file__).parent / "specimens"


def specimens() -> list[str]:
    """The connectors that have one."""
    return [name for name in sorted(connectors.names()) if (SPECIMENS / f"{name}.py").is_file()]


class Trial:
    """One connector with its specimen."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.connector = connectors.find(name)
        self.specimen = import_module(f"specimens.{name}")
        self.emulator: str | None = getattr(self.specimen, "EMULATOR", name)

    def open(
        self,
        addresses: Addresses | None,
        http: httpx.AsyncClient | None,
        options: dict[str, Any] | None = None,
        impatient: bool = False,
    ) -> Connector:
        """As the engine opens a destination on loopback: secrets left out take the sandbox's value."""
        given = dict(self.specimen.OPTIONS if options is None else options)
        if impatient:
            given |= getattr(self.specimen, "IMPATIENT", {})
        for key, info in self.connector.Options.model_fields.items():
            if isinstance(info.json_schema_extra, dict) and "sandbox" in info.json_schema_extra:
                given.setdefault(key, info.json_schema_extra["sandbox"])
        where = self.specimen.ADDRESS
        address = None if addresses is None else where() if callable(where) else getattr(addresses, where)
        return self.connector(self.connector.Options.model_validate(given), http, address)

    def batch(self, kind: str, numbers: Sequence[int], **changes: Any) -> Batch:
        """A batch of the specimen's rows with these numbers, and of as many more as the vendor wants at least."""
        offered = self.connector.objects[kind]
        if numbers:
            numbers = [*numbers, *range(max(numbers) + 1, max(numbers) + 1 + self.fewest(kind) - len(numbers))]
        rows = []
        for index, number in enumerate(numbers):
            payload = self.specimen.payload(kind, number)
            match = self.specimen.match(kind, payload) if hasattr(self.specimen, "match") else None
            message_id = f"m_{number:032x}" if offered.message else None
            rows.append(Row(index, f"key-{number}", orjson.dumps(payload), match, message_id))
        settings = {"settings": offered.settings.model_validate(getattr(self.specimen, "SETTINGS", {}).get(kind, {}))}
        return Batch(**{"object": kind, "operation": "add", "rows": rows, "run_id": "r1", "number": 1, **settings, **changes})

    def fewest(self, kind: str) -> int:
        return int(getattr(self.specimen, "FEWEST", {}).get(kind, 1))

    def fault(self, sandbox: Sandbox, kind: str, **details: Any) -> None:
        assert self.emulator is not None
        sandbox.faults.add(Fault(vendor=self.emulator, kind=kind, **details))

    def can(self, kind: str) -> bool:
        """Whether the vendor can be told to have this fault."""
        from connectors.sandbox import find

        return self.emulator is not None and kind in find()[self.emulator].kinds

    def kept(self, sandbox: Sandbox) -> int:
        return sum(kept.vendor == self.emulator for kept in sandbox.journal.kept)


def statuses(outcomes: Sequence[Outcome]) -> list[str]:
    return [outcome.status for outcome in outcomes]
