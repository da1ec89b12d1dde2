"""What an endpoint says of each row: {"results": [{"status", "code", "reason"}, …]}, one for each row in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connectors.base import Outcome, Row, Status, impersonal

STATUSES: dict[str, Status] = {"sent": "sent", "rejected": "rejected", "skipped": "skipped"}


def outcomes(rows: Sequence[Row], answer: Any, http_status: int) -> list[Outcome]:
    """One outcome for each row, given the JSON of a 2xx answer (None if it had none)."""
    results = answer.get("results") if isinstance(answer, dict) else None
    if isinstance(results, list) and len(results) == len(rows):
        return [_outcome(row, result if isinstance(result, dict) else {}) for row, result in zip(rows, results, strict=True)]
    if http_status == 207:
        # 207 announces results. Without them nobody knows which rows were taken.
        return [Outcome("unknown", "NO_RESULT", "The endpoint answered 207 without a result for each row.")] * len(rows)
    return [Outcome("sent")] * len(rows)


def _outcome(row: Row, said: dict[str, Any]) -> Outcome:
    status = STATUSES.get(str(said.get("status")), "unknown")
    code, reason = str(said.get("code") or ""), str(said.get("reason") or "")
    return Outcome(status, impersonal(code, row, 60), impersonal(reason, row))
