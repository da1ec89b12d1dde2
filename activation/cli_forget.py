"""`sluice forget`: a person is forgotten, everywhere, and the proof is shown."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from activation import screens
from activation.engine.errors import UsageError

if TYPE_CHECKING:
    from activation.engine.erasure import Erasure


def forget(
    context: typer.Context,
    identifier: Annotated[str | None, typer.Argument(help="A mail address, phone, openid, cookie, CRM id, profile or message id.")] = None,
    why: Annotated[str, typer.Option(help="Why, without naming the person; it is kept with the proof.")] = "",
    by: Annotated[str | None, typer.Option(help="Who decides (default: the login name).")] = None,
    without: Annotated[
        list[str] | None, typer.Option(metavar="DEST/NAME", help="Go on though this destination did not confirm; the proof says so.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be erased, and erase nothing.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="Show the proofs of all who were forgotten.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Erase one person at destinations, in the warehouse, the ledger and all files, and keep a proof without personal data."""
    from activation.engine import erasure
    from activation.engine.decisions import login

    session = context.obj
    if list_ == (identifier is not None):
        raise UsageError("Name one person, or say --list.")
    if identifier is None:
        _list(erasure.erasures(session.project), json)
        return
    declarations = session.declarations()
    done = erasure.forget(session.project, declarations, identifier, why, by or login(), session.now, without or [], dry_run)
    if json:
        screens.as_json(asdict(done))
        return
    _show(done)


def _show(done: Erasure) -> None:
    if done.was_done:
        screens.say(f"Nobody has this identifier any more: forgotten on {done.erased_at:%Y-%m-%d %H:%M} UTC ({done.erasure_id}).")
        return
    screens.table("Would be erased" if done.dry_run else "Erased", ("place", "rows"), list(done.counts.items()), right=(1,))
    if done.destinations:
        rows = [(removal.ref, removal.records, removal.outcome) for removal in done.destinations]
        screens.table("At destinations", ("sync", "records", "outcome"), rows, right=(1,))
    if done.dry_run:
        screens.say("Nothing was changed. Without --dry-run it is done.")
        return
    screens.say(f"Forgotten: {done.erasure_id}. Run `sluice build`, so that counts and models no longer have the person in them.")
    screens.say("Files that you landed from, copies and backups are yours to clean: landed again, they bring the person back.")


def _list(proofs: list[Erasure], json: bool) -> None:
    if json:
        screens.as_json([asdict(proof) for proof in proofs])
        return
    if not proofs:
        screens.say("Nobody was forgotten.")
        return
    rows = [
        (
            proof.erasure_id,
            f"{proof.erased_at:%Y-%m-%d %H:%M}",
            proof.erased_by,
            proof.why,
            sum(proof.counts.values()),
            "; ".join(f"{removal.ref}: {removal.outcome}" for removal in proof.destinations),
        )
        for proof in proofs
    ]
    screens.table("Forgotten", ("proof", "when (UTC)", "by", "why", "rows", "destinations"), rows, right=(4,))
