from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import asset_graph
import dagster as dg
import yaml

from activation.engine.declarations import Declarations
from activation.engine.project import REPOSITORY, Project
from dagster_project.activations import key

LOAD = """
import time, warnings
warnings.simplefilter("error")
warnings.filterwarnings("ignore", "sqlglotrs is deprecated", DeprecationWarning)
began = time.monotonic()
from dagster_project.definitions import defs
import dagster
dagster.Definitions.validate_loadable(defs())
print("loaded")
"""


def load(project: Project, **environment: str) -> subprocess.CompletedProcess[str]:
    """The definitions of a project in a process that is given these variables and no others."""
    return subprocess.run(
        [sys.executable, "-c", LOAD],
        cwd=REPOSITORY,
        env={"SLUICE_PROJECT": str(project.root), **environment},
        capture_output=True,
        text=True,
    )


def test_definitions_load_with_an_empty_environment_and_without_a_warning(parsed: Project, tmp_path: Path) -> None:
    done = load(parsed, PATH="/usr/bin:/bin", HOME=str(tmp_path))
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "loaded", "")


def test_loading_does_not_touch_the_warehouse(parsed: Project, definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)
    assert not parsed.warehouse.exists()


def test_a_wrong_declaration_is_told_by_file_and_line(project: Project) -> None:
    file = project.declarations / "syncs" / "hubspot" / "contacts.yml"
    file.write_text(file.read_text().replace("match_on:", "match_onn:"))
    done = load(project, PATH=os.environ["PATH"])
    assert done.returncode == 1
    assert "activation/syncs/hubspot/contacts.yml:" in done.stderr
    assert "did you mean" in done.stderr.lower()


def test_the_workspace_names_a_module_that_holds_definitions() -> None:
    (location,) = yaml.safe_load((REPOSITORY / "workspace.yaml").read_text())["load_from"]
    assert location["python_module"] == {"module_name": "dagster_project.definitions", "location_name": "sluice"}


def test_the_asset_graph_is_the_one_that_was_reviewed(definitions: dg.Definitions) -> None:
    found = asset_graph.describe(definitions)
    assert found == asset_graph.FILE.read_text(), (
        f"If the new graph is as meant: python {Path(asset_graph.__file__).relative_to(REPOSITORY)}"
    )


def test_every_sync_and_send_depends_on_the_models_it_reads(parsed: Project, definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    declared = Declarations.load(parsed).activations.values()
    assert {activation.kind for activation in declared} == {"sync", "send"}
    for activation in declared:
        parents = {parent.path[-1] for parent in graph.get(key(activation)).parent_keys}
        asked_by_the_gate = {"dim_profiles", "consent_state", "suppressions", "profile_merges"}
        if activation.kind == "sync":
            assert parents == {activation.sync.model, *asked_by_the_gate}
        else:
            audience = activation.send.audience
            assert parents == {*audience.include, *audience.exclude, *asked_by_the_gate, "fct_message_events"}


def test_every_source_that_the_models_read_is_a_raw_asset_or_history(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    roots = [graph.get(key) for key in graph.get_all_asset_keys() if not graph.get(key).parent_keys]
    assert {node.group_name for node in roots} <= {"raw", "history", "seeds"}
    assert all(node.is_materializable == (node.group_name != "history") for node in roots)


def test_only_steps_that_do_nothing_but_write_take_the_warehouse_pool(parsed: Project, definitions: dg.Definitions) -> None:
    job = definitions.resolve_job_def("everything")
    pools = {node.name: node.definition.pool for node in job.nodes if isinstance(node.definition, dg.OpDefinition)}
    delivering = {"__".join(key(activation).path) for activation in Declarations.load(parsed).activations.values()}
    assert {name for name, pool in pools.items() if pool == "warehouse"} == {"landing", "models"}
    assert {name for name, pool in pools.items() if pool is None} == delivering


def test_tests_of_models_arrive_as_checks_and_each_delivery_has_its_three(parsed: Project, definitions: dg.Definitions) -> None:
    checks = definitions.resolve_asset_graph().asset_check_keys
    for activation in Declarations.load(parsed).activations.values():
        assert {check.name for check in checks if check.asset_key == key(activation)} == {"ledger_balances", "rejections", "volume"}
    assert "unique_dim_profiles_profile_id" in {check.name for check in checks}


def test_a_declared_schedule_is_a_schedule_of_the_delivery_and_all_it_reads(parsed: Project, definitions: dg.Definitions) -> None:
    declared = {
        "__".join(key(activation).path): activation
        for activation in Declarations.load(parsed).activations.values()
        if activation.spec.schedule
    }
    assert declared
    for name, activation in declared.items():
        schedule = definitions.resolve_schedule_def(f"{name}_schedule")
        assert schedule.cron_schedule == activation.spec.schedule
        selected = definitions.resolve_job_def(schedule.job_name).asset_layer.selected_asset_keys
        assert key(activation) in selected
        assert dg.AssetKey(["raw", "consent_records"]) in selected


def test_no_schedule_begins_by_itself(definitions: dg.Definitions) -> None:
    schedules = definitions.get_repository_def().schedule_defs
    assert "everything_hourly" in {schedule.name for schedule in schedules}
    assert {schedule.default_status for schedule in schedules} == {dg.DefaultScheduleStatus.STOPPED}
