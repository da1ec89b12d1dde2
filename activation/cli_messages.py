"""`sluice preview`: a message as somebody would get it. `sluice qr`: the code at the door of an event."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Annotated

import typer

from activation import screens
from activation.engine.errors import UsageError

COLLECTOR = "http://127.0.0.1:4020"
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs: the whole messages, personal data included.")]
PICTURES = {".svg", ".png", ".pdf", ".eps"}


def preview(
    context: typer.Context,
    send: Annotated[str, typer.Argument(metavar="SEND", help="A send; `sluice list` shows them.")],
    person: Annotated[
        str | None, typer.Option("--for", metavar="IDENTIFIER", help="Whose message: any identifier. Without it fields show their names.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The folder for the files (default: the project's state).")] = None,
    text: Annotated[bool, typer.Option("--text", help="Print subject and text as well. They may hold personal data.")] = False,
    json: Json = False,
) -> None:
    """Render a send's message as a person would get it, in every arm and language. Sends nothing."""
    from activation.engine.preview import preview as render

    session = context.obj
    variants = render(session.project, session.declarations(), send, person, out or session.project.state / "previews")
    if json:
        screens.as_json([{**asdict(variant), "file": str(variant.file)} for variant in variants])
        return
    for variant in variants:
        which = ", ".join(part for part in (variant.arm and f"arm {variant.arm}", variant.language or "the first language") if part)
        theirs = " ← what this person gets" if person and variant.theirs else ""
        screens.say(f"{variant.content} ({which}): {variant.file.resolve().as_uri()}{theirs}")
        if text:
            screens.say(f"  Subject: {variant.payload.get('subject', '')}")
            screens.say("\n".join(f"  {line}" for line in str(variant.payload.get("text", "")).splitlines()))
    if person:
        screens.say("The files hold personal data: they are yours alone to read. Delete them when you have looked.")


def qr(
    context: typer.Context,
    event: Annotated[str, typer.Argument(help="The event's id, as check-ins carry it.")],
    name: Annotated[str, typer.Option(help="What the event is called.")] = "",
    city: Annotated[str, typer.Option(help="Where it is.")] = "",
    booth: Annotated[str, typer.Option(help="The booth or the door, where there are several.")] = "",
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="The last day on which the code works (default: 30 days from now).")
    ] = None,
    out: Annotated[Path, typer.Option(help="The picture: a file .svg, .png, .pdf or .eps.")] = Path("check_in.svg"),
    public_url: Annotated[str, typer.Option("--public-url", envvar="SLUICE_COLLECTOR_URL", help="The collector's address.")] = COLLECTOR,
) -> None:
    """Make a signed QR code: who scans it checks in at the event, with the collector."""
    import segno

    from activation.engine.links import Links, project_key

    session = context.obj
    last = None
    if until:
        try:
            last = datetime.combine(datetime.fromisoformat(until).date(), time(), UTC)
        except ValueError:
            raise UsageError(f"--until {until!r} is not a date. Write it like 2026-10-31.") from None
    if out.suffix.lower() not in PICTURES:
        raise UsageError(f"{out} is no picture that can be made: name it .svg, .png, .pdf or .eps.")
    place = {"event_id": event, "event_name": name or event, "city": city, "booth": booth}
    try:
        address = Links(project_key(session.project.state), public_url).check_in({k: v for k, v in place.items() if v}, last)
    except ValueError as error:
        raise UsageError(f"{str(error).capitalize()}. Use shorter names.") from None
    segno.make(address, error="m", micro=False).save(str(out), scale=8)
    screens.say(f"{out} leads to {address}")
