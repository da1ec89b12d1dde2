"""How long the gate's verdicts hold. A send may take hours: meanwhile people unsubscribe, buy, and go to bed."""

from __future__ import annotations

import duckdb

from activation.engine.declarations import Activation
from activation.engine.gate.quiet_hours import until_quiet
from activation.engine.policies import Policies

VALID_SECONDS = 900.0


def valid_for(connection: duckdb.DuckDBPyConnection, policies: Policies, activation: Activation, elapsed: float, seconds: float) -> float:
    """Seconds for which the verdicts just given hold: at most `seconds`, or until it is quiet time for the first who may get a message.

    `elapsed` seconds ago it was the moment that the gate was asked about.
    """
    window = policies.quiet_hours.channels.get(activation.channel)
    if window is None or policies.purposes[activation.spec.purpose].basis == "transactional":
        return seconds
    row = connection.execute(
        f"select epoch(min({until_quiet(window, 'local_now')})) from (select distinct local_now from gate_rows anti join verdicts using (row_number))"
    ).fetchone()
    return seconds if row is None or row[0] is None else min(seconds, float(row[0]) - elapsed)
