"""What the command line shows: tables for people, JSON for programs, progress for long work (on a terminal only)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from activation.engine.codes import OUTCOMES, remedy
from activation.engine.errors import DeclarationErrors, GuardStop, SluiceError
from activation.engine.masking import mask as mask
from activation.engine.project import Project

if TYPE_CHECKING:  # a command loads what it needs, not what others show
    from activation.engine.build import BuildReport
    from activation.engine.declarations import Activation, Declarations
    from activation.engine.doctor import Finding
    from activation.engine.explain import Explained
    from activation.engine.history import Status
    from activation.engine.landing import LandingReport
    from activation.engine.run import Preview
    from activation.engine.segments.catalogue import Listed
    from activation.engine.settle import Settled

WIDTH = None if sys.stdout.isatty() else 160  # piped output must not wrap at 80
out = Console(width=WIDTH, highlight=False, soft_wrap=False, emoji=False)
err = Console(stderr=True, highlight=False, emoji=False)


def say(sentence: str) -> None:
    out.print(escape(sentence), soft_wrap=True)


def fail(error: SluiceError) -> None:
    """A person's mistake, or a stop: the sentence, nothing else."""
    if isinstance(error, DeclarationErrors):
        count = len(error.faults)
        err.print(f"[red]{count} {'thing is' if count == 1 else 'things are'} wrong in the declarations:[/red]")
        for fault in error.faults:
            err.print(f"  [bold]{escape(fault.file)}:{fault.line}[/bold]: {escape(fault.message)}", soft_wrap=True)
        return
    err.print(f"[red]sluice:[/red] {escape(str(error))}", soft_wrap=True)
    if isinstance(error, GuardStop):
        err.print("If that is as it should be, run it with --override-guards WHY; who and why are recorded.", soft_wrap=True)


def as_json(value: Any) -> None:
    """Print as JSON: dataclasses as objects, moments as ISO 8601."""

    def plain(item: Any) -> Any:
        if is_dataclass(item) and not isinstance(item, type):
            return asdict(item)
        if isinstance(item, datetime | date):
            return item.isoformat()
        return str(item)

    sys.stdout.write(
        orjson.dumps(value, default=plain, option=orjson.OPT_INDENT_2 | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_NON_STR_KEYS).decode()
        + "\n"
    )


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], right: Sequence[int] = ()) -> None:
    """A plain table below its title; `right` are the columns of numbers. Without rows it says that there are none."""
    if title:
        out.print(f"[bold]{escape(title)}[/bold]" + ("" if rows else ": none"))
    if rows:
        shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for index, name in enumerate(columns):
            shown.add_column(
                escape(name), justify="right" if index in right else "left", overflow="fold", header_style="dim", no_wrap=index in right
            )
        for row in rows:
            shown.add_row(*map(_cell, row))
        out.print(shown)
    out.print()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return escape(f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value))


# -- progress -----------------------------------------------------------------------------------------------------------


@contextmanager
def counting(what: str) -> Iterator[Callable[[int], None]]:
    """A running count of something whose total is not known."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.completed:,.0f} " + what),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    ) as bar:
        task = bar.add_task("", total=None)
        yield lambda more: bar.update(task, advance=max(0, more))


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int, str], None]]:
    with Progress(
        BarColumn(30),
        MofNCompleteColumn(),
        TextColumn(what + "  [dim]{task.description}"),
        TimeElapsedColumn(),
        console=err,
        transient=True,
    ) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total, name: bar.update(task, completed=done, total=total, description=escape(name))


class _Rate(ProgressColumn):
    """Rows a second, once there is one."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f} rows/s" if task.speed else "")


