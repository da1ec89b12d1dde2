"""One person, explained: who, why these identifiers are one, segments, tags, score, consent, and every message sent or withheld, with why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import duckdb
from sqlglot import exp, select

from activation.engine import merges
from activation.engine.declarations import Declarations
from activation.engine.errors import PlanRefused, UsageError
from activation.engine.ledger import open_ledger
from activation.engine.models import Models
from activation.engine.project import Project
from activation.engine.segments import compiled
from activation.engine.segments.preview import relations
from activation.engine.segments.references import for_warehouse
from activation.engine.segments.references import model as model_of
from activation.engine.segments.tree import BOOKS, Rule
from activation.engine.warehouse import DIALECT, opened

Rows = list[dict[str, Any]]
LONGEST = 50  # rows of one section

# Section → model and the columns that a person wants to see (those that it has).
SECTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "identifiers": (
        "bridge_profile_identifiers",
        ("identifier_type", "identifier", "source", "observations", "first_seen_at", "last_seen_at"),
    ),
    "why they are one person": ("int_identity_edges", ()),
    "lifecycle": ("profile_lifecycle", ("stage", "since", "source", "evidence")),
    "tags": ("tag_assignments", ("tag", "kind", "rule", "evidence", "first_seen_at", "last_seen_at", "expires_at")),
    "scores": ("score_profiles", ("model", "score", "band", "grade", "last_event_at", "scored_at")),
    "score components": (
        "score_components",
        ("model", "rule_group", "rule", "occurrences", "points", "counted_points", "last_event_at", "evidence"),
    ),
    "score crossings": ("fct_score_crossings", ("model", "threshold", "direction", "score", "crossed_at")),
    "consent": ("consent_state", ("channel", "purpose", "topic", "status", "since", "expires_at", "double_opt_in", "source", "evidence")),
    "suppressed": ("suppressions", ("channel", "reason", "scope", "since", "evidence")),
}


@dataclass
class Explained:
    """Sections of rows, in the order they are shown. `profile` is the person's row of dim_profiles."""

    identifier: str
    profile_id: str
    profile: dict[str, Any]
    sections: dict[str, Rows] = field(default_factory=dict)


def explain(project: Project, identifier: str, declarations: Declarations) -> Explained:
    """Look a person up by any identifier, profile id or message id. Raises UsageError when nobody has it."""
    models = Models(project)
    with opened(project, read_only=True) as connection:
        profile_id = profile_of(connection, models, identifier.strip())
        if profile_id is None:
            raise UsageError(
                "Nobody has this identifier. Try a mail address, phone (+86…), openid, cookie, CRM id, profile id or message id."
            )
        profile = _rows(connection, models, "dim_profiles", profile_id)
        found = Explained(identifier, profile_id, profile[0] if profile else {"profile_id": profile_id})
        built = models.built(connection)
        for section, (model, columns) in SECTIONS.items():
            if section == "why they are one person":
                found.sections[section] = _joins(connection, models, built, profile_id)
            elif model in built:
                found.sections[section] = _rows(connection, models, model, profile_id, columns)
        found.sections["segments"] = _segments(connection, models, built, profile_id, declarations.segments)
        if "segment_changes" in built:
            columns = ("changed_at", "segment", "change", "reason", "run_id")
            changes = _rows(connection, models, "segment_changes", profile_id, columns)
            found.sections["segment changes"] = sorted(changes, key=lambda row: (str(row.get("changed_at")), str(row.get("segment"))))[
                -LONGEST:
            ]
        ids = [profile_id, *_previous(connection, models, profile_id)]
        found.sections["sent and withheld"] = _history(connection, ids)
        if "fct_message_events" in built:
            columns = ("occurred_at", "channel", "event_type", "message_id", "is_bot")
            receipts = _rows(connection, models, "fct_message_events", profile_id, columns)
            found.sections["receipts"] = sorted(receipts, key=lambda row: str(row.get("occurred_at")), reverse=True)[:LONGEST]
    with open_ledger(project) as ledger:
        pending = ledger.rows(
            f"select m.ref, m.message_id, m.state, m.as_of from messages m join runs r using (run_id) where m.profile_id in ({', '.join('?' * len(ids))}) "
            "and r.status <> 'settled'",
            ids,
        )
        found.sections["on its way"] = [dict(row) for row in pending]
    return found


