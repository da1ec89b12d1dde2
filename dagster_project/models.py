"""dbt's models as assets, its tests as checks."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, dbt_assets
from dagster_dbt.errors import DagsterDbtCliRuntimeError
from packaging.version import Version

from activation.engine.build import environment, prepare_warehouse, variables
from activation.engine.declarations import Declarations
from activation.engine.errors import PlanRefused
from activation.engine.project import Project
from activation.engine.yaml_file import did_you_mean
from dagster_project import clock
from dagster_project.failures import as_sentences


class Dbt(DbtCliResource):
    """The dbt of this environment."""

    @cached_property
    def _cli_version(self) -> Version:
        # `dbt --version`, which is the default way, takes seconds and asks the package index for newer releases.
        return Version(version("dbt-core"))


class ByFolder(DagsterDbtTranslator):
    """Groups are the folders of the models."""

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        if dbt_resource_props["resource_type"] == "seed":
            return "seeds"
        return super().get_group_name(dbt_resource_props) or str(dbt_resource_props["fqn"][1])


TRANSLATOR = ByFolder()


def keys(manifest: Mapping[str, Any], names: Iterator[str] | list[str], where: str) -> list[dg.AssetKey]:
    """The assets of models by name. Raises PlanRefused, saying `where` they are needed, for one that dbt does not know."""
    nodes = {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] in {"model", "seed"}}
    for name in names:
        if name not in nodes:
            raise PlanRefused(f"{where}: dbt knows no model `{name}`.{did_you_mean(name, set(nodes))}")
    return [TRANSLATOR.get_asset_key(nodes[name]) for name in names]


def known(manifest: Mapping[str, Any], names: list[str]) -> list[str]:
    """Those of the names that are models dbt knows."""
    there = {node["name"] for node in manifest["nodes"].values() if node["resource_type"] == "model"}
    return [name for name in names if name in there]


def definitions(project: Project, declarations: Declarations, manifest: Mapping[str, Any]) -> dg.Definitions:
    # dbt keeps the warehouse open from its first to its last model, so this step takes the pool.
    @dbt_assets(manifest=manifest, name="models", dagster_dbt_translator=TRANSLATOR, pool="warehouse")
    def models(context: dg.AssetExecutionContext, dbt: Dbt) -> Iterator[Any]:
        with as_sentences(context):
            added = prepare_warehouse(project, declarations)
            moment = clock.replayed()
        # The adapter and the dbt process read the warehouse's place from the environment.
        os.environ.update(environment(project, {}, moment))
        # A folder of its own: whoever loads the definitions reads the manifest in `target` meanwhile. What was parsed for them is parsed.
        target, parsed = project.target / "dagster", project.target / "partial_parse.msgpack"
        target.mkdir(exist_ok=True)
        if parsed.is_file() and not (target / parsed.name).exists():
            shutil.copy(parsed, target)
        invocation = dbt.cli(["build", *variables(project, moment), *added], context=context, target_path=target)
        try:
            yield from invocation.stream()
        except DagsterDbtCliRuntimeError as error:
            raise dg.Failure(str(error), allow_retries=False) from None  # dbt's own words, without our traceback

    executable = str(Path(sys.executable).with_name("dbt"))
    dbt = Dbt(project_dir=str(project.models), profiles_dir=str(project.models), dbt_executable=executable)
    return dg.Definitions(assets=[models, *_history(manifest)], resources={"dbt": dbt})


def _history(manifest: Mapping[str, Any]) -> list[dg.AssetSpec]:
    """What the models read that no step makes: tables that a sync or send writes when it settles. Reading them there would be a circle."""
    return [
        dg.AssetSpec(
            TRANSLATOR.get_asset_key(source),
            group_name="history",
            description=source.get("description") or "Written whenever a sync or send settles.",
        )
        for source in manifest["sources"].values()
        if source["source_name"] == "activation"
    ]
