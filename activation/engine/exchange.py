"""What of a row leaves when the destination has a value of its own: the rules of a sync's `exchange`, in the warehouse, before rows are compared.

A rule lets a value leave or makes it NULL, and such a field is never sent as NULL: what the destination has then stays.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
from sqlglot import exp

from activation.engine.declarations import Activation
from activation.engine.errors import PlanRefused
from activation.engine.models import Models
from activation.engine.specs import Exchange, Rule
from activation.engine.warehouse import DIALECT
from activation.engine.yaml_file import did_you_mean

MISSING = "missing_fields"  # columns of the rows that come out, beside the model's own
ADDRESSED = "may_leave"
RECORD = "record_id"


def field_column(name: str) -> str:
    """The column of a field's value, as it may leave."""
    return f"field:{name}"


def take(connection: duckdb.DuckDBPyConnection, models: Models, activation: Activation, types: Mapping[str, str]) -> dict[str, str]:
    """Make the temporary table `source_rows` of a sync with an exchange. Returns the types of its columns. Raises PlanRefused."""
    spec = activation.sync
    exchange = spec.exchange
    assert exchange is not None
    theirs = models.columns(connection, exchange.theirs)
    _check(activation, exchange, types, theirs)
    keep = dict.fromkeys([spec.key, spec.match_on, *(["profile_id"] if "profile_id" in types else [])])
    values = {name: _value(exchange.fields.get(name, Rule()), exchange, name, column, types) for name, column in spec.fields.items()}
    columns = [
        *(f"source.{_name(column)}" for column in keep),
        *(f"{value} as {_name(field_column(name))}" for name, value in values.items()),
        f"{_missing(exchange, spec.fields)} as {MISSING}",
        f"{_addressed(exchange)} as {ADDRESSED}",
        f"{_theirs(exchange, exchange.id)}::varchar as {RECORD}" if exchange.id else f"cast(null as varchar) as {RECORD}",
    ]
    connection.execute(
        f"""
        create or replace temporary table source_rows as
        with state as (select key, payload::json as payload from activation.sync_snapshot where ref = {_text(activation.ref)} and state = 'acknowledged'),
        {", ".join(_lookup(models, exchange, place) for place in range(len(exchange.match)))}
        select {", ".join(columns)}
        from {models.relation(spec.model).expression("source").sql(DIALECT)}
        {" ".join(_join(exchange, place) for place in range(len(exchange.match)))}
        left join state on state.key = source.{_name(spec.key)}::varchar
        """
    )
    return {**{column: types[column] for column in keep}, **{field_column(name): types[column] for name, column in spec.fields.items()}}


# -- the record over there --------------------------------------------------------------------------------------------------


def _lookup(models: Models, exchange: Exchange, place: int) -> str:
    """Their records by one column. Where several have a value, the one changed last speaks."""
    column = _name(exchange.match[place].theirs)
    latest = f"{_name(exchange.updated_at.theirs)} desc nulls last, " if exchange.updated_at else ""
    return (
        f"theirs_{place} as (select {_same(column)} as match_value, * from {models.relation(exchange.theirs).sql} where {_same(column)} <> '' "
        f"qualify row_number() over (partition by {_same(column)} order by {latest}{column}) = 1)"
    )


def _join(exchange: Exchange, place: int) -> str:
    ours = f"source.{_name(exchange.match[place].ours)}"
    return f"left join theirs_{place} on theirs_{place}.match_value = {_same(ours)}"


def _known(exchange: Exchange) -> str:
    """Whether they have a record of this row."""
    return f"coalesce({', '.join(f'theirs_{place}.match_value' for place in range(len(exchange.match)))}) is not null"


def _theirs(exchange: Exchange, column: str) -> str:
    """Their value, of the first record that was found in the order of `match`. Blank is none."""
    cases = " ".join(
        f"when theirs_{place}.match_value is not null then theirs_{place}.{_name(column)}" for place in range(len(exchange.match))
    )
    return f"(case {cases} end)"


# -- what leaves ------------------------------------------------------------------------------------------------------------


