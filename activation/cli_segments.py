"""`sluice segment`: look at a segment before anything is sent to it, and write the models that rules become."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from activation import screens

app = typer.Typer(name="segment", help="Look at segments.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command()
def preview(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A segment, e.g. hot_leads.")],
    rows: Annotated[int, typer.Option(min=0, help="So many of its people.")] = 5,
    json: Json = False,
) -> None:
    """How many people are in a segment, how many each channel reaches, and a few of them with personal data masked.

    One of activation/segments is asked as its file says now, without a build.
    """
    from activation.engine.segments.preview import preview as look

    session = context.obj
    found = look(session.project, session.declarations(), name, session.now, rows)
    sample = [{key: screens.mask(value) if key in found.personal else value for key, value in row.items()} for row in found.sample]
    if json:
        return screens.as_json({key: value for key, value in {**asdict(found), "sample": sample}.items() if key != "personal"})
    screens.say(f"{found.segment}: {found.description}")
    screens.say(f"{found.people:,} of {found.profiles:,} people.")
    screens.table(
        "Who can be reached",
        ("channel", "with address", "not suppressed", *(f"agreed to {name}" for name in found.reach[0].agreed)),
        [(reach.channel, reach.with_address, reach.not_suppressed, *reach.agreed.values()) for reach in found.reach],
        right=range(1, 3 + len(found.reach[0].agreed)),
    )
    if sample:
        screens.table("Some of them", list(sample[0]), [list(row.values()) for row in sample])
    return None


@app.command(name="compile")
def compile_(context: typer.Context) -> None:
    """Write the models that dbt reads for the rules in activation/segments. `sluice build` does it by itself; dbt alone does not."""
    from activation.engine.segments import generated

    session = context.obj
    changed = generated.write(session.project, session.declarations().segments)
    screens.say(
        f"{len(session.declarations().segments)} rules in {session.project.relative(session.project.generated)}; {len(changed)} files changed."
    )
