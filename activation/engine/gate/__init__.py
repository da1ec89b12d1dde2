"""The gate: may this row leave now? Asked in the warehouse for all rows at once; the first rule that refuses is the reason.

Fails closed: a purpose that is not declared, a person that is not known, a table that is not there, each means no.
Order: waterfall → consent → suppression → identifier present → identifier valid → holdouts → experiment arm → frequency caps →
quiet hours → quotas. `codes.py` says of every refusal what to do about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from activation.engine.declarations import Activation
from activation.engine.draws import Draw, assigned, draws
from activation.engine.gate.gather import ASKED, Leaving, UnsettledMessage, gather
from activation.engine.gate.quotas import over_all_people
from activation.engine.gate.rules import Rule, rules
from activation.engine.gate.validity import VALID_SECONDS, valid_for
from activation.engine.models import Models
from activation.engine.policies import Policies
from activation.engine.warehouse import literal, transaction

__all__ = ["ASKED", "VALID_SECONDS", "Leaving", "Rule", "UnsettledMessage", "ask", "valid_for"]


def ask(
    connection: duckdb.DuckDBPyConnection,
    models: Models,
    policies: Policies,
    activation: Activation,
    plan_file: Path,
    now: datetime,
    verdicts: Path,
    unsettled: Sequence[UnsettledMessage] = (),
    leaving: Sequence[Leaving] = (),
    run_id: str | None = None,
) -> dict[str, int]:
    """Write a verdict (row_number, code, reason, not_before) for every row that is withheld to `verdicts`. Returns counts by code.

    Removals and invalid rows are not asked about: who leaves a list is always let go. `not_before` is when a deferred row may
    leave. With the `run_id` of a run, what is drawn for holdouts and experiments is written down; a preview writes nothing.
    """
    now = now.astimezone(UTC).replace(tzinfo=None)
    gather(connection, models, policies, activation, plan_file, now, unsettled, leaving)
    asked = rules(policies, activation)
    _decide(connection, asked)
    over_all_people(connection, policies, activation, now)
    if run_id is not None:
        _assign(connection, models, draws(policies, activation), asked, now, run_id)
    columns = "row_number, code, reason, not_before"
    connection.execute(f"copy (select {columns} from verdicts order by row_number) to {literal(str(verdicts))} (format parquet)")
    return dict(connection.execute("select code, count(*) from verdicts group by 1 order by 1").fetchall())


def _decide(connection: duckdb.DuckDBPyConnection, asked: Sequence[Rule]) -> None:
    """Make the temporary table `verdicts`: by row, the number of the first rule that refuses it."""
    first = "".join(f" when {rule.condition} then {index}" for index, rule in enumerate(asked))
    code = "".join(f" when {index} then {literal(rule.code)}" for index, rule in enumerate(asked))
    reason = "".join(f" when {index} then {rule.says}" for index, rule in enumerate(asked))
    moment = "".join(f" when {index} then {rule.not_before}" for index, rule in enumerate(asked) if rule.not_before)
    when = f"case r.rule{moment} end" if moment else "cast(null as timestamp)"
    connection.execute(
        f"create or replace temporary table verdicts as select row_number, rule, case rule{code} end as code, case rule{reason} end as reason, "
        f"{when} as not_before from (select *, case{first} end as rule from gate_rows as r) as r where rule is not null"
        if asked
        else "create or replace temporary table verdicts (row_number bigint, rule integer, code varchar, reason varchar, not_before timestamp)"
    )


def _assign(
    connection: duckdb.DuckDBPyConnection, models: Models, drawn: Sequence[Draw], asked: Sequence[Rule], now: datetime, run_id: str
) -> None:
    """Write down the arms of those who came as far as being drawn and have not been before. Doing it again writes nothing."""
    with transaction(connection):
        for index, draw in enumerate(drawn):
            place = next(number for number, rule in enumerate(asked) if rule.draw == draw.name)
            connection.execute(
                f"insert into activation.assignments select distinct {literal(draw.name)}, r.profile_id, r.draw_{index}, "
                f"cast(? as timestamp), cast(? as varchar) from gate_rows as r left join verdicts as v using (row_number) "
                f"where (v.rule is null or v.rule >= {place}) and r.profile_id not in (select profile_id from {assigned(connection, models, draw.name)})",
                [now, run_id],
            )
