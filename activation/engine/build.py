"""Building the models: dbt, run in a process of its own, with its results read back."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from activation.engine import dbt_command, seeds
from activation.engine.declarations import Declarations
from activation.engine.errors import SluiceError, UsageError
from activation.engine.landing import prepare
from activation.engine.project import Project
from activation.engine.segments import generated
from activation.engine.warehouse import opened
from connectors.base import impersonal

Progress = Callable[[int, int, str], None]
PASSED = {"success", "pass", "warn"}
AS_OF_VAR = re.compile(rb"""\bvar\(\s*['"]as_of['"]""")


class BuildFailed(SluiceError):
    """dbt could not run at all (a model that does not parse, a warehouse that cannot be reached)."""


@dataclass
class BuildReport:
    """What a build did: how many models and tests there were, and which went wrong, as sentences."""

    models: int = 0
    tests: int = 0
    unit_tests: int = 0
    seeds: int = 0
    seeds_unchanged: int = 0
    warnings: int = 0
    skipped: int = 0
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return not self.failures and not self.skipped


DBT = [sys.executable, "-P", dbt_command.__file__]  # and not as `-m`: see there
WITHOUT_TESTS = ["--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"]
WITHOUT_SEEDS = ["--exclude-resource-type", "seed"]
ONE_AT_A_TIME = ["--threads", "1"]
MUCH = 2**30  # bytes of a warehouse's file: some ten million events landed, and not built yet


def environment(project: Project, base: Mapping[str, str] | None = None, as_of: datetime | None = None) -> dict[str, str]:
    """The variables dbt's profile and the macro `as_of()` read, with nothing sent anywhere.

    The warehouse's place is told in full: dbt then parses a project anew that was moved or copied, as it must. A seed that it parsed
    before is read from where it lay.
    """
    given = os.environ if base is None else base
    return {
        "SLUICE_DBT_MEMORY_LIMIT": memory_limit(),
        # At "debug" dbt writes every statement and step into its log, which takes it a tenth of the time it needs beside the warehouse's.
        "DBT_LOG_LEVEL_FILE": "info",
        # As JSON, which it would take over from what is read here, the log costs a build of little data half a second and more.
        "DBT_LOG_FORMAT_FILE": "debug",
        # Memory that DuckDB is done with stays with its process for some seconds, for the next statement: given back and asked for again with each,
        # it costs a build of little news a tenth of its time.
        "DUCKDB_JE_MALLOC_CONF": "dirty_decay_ms:5000",
        **given,
        "SLUICE_WAREHOUSE": str(project.warehouse),
        "SLUICE_GENERATED_MODELS": os.path.relpath(project.generated, project.models),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
        "SLUICE_DBT_AS_OF": _moment(as_of) if as_of else given.get("SLUICE_DBT_AS_OF", ""),
    }


def memory_limit() -> str:
    """What a build may hold in memory before it works on disk: half of what the machine has, and no more than 8 GB."""
    return f"{min(os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') // 2_000_000, 8_000)}MB"


def arguments(project: Project, command: str, as_of: datetime | None, select: Sequence[str] = (), full_refresh: bool = False) -> list[str]:
    """dbt's command line for this project."""
    parts = [command, "--project-dir", str(project.models), "--profiles-dir", str(project.models)]
    parts += ["--target-path", str(project.target), "--log-path", str(project.logs)]
    parts += variables(project, as_of)
    if select:
        parts += ["--select", *select]
    if full_refresh:
        parts.append("--full-refresh")
    return parts


def variables(project: Project, as_of: datetime | None) -> list[str]:
    """The option that tells dbt the moment as a var, where a model of the project reads `var("as_of")` and not the environment.

    The macro `as_of()` reads either, and a var that changes makes dbt parse every model anew: seconds of each build.
    """
    files = (file.read_bytes() for file in project.models.rglob("*") if file.suffix in {".sql", ".yml", ".yaml"})
    if as_of is None or not any(AS_OF_VAR.search(text) and b"SLUICE_DBT_AS_OF" not in text for text in files):
        return []
    return ["--vars", json.dumps({"as_of": _moment(as_of)})]


def _moment(as_of: datetime) -> str:
    return as_of.replace(tzinfo=None).isoformat()


def prepare_warehouse(project: Project, declarations: Declarations) -> list[str]:
    """Every table that models read exists, empty where nothing came yet, and every rule is the model that dbt reads.

    Returns what to add to dbt's arguments, for this warehouse.
    """
    with _prepared(project, declarations) as connection:
        return _one_at_a_time(project, connection)


def _one_at_a_time(project: Project, connection: duckdb.DuckDBPyConnection, full_refresh: bool = False) -> list[str]:
    """The option that has dbt make one model after the other, where everything is made from much.

    Two large statements do not know of each other how much they hold in memory, and while one sorts all events the other finds none left
    and fails. Alone, each works on disk when it must. It costs little: a large statement has every core to itself. Whoever says how many
    there shall be, in SLUICE_DBT_THREADS, has their way.
    """
    if "SLUICE_DBT_THREADS" in os.environ or project.warehouse.stat().st_size < MUCH:
        return []
    built = connection.execute("select count(*) from duckdb_tables() where table_name = 'int_events'").fetchall()[0][0]
    return [] if built and not full_refresh else ONE_AT_A_TIME


@contextmanager
def _prepared(project: Project, declarations: Declarations) -> Iterator[duckdb.DuckDBPyConnection]:
    generated.write(project, declarations.segments)
    with opened(project) as connection:
        prepare(connection, declarations)
        yield connection


def build(
    project: Project,
    declarations: Declarations | Callable[[], Declarations],
    as_of: datetime | None = None,
    select: Sequence[str] = (),
    full_refresh: bool = False,
    tests: bool = True,
    progress: Progress | None = None,
) -> BuildReport:
    """Seeds, models and tests, in order. Failing models and tests are in the report.

    Where `declarations` are a function that reads them, it is called while dbt starts, and what it raises is raised.
    Where nothing is selected, seeds that stand in the warehouse as their files say are left alone; `full_refresh` makes them anew.

    Raises BuildFailed when dbt cannot build at all, UsageError when `select` selects nothing.
    """
    results = project.target / "run_results.json"
    errors = []
    nothing_selected = False
    given = environment(project, as_of=as_of)
    seeds_from = None
    seeds_left = 0
    added = []
    command = [*DBT, "--log-format", "json", "--no-quiet", "--no-use-colors"]
    with subprocess.Popen(
        [*command, *arguments(project, "build", as_of, select, full_refresh), *([] if tests else WITHOUT_TESTS)],
        env=given,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        cwd=project.root,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            if not select:
                seeds_from = seeds.sources(project, given)
            declared = declarations if isinstance(declarations, Declarations) else declarations()
            with _prepared(project, declared) as connection:
                added += _one_at_a_time(project, connection, full_refresh)
                if not full_refresh:
                    seeds_left = seeds.unchanged(project, connection, seeds_from)
        except BaseException:
            process.kill()  # it waits for its line and would end without one, but not before dbt is imported
            raise
        results.unlink(missing_ok=True)
        with suppress(BrokenPipeError):  # it died; what it said before is read below
            process.stdin.write(json.dumps(added + (WITHOUT_SEEDS if seeds_left else [])) + "\n")
            process.stdin.close()
        for line in process.stdout:
            event = _event(line)
            name, data = event.get("info", {}).get("name"), event.get("data", {})
            if event.get("info", {}).get("level") == "error":
                errors.append(event["info"]["msg"].strip())
            nothing_selected = nothing_selected or name == "NothingToDo"
            if progress and name in {"LogModelResult", "LogTestResult", "LogSeedResult", "LogSnapshotResult"}:
                total = data.get("total") or data.get("num_models") or 0  # dbt calls it otherwise for tests
                progress(int(data.get("index", 0)), int(total), str(data.get("node_info", {}).get("node_name", "")))
    if nothing_selected and select:
        raise UsageError(
            f"Nothing is selected by `{' '.join(select)}`. Select models as dbt does: a name, +name with what it needs, name+ with what needs it."
        )
    if not results.is_file():
        raise BuildFailed("dbt could not build the models.\n" + "\n".join(errors[:5] or [f"See {project.relative(project.logs)}/dbt.log."]))
    told = json.loads(results.read_text(encoding="utf-8"))
    loaded = {result["unique_id"]: result["status"] for result in told["results"] if result["unique_id"].startswith("seed.")}
    # What changed meanwhile may have come after dbt read it.
    if seeds_from and set(loaded.values()) == {"success"} and seeds.sources(project, given) == seeds_from:
        seeds.keep(project, [seed.split(".")[-1] for seed in loaded], seeds_from)
    report = _report(told)
    report.seeds_unchanged = seeds_left
    return report


def parse(project: Project, declarations: Declarations, target: Path | None = None) -> Path:
    """Let dbt read the models, with nothing built and no warehouse opened: the manifest, in `target` or where a build leaves it.

    Raises BuildFailed with dbt's own words when they do not parse.
    """
    generated.write(project, declarations.segments)
    command = [*DBT, "--quiet", "--no-use-colors"]
    elsewhere = ["--target-path", str(target)] if target else []
    done = subprocess.run(
        [*command, *arguments(project, "parse", None), *elsewhere],
        env=environment(project),
        cwd=project.root,
        input="[]\n",
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise BuildFailed("dbt cannot parse the models.\n" + (done.stdout.strip() or done.stderr.strip()))
    return target / "manifest.json" if target else project.manifest


def _event(line: str) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except json.JSONDecodeError:
        return {}
    return event if isinstance(event, dict) else {}


def _report(results: Mapping[str, Any]) -> BuildReport:
    report = BuildReport(seconds=float(results["elapsed_time"]))
    for result in results["results"]:
        kind, _, name = result["unique_id"].split(".", 2)
        count = {"model": "models", "test": "tests", "unit_test": "unit_tests", "seed": "seeds"}.get(kind)
        if count:
            setattr(report, count, getattr(report, count) + 1)
        if result["status"] == "skipped":
            report.skipped += 1
        elif result["status"] == "warn":
            report.warnings += 1
        elif result["status"] not in PASSED:
            # A failed cast or a constraint quotes the value it failed on.
            message = impersonal(str(result.get("message") or result["status"]), limit=400)
            report.failures.append(f"{kind.replace('_', ' ')} {name}: {message}")
    return report
