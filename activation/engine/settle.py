"""Settling: outcomes go from the ledger into the warehouse's history, and the acknowledged state moves forward. One transaction, idempotent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from activation.engine import dead_letters
from activation.engine.codes import OUTCOMES
from activation.engine.declarations import Activation
from activation.engine.errors import SluiceError
from activation.engine.ledger import Ledger
from activation.engine.warehouse import packs_text, query, transaction

LARGE = 100_000  # rows of a plan from which on settling is frugal
MEMORY_LIMIT, ROOM = "64MB", "256MB"  # of large plans and of others; more is worked on on disk
PAGE = 20_000  # rows of the ledger read at once
FAILED = ("rejected", "unknown", "invalid")


@dataclass(frozen=True)
class Settled:
    """A run's books, balanced: `planned` is the sum of the outcomes."""

    run_id: str
    ref: str
    status: str
    planned: int
    outcomes: Mapping[str, int]
    reasons: list[tuple[str, str, str, int]]  # outcome, code, sentence, rows
    operations: Mapping[str, Mapping[str, int]]  # add/change/remove → planned, attempted, succeeded, failed
    warnings: Sequence[str] = ()

    @property
    def failed(self) -> bool:
        """Whether rows failed, or the run did not get through."""
        return self.status not in {"succeeded"}


def settle(
    connection: duckdb.DuckDBPyConnection,
    ledger: Ledger,
    activation: Activation,
    run: Mapping[str, Any],
    plan_file: Path,
    verdicts: Path,
    result: str,
    stop: tuple[str, str],
    finished_at: datetime,
) -> Settled:
    """Write one run into the warehouse. Done again it gives the same. `result` is how delivery ended, `stop` why, for rows never tried."""
    run_id, ref = run["run_id"], run["ref"]
    planned = (connection.execute("select count(*) from read_parquet(?)", [str(plan_file)]).fetchone() or (0,))[0]
    connection.execute(f"set memory_limit = '{MEMORY_LIMIT if planned > LARGE else ROOM}'")
    # Trying out every way to compress a column takes memory that no limit counts, more than all else here; what is text ends up so anyway.
    if not packs_text(connection):  # else the tables say how
        connection.execute("set force_compression = 'fsst'")
    connection.execute("set threads = 1")  # each has memory of its own, and writing is what takes the time
    _gather(connection, ledger, run_id)
    for name, value in {"plan": str(plan_file), "verdicts": str(verdicts), "stop_code": stop[0], "stop_reason": stop[1]}.items():
        connection.execute(f"set variable {name} = $value", {"value": value})
    connection.execute(query("outcomes"))
    tally = _tally(connection)
    outcomes = {name: sum(line.rows for line in tally if line.outcome == name) for name in OUTCOMES}
    if planned != sum(outcomes.values()):
        raise SluiceError(f"{ref}: the books of run {run_id} do not balance ({planned} planned, outcomes {outcomes}). Nothing was settled.")
    status = _status(result, outcomes)
    operations = _operations(tally)
    now = finished_at.replace(tzinfo=None)
    with transaction(connection):
        connection.execute("delete from activation.sync_changelog where run_id = ?", [run_id])
        connection.execute(
            "insert into activation.sync_changelog select $run_id, $ref, $kind, $destination, $channel, $purpose, row_number, key, profile_id, operation, "
            "outcome, reason_code, reason, message_id, provider_id, $now from outcomes",
            {
                "run_id": run_id,
                "ref": ref,
                "kind": activation.kind,
                "destination": activation.destination.name,
                "channel": activation.channel,
                "purpose": activation.spec.purpose,
                "now": datetime.fromisoformat(run["as_of"]).replace(tzinfo=None),
            },
        )
        parameters = {
            "ref": ref,
            "is_sync": activation.kind == "sync",
            # An unanswered message is held. An unanswered record is planned again: writing it twice is writing it once.
            "holds": activation.object.message and not activation.object.idempotency_seconds,
            "now": datetime.fromisoformat(run["as_of"]).replace(tzinfo=None),
            "run_id": run_id,
        }
        for statement in connection.extract_statements(query("settle_snapshot")):
            connection.execute(statement, {name: parameters[name] for name in statement.named_parameters})
        if outcomes["unknown"]:
            connection.execute(query("settle_uncertain"), {"ref": ref, "is_sync": parameters["is_sync"]})
        dead_letters.after_settle(connection, activation, run, plan_file, failed=outcomes["rejected"] + outcomes["unknown"])
        counters = [
            operations[kind][count] for kind in ("add", "change", "remove") for count in ("planned", "attempted", "succeeded", "failed")
        ]
        connection.execute("delete from activation.sync_runs where run_id = ?", [run_id])
        connection.execute(
            f"insert into activation.sync_runs values ({', '.join('?' * 31)})",
            [
                run_id, ref, activation.kind, activation.destination.name, activation.channel, run["plan_hash"],
                datetime.fromisoformat(run["started_at"]).replace(tzinfo=None), now, status,
                datetime.fromisoformat(run["as_of"]).replace(tzinfo=None),
                planned, *(outcomes[name] for name in OUTCOMES), *counters, run["overridden_by"], run["override_reason"],
            ],
        )  # fmt: skip
    return Settled(run_id, ref, status, planned, outcomes, _reasons(tally), operations)


