"""Whom a send addresses: the people of its segments, one row each, as SQL."""

from __future__ import annotations

from typing import Any

import duckdb
from sqlglot import exp, select

from activation.engine.declarations import Activation
from activation.engine.errors import PlanRefused
from activation.engine.models import Models
from activation.engine.payload import payload, text
from activation.engine.yaml_file import did_you_mean

CONTACTS = {"email": "email", "phone": "phone", "wechat_openid": "wechat_openid"}


def rows(connection: duckdb.DuckDBPyConnection, models: Models, activation: Activation) -> exp.Select:
    """One row per person of the audience. Fields come from dim_profiles; the contact point of the channel always comes along."""
    spec = activation.send
    profiles = models.columns(connection, "dim_profiles")
    for segment in (*spec.audience.include, *spec.audience.exclude):
        if "profile_id" not in models.columns(connection, segment):
            raise PlanRefused(f"{activation.file}: `{segment}` has no column `profile_id`, so it cannot be an audience.")
    missing = [f"`{column}`{did_you_mean(column, set(profiles))}" for column in spec.fields.values() if column not in profiles]
    if missing:
        raise PlanRefused(f"{activation.file}: dim_profiles has no column {'; no column '.join(missing)}")
    contact = CONTACTS[activation.object.contact or "email"]

    def members(names: list[str]) -> exp.Expression:
        parts: list[Any] = [select("profile_id").from_(models.relation(name).expression()) for name in names]
        union: Any = parts[0]
        for part in parts[1:]:
            union = union.union(part)
        return union  # type: ignore[no-any-return]

    found = (
        select(
            exp.column("profile_id", table="p").as_("key"),
            exp.column("profile_id", table="p").as_("profile_id"),
            text(exp.column(contact, table="p", quoted=True)).as_("match_value"),
            payload(spec.fields, profiles, "p").as_("payload"),
        )
        .from_(models.relation("dim_profiles").expression("p"))
        .where(exp.column("profile_id", table="p").isin(query=members(list(spec.audience.include))))
    )
    if spec.audience.exclude:
        found = found.where(exp.not_(exp.column("profile_id", table="p").isin(query=members(list(spec.audience.exclude)))))
    return found