def _value(rule: Rule, exchange: Exchange, name: str, column: str, types: Mapping[str, str]) -> str:
    ours = f"source.{_name(column)}"
    if rule.direction == "in":
        return f"cast(null as {types[column]})"
    if rule.never_lifted:
        return f"case when try_cast({ours} as boolean) then {ours} end"
    if rule.create_only:
        return f"case when not {_known(exchange)} then {ours} end"
    if rule.theirs is None:
        return ours
    theirs = _theirs(exchange, rule.theirs)
    blank = f"coalesce({theirs}::varchar, '') = ''"
    if rule.never_back:
        held = (
            f"coalesce(greatest({_rank(rule, theirs)}, {_rank(rule, f'json_extract_string(state.payload, {_text(_pointer(name))})')}), 0)"
        )
        # A stage of theirs that is on nobody's list is one they set by hand: it is left alone.
        return f"case when ({blank} or {_rank(rule, theirs)} is not null) and {_rank(rule, ours)} > {held} then {ours} end"
    if rule.append_only:
        return _appended(ours, theirs, types[column], blank)
    if rule.winner == "theirs":
        return f"case when {blank} then {ours} end"
    if rule.winner == "newest" and exchange.updated_at is not None:
        at = f"source.{_name(exchange.updated_at.ours)} > {_theirs(exchange, exchange.updated_at.theirs)}"
        return f"case when {blank} or {at} then {ours} end"
    if rule.winner == "most_complete":
        return f"case when length(trim(coalesce({ours}::varchar, ''))) > length(trim(coalesce({theirs}::varchar, ''))) then {ours} end"
    return ours


def _rank(rule: Rule, value: str) -> str:
    """The place of a stage, from 1; NULL when it is none."""
    return f"nullif(list_position([{', '.join(map(_text, rule.never_back))}], {value}::varchar), 0)"


def _appended(ours: str, theirs: str, kind: str, blank: str) -> str:
    """Their values and those of ours that are not among them; NULL when there is none to add. Several values in a text stand between `;`."""
    mine, there = (
        value if kind.endswith("[]") else f"list_transform(string_split({value}::varchar, ';'), x -> trim(x))" for value in (ours, theirs)
    )
    added = f"list_filter({mine}, x -> x <> '' and not list_contains({there}, x))"
    whole = f"list_concat({there}, {added})"
    written = whole if kind.endswith("[]") else f"array_to_string({whole}, ';')"
    return f"case when {blank} then {ours} when len({added}) > 0 then {written} end"


def _missing(exchange: Exchange, fields: Mapping[str, str]) -> str:
    """Whether a record would be made without what it must have."""
    blanks = [f"coalesce(source.{_name(fields[name])}::varchar, '') = ''" for name in exchange.required]
    return f"(not {_known(exchange)} and state.key is null and ({' or '.join(blanks)}))" if blanks else "false"


def _addressed(exchange: Exchange) -> str:
    """Whether the row is any of their business: they have a record, we made one, or we may."""
    if exchange.may_create is None:
        return "true"
    return f"({_known(exchange)} or state.key is not null or coalesce(source.{_name(exchange.may_create)}, false))"


def _check(activation: Activation, exchange: Exchange, types: Mapping[str, str], theirs: Mapping[str, str]) -> None:
    ours_wanted = [pair.ours for pair in exchange.match] + ([exchange.may_create] if exchange.may_create else [])
    theirs_wanted = [pair.theirs for pair in exchange.match] + [rule.theirs for rule in exchange.fields.values() if rule.theirs]
    theirs_wanted += [exchange.id] if exchange.id else []
    if exchange.updated_at:
        ours_wanted.append(exchange.updated_at.ours)
        theirs_wanted.append(exchange.updated_at.theirs)
    for model, wanted, there in ((activation.sync.model, ours_wanted, types), (exchange.theirs, theirs_wanted, theirs)):
        for column in wanted:
            if column not in there:
                raise PlanRefused(
                    f"{activation.file}: `exchange` names column `{column}`, which `{model}` has not.{did_you_mean(column, set(there))}"
                )


def _same(value: str) -> str:
    """Values are the same without regard to case and blanks around them."""
    return f"lower(trim({value}::varchar))"


def _pointer(name: str) -> str:
    return "/" + name.replace("~", "~0").replace("/", "~1")


def _name(column: str) -> str:
    return exp.to_identifier(column, quoted=True).sql(DIALECT)


def _text(value: str) -> str:
    return exp.Literal.string(value).sql(DIALECT)
