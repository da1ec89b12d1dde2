"""When things run by themselves, on the declared hours and hourly as a whole, and how their steps run."""

from __future__ import annotations

import dagster as dg

from activation.engine.declarations import Activation, Declarations

HOURLY = "0 * * * *"
# Steps are forked from one process that has imported what they need: importing takes longer than most steps.
PRELOADED = ["dagster_project.definitions", "dagster_project.expectations", "dbt.graph"]
EXECUTOR = {"max_concurrent": 4, "start_method": {"forkserver": {"preload_modules": PRELOADED}}}


def definitions(declarations: Declarations) -> dg.Definitions:
    everything = dg.define_asset_job(
        "everything",
        dg.AssetSelection.all(),
        description="The whole loop: land what waits, build and test the models, run every sync and send.",
    )
    # All schedules begin stopped: whoever loads this code on a laptop must not begin to write to people by that.
    whole_loop = dg.ScheduleDefinition(
        name="everything_hourly", job=everything, cron_schedule=HOURLY, default_status=dg.DefaultScheduleStatus.STOPPED
    )
    declared = [_schedule(activation) for activation in declarations.activations.values() if activation.spec.schedule]
    return dg.Definitions(jobs=[everything], schedules=[whole_loop, *declared], executor=dg.multiprocess_executor.configured(EXECUTOR))


def _schedule(activation: Activation) -> dg.ScheduleDefinition:
    """The schedule a sync or send declares. What it reads is brought up to date first: an old consent is no consent."""
    name = f"{activation.destination.name}__{activation.name}"
    cron = activation.spec.schedule or ""
    return dg.ScheduleDefinition(
        name=f"{name}_schedule",
        target=dg.AssetSelection.assets(dg.AssetKey([activation.destination.name, activation.name])).upstream(),
        cron_schedule=cron,
        execution_timezone="UTC",
        description=f"{activation.ref} at `{cron}` (UTC), as {activation.file} declares.",
        default_status=dg.DefaultScheduleStatus.STOPPED,
    )
