"""One asset for each pull that a destination declares. It lands what it pulled itself, so that a vendor who is away holds up no landing.

These steps do not take the `warehouse` pool: they hold the warehouse only while they land, and wait for their turn there.
"""

import dagster as dg

from activation.engine import pull as pulling
from activation.engine.declarations import Declarations
from activation.engine.project import Project
from dagster_project import clock
from dagster_project.failures import as_sentences, try_again


def key(pull: pulling.Pull) -> dg.AssetKey:
    """Not the destination and the name alone: that is a sync's key."""
    return dg.AssetKey(["pulls", pull.destination.name, pull.name])


def definitions(project: Project, declarations: Declarations) -> dg.Definitions:
    declared = [one for one in pulling.pulls(declarations).values() if one.name in one.destination.pulls]
    return dg.Definitions(assets=[_asset(project, declarations, one) for one in declared])


def _asset(project: Project, declarations: Declarations, pull: pulling.Pull) -> dg.AssetsDefinition:
    @dg.asset(
        key=key(pull),
        group_name="pulls",
        kinds={pull.destination.connector_name},
        description=f"What is new of {pull.name} at {pull.destination.name}, landed in raw.{pull.source}.",
        metadata={"lands in": f"raw.{pull.source}"},
    )
    def take(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        with as_sentences(context):
            report = pulling.run(project, declarations, pulling.find(declarations, pull.ref), clock.now())
        counts = {
            "pages": report.pages,
            "events": report.events,
            "landed": report.landing.landed,
            "duplicates": report.landing.duplicates,
            "quarantined": report.landing.quarantined,
        }
        if not report.complete:
            said = f"{pull.ref} was cut off ({report.code}): {report.reason}"
            if report.passes_by_itself:
                try_again(context, said)
            raise dg.Failure(said, metadata=counts, allow_retries=False)
        return dg.MaterializeResult(metadata=counts)

    return take
