"""Who is to be forgotten: every identifier, every id of before, every message; and how a value is told to be one of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from activation.engine import merges
from activation.engine.explain import profile_of
from activation.engine.ledger import Ledger
from activation.engine.models import Models
from activation.engine.warehouse import literal

VALUES = "erased_values"
LONG = 8  # characters; a shorter value, such as a number of a CRM, is somebody else's price or quantity elsewhere


@dataclass(frozen=True)
class Person:
    """`ids`: profile ids, today's first. `identifiers`: (type, identifier). `keys`: identifier keys of the identity models."""

    ids: tuple[str, ...]
    identifiers: tuple[tuple[str, str], ...]
    keys: tuple[int, ...]
    messages: tuple[str, ...]

    @property
    def values(self) -> list[tuple[str, str, bool]]:
        """Value, type, and whether the value says who it is wherever it stands."""
        named = [(value, kind, len(value) >= LONG or "@" in value) for kind, value in self.identifiers]
        return list(
            dict.fromkeys([*named, *((id, "profile_id", True) for id in self.ids), *((id, "message_id", True) for id in self.messages)])
        )


def find(connection: duckdb.DuckDBPyConnection, models: Models, ledger: Ledger, identifier: str) -> Person | None:
    """The person of an identifier, as `sluice explain` finds them, and the table `erased_values`. None when nobody has it."""
    today = profile_of(connection, models, identifier.strip())
    if today is None:
        return None
    joined = merges.relation(connection, models)
    before = [] if joined is None else connection.execute(f"select previous_id from {joined.sql} where profile_id = ?", [today]).fetchall()
    ids = tuple(dict.fromkeys([today, *sorted(row[0] for row in before)]))
    bridge = models.relation("bridge_profile_identifiers").sql
    rows = connection.execute(
        f"select distinct identifier_type, identifier, identifier_key from {bridge} where profile_id in (select unnest(?::varchar[])) order by all",
        [list(ids)],
    ).fetchall()
    told = connection.execute(
        "select distinct message_id from activation.sync_changelog where message_id is not null and profile_id in (select unnest(?::varchar[]))",
        [list(ids)],
    ).fetchall()
    messages = tuple(sorted({*(row[0] for row in told), *ledger.messages_of(ids)}))
    person = Person(ids, tuple((row[0], row[1]) for row in rows), tuple(sorted({row[2] for row in rows})), messages)
    note(connection, person)
    return person


def note(connection: duckdb.DuckDBPyConnection, person: Person) -> None:
    """Make the temporary table `erased_values` (value, kind, anywhere)."""
    values, kinds, anywhere = (list(column) for column in zip(*person.values, strict=True))
    connection.register("erased_rows", pa.table({"value": values, "kind": kinds, "anywhere": anywhere}))
    connection.execute(f"create or replace temporary table {VALUES} as select * from erased_rows")
    connection.unregister("erased_rows")


def is_theirs(value: str, name: str) -> str:
    """SQL: whether a text is one of the person's values, however it is spelled. `name`: SQL of the field's name, for short values."""
    plain = f"lower(trim({value}))"
    bare = f"translate({plain}, ' -()', '')"
    forms = f"[{value}, {plain}, {bare}, '+' || {bare}, '+86' || {bare}, '+' || regexp_replace({bare}, '^00', '')]"
    snake = f"lower(regexp_replace({name}, '([a-z0-9])([A-Z])', '\\1_\\2', 'g'))"
    return (
        f"exists (select 1 from {VALUES} as v where list_contains({forms}, v.value) "
        f"and (v.anywhere or ({snake} <> 'id' and ends_with('_' || v.kind, '_' || {snake}))))"
    )


def may_be_theirs(person: Person, text: str) -> str:
    """SQL: whether one of the values may stand in a text of JSON at all: in one scan, where each value is looked for as it is.

    JSON may write any character as an escape. Of ASCII hardly anybody does, and such a text is a suspect; others are all escapes.
    """
    needles = {re.sub(r"^(\+86|\+)|[ \-()]", "", value.lower()) for value, _, _ in person.values}
    pattern = "|".join(re.escape(needle) for needle in sorted(needles) if needle)
    escape = r"\\u00[0-7]|\\/" if all(needle.isascii() and not set(needle) & set('"\\') for needle in needles) else r"\\"
    return f"(regexp_matches({text}, {literal(escape)}) or regexp_matches(translate(lower({text}), ' -()', ''), {literal(pattern)}))"


def lines_of(connection: duckdb.DuckDBPyConnection, person: Person, lines: Sequence[str]) -> set[int]:
    """Which of these lines of JSON carry one of the person's values as a whole value. A line that is no JSON carries none."""
    connection.register("erased_lines", pa.table({"n": pa.array(range(len(lines)), pa.int64()), "payload": pa.array(lines, pa.string())}))
    try:
        rows = connection.execute(
            f"with suspects as (select n, payload from erased_lines where {may_be_theirs(person, 'payload')} and json_valid(payload)) "
            f"select distinct t.n from suspects as t, json_tree(t.payload::json) as j where j.atom is not null and {is_theirs(LEAF, 'j.key')}"
        ).fetchall()
    finally:
        connection.unregister("erased_lines")
    return {row[0] for row in rows}


LEAF = "(j.atom ->> '$')"