def profile_of(connection: duckdb.DuckDBPyConnection, models: Models, identifier: str) -> str | None:
    """The profile of whoever has an identifier, was that profile before, or got that message; None when nobody has it."""
    for name in ("bridge_profile_identifiers", "dim_profiles"):
        models.columns(connection, name)  # raises when it has not been built
    bridge = models.relation("bridge_profile_identifiers").sql
    forms = [identifier, identifier.lower(), "".join(c for c in identifier if c not in " -()")]
    forms.append(f"+86{forms[2]}" if forms[2].isdigit() and len(forms[2]) == 11 else forms[2])
    for sql in (
        f"select profile_id from {bridge} where identifier in (select unnest(?::varchar[])) order by last_seen_at desc nulls last limit 1",
        f"select profile_id from {models.relation('dim_profiles').sql} where profile_id in (select unnest(?::varchar[])) limit 1",
        "select profile_id from activation.sync_changelog where message_id in (select unnest(?::varchar[])) and profile_id is not null limit 1",
    ):
        row = connection.execute(sql, [forms]).fetchone()
        if row:
            return _today(connection, models, str(row[0]))
    before = _today(connection, models, identifier)
    return before if before != identifier else None


def _fetch(connection: duckdb.DuckDBPyConnection, sql: str, parameters: list[Any]) -> Rows:
    result = connection.execute(sql, parameters)
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _rows(connection: duckdb.DuckDBPyConnection, models: Models, model: str, profile_id: str, wanted: tuple[str, ...] = ()) -> Rows:
    """The person's rows of a model: the wanted columns that it has, or all. A model that is not about people has none."""
    there = models.columns(connection, model)
    if "profile_id" not in there:
        return []
    columns = [column for column in wanted if column in there] or list(there)
    query = select(*(exp.column(column, quoted=True) for column in columns)).from_(models.relation(model).expression())
    return _fetch(connection, query.where(exp.column("profile_id").eq(exp.Placeholder())).sql(DIALECT), [profile_id])


def _joins(connection: duckdb.DuckDBPyConnection, models: Models, built: set[str], profile_id: str) -> Rows:
    """Every pair of identifiers that was seen together, with where; and the pairs that were not believed, with why."""
    if not {"int_identity_edges", "int_identity_dropped_edges", "int_identifiers"} <= built:
        return []
    edges, dropped, identifiers, bridge = (
        models.relation(name).sql
        for name in ("int_identity_edges", "int_identity_dropped_edges", "int_identifiers", "bridge_profile_identifiers")
    )
    return _fetch(
        connection,
        f"""
        with own as (select identifier_key, identifier_type, identifier from {bridge} where profile_id = ?),
        joined as (
            select e.left_type, l.identifier as left_identifier, e.right_type, r.identifier as right_identifier, e.rule, e.source, e.evidence,
                cast(null as varchar) as reason, e.first_seen_at
            from {edges} as e
            join {identifiers} as l on e.left_key = l.identifier_key
            join {identifiers} as r on e.right_key = r.identifier_key
            where e.left_key in (select identifier_key from own)
        ), refused as (
            select d.left_type, d.left_identifier, d.right_type, d.right_identifier, d.rule, d.source, d.evidence, d.reason, d.first_seen_at
            from {dropped} as d
            where (d.left_type, d.left_identifier) in (select (identifier_type, identifier) from own)
                or (d.right_type, d.right_identifier) in (select (identifier_type, identifier) from own)
        )
        select left_type || ' ' || left_identifier as one, right_type || ' ' || right_identifier as other,
            case when reason is null then 'joined' else 'not joined' end as verdict, coalesce(reason, rule) as why, evidence, first_seen_at
        from (from joined union all from refused)
        order by verdict, first_seen_at, one, other limit {LONGEST}
        """,
        [profile_id],
    )