def _gather(connection: duckdb.DuckDBPyConnection, ledger: Ledger, run_id: str) -> None:
    """What the ledger recorded of a run, as tables beside the warehouse. A page at a time: memory does not grow with the audience."""
    connection.execute(
        "create or replace temporary table ledger_outcomes (row_number bigint, outcome varchar, code varchar, reason varchar, provider_id varchar)"
    )
    after = -1
    while page := ledger.outcomes(run_id, after, PAGE):
        _add(connection, "ledger_outcomes", page, [pa.int64(), *[pa.string()] * 4])
        after = page[-1][0]
    connection.execute(
        "create or replace temporary table lots (batch bigint, first_row bigint, last_row bigint, rows bigint, outcome varchar, code varchar, reason varchar)"
    )
    if lots := ledger.lots(run_id):
        _add(connection, "lots", lots, [*[pa.int64()] * 4, *[pa.string()] * 3])
    connection.execute(
        "create or replace temporary table ledger_lots as select *, unnest(range(first_row // 1024, last_row // 1024 + 1)) as bucket from lots"
    )


def _add(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Any], types: list[pa.DataType]) -> None:
    columns = zip(*map(tuple, rows), strict=True)
    page = pa.table([pa.array(column, kind) for column, kind in zip(columns, types, strict=True)], [f"c{n}" for n in range(len(types))])
    connection.register("page", page)
    connection.execute(f"insert into {table} select * from page")
    connection.unregister("page")


def _status(result: str, outcomes: Mapping[str, int]) -> str:
    """`succeeded`, `failed_rows`, or how delivery ended when it did not get through."""
    if result != "complete":
        return result
    return "failed_rows" if outcomes["rejected"] or outcomes["unknown"] or outcomes["invalid"] else "succeeded"


@dataclass(frozen=True)
class _Line:
    """So many rows of a run that had the same said of them."""

    operation: str
    outcome: str
    attempted: bool
    code: str
    reason: str
    rows: int


def _tally(connection: duckdb.DuckDBPyConnection) -> list[_Line]:
    """What became of a run, in one reading: `outcomes` is as large as the audience."""
    counted = connection.execute(
        "select operation, outcome, attempted, reason_code, min(reason) filter (outcome <> 'sent'), count(*) from outcomes group by 1, 2, 3, 4"
    ).fetchall()
    return [_Line(*row) for row in counted]


def _reasons(tally: Sequence[_Line]) -> list[tuple[str, str, str, int]]:
    """Why rows were not sent: by outcome, the most frequent first."""
    found: dict[tuple[str, str], tuple[str, int]] = {}
    for line in tally:
        if line.outcome != "sent":
            reason, rows = found.get((line.outcome, line.code), (line.reason, 0))
            found[line.outcome, line.code] = (min(reason, line.reason, key=lambda said: (said is None, said)), rows + line.rows)
    listed = [(outcome, code, reason, rows) for (outcome, code), (reason, rows) in found.items()]
    return sorted(listed, key=lambda row: (row[0], -row[3], row[1] is None, row[1]))


def _operations(tally: Sequence[_Line]) -> dict[str, dict[str, int]]:
    def rows(kind: str, among: Callable[[_Line], bool]) -> int:
        return sum(line.rows for line in tally if line.operation == kind and among(line))

    return {
        kind: {
            "planned": rows(kind, lambda line: True),
            "attempted": rows(kind, lambda line: line.attempted),
            "succeeded": rows(kind, lambda line: line.outcome == "sent"),
            "failed": rows(kind, lambda line: line.outcome in FAILED),
        }
        for kind in ("add", "change", "remove")
    }
