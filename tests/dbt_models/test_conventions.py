"""dbt takes YAML as it comes: a misspelt key says nothing. These tests hold the conventions over the manifest and the files."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from warehouse_house import MODELS, Dbt

from activation.engine.project import REPOSITORY

NAMES = {
    "staging": r"stg_{folder}__[a-z_]+",
    "identity": r"((int|dim|bridge)_[a-z_]+|profile_merges)",
    "marts": r"((int|dim|fct)_[a-z_]+|consent_state|suppressions|profile_lifecycle)",
    "tags": r"(tag|int_tag)_[a-z_]+",
    "scores": r"(score|int_score|fct_score)_[a-z_]+",
    "segments": r"segment_[a-z0-9_]+",
    "syncs": r"sync_[a-z]+_[a-z_]+",
    "explain": r"explain_[a-z_]+",
    "reports": r"rpt_[a-z_]+",
}
UNIT_TESTED = ("tag_", "score_", "segment_", "rpt_")
# Intermediate models may have a grain that no single column names.
KEYLESS = (
    "int_",
    "bridge_profile_accounts",
    "fct_consent_events",
    "segment_sizes",
    "segment_overlaps",
    "segment_reasons",
    "explain_identifiers",
    "explain_profiles",
)
PERSONAL = {
    "email",
    "phone",
    "first_name",
    "last_name",
    "full_name",
    "openid",
    "unionid",
    "wechat_openid",
    "wechat_unionid",
    "external_userid",
    "wecom_external_userid",
    "identifier",
    "match_value",
}
KEYS: dict[str, set[str]] = {
    "top": {"version", "models", "seeds", "sources", "unit_tests"},
    "models": {"name", "description", "columns", "config"},
    "seeds": {"name", "description", "columns", "config"},
    "sources": {"name", "schema", "tables", "description"},
    "tables": {"name", "description", "columns"},
    "columns": {"name", "description", "data_type", "data_tests", "config"},
    "unit_tests": {"name", "model", "given", "expect", "overrides", "description"},
    "given": {"input", "rows", "format"},
    "expect": {"rows", "format"},
}


@pytest.fixture(scope="module")
def models(dbt: Dbt) -> dict[str, Any]:
    return {node.name: node for node in dbt.manifest.nodes.values() if node.resource_type == "model"}


@pytest.fixture(scope="module")
def tested(dbt: Dbt) -> dict[tuple[str, str], set[str]]:
    """(model, column): the generic tests on it."""
    found: dict[tuple[str, str], set[str]] = {}
    for node in dbt.manifest.nodes.values():
        if node.resource_type == "test" and getattr(node, "attached_node", None) and node.column_name:
            found.setdefault((node.attached_node.split(".")[-1], node.column_name), set()).add(node.test_metadata.name)
    return found


def _folder(node: Any) -> str:
    return str(node.fqn[1])


def _is_generated(node: Any) -> bool:
    """Made of a rule or of all segments, and tested where it is made."""
    return not str(node.original_file_path).startswith("models/")


def test_the_name_says_the_folder(models: dict[str, Any]) -> None:
    wrong = [
        name
        for name, node in models.items()
        if not re.fullmatch(NAMES[_folder(node)].format(folder=Path(node.original_file_path).parent.name), name)
    ]
    assert wrong == []


def test_only_staging_reads_sources_and_it_reads_nothing_else(models: dict[str, Any]) -> None:
    for name, node in models.items():
        reads = Counter(parent.split(".")[0] for parent in node.depends_on.nodes)
        if _folder(node) != "staging":
            assert "source" not in reads, name
        else:
            assert all("stg_" in parent or parent.startswith("source.") for parent in node.depends_on.nodes), name


def test_layers_are_only_read_from_the_left_to_the_right(models: dict[str, Any]) -> None:
    """Profiles look at marts for stage and channel; everything else flows one way."""
    rank = {"staging": 0, "identity": 1, "marts": 1, "tags": 2, "scores": 2, "segments": 3, "explain": 4, "syncs": 4, "reports": 4}
    for name, node in models.items():
        for parent in node.depends_on.nodes:
            if parent.startswith("model."):
                assert rank[_folder(models[parent.split(".")[-1]])] <= rank[_folder(node)], f"{name} reads {parent}"


def test_every_model_and_seed_has_a_yml_of_its_own_name(dbt: Dbt) -> None:
    for node in dbt.manifest.nodes.values():
        if node.resource_type in ("model", "seed"):
            assert node.patch_path, node.name
            assert Path(node.patch_path).stem == node.name
            assert Path(node.patch_path.split("://")[1]).parent == Path(node.original_file_path).parent


def test_descriptions_state_the_grain(dbt: Dbt) -> None:
    nodes = [node for node in dbt.manifest.nodes.values() if node.resource_type in ("model", "seed")]
    assert [node.name for node in [*nodes, *dbt.manifest.sources.values()] if not node.description.startswith("One row per ")] == []


def test_keys_are_tested_unique_and_not_null(models: dict[str, Any], tested: dict[tuple[str, str], set[str]]) -> None:
    with_key = {model for (model, _), tests in tested.items() if {"unique", "not_null"} <= tests}
    # That of a rule is tested once for all of them, in segment_members.
    assert [
        name for name, node in models.items() if name not in with_key and not name.startswith(KEYLESS) and not _is_generated(node)
    ] == []
    assert "segment_members" in with_key


def test_a_table_written_only_where_it_differs_has_a_key_that_is_tested(
    models: dict[str, Any], tested: dict[tuple[str, str], set[str]]
) -> None:
    keys = {
        name: model.config.unique_key for name, model in models.items() if model.config.materialized == "table" and model.config.unique_key
    }
    assert "dim_profiles" in keys
    assert [
        name for name, key in keys.items() if not isinstance(key, str) or not tested.get((name, key), set()) >= {"unique", "not_null"}
    ] == []


def test_syncs_and_reports_are_contracts_with_a_type_for_every_column(models: dict[str, Any]) -> None:
    for name, node in models.items():
        assert node.contract.enforced == (_folder(node) in ("syncs", "reports")), name
        if node.contract.enforced:
            assert all(column.data_type for column in node.columns.values()), name


def test_syncs_name_the_profile_and_it_is_never_null(models: dict[str, Any], tested: dict[tuple[str, str], set[str]]) -> None:
    assert [name for name in models if name.startswith("sync_") and "not_null" not in tested.get((name, "profile_id"), set())] == []


def test_tags_scores_segments_and_reports_have_unit_tests(dbt: Dbt, models: dict[str, Any]) -> None:
    with_tests = {test.model for test in dbt.manifest.unit_tests.values()}
    counted = [name for name, node in models.items() if name.startswith(UNIT_TESTED) and not _is_generated(node)]
    # What only counts what another model says is tested with it.
    assert [name for name in counted if name not in with_tests and name not in {"segment_sizes", "segment_overlaps"}] == []


def test_personal_data_is_marked(models: dict[str, Any]) -> None:
    """A column of this name that a model's file names, and every column of one that leaves the house, says that it is personal."""
    for name, node in models.items():
        for column in node.columns.values():
            if column.name in PERSONAL:
                assert column.config.meta.get("pii") is True, f"{name}.{column.name}"


