"""SQL that stands in a rule: one select of profile_id over models of dbt, and nothing that reads or changes anything else."""

from __future__ import annotations

from collections.abc import Iterator, Set

from sqlglot import exp, parse
from sqlglot.errors import SqlglotError

from activation.engine.warehouse import DIALECT
from activation.engine.yaml_file import did_you_mean

CHANGES = (exp.Insert, exp.Update, exp.Delete, exp.Create, exp.Drop, exp.Command, exp.Into)


def query(sql: str) -> exp.Query:
    """The statement. Raises ValueError with a sentence when it is none, or several, or changes something."""
    try:
        statements = [statement for statement in parse(sql, dialect=DIALECT) if statement is not None]
    except SqlglotError as error:
        first = str(error).splitlines()[0]
        raise ValueError(f"is not SQL: {first.split('. Line')[0]}.") from None
    if len(statements) != 1:
        raise ValueError("must be one select.")
    statement = statements[0]
    if not isinstance(statement, exp.Query) or statement.find(*CHANGES):
        raise ValueError("must be a select: a rule changes nothing.")
    return statement


def faults(sql: str, models: Set[str]) -> Iterator[str]:
    """What is wrong with it, as sentences."""
    try:
        statement = query(sql)
    except ValueError as error:
        yield f"`sql` {error}"
        return
    names = [one.alias_or_name.lower() for one in statement.selects]
    if names != ["profile_id"]:
        yield "`sql` must select one column, `profile_id`."
    for table in _tables(statement):
        if not isinstance(table.this, exp.Identifier):
            yield "`sql` may read models only: no function that reads files or other places."
        elif table.db or table.catalog:
            yield f"`sql` names a schema: write the model alone (`{table.name}`), and dbt knows where it stands."
        elif table.name not in models:
            yield f"`sql` reads `{table.name}`, which is no model.{did_you_mean(table.name, models)}"
    for function in statement.find_all(exp.Anonymous):
        if function.name.lower().startswith(("read_", "getenv", "query", "pragma", "duckdb_", "glob")):
            yield f"`sql` calls {function.name}, which reads what is not a model."


def reads(sql: str) -> list[str]:
    """The models it reads."""
    return list(dict.fromkeys(table.name for table in _tables(query(sql))))


def referring(sql: str) -> exp.Query:
    """The statement with every model as a reference."""
    statement = query(sql)
    for table in _tables(statement):
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name)))
        table.set("db", exp.to_identifier("ref"))
    return statement


def _tables(statement: exp.Query) -> list[exp.Table]:
    """What it reads, without its own common table expressions."""
    own = {cte.alias for cte in statement.find_all(exp.CTE)}
    return [table for table in statement.find_all(exp.Table) if not (table.name in own and not table.db)]
