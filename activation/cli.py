"""`sluice`, the command line: tables for people, `--json` for programs. Exit codes: 0 done, 1 rows failed or a guard stopped it, 2 wrong use."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from activation import screens
from activation.cli_check import check, doctor
from activation.cli_collect import collect
from activation.cli_forget import forget
from activation.cli_ledger import app as ledger_commands
from activation.cli_messages import preview, qr
from activation.cli_pull import pull
from activation.cli_segments import app as segment_commands
from activation.cli_upload import upload
from activation.engine.errors import SluiceError, UsageError
from activation.engine.project import Project

if TYPE_CHECKING:
    from activation.engine.declarations import Activation, Declarations

app = typer.Typer(
    help="The warehouse as the marketing-automation system: land, build, plan, run, explain.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Ref = Annotated[str, typer.Argument(metavar="DEST/NAME", help="A sync or send; `sluice list` shows them.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@dataclass
class Session:
    """What the global options say. Nothing is read before a command needs it."""

    folder: Path | None
    as_of: datetime | None

    @property
    def project(self) -> Project:
        return Project.find(self.folder)

    @property
    def now(self) -> datetime:
        return self.as_of or datetime.now(UTC)

    def declarations(self) -> Declarations:
        from activation.engine.declarations import Declarations

        return Declarations.load(self.project)


@app.callback()
def options(
    context: typer.Context,
    project: Annotated[
        Path | None, typer.Option("--project", envvar="SLUICE_PROJECT", help="The project directory (default: the one around you).")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", envvar="SLUICE_AS_OF", help="Take this moment (ISO 8601, UTC unless said) as now.")
    ] = None,
) -> None:
    """Global options come before the command."""
    moment = None
    if as_of:
        try:
            moment = datetime.fromisoformat(as_of)
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, OverflowError):
            raise UsageError(f"--as-of {as_of!r} is not a moment. Write it like 2026-10-31T10:00:00+08:00.") from None
    context.obj = Session(project, moment)


@app.command()
def init(directory: Annotated[Path, typer.Argument(help="An empty or new directory.")]) -> None:
    """Make a project of your own: a copy of the declarations and models that Sluice ships."""
    project = Project.create(directory)
    screens.say(f"Made a project in {project.root}. Use it with `sluice --project {directory} …` or SLUICE_PROJECT={directory}.")


@app.command()
def sample(
    people: Annotated[int, typer.Option(min=1, help="How many people.")] = 2000,
    days: Annotated[int, typer.Option(min=1, help="How many days of events.")] = 30,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 1,
    out: Annotated[Path, typer.Option(help="Where the files go.")] = Path("sample"),
    start: Annotated[str, typer.Option(help="The first day.")] = "2026-10-01",
    first_day: Annotated[int, typer.Option(min=0, help="Write only from this day on (an increment to an earlier sample).")] = 0,
    json: Json = False,
) -> None:
    """Write believable sample data in the shapes real senders use."""
    from activation.sample import write_sample

    try:
        begin = date.fromisoformat(start)
        begin + timedelta(days=days)
    except (ValueError, OverflowError):
        raise UsageError(f"--start {start!r} is not a date. Write it like 2026-10-01.") from None
    if first_day >= days:
        raise UsageError(f"--first-day {first_day} lies after the last of {days} days (0 to {days - 1}).")
    with screens.counting("rows written") as count:
        files = write_sample(people, days, seed, out, begin, first_day, lambda _, rows: count(rows))
    screens.sample_written(out, files, json)


@app.command()
def land(
    context: typer.Context,
    paths: Annotated[list[Path] | None, typer.Argument(help="Files or folders; none: only what the collector received.")] = None,
    source: Annotated[str | None, typer.Option(help="Take the files as this source, whatever they are called.")] = None,
    json: Json = False,
) -> None:
    """Land files in the warehouse as they came. What has landed before does not land again."""
    from activation.engine.landing import land as land_files

    session: Session = context.obj
    with screens.counting("rows read") as count:
        last = {"source": "", "rows": 0}

        def progress(name: str, rows: int, _: int) -> None:
            count(rows - (last["rows"] if last["source"] == name else 0))  # type: ignore[operator]
            last.update(source=name, rows=rows)

        report = land_files(session.project, session.declarations(), paths or [], session.now, source, progress)
    screens.landed(report, json)
    raise typer.Exit(1 if paths and report.unclaimed and not report.sources else 0)


@app.command()
def build(
    context: typer.Context,
    select: Annotated[list[str] | None, typer.Option("--select", "-s", help="dbt's selection, e.g. +segment_hot_leads.")] = None,
    full_refresh: Annotated[bool, typer.Option(help="Rebuild incremental models from raw.")] = False,
    json: Json = False,
) -> None:
    """Build the models with dbt: profiles, tags, scores, segments, sync models, reports; and test them."""
    from activation.engine.build import build as build_models

    session: Session = context.obj
    with screens.progress_bar("models and tests") as bar:
        report = build_models(
            session.project,
            session.declarations,
            session.as_of,
            select or [],
            full_refresh,
            progress=lambda done, total, name: bar(done, total, name),
        )
    screens.built(report, json)
    raise typer.Exit(0 if report.ok else 1)


@app.command(name="list")
def list_(context: typer.Context, json: Json = False) -> None:
    """Show what is declared: segments to choose from, syncs, sends, sources, destinations."""
    from activation.engine.segments.catalogue import catalogue

    session: Session = context.obj
    declarations = session.declarations()
    screens.declared(declarations, catalogue(session.project, declarations), json)


@app.command()
def plan(context: typer.Context, ref: Ref, json: Json = False) -> None:
    """Show the exact rows a run would add, change and remove, and who would be withheld and why. Sends nothing."""
    from activation.engine.run import Runner

    session: Session = context.obj
    declarations = session.declarations()
    activation = declarations.find(ref)
    preview = Runner(session.project, declarations, session.now).preview(activation)
    screens.planned(session.project, activation, preview, json)
    raise typer.Exit(1 if preview.guard_reasons else 0)


@app.command()
def run(
    context: typer.Context,
    refs: Annotated[list[str], typer.Argument(metavar="DEST/NAME…", help="Syncs or sends; `sluice list` shows them.")],
    plan_hash: Annotated[str | None, typer.Option("--plan", metavar="HASH", help="Apply exactly this plan, or refuse.")] = None,
    override: Annotated[
        str | None, typer.Option("--override-guards", metavar="WHY", help="Pass the guards; who and why are recorded.")
    ] = None,
    json: Json = False,
) -> None:
    """Run syncs and sends: plan, guards, gate, deliver, settle."""
    _run(context.obj, refs, plan_hash, override, None, json)


@app.command()
def retry(
    context: typer.Context,
    ref: Ref,
    release_held: Annotated[
        str | None,
        typer.Option("--release-held", metavar="KEY", help="Let this held message be sent again: you know that it did not arrive."),
    ] = None,
    json: Json = False,
) -> None:
    """Send again, now, what failed in the last run, and what failed so often that runs leave it out by now."""
    from activation.engine.decisions import decide, login
    from activation.engine.history import failed_keys

    session: Session = context.obj
    _refuse_replay(session, session.declarations().find(ref))
    if release_held is not None:
        decide(session.project, ref, [release_held], "resend", login(), "sluice retry --release-held", session.now)
        keys = [release_held]
    else:
        dead = decide(session.project, ref, None, "resend", login(), "sluice retry", session.now, state="dead")
        keys = list(dict.fromkeys([*failed_keys(session.project, ref), *(letter.key for letter in dead)]))
    if not keys:
        if json:
            screens.ran([], json)
        else:
            screens.say(f"Nothing of {ref} failed in its last run.")
        return
    _run(session, [ref], None, None, keys, json)


def _run(session: Session, refs: list[str], plan_hash: str | None, override: str | None, only_keys: list[str] | None, json: bool) -> None:
    import getpass

    from activation.engine.run import Override, Runner

    declarations = session.declarations()
    activations = [declarations.find(ref) for ref in refs]
    if plan_hash is not None and len(refs) != 1:
        raise UsageError("--plan goes with one sync or send.")
    if override is not None and not override.strip():
        raise UsageError("Say why with --override-guards: it is recorded with the run.")
    for activation in activations:
        _refuse_replay(session, activation)
    results, refused = [], []
    with screens.delivery_progress() as progress:
        runner = Runner(session.project, declarations, session.now, progress=progress, say=lambda s: screens.fail(SluiceError(s)))
        for activation in activations:
            try:
                results.append(runner.run(activation, plan_hash, Override(getpass.getuser(), override) if override else None, only_keys))
            except SluiceError as error:
                refused.append(error)  # the others do not depend on it
            if runner.stop.asked:
                break
    screens.ran(results, json)
    for refusal in refused:
        screens.fail(refusal)
    raise typer.Exit(max([int(any(result.failed for result in results)), *(refusal.exit_code for refusal in refused)]))


def _refuse_replay(session: Session, activation: Activation) -> None:
    """A moment that is not now would answer quiet hours and caps wrongly for real people."""
    from activation.engine.destinations import is_loopback

    address = activation.destination.address()
    if session.as_of is not None and not is_loopback(address):
        raise UsageError(f"--as-of is for replays: {activation.ref} delivers to {address}, which is not on this machine.")


app.add_typer(ledger_commands)
app.add_typer(segment_commands)
for command in (pull, upload, forget, check, doctor, preview, qr, collect):
    app.command()(command)


@app.command()
def status(context: typer.Context, json: Json = False) -> None:
    """The last run of everything, who is at work, what is held, dead, paused or quarantined."""
    from activation.engine.history import status as read_status

    session: Session = context.obj
    screens.status(read_status(session.project, session.declarations()), json)


@app.command()
def explain(
    context: typer.Context,
    identifier: Annotated[str, typer.Argument(help="A mail address, phone, openid, cookie, CRM id, profile or message id.")],
    json: Json = False,
) -> None:
    """Everything about one person: who, why joined, segments, tags, score, consent, what was sent or withheld and why."""
    from activation.engine.explain import explain as explain_person

    session: Session = context.obj
    found = explain_person(session.project, identifier, session.declarations())
    screens.explained(found, json)


@app.command()
def sandbox(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="SLUICE_SANDBOX_PORT", help="HTTP port (0: any free one).")] = 4010,
    smtp_port: Annotated[int, typer.Option(envvar="SLUICE_SANDBOX_SMTP_PORT", help="SMTP port (0: any free one).")] = 4025,
    receipts_to: Annotated[
        str, typer.Option(envvar="SLUICE_COLLECTOR_URL", help="The collector that gets the receipts.")
    ] = "http://127.0.0.1:4020",
    receipts_every: Annotated[float | None, typer.Option(help="Send receipts every so many seconds; otherwise when asked.")] = None,
) -> None:
    """Run the vendors' sandbox: everything Sluice can send to, on this machine, with a page that shows what arrived."""
    import asyncio

    from activation.services import run_sandbox

    session: Session = context.obj
    asyncio.run(run_sandbox(session.project, host, port, smtp_port, receipts_to, receipts_every))


