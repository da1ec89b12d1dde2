"""Counters, in the text format that Prometheus reads."""

from __future__ import annotations

from collections import Counter

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "sluice_collector_"

_HELP = {
    "requests_total": "Requests answered, by first part of the path and status.",
    "events_total": "Events kept, by raw source.",
    "refused_total": "Messages refused, by reason.",
    "bad_signatures_total": "Callbacks not believed, by destination.",
    "bad_tokens_total": "Links not believed, by kind.",
    "spool_lines_total": "Lines written durably.",
    "spool_bytes_total": "Bytes written durably.",
    "spool_syncs_total": "Times the disk was asked to sync.",
}


class Counters:
    """Counts by name and labels. Label values are ours (routes, codes, declared names), never a sender's: their number is bounded."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()

    def add(self, name: str, count: int = 1, **labels: str) -> None:
        self._counts[name, tuple(sorted(labels.items()))] += count

    def get(self, name: str, **labels: str) -> int:
        return self._counts[name, tuple(sorted(labels.items()))]

    def text(self, **totals: int) -> str:
        """Everything counted so far, and `totals` that are counted elsewhere."""
        rows = [*self._counts.items(), *(((name, ()), value) for name, value in totals.items())]
        lines = []
        for name, what in _HELP.items():
            lines += [f"# HELP {PREFIX}{name} {what}", f"# TYPE {PREFIX}{name} counter"]
            for (_, labels), value in sorted(row for row in rows if row[0][0] == name):
                inside = ",".join(f'{key}="{label}"' for key, label in labels)
                lines.append(f"{PREFIX}{name}{{{inside}}} {value}" if inside else f"{PREFIX}{name} {value}")
        return "\n".join(lines) + "\n"
