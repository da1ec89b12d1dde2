"""dbt's models are reached by name through its manifest; what is missing or damaged is said with what to do."""

from __future__ import annotations

import json

import pytest
from small_project import SmallProject

from activation.engine.errors import PlanRefused
from activation.engine.models import Models, rows_of
from activation.engine.warehouse import opened


def test_without_a_manifest_the_models_have_not_been_built(shop: SmallProject) -> None:
    shop.project.manifest.unlink()
    with pytest.raises(PlanRefused, match=r"The models have not been built yet\. Run `sluice build` first\."):
        Models(shop.project)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[]", b"{}", b'{"nodes": []}', b'{"nodes": {"a": {}}}', b'{"nodes": {"a": 1}}']
)
def test_a_damaged_manifest_is_said(shop: SmallProject, content: bytes) -> None:
    shop.project.manifest.write_bytes(content)
    with pytest.raises(PlanRefused, match=r"manifest\.json, which dbt writes, is damaged\. Run `sluice build`"):
        Models(shop.project)


def test_a_model_is_found_by_name_in_its_schema_and_under_its_alias(shop: SmallProject) -> None:
    manifest = json.loads(shop.project.manifest.read_text())
    manifest["nodes"]["model.small.dim_profiles"] |= {"schema": "marts", "alias": 'odd "name"'}
    manifest["nodes"]["test.small.x"] = {"name": "x", "resource_type": "test"}
    shop.project.manifest.write_text(json.dumps(manifest))
    models = Models(shop.project)
    assert models.relation("dim_profiles").sql == '"marts"."odd ""name"""'
    assert "x" not in models.names()


def test_an_unknown_model_is_refused_with_the_nearest(shop: SmallProject) -> None:
    with pytest.raises(
        PlanRefused, match=r"dbt knows no model `dim_profile`\. Did you mean `dim_profiles`\? If it is new, run `sluice build`\."
    ):
        Models(shop.project).relation("dim_profile")


def test_a_model_that_was_not_built_is_refused(shop: SmallProject) -> None:
    shop.sql("drop table sync_people")
    models = Models(shop.project)
    with opened(shop.project) as connection:
        with pytest.raises(PlanRefused, match=r"Model `sync_people` is not in the warehouse\. Run `sluice build`\."):
            models.columns(connection, "sync_people")
        assert "sync_people" not in models.built(connection)
        assert "dim_profiles" in models.built(connection)


def test_columns_come_in_order_with_their_types_and_those_with_personal_data_are_known(shop: SmallProject) -> None:
    models = Models(shop.project)
    with opened(shop.project) as connection:
        found = models.columns(connection, "sync_people")
    assert list(found.items())[:2] == [("profile_id", "VARCHAR"), ("email", "VARCHAR")]
    assert models.pii("sync_people") == {"email", "phone", "first_name"}
    assert models.pii("nowhere") == set()


def test_rows_of_a_model_are_limited(shop: SmallProject) -> None:
    shop.people(5)
    rows = rows_of(shop.project, Models(shop.project), "sync_people", 2)
    assert [row["profile_id"] for row in rows] == ["p_0", "p_1"]
