"""Who is drawn for a holdout or an arm: by the person and a salt alone, the same on every machine and in every version, and for good.

A person's number is md5(salt || ':' || profile_id), of which the first 15 hexadecimal digits are read as an integer. A holdout takes
whose number modulo 10,000 is below percent × 100; an arm takes its share of the number modulo the sum of all weights, in the
order declared. What was drawn once stands in `activation.assignments` and is believed, whatever the declaration says by now.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from activation.engine.declarations import Activation
from activation.engine.models import Models
from activation.engine.policies import Policies
from activation.engine.specs import Experiment, Holdout
from activation.engine.warehouse import literal

OUT, IN = "held_out", "in"
CONTROL = "control"
PARTS = 10_000


@dataclass(frozen=True)
class Draw:
    """One drawing: its name in `activation.assignments`, and SQL that says a person's arm."""

    name: str
    arm: str
    withheld: str  # the arm that gets nothing


def draws(policies: Policies, activation: Activation, person: str = "profile_id") -> list[Draw]:
    """The drawings that a message goes through, in order. What is owed to a person is not subject to the universal holdout.

    `person` is the SQL of the profile's id.
    """
    if activation.kind != "send":
        return []
    purpose = policies.purposes.get(activation.spec.purpose)
    owed = purpose is not None and purpose.basis == "transactional"
    spec, found = activation.send, []
    if policies.holdouts.universal and not owed:
        found.append(_holdout("holdout:universal", policies.holdouts.universal, person))
    if spec.holdout:
        found.append(_holdout(f"holdout:{activation.ref}", spec.holdout, person))
    if spec.experiment:
        found.append(experiment(spec.experiment, person))
    return found


def experiment(spec: Experiment, person: str) -> Draw:
    """The drawing of an experiment's arms."""
    name = f"experiment:{spec.name}"
    place, below, cases = f"{_number(name, person)} % {sum(spec.arms.values())}", 0, ""
    for arm, weight in spec.arms.items():
        below += weight
        cases += f" when {place} < {below} then {literal(arm)}"
    return Draw(name, f"case{cases} end", CONTROL)


def assigned(connection: duckdb.DuckDBPyConnection, models: Models, name: str) -> str:
    """SQL of a table (profile_id, arm): what was drawn, by the person of today; of several ids that became one the earliest counts."""
    return (
        "(select coalesce(m.profile_id, a.profile_id) as profile_id, a.arm from activation.assignments as a "
        f"left join {merges(connection, models)} as m on m.previous_id = a.profile_id where a.name = {literal(name)} "
        "qualify row_number() over (partition by coalesce(m.profile_id, a.profile_id) order by a.assigned_at, a.arm) = 1)"
    )


def merges(connection: duckdb.DuckDBPyConnection, models: Models) -> str:
    """SQL of a table (previous_id, profile_id), empty where the project has no such model. Raises PlanRefused when it is not built."""
    if "profile_merges" in models.names():
        models.columns(connection, "profile_merges")
        return models.relation("profile_merges").sql
    return "(select cast(null as varchar) as previous_id, cast(null as varchar) as profile_id where false)"


def _holdout(name: str, spec: Holdout, person: str) -> Draw:
    out = f"{_number(spec.salt or name, person)} % {PARTS} < {round(spec.percent * PARTS / 100)}"
    return Draw(name, f"case when {out} then {literal(OUT)} else {literal(IN)} end", OUT)


def _number(salt: str, person: str) -> str:
    return f"cast('0x' || left(md5({literal(salt + ':')} || {person}), 15) as bigint)"