def _segments(connection: duckdb.DuckDBPyConnection, models: Models, built: set[str], profile_id: str, rules: Mapping[str, Rule]) -> Rows:
    """Every segment with whether the person is in it, and the segment's own reason; of a rule that keeps somebody out, what does not hold."""
    result: Rows = []
    moment = _built_at(connection, models, built)
    for name in sorted(built - BOOKS):
        if name.startswith("segment_"):
            rows = _rows(connection, models, name, profile_id)
            reason = (rows[0].get("reason") if rows else None) or models.description(name).split(". ")[0]
            if not rows and name in rules:
                reason = _why_not(connection, models, rules[name], profile_id, moment) or reason
            result.append({"segment": name, "member": bool(rows), "reason": reason})
    return sorted(result, key=lambda row: (not row["member"], row["segment"]))


def _why_not(connection: duckdb.DuckDBPyConnection, models: Models, rule: Rule, profile_id: str, moment: datetime) -> str | None:
    """What the rule asks for and this person does not fulfil. None where it cannot be asked, or where all holds (a top that others fill)."""
    truths = compiled.truths(rule)
    person = select(*(exp.alias_(truth, f"holds_{number}") for number, (_, truth) in enumerate(truths)))
    person = person.from_(model_of("dim_profiles", "p")).where(exp.column("profile_id", table="p").eq(exp.Literal.string(profile_id)))
    try:
        row = connection.execute(for_warehouse(person, relations(connection, models), moment)).fetchone()
    except (PlanRefused, duckdb.Error):
        return None  # a model that it reads failed to build, or the rule was changed since
    missing = [words for (words, _), holds in zip(truths, row or (), strict=bool(row)) if not holds]
    if row and not missing:
        return "all of it holds, but others come first" if rule.spec.top else None
    return f"not: {'; '.join(missing)}" if missing else None


def _built_at(connection: duckdb.DuckDBPyConnection, models: Models, built: set[str]) -> datetime:
    """The moment the last build spoke about; now, where no model says."""
    for name, column in (("score_profiles", "scored_at"), ("segment_changes", "changed_at")):
        if name in built and column in models.columns(connection, name):
            row = connection.execute(f"select max({column}) from {models.relation(name).sql}").fetchone()
            if row and row[0] is not None:
                return cast(datetime, row[0])
    return datetime.now(UTC)


def _history(connection: duckdb.DuckDBPyConnection, ids: list[str]) -> Rows:
    return _fetch(
        connection,
        "select recorded_at, ref, operation, outcome, reason_code, reason, message_id, provider_id from activation.sync_changelog "
        "where profile_id in (select unnest(?::varchar[])) order by recorded_at desc, ref limit 100",
        [ids],
    )


def _previous(connection: duckdb.DuckDBPyConnection, models: Models, profile_id: str) -> list[str]:
    """The ids this person had before identity joined them. What was sent under them was sent to this person."""
    joined = merges.relation(connection, models)
    if joined is None:
        return []
    rows = connection.execute(f"select previous_id from {joined.sql} where profile_id = ? order by 1", [profile_id]).fetchall()
    return [row[0] for row in rows]


def _today(connection: duckdb.DuckDBPyConnection, models: Models, profile_id: str) -> str:
    """The id of today of whoever has, or had, this one."""
    joined = merges.relation(connection, models)
    row = connection.execute(f"select profile_id from {joined.sql} where previous_id = ?", [profile_id]).fetchone() if joined else None
    return str(row[0]) if row else profile_id
