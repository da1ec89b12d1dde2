"""`sluice qr`: the code at the door of an event."""

from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path
from typing import Annotated

import typer

from activation import screens
from activation.engine.errors import UsageError

COLLECTOR = "http://127.0.0.1:4020"
PICTURES = {".svg", ".png", ".pdf", ".eps"}


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
