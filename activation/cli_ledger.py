"""`sluice ledger`: what waits for a person, and what the person decides about it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from activation import screens
from activation.engine.errors import UsageError
from activation.engine.masking import mask
from activation.engine.project import Project

if TYPE_CHECKING:
    from activation.engine.dead_letters import Letter
    from activation.engine.declarations import Declarations

app = typer.Typer(name="ledger", help="What waits for a person: held messages and dead rows; and what is done about them.")
PERSONAL = re.compile(r"[\w.+-]+@[\w.-]+|\+?\d[\d -]{6,}\d")
SHOWN = 100

Ref = Annotated[str, typer.Argument(metavar="DEST/NAME", help="A sync or send.")]
Keys = Annotated[list[str] | None, typer.Argument(metavar="KEY…", help="Keys, as `sluice ledger list` shows them.")]
All = Annotated[bool, typer.Option("--all", help="Everything of it that is held or dead.")]
State = Annotated[str | None, typer.Option(help="Only what is `held`, `dead` or `discarded`.")]
Why = Annotated[str, typer.Option(help="Why; it is kept with the decision.")]
By = Annotated[str | None, typer.Option(help="Who decides (default: the login name).")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.callback(invoke_without_command=True)
def default(context: typer.Context) -> None:
    """Held messages and dead rows, if nothing else is asked."""
    if context.invoked_subcommand is None:
        list_(context)


@app.command(name="list")
def list_(
    context: typer.Context,
    ref: Annotated[str | None, typer.Argument(metavar="[DEST/NAME]", help="Of this sync or send only.")] = None,
    state: State = None,
    json: Json = False,
) -> None:
    """Show messages that may have arrived and are not repeated (held), and rows that failed too often (dead)."""
    from activation.engine.dead_letters import letters
    from activation.engine.warehouse import opened

    project, now = context.obj.project, context.obj.now
    with opened(project, read_only=True) as connection:
        found = letters(connection, ref, _states(state))
    if json:
        screens.as_json([asdict(letter) for letter in found])
        return
    if not found:
        screens.say("Nothing is held, and nothing is dead." if state is None else f"Nothing is {state}.")
        return
    hidden = _personal_keys(project, context.obj.declarations())
    rows = [_row(letter, letter.ref in hidden, now) for letter in found[:SHOWN]]
    screens.table("Waiting for a person (personal data masked)", ("ref", "key", "state", "age", "tries", "code", "why"), rows, right=(4,))
    if len(found) > SHOWN:
        screens.say(f"… and {len(found) - SHOWN} more; --json gives all of them, and their keys whole.")
    screens.say("Decide with `sluice ledger resend|discard|sent DEST/NAME KEY… --why …`.")


@app.command()
def resend(
    context: typer.Context, ref: Ref, why: Why, keys: Keys = None, all_: All = False, state: State = None, by: By = None, json: Json = False
) -> None:
    """Let it leave again: you know that it did not arrive. The next run sends it, with a fresh set of attempts."""
    _decide(context, "resend", ref, keys, all_, state, why, by, json)


@app.command()
def discard(
    context: typer.Context, ref: Ref, why: Why, keys: Keys = None, all_: All = False, state: State = None, by: By = None, json: Json = False
) -> None:
    """Let it never leave. `resend` takes that back."""
    _decide(context, "discard", ref, keys, all_, state, why, by, json)


@app.command()
def sent(
    context: typer.Context, ref: Ref, why: Why, keys: Keys = None, all_: All = False, state: State = None, by: By = None, json: Json = False
) -> None:
    """Mark it as delivered: you know that it did arrive."""
    _decide(context, "sent", ref, keys, all_, state, why, by, json)


@app.command()
def prune(context: typer.Context, json: Json = False) -> None:
    """Let go what is older than policies/retention.yml keeps: rows of the changelog, plan files, what settled runs did. Claims stay."""
    from activation.engine import retention
    from activation.engine.ledger import open_ledger
    from activation.engine.warehouse import opened

    project = context.obj.project
    policies = context.obj.declarations().policies
    with open_ledger(project) as ledger, opened(project) as connection:
        gone = retention.prune(connection, project, ledger, policies, context.obj.now)
    if json:
        screens.as_json(asdict(gone))
        return
    screens.say(f"Let go: {gone.changelog:,} rows of the changelog, {gone.files:,} files of plans, {gone.runs:,} runs in the ledger.")


def _decide(
    context: typer.Context,
    decision: Literal["resend", "discard", "sent"],
    ref: str,
    keys: list[str] | None,
    all_: bool,
    state: str | None,
    why: str,
    by: str | None,
    json: bool,
) -> None:
    from activation.engine.decisions import decide, login

    if all_ == bool(keys):
        raise UsageError("Name keys, or say --all.")
    _states(state)
    context.obj.declarations().find(ref)
    done = decide(context.obj.project, ref, None if all_ else keys, decision, by or login(), why, context.obj.now, state)
    if json:
        screens.as_json([asdict(letter) for letter in done])
        return
    words = {"resend": "may leave again with the next run", "discard": "will not leave", "sent": "taken as delivered"}
    screens.say(f"{ref}: {len(done)} {'row' if len(done) == 1 else 'rows'} {words[decision]}.")


def _states(state: str | None) -> Sequence[str]:
    from activation.engine.dead_letters import STATES

    if state is None:
        return ("held", "dead")
    if state not in STATES:
        raise UsageError(f"--state is one of {', '.join(STATES)}.")
    return (state,)


def _row(letter: Letter, hidden: bool, now: datetime) -> tuple[Any, ...]:
    why = PERSONAL.sub(lambda found: mask(found.group()), letter.reason)
    age = now.astimezone(UTC).replace(tzinfo=None) - letter.since
    shown = f"{age.days} d" if age.days else f"{max(0, age.seconds) // 3600} h"
    return (letter.ref, mask(letter.key) if hidden else letter.key, letter.state, shown, letter.attempts, letter.code, why)


def _personal_keys(project: Project, declarations: Declarations) -> set[str]:
    """Syncs whose key is itself personal data, such as a mail address."""
    from activation.engine.models import Models

    models = Models(project)
    syncs = [activation for activation in declarations.activations.values() if activation.kind == "sync"]
    return {activation.ref for activation in syncs if activation.sync.key in models.pii(activation.sync.model)}