def test_models_leave_schema_materialisation_and_tags_to_the_folder(models: dict[str, Any]) -> None:
    assert [name for name, node in models.items() if "config(" in node.raw_code] == []


def test_models_stay_small(models: dict[str, Any]) -> None:
    """About sixty lines of SQL; renaming and listing columns are not counted, for they are one idea however long."""
    longest = {
        name: len(
            [
                line
                for line in node.raw_code.splitlines()
                if line.strip() and not re.fullmatch(r"\s*'?[\w.]+'?(: '[^']*')?( as \w+)?,?", line)
            ]
        )
        for name, node in models.items()
        if not _is_generated(node)
    }
    assert {name: lines for name, lines in longest.items() if lines > 75} == {}


def test_purposes_are_those_of_the_policies() -> None:
    declared = yaml.safe_load((REPOSITORY / "activation" / "policies" / "purposes.yml").read_text(encoding="utf-8"))["purposes"]
    with (MODELS / "seeds" / "consent_purposes.csv").open(encoding="utf-8") as file:
        seeded = {row["purpose"]: (row["is_marketing"], row["is_transactional"]) for row in csv.DictReader(file)}
    assert seeded == {
        name: (str(spec["basis"] == "consent").lower(), str(spec["basis"] == "transactional").lower()) for name, spec in declared.items()
    }


def _misspelt(node: Any, kind: str) -> list[str]:
    """Keys that dbt would pass over in silence, with where they stand."""
    if isinstance(node, list):
        return [fault for item in node for fault in _misspelt(item, kind)]
    if not isinstance(node, dict) or kind not in KEYS:
        return []
    faults = [f"{kind}: {key}" for key in node if key not in KEYS[kind]]
    return faults + [fault for key, value in node.items() for fault in _misspelt(value, key)]


def test_no_key_is_misspelt() -> None:
    files = [*(MODELS / "models").rglob("*.yml"), *(MODELS / "seeds").glob("*.yml")]
    faults = {path.name: _misspelt(yaml.safe_load(path.read_text(encoding="utf-8")), "top") for path in files}
    assert {name: found for name, found in faults.items() if found} == {}


def test_a_misspelt_key_would_be_found() -> None:
    assert _misspelt({"models": [{"name": "x", "colums": []}]}, "top") == ["models: colums"]
    assert _misspelt({"models": [{"name": "x", "columns": [{"name": "y", "tests": []}]}]}, "top") == ["columns: tests"]