@contextmanager
def delivery_progress() -> Iterator[Callable[[str, int], Callable[[int], None]]]:
    """One bar per delivery, with rate and remaining time."""
    columns = (TextColumn("{task.description}"), BarColumn(30), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:

        def begin(ref: str, total: int) -> Callable[[int], None]:
            task = bar.add_task(escape(ref), total=total)
            return lambda rows: bar.update(task, advance=rows)

        yield begin


# -- one function a command ----------------------------------------------------------------------------------------------


def sample_written(folder: Path, files: Sequence[Any], json: bool) -> None:
    by_source: dict[str, list[int]] = {}
    for file in files:
        counts = by_source.setdefault(file.source, [0, 0])
        counts[0] += 1
        counts[1] += file.rows
    if json:
        return as_json({"folder": str(folder), "sources": {k: {"files": v[0], "rows": v[1]} for k, v in by_source.items()}})
    table(f"Sample data in {folder}", ("source", "files", "rows"), [(k, *v) for k, v in by_source.items()], right=(1, 2))
    say(f"Land it with `sluice land {folder}`.")
    return None


def landed(report: LandingReport, json: bool) -> None:
    if json:
        return as_json(report)
    rows = [(s.source, s.files, s.read, s.landed, s.duplicates, s.quarantined) for s in report.sources.values()]
    if rows:
        table("Landed", ("source", "files", "read", "landed", "already there", "quarantined"), rows, right=(1, 2, 3, 4, 5))
    known = sum(s.files_known for s in report.sources.values())
    if known:
        say(f"{known} files had landed before and were left alone.")
    for source in report.sources.values():
        if source.changed_fields:
            say(f"{source.source}: a field changed its type: {'; '.join(source.changed_fields)}.")
    if report.quarantined:
        say(f"{report.quarantined} lines could not land; raw.quarantine says which and why. The rest did.")
    for path in report.unclaimed[:10]:
        say(f"{path}: no declared source takes this file (activation/sources, `files`); name one with --source.")
    if len(report.unclaimed) > 10:
        say(f"… and {len(report.unclaimed) - 10} more files that no source takes.")
    if not rows and not known:
        say("There was nothing to land.")
    return None


def built(report: BuildReport, json: bool) -> None:
    if json:
        return as_json(report)
    tests = report.tests + report.unit_tests
    tested = f"; {tests} tests ({report.unit_tests} of them unit tests)" if tests else ""
    seeded = f" ({report.seeds_unchanged} seeds had not changed)" if report.seeds_unchanged else f" and {report.seeds} seeds"
    say(f"Built {report.models} models{seeded}{tested} in {report.seconds:.0f} s.")
    for failure in report.failures:
        say(f"failed: {failure}")
    if report.skipped:
        say(f"{report.skipped} were skipped, because something before them failed.")
    elif report.ok:
        passed = f"Everything passed, with {report.warnings} warnings." if report.warnings else "Everything passed."
        say(passed if tests or report.warnings else "Everything was built.")
    return None


def declared(declarations: Declarations, segments: Sequence[Listed], json: bool) -> None:
    activations = declarations.activations.values()
    if json:
        return as_json(
            {
                "sources": declarations.sources and {k: v.model_dump() for k, v in declarations.sources.items()},
                "destinations": {k: v.connector_name for k, v in declarations.destinations.items()},
                "segments": {s.name: s.said for s in segments},
                "syncs": {a.ref: a.spec.model_dump() for a in activations if a.kind == "sync"},
                "sends": {a.ref: a.spec.model_dump() for a in activations if a.kind == "send"},
            }
        )
    syncs = [
        (a.ref, a.sync.model, a.destination.connector_name, a.sync.mode, a.sync.purpose, a.sync.schedule or "")
        for a in activations
        if a.kind == "sync"
    ]
    table("Segments", ("segment", "people", "in", "who"), [segment.row for segment in segments], right=(1,))
    table("Syncs", ("ref", "model", "connector", "mode", "purpose", "schedule"), syncs)
    sends = [
        (a.ref, ", ".join(a.send.audience.include), a.destination.connector_name, a.send.content, a.send.purpose, a.send.schedule or "")
        for a in activations
        if a.kind == "send"
    ]
    table("Sends", ("ref", "audience", "connector", "content", "purpose", "schedule"), sends)
    table(
        "Sources",
        ("raw table", "files", "key"),
        [(k, v.files, " or ".join("+".join(a) for a in v.key)) for k, v in declarations.sources.items()],
    )
    return None


def planned(project: Project, activation: Activation, preview: Preview, json: bool) -> None:
    from activation.engine.samples import sample_rows

    plan = preview.plan
    rows = sample_rows(project, activation, plan)
    leaving = plan.planned - plan.counts["invalid"] - sum(preview.withheld.values())
    if json:
        return as_json(
            {"ref": plan.ref, "plan": plan.plan_hash, "counts": plan.counts, "source_rows": plan.source_rows, "acknowledged": plan.acknowledged,
             "held": plan.held, "dead": plan.dead, "withheld": preview.withheld, "will_leave": leaving, "funnel": [asdict(stage) for stage in preview.funnel],
             "warnings": plan.warnings, "guards": preview.guard_reasons, "samples": rows}
        )  # fmt: skip
    say(f"Plan {plan.plan_hash} of {plan.ref}: {plan.source_rows:,} rows in the source, {plan.acknowledged:,} acknowledged over there.")
    out.print()
    table("", ("", "rows"), [(k, v) for k, v in plan.counts.items()], right=(1,))
    lines: list[tuple[str, int | str, str]] = []
    for stage in preview.funnel:
        lines += [(f"  {code}", -count, remedy(code) or "") for code, count in stage.lost.items()]
        lines.append((stage.name, stage.rows, ""))
    if plan.counts["remove"]:
        lines.append(("removals, which nothing withholds", plan.counts["remove"], ""))
    table("Funnel", ("", "rows", "what to do"), [*lines, ("will leave", leaving, "")], right=(1,))
    if rows:
        table(
            "Samples (personal data masked)",
            ("operation", "key", "before", "after"),
            [(r["operation"], r["key"], r["before"], r["after"]) for r in rows],
        )
    for warning in plan.warnings:
        say(f"warning: {warning}")
    if plan.dead:
        say(
            f"{plan.dead} {'row is' if plan.dead == 1 else 'rows are'} left out: failed too often, or discarded. `sluice ledger list {plan.ref}` says which and why."
        )
    if activation.kind == "sync" and activation.sync.about == "accounts":
        say("Its rows are about accounts: nobody is asked for consent, and no suppression counts.")
    for reason in preview.guard_reasons:
        say(f"guard: {reason}")
    say(f"Apply exactly this with `sluice run {plan.ref} --plan {plan.plan_hash}`.")
    return None


def ran(results: Sequence[Settled], json: bool) -> None:
    if json:
        return as_json([asdict(result) for result in results])
    for result in results:
        run_table(result)
    return None


def run_table(result: Settled) -> None:
    """One run: its books, and every reason why a row did not leave."""
    words = {
        "succeeded": "done",
        "failed_rows": "done, with failed rows",
        "incomplete": "incomplete: the destination is paused",
        "stopped": "stopped",
    }
    say(f"{result.ref}: {words.get(result.status, result.status)}. Run {result.run_id}.")
    for warning in result.warnings:
        say(f"warning: {warning}")
    table("", ("planned", *OUTCOMES), [(result.planned, *(result.outcomes[name] for name in OUTCOMES))], right=range(7))
    if result.reasons:
        table("", ("outcome", "code", "rows", "why"), [(o, code, n, why) for o, code, why, n in result.reasons], right=(2,))


def status(found: Status, json: bool) -> None:
    if json:
        return as_json(asdict(found))
    rows = []
    for ref, run in found.runs.items():
        if run is None:
            rows.append((ref, "never ran", *[""] * 8))
        else:
            rows.append((ref, run["status"], f"{run['as_of']:%Y-%m-%d %H:%M}", run["planned"], *(run[name] for name in OUTCOMES)))
    table("Last runs (UTC)", ("ref", "status", "when", "planned", *OUTCOMES), rows, right=range(3, 10))
    for row in found.interrupted:
        say(f"{row['ref']}: run {row['run_id']} was interrupted; the next run closes it.")
    for row in found.leases:
        say(f"{row['ref']} is being run by {row['process']}.")
    for row in found.circuits:
        say(f"{row['destination']} is paused: {row['reason']}")
    if found.held:
        table("Held: may have arrived, not repeated", ("ref", "key", "since"), [(h["ref"], h["key"], h["since"]) for h in found.held[:20]])
        say("`sluice ledger` lists them whole; decide with `sluice ledger resend|discard|sent`.")
    for ref, count in found.dead.items():
        say(
            f"{ref}: {count} {'row is' if count == 1 else 'rows are'} dead: failed too often, not planned any more. `sluice ledger list {ref}` says why."
        )
    if found.quarantined:
        table("Quarantined lines", ("source", "lines"), list(found.quarantined.items()), right=(1,))
    return None


def explained(found: Explained, json: bool) -> None:
    if json:
        return as_json(asdict(found))
    profile = {key: value for key, value in found.profile.items() if value is not None}
    table(f"{found.profile_id}", ("", ""), [(key, _short(value)) for key, value in profile.items() if key != "profile_id"])
    for section, rows in found.sections.items():
        if section == "segments":
            rows = [{"segment": r["segment"], "": "in" if r["member"] else "not in", "why": r["reason"]} for r in rows]
        if not rows:
            say(f"{section}: none")
            out.print()
            continue
        columns = [name for name in rows[0] if name != "profile_id" and any(row.get(name) is not None for row in rows)]
        table(section, columns, [[_short(row.get(name)) for name in columns] for row in rows])
    return None


def model_rows(model: str, rows: Sequence[Mapping[str, Any]], hidden: set[str], json: bool) -> None:
    if json:
        return as_json(rows)
    if not rows:
        say(f"{model} has no rows.")
        return None
    columns = list(rows[0])
    if sum(max(len(name), *(len(str(_short(row[name]) or "")) for row in rows)) + 2 for name in columns) > out.width:
        # Too wide for the screen: one row below the other.
        for number, row in enumerate(rows, 1):
            table(
                f"{model}, row {number}", ("", ""), [(name, mask(row[name]) if name in hidden else _short(row[name])) for name in columns]
            )
        return None
    numbers = [i for i, name in enumerate(columns) if all(isinstance(row[name], int | float | None) for row in rows)]
    table(model, columns, [[mask(row[name]) if name in hidden else _short(row[name]) for name in columns] for row in rows], right=numbers)
    return None


def _short(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, float):
        return f"{value:.2f}"
    return value


def examined(findings: Sequence[Finding], json: bool) -> None:
    if json:
        return as_json([asdict(finding) for finding in findings])
    for finding in findings:
        out.print(
            f"[green]ok[/green]    {escape(finding.subject)}: {escape(finding.sentence)}"
            if finding.ok
            else f"[red]wrong[/red] {escape(finding.subject)}: {escape(finding.sentence)}",
            soft_wrap=True,
        )
    return None


def outcome_line(counts: Mapping[str, int]) -> str:
    """`120 sent, 3 rejected`: what is not zero."""
    return ", ".join(f"{counts[name]:,} {name}" for name in OUTCOMES if counts.get(name)) or "nothing to do"