@app.command()
def demo(
    context: typer.Context,
    people: Annotated[int, typer.Option(min=50, help="How many made-up people.")] = 600,
    days: Annotated[int, typer.Option(min=2, help="How many days in the first round.")] = 30,
    olist: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Show the Olist marketing funnel instead, from its two files.")
    ] = None,
) -> None:
    """The whole loop on this machine, against the sandbox: land, build, send, receipts, and a second round."""
    from activation.demo import run_demo
    from activation.demo.olist import run_olist

    session: Session = context.obj
    raise typer.Exit(run_olist(session.project, olist) if olist else run_demo(session.project, people, days))


@app.command()
def show(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="A model, e.g. rpt_funnel.")],
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows.")] = 50,
    json: Json = False,
) -> None:
    """Show the rows of a model, as it was last built. Personal data is masked; --json gives it whole."""
    from activation.engine.models import Models, rows_of

    session: Session = context.obj
    models = Models(session.project)
    screens.model_rows(model, rows_of(session.project, models, model, limit), set() if json else models.pii(model), json)


@app.command()
def dev(context: typer.Context, port: Annotated[int, typer.Option(help="The Dagster UI's port.")] = 3000) -> None:
    """Everything at once: the Dagster UI with its daemon, the sandbox and the collector. Ctrl-C ends all."""
    from activation.services import run_dev

    session: Session = context.obj
    raise typer.Exit(run_dev(session.project, port))


def main() -> None:
    """The entry point: a person's mistake ends in a sentence, not a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show a character shows its number
    try:
        try:
            app(standalone_mode=True, prog_name="sluice")
        finally:
            sys.stdout.flush()
    except SluiceError as error:
        screens.fail(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # Who read us has gone. Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        screens.fail(UsageError(f"{error.filename or 'The machine'}: {error.strerror or error}."))
        sys.exit(UsageError.exit_code)


def plain(value: Any) -> Any:
    """For JSON output of what JSON does not know."""
    return value.isoformat() if isinstance(value, datetime | date) else str(value)


if __name__ == "__main__":
    main()
