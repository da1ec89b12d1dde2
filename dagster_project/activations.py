"""One asset for each declared sync and send. Running it is a run of the engine; what it tells is counts, reasons and blocking checks.

These steps do not take the `warehouse` pool: the engine opens the file for its plan and again to settle, waits for its turn there, and
holds nothing while it talks to a destination. In the pool, one slow destination would keep every other step from working.
"""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import dagster as dg
from pydantic import Field

from activation.engine import audience, merges
from activation.engine.declarations import Activation, Declarations
from activation.engine.plan import Plan
from activation.engine.project import Project
from activation.engine.run import Override, Runner
from activation.engine.settle import Settled
from dagster_project import books, clock, models
from dagster_project.failures import as_sentences, try_again
from dagster_project.volume import Volume, examine, usual

READ_BY_THE_GATE = ["dim_profiles", "consent_state", "suppressions"]
READ_WHERE_THERE = [merges.MODEL]  # a project may do without
READ_BY_SENDS = ["fct_message_events"]  # receipts for messages of which nobody knew whether they had arrived
CHECKS = {
    "ledger_balances": "Every planned row has exactly one outcome, in the books and row by row.",
    "rejections": "No more rows were rejected than the guards allow.",
    "volume": "Before the first call: the batch is not far larger than usual; keys are there and unique; match values are there.",
}


class Options(dg.Config):
    """What a person may say when launching a run by hand."""

    override_guards: str | None = Field(default=None, description="Pass the guards and the volume check, for this reason; it is recorded.")


def key(activation: Activation) -> dg.AssetKey:
    return dg.AssetKey([activation.destination.name, activation.name])


def reads(activation: Activation) -> list[str]:
    """The models that a run reads: the rows themselves, and what the gate asks."""
    return [*audience.reads(activation), *READ_BY_THE_GATE, *(READ_BY_SENDS if activation.kind == "send" else [])]


def definitions(project: Project, declarations: Declarations, manifest: Mapping[str, Any]) -> dg.Definitions:
    return dg.Definitions(assets=[_asset(project, declarations, manifest, one) for one in declarations.activations.values()])


def _asset(project: Project, declarations: Declarations, manifest: Mapping[str, Any], activation: Activation) -> dg.AssetsDefinition:
    @dg.asset(
        key=key(activation),
        deps=models.keys(manifest, [*reads(activation), *models.known(manifest, READ_WHERE_THERE)], activation.file),
        group_name=activation.destination.name,
        kinds={activation.destination.connector_name, activation.channel},
        description=activation.spec.description or None,
        tags={"sluice/kind": activation.kind, "sluice/purpose": activation.spec.purpose},
        check_specs=[
            dg.AssetCheckSpec(name, asset=key(activation), description=description, blocking=True) for name, description in CHECKS.items()
        ],
    )
    def deliver(context: dg.AssetExecutionContext, config: Options) -> Iterator[Any]:
        yield from _Run(context, project, declarations, activation, config).results()

    return deliver


class _Run:
    """One run, and what was seen on the way."""

    def __init__(
        self, context: dg.AssetExecutionContext, project: Project, declarations: Declarations, activation: Activation, options: Options
    ) -> None:
        self.context, self.project, self.declarations, self.activation = context, project, declarations, activation
        why = options.override_guards
        self.override = Override(f"dagster run {context.run.run_id[:8]}", why) if why else None
        self.plan: Plan | None = None
        self.volume: Volume | None = None

    def results(self) -> Iterator[Any]:
        """The materialization with its checks. A run that did not get through, or whose books a check refuses, is a failure."""
        began = time.monotonic()
        try:
            with as_sentences(self.context):
                settled = self._run()
                balance = books.ledger_balances(self.project, settled)
        except dg.Failure:
            if self.volume:
                yield books.volume(self.volume)
            raise
        checks = [balance, books.rejections(self.activation, settled)]
        if self.volume:
            checks.append(books.volume(self.volume))
        metadata = books.metadata(settled, self.plan, time.monotonic() - began)
        if settled.status not in {"succeeded", "failed_rows"}:
            yield from checks
            self._not_through(settled, metadata)
        yield dg.MaterializeResult(asset_key=key(self.activation), metadata=metadata, check_results=checks)
        for check in checks[:2]:
            if not check.passed:
                # A failed blocking check ends the step in any case; so it ends with the sentence.
                raise dg.Failure(f"{self.activation.ref}: {check.description}", allow_retries=False)

    def _run(self) -> Settled:
        clock.refuse_replay(self.activation)
        runner = Runner(self.project, self.declarations, clock.now(), say=self.context.log.warning)
        return runner.run(self.activation, override=self.override, check=self._look_at_volume)

    def _look_at_volume(self, plan: Plan, verdicts: Path) -> None:
        self.plan = plan
        self.volume = examine(plan, verdicts, usual(self.project, self.activation.ref))
        if self.override is None:
            self.volume.insist()

    def _not_through(self, settled: Settled, metadata: dict[str, Any]) -> NoReturn:
        """A paused destination is tried again; what a person or a wrong password stopped is not."""
        why = next((reason for outcome, _, reason, _ in settled.reasons if outcome == "skipped"), "Delivery did not get through.")
        if settled.status == "incomplete":
            try_again(self.context, f"{self.activation.ref}: {why}")
        raise dg.Failure(f"{self.activation.ref}: {why}", metadata=metadata, allow_retries=False)
