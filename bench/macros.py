"""The project's own dbt macros run on a connection without dbt: what a build would say to the warehouse, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from types import CodeType
from typing import Any

from jinja2 import Environment, Template

from activation.engine.project import REPOSITORY

MACROS = REPOSITORY / "dbt_models" / "macros"
EXTENSIONS = ["jinja2.ext.do"]
Rows = list[tuple[Any, ...]]


class Table:
    """What dbt gives a macro as the answer to a query."""

    def __init__(self, rows: Rows) -> None:
        self.columns = [Column([row[place] for row in rows]) for place in range(len(rows[0]))] if rows else [Column([])]


class Column:
    def __init__(self, cells: list[Any]) -> None:
        self._cells = cells

    def values(self) -> list[Any]:
        return self._cells


class Macros:
    """
    `names` are the files of dbt_models/macros that are needed; `ask` carries out a statement and gives its rows. With `this` a model
    counts as having run before, into that table.
    """

    def __init__(self, names: Iterable[str], ask: Callable[[str], Rows], adapter: str = "duckdb", this: str | None = None) -> None:
        environment = Environment(extensions=EXTENSIONS)
        environment.globals.update(
            execute=True,
            flags={"WHICH": "run"},
            this=this,
            is_incremental=lambda: this is not None,
            run_query=lambda sql: Table(ask(sql)),
            adapter=self,
        )
        self._adapter = adapter
        self._macros: dict[str, Any] = environment.globals
        for file in names:
            text = (MACROS / f"{file}.sql").read_text(encoding="utf-8")
            for macro, name in re.findall(r"(\{%-? macro (\w+).*?\{%-? endmacro -?%\})", text, re.DOTALL):
                template = Template.from_code(environment, _compiled(macro), environment.globals)
                environment.globals[name] = _late(template, name)

    def dispatch(self, name: str) -> Any:
        """The macro's own form for this adapter, else the one for all."""
        return self._macros.get(f"{self._adapter}__{name}") or self._macros[f"default__{name}"]

    def call(self, name: str, *arguments: Any) -> str:
        """What the macro renders to; the statements it runs have been run by then."""
        return str(self._macros[name](*arguments)).strip()


@cache
def _compiled(macro: str) -> CodeType:
    return Environment(extensions=EXTENSIONS).compile(macro)


def _late(template: Template, name: str) -> Callable[..., str]:
    """Bound when it is called, for a macro may call one that is read after it."""
    return lambda *arguments, **named: str(getattr(template.make_module(), name)(*arguments, **named))
