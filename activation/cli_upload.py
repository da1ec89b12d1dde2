"""`sluice upload`: a file of people becomes a list."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from activation import screens

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
SHOWN = 20


def upload(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A CSV or XLSX file with one line for each person.")],
    name: Annotated[str, typer.Option("--list", metavar="NAME", help="The list they are put on.")],
    mapping: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML: which column holds what. None: by the names of the columns.")
    ] = None,
    refused: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the lines that are not on the list here, with the reasons.")
    ] = None,
    encoding: Annotated[str, typer.Option(help="Of a CSV, such as gb18030.")] = "utf-8",
    sheet: Annotated[str | None, typer.Option(help="Of a workbook; none: the first.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and put nobody on the list.")] = False,
    json: Json = False,
) -> None:
    """Put the people of a file on a list that segments can use. Being on a list is no consent."""
    from activation.engine import list_upload

    session = context.obj
    with screens.counting("lines read") as count:
        report = list_upload.upload(
            session.project, session.declarations(), file, name, session.now, mapping, encoding, sheet, refused, dry_run, count
        )
    if json:
        screens.as_json({**asdict(report), "counts": report.counts})
    else:
        counts = (report.lines, report.members, report.refused, report.repeated, report.landing.landed)
        heads = ("lines", "members", "refused", "repeated", "new or changed")
        screens.table(f"{report.file} on the list {name}" + (" (not done)" if dry_run else ""), heads, [counts], right=tuple(range(5)))
        for code, number in sorted(report.counts.items()):
            screens.say(f"{code}: {number}")
        for one in report.refusals[:SHOWN]:
            screens.say(f"line {one.line}{f', {one.column}' if one.column else ''}: {one.reason}")
        if len(report.refusals) > SHOWN:
            screens.say(f"… and {len(report.refusals) - SHOWN} more; --json gives all, --refused FILE the lines themselves.")
        if report.ignored_columns:
            screens.say(f"Nobody asked for: {', '.join(report.ignored_columns)}.")
        if not dry_run:
            screens.say(
                f"After `sluice build` they are in dim_list_members as `{name}`. Nobody gets a message by being on a list: consent decides."
            )
    raise typer.Exit(1 if report.refused else 0)
