"""What the sandbox got, in memory and as JSON lines on disk, and which of it has been receipted. Survives `kill -9` of the sandbox."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from connectors.sandbox.emulator import Kept


class Journal:
    """Kept things in order of arrival. Each is flushed to `received.jsonl` before `add` returns."""

    def __init__(self, state_dir: Path | None) -> None:
        self.kept: list[Kept] = []
        self._receipted: dict[str, set[int]] = {}
        self._received_file: BinaryIO | None = None
        self._receipts_file: BinaryIO | None = None
        if state_dir is None:
            return
        state_dir.mkdir(parents=True, exist_ok=True)
        for line in _lines(state_dir / "received.jsonl"):
            at = datetime.fromisoformat(line.pop("at"))
            self.kept.append(Kept(at=at, **line))
        for line in _lines(state_dir / "receipts.jsonl"):
            self._receipted.setdefault(line["vendor"], set()).update(line["ids"])
        # Unbuffered: one write call a line, so that what was answered is with the kernel when the process is killed.
        self._received_file = (state_dir / "received.jsonl").open("ab", buffering=0)
        self._receipts_file = (state_dir / "receipts.jsonl").open("ab", buffering=0)

    def add(self, vendor: str, kind: str, to: str, content: Mapping[str, Any]) -> Kept:
        kept = Kept(len(self.kept) + 1, vendor, kind, to, datetime.now(UTC), content)
        if self._received_file:
            self._received_file.write(orjson.dumps(kept.json()) + b"\n")
        self.kept.append(kept)
        return kept

    def counts(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for kept in self.kept:
            counts[kept.vendor] = counts.get(kept.vendor, 0) + 1
        return counts

    def unreceipted(self, vendor: str, reports_on: Set[str]) -> list[Kept]:
        """What `vendor` has not yet reported on, oldest first."""
        done = self._receipted.get(vendor, set())
        return [kept for kept in self.kept if kept.vendor in reports_on and kept.id not in done]

    def receipted(self, vendor: str, kept: Sequence[Kept]) -> None:
        """Remember that `vendor` has reported on these."""
        ids = [one.id for one in kept]
        self._receipted.setdefault(vendor, set()).update(ids)
        if self._receipts_file:
            self._receipts_file.write(orjson.dumps({"vendor": vendor, "ids": ids}) + b"\n")

    def close(self) -> None:
        for file in (self._received_file, self._receipts_file):
            if file:
                file.close()


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a file. A last line without its end was never answered for: it is cut off."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as file:
            file.truncate(whole)
    for line in content[:whole].splitlines():
        yield orjson.loads(line)
