"""`sluice check`: what a change of models or declarations would break, for a pull request. `sluice doctor`: what this machine lacks."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from activation import screens

if TYPE_CHECKING:
    from activation.engine.check import Finding

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
SHOWN = 100


def check(
    context: typer.Context,
    against: Annotated[
        Path | None,
        typer.Option(metavar="MANIFEST", help="An earlier manifest.json of dbt, such as the main branch's: types are compared too."),
    ] = None,
    json: Json = False,
) -> None:
    """Say which syncs and sends the models no longer fit. Reads files only: no warehouse, no destination."""
    from activation.engine.check import check as look

    report = look(context.obj.project, against)
    if json:
        screens.as_json({"ok": report.ok, **asdict(report)})
    else:
        for finding in report.broken[:SHOWN]:
            screens.say(f"broken: {_where(finding)}: {finding.sentence}")
        if len(report.broken) > SHOWN:
            screens.say(f"… and {len(report.broken) - SHOWN} more; --json shows all.")
        for finding in report.unseen:
            screens.say(f"unseen: {_where(finding)}: {finding.sentence}")
        for finding in report.new:
            screens.say(f"new: {_where(finding)}: {finding.sentence}")
        for finding in report.advice:
            screens.say(f"advice: {_where(finding)}: {finding.sentence}")
        what = f"{report.checked} syncs and sends beside {report.models} models"
        refs = len({finding.ref for finding in report.broken if finding.ref})
        screens.say(f"Looked at {what}: {'all fit.' if report.ok else f'{len(report.broken)} things are broken, in {refs} of them.'}")
    raise typer.Exit(0 if report.ok else 1)


def doctor(context: typer.Context, json: Json = False) -> None:
    """Look at everything that has to be right on this machine before a run, and say what is not."""
    from activation.engine.doctor import examine

    findings = examine(context.obj.project)
    screens.examined(findings, json)
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


def _where(finding: Finding) -> str:
    return f"{finding.file}:{finding.line}" + (f" ({finding.ref})" if finding.ref else "")
