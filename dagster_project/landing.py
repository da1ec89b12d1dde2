"""Raw assets: one for each declared source. One step lands the inbox and the spool for all that are asked for."""

import dataclasses
from collections.abc import Iterator

import dagster as dg

from activation.engine.declarations import Declarations
from activation.engine.landing import SourceReport, land
from activation.engine.project import Project
from dagster_project import clock, inbox
from dagster_project.failures import as_sentences

CHECK = "nothing_quarantined"


def key(source: str) -> dg.AssetKey:
    """The key that dbt gives its source `raw.<source>`, so that raw and models are one graph."""
    return dg.AssetKey(["raw", source])


def definitions(project: Project, declarations: Declarations) -> dg.Definitions:
    specs = [
        dg.AssetSpec(key(name), group_name="raw", kinds={source.format}, description=source.description or None)
        for name, source in declarations.sources.items()
    ]
    checks = [dg.AssetCheckSpec(CHECK, asset=key(name), description="Every line of the files could land.") for name in declarations.sources]
    if not specs:
        return dg.Definitions()

    # One step, not one for each source: the warehouse is opened once, and landing nothing costs nothing. It writes, so it takes the pool.
    @dg.multi_asset(name="landing", specs=specs, check_specs=checks, can_subset=True, pool="warehouse")
    def landing(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        asked = {name: source for name, source in declarations.sources.items() if key(name) in context.selected_asset_keys}
        found = inbox.files(project, declarations.sources)
        for path in found.get(None, []):
            context.log.warning(f"No declared source claims {project.relative(path)}; it stays where it is.")
        paths = [path for name in asked for path in found.get(name, [])]
        with as_sentences(context):
            report = land(project, dataclasses.replace(declarations, sources=asked), paths, clock.now())
        for name in asked:
            yield _result(report.sources.get(name, SourceReport(name)))

    return dg.Definitions(assets=[landing])


def _result(report: SourceReport) -> dg.MaterializeResult[None]:
    fields = [*report.new_fields, *(f"{field} (another type)" for field in report.changed_fields)]
    check = dg.AssetCheckResult(
        asset_key=key(report.source),
        check_name=CHECK,
        passed=not report.quarantined,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{report.quarantined} of {report.read} lines are in raw.quarantine, with file, line and reason."
        if report.quarantined
        else None,
        metadata={"quarantined": report.quarantined},
    )
    return dg.MaterializeResult(
        asset_key=key(report.source),
        metadata={
            "files": report.files,
            "read": report.read,
            "landed": report.landed,
            "duplicates": report.duplicates,
            "quarantined": report.quarantined,
            "new fields": ", ".join(fields) or "none",
        },
        check_results=[check],
    )
