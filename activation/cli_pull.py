"""`sluice pull`: what vendors hold, into raw."""

from __future__ import annotations

from typing import Annotated

import typer

from activation import screens
from activation.engine.errors import SluiceError

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def pull(
    context: typer.Context,
    refs: Annotated[list[str] | None, typer.Argument(metavar="DEST/NAME…", help="What to pull; none: show what can be pulled.")] = None,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Pull everything again, not only what is new. What landed lands once.")
    ] = False,
    json: Json = False,
) -> None:
    """Pull what is new at a vendor (contacts, followers, deals) and land it in raw."""
    from activation.engine import pull as pulling

    session = context.obj
    declarations = session.declarations()
    if not refs:
        known = pulling.pulls(declarations).values()
        if json:
            screens.as_json({one.ref: one.source for one in known})
            return
        offered = [(one.ref, f"raw.{one.source}", "yes" if one.name in one.destination.pulls else "") for one in known]
        screens.table("What can be pulled", ("ref", "lands in", "by itself"), offered)
        return
    found = [pulling.find(declarations, ref) for ref in dict.fromkeys(refs)]
    reports, refused = [], []
    with screens.counting("events pulled") as count:
        for one in found:
            try:
                reports.append(pulling.run(session.project, declarations, one, session.now, from_start, count))
            except SluiceError as error:
                refused.append(error)  # the others do not depend on it
    if json:
        screens.as_json([{**vars(report), "complete": report.complete, "landing": vars(report.landing)} for report in reports])
    elif reports:
        rows = [(r.ref, r.pages, r.events, r.landing.landed, r.landing.duplicates, r.landing.quarantined, r.source) for r in reports]
        heads = ("ref", "pages", "events", "landed", "already there", "quarantined", "in raw")
        screens.table("Pulled", heads, rows, right=(1, 2, 3, 4, 5))
    for report in reports:
        if not report.complete:
            screens.fail(
                SluiceError(f"{report.ref} was cut off ({report.code}): {report.reason} What came has landed; pull again to go on.")
            )
    for refusal in refused:
        screens.fail(refusal)
    raise typer.Exit(max([int(any(not r.complete for r in reports)), *(refusal.exit_code for refusal in refused)]))
