"""Messages that the warehouse does not know of yet: those that left and are not settled, and those that leave at this moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from activation.engine.activations import Activation
from activation.engine.gate.gather import Leaving, UnsettledMessage
from activation.engine.ledger import Ledger

Files = Callable[[Mapping[str, Any]], tuple[Path, Path]]


def on_their_way(
    ledger: Ledger, ref: str, activations: Mapping[str, Activation], files: Files
) -> tuple[list[UnsettledMessage], list[Leaving]]:
    """Of all sends but for the deliveries of `ref` itself. `files` names the plan and the verdicts of a run."""
    alive = ledger.rows(
        "select r.* from runs r join leases l using (ref) where r.kind = 'send' and r.status = 'delivering' and r.ref <> ? and l.expires_at > ?",
        (ref, time.time()),
    )
    delivering = {}
    for run in map(dict, alive):
        purpose = activations[run["ref"]].spec.purpose if run["ref"] in activations else ""
        as_of = datetime.fromisoformat(run["as_of"])
        delivering[run["run_id"]] = Leaving(*files(run), run["channel"], as_of, purpose, run["destination"])
    unsettled = [
        UnsettledMessage(
            row["profile_id"], row["channel"], datetime.fromisoformat(row["as_of"]), row["run_id"], row["purpose"], row["destination"]
        )
        for row in ledger.rows(
            "select m.profile_id, m.channel, m.as_of, m.run_id, m.purpose, r.destination from messages m join runs r using (run_id) "
            "where r.status <> 'settled' and m.state in ('sent', 'unknown', 'intended')"
        )
        if row["run_id"] not in delivering
    ]
    return unsettled, list(delivering.values())
