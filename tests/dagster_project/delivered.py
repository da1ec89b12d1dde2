"""Runs of a sync's or send's asset, in the process of the test, over a small project."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import dagster as dg
from small_project import SmallProject

from dagster_project import activations


@dataclass
class Delivered:
    """How a run ended, and everything it said."""

    success: bool
    events: list[Any]
    said: list[str]

    @property
    def metadata(self) -> dict[str, Any]:
        """Of the one materialization, or of the failure when there is none."""
        for event in self.events:
            if event.is_step_materialization:
                return {name: value.value for name, value in event.step_materialization_data.materialization.metadata.items()}
        (failure,) = [event for event in self.events if event.is_step_failure]
        return {name: value.value for name, value in failure.step_failure_data.user_failure_data.metadata.items()}

    @property
    def sentence(self) -> str:
        """What the failed step tells the user."""
        (failure,) = [event for event in self.events if event.is_step_failure]
        return str(failure.step_failure_data.user_failure_data.description)

    @property
    def checks(self) -> dict[str, Any]:
        """The last evaluation of each check, by name."""
        evaluations = [event.event_specific_data for event in self.events if event.event_type_value == "ASSET_CHECK_EVALUATION"]
        return {evaluation.check_name: evaluation for evaluation in evaluations}

    @property
    def retries(self) -> int:
        return sum(event.event_type_value == "STEP_UP_FOR_RETRY" for event in self.events)

    @property
    def materialized(self) -> list[str]:
        return [event.asset_key.to_user_string() for event in self.events if event.is_step_materialization]


def assets(shop: SmallProject) -> list[Any]:
    manifest = json.loads(shop.project.manifest.read_text())
    for node in manifest["nodes"].values():
        node["config"] = {"schema": None}
    return list(activations.definitions(shop.project, shop.declarations, manifest).assets or [])


def deliver(shop: SmallProject, ref: str, *more: Any, override: str | None = None) -> Delivered:
    """Materialize the asset of `ref`, and any `more` beside it."""
    options = {"ops": {ref.replace("/", "__"): {"config": {"override_guards": override}}}} if override else None
    (asset,) = [asset for asset in assets(shop) if asset.key == dg.AssetKey(ref.split("/"))]
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([asset, *more], instance=instance, run_config=options, raise_on_error=False)
        logs = instance.all_logs(result.run_id)
        return Delivered(result.success, result.all_events, [log.user_message for log in logs if not log.is_dagster_event])
