"""What dbt reads of the rules: the same for the same files, written once, taken away with the rule; and what `segment preview` shows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from people_at_hand import rule
from typer.testing import CliRunner

from activation.cli import app
from activation.engine.declarations import Declarations
from activation.engine.errors import PlanRefused, UsageError
from activation.engine.explain import explain
from activation.engine.project import REPOSITORY, Project
from activation.engine.segments import compiled, generated
from activation.engine.segments.preview import preview
from activation.engine.segments.references import for_dbt

RULE = "description: Two views.\nrule: {did: Product Viewed, times: {at_least: 2}}\n"


def test_the_shipped_rules_are_sound_and_give_the_same_bytes_every_time(tmp_path: Path) -> None:
    project = Project(REPOSITORY)
    declarations = Declarations.collect(project)
    assert declarations.faults == []
    first = generated.write(project, declarations.segments, tmp_path / "one")
    generated.write(project, dict(reversed(declarations.segments.items())), tmp_path / "two")
    texts = {path.name: path.read_bytes() for path in first}
    assert texts == {path.name: path.read_bytes() for path in (tmp_path / "two" / "segments").iterdir()}
    assert {f"{name}.sql" for name in declarations.segments} < set(texts)
    # A second time nothing is written, so that dbt parses nothing anew.
    assert generated.write(project, declarations.segments, tmp_path / "one") == []


def test_a_generated_model_has_a_file_of_its_own_name_that_states_the_grain(tmp_path: Path) -> None:
    declarations = Declarations.collect(Project(REPOSITORY))
    for path in generated.write(Project(REPOSITORY), declarations.segments, tmp_path):
        if path.suffix == ".yml":
            (model,) = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
            assert (model["name"], model["description"].split(" of ")[0][:12]) == (path.stem, "One row per ")


def test_members_are_those_of_every_segment_by_rule_and_by_sql(tmp_path: Path) -> None:
    project = Project(REPOSITORY)
    declarations = Declarations.collect(project)
    generated.write(project, declarations.segments, tmp_path)
    sql = (tmp_path / "segments" / "segment_members.sql").read_text(encoding="utf-8")
    referred = set(re.findall(r"ref\('(\w+)'\)", sql))
    written = {path.stem for path in (project.models / "models" / "segments").glob("*.sql")}
    assert referred == set(declarations.segments) | written - {"segment_changes", "segment_sizes", "segment_overlaps"}


def test_a_rule_that_is_gone_takes_its_model_along(tmp_path: Path) -> None:
    project = Project(REPOSITORY)
    declarations = Declarations.collect(project)
    generated.write(project, declarations.segments, tmp_path)
    gone = generated.write(project, {}, tmp_path)
    of_all = {"segment_members", "segment_reasons"}
    assert {path.stem for path in (tmp_path / "segments").iterdir()} == of_all
    assert len([path for path in gone if path.stem not in of_all]) == 2 * len(declarations.segments)


def test_braces_in_a_text_stay_a_text_for_dbt(tmp_path: Path) -> None:
    text = 'description: Some.\nrule: {did: Product Viewed, where: {product_category: "{{ 1 }} {% if %} it\'s"}}\n'
    sql = for_dbt(compiled.query(rule(tmp_path, text)))
    assert """'{{ '{{' }} 1 }} {{ '{%' }} if %} it''s'""" in sql
    assert "{{ ref('fct_events') }} AS e" in sql
    assert "{{ as_of() }}" in sql


# -- looking at a segment, and at a person beside it --------------------------------------------------------------------------


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    """Three people who looked at something, two of them twice; the tables that dbt would have built."""
    from small_project import SmallProject

    small = SmallProject(tmp_path / "shop")
    small.people(3)
    small.write("activation/segments/viewed.yml", RULE)
    small.write("dbt_models/models/fct_events.sql", "--\n")
    small.sql(
        "alter table dim_profiles add column is_test boolean default false",
        "create table fct_events (event_id varchar, profile_id varchar, event_name varchar, occurred_at timestamp, is_bot boolean)",
        "insert into fct_events select 'e_' || i || '_' || j, 'p_' || i, 'Product Viewed', timestamp '2026-11-19', false "
        "from range(3) t(i), range(1, 3) u(j) where i > 0 or j = 1",
        "create table consent_purposes (purpose varchar, is_marketing boolean)",
        "create table bridge_profile_identifiers as select profile_id, email as identifier, 'email' as identifier_type, now() as last_seen_at, "
        "profile_id as own_profile_id from dim_profiles",
        "delete from consent_state",
        "alter table consent_state add column topic varchar default 'all'",
        "insert into consent_state values ('p_1', 'email', 'newsletter', 'granted', now(), 'all')",
        "insert into suppressions values ('p_2', 'email', 'hard_bounce', 'all')",
    )
    manifest = json.loads(small.project.manifest.read_text())
    for name in ("fct_events", "consent_purposes", "bridge_profile_identifiers", "segment_viewed"):
        node = {"name": name, "resource_type": "model", "schema": "main", "alias": name, "columns": {}, "description": ""}
        manifest["nodes"][f"model.small.{name}"] = node
    small.project.manifest.write_text(json.dumps(manifest))
    return small.project


def look(project: Project, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["--project", str(project.root), "--as-of", "2026-11-20T04:00:00", "segment", *arguments])
    return done.exit_code, done.output


def test_a_preview_says_how_many_there_are_and_whom_a_channel_reaches(shop: Project) -> None:
    from small_project import NOON

    found = preview(shop, Declarations.load(shop), "viewed", NOON)
    assert (found.segment, found.people, found.profiles) == ("segment_viewed", 2, 3)
    mail = found.reach[0]
    assert (mail.channel, mail.with_address, mail.not_suppressed, mail.agreed) == ("email", 2, 1, {"newsletter": 1})
    assert [reach.agreed["newsletter"] for reach in found.reach[1:]] == [0, 0]
    assert {(row["profile_id"], row["reason"]) for row in found.sample} == {(f"p_{i}", "Product Viewed 2 or more times") for i in (1, 2)}


def test_a_preview_asks_the_file_as_it_is_now_without_a_build(shop: Project) -> None:
    from small_project import NOON

    (shop.root / "activation/segments/viewed.yml").write_text(RULE.replace("2", "1"), encoding="utf-8")
    assert preview(shop, Declarations.load(shop), "segment_viewed", NOON).people == 3


def test_the_screen_and_the_json_of_a_preview_mask_personal_data(shop: Project) -> None:
    for arguments in (("preview", "viewed"), ("preview", "viewed", "--json")):
        code, said = look(shop, *arguments)
        assert code == 0
        assert "segment_viewed" in said
        assert "u1@mail.example" not in said
        assert "13800000001" not in said


def test_a_segment_in_sql_is_shown_as_it_was_built(shop: Project) -> None:
    from small_project import NOON

    assert preview(shop, Declarations.load(shop), "everyone", NOON).people == 3


def test_a_segment_that_is_not_there_is_told_with_the_nearest(shop: Project) -> None:
    from small_project import NOON

    with pytest.raises(UsageError, match=r"There is no segment `vieved`\. Did you mean `segment_viewed`\?"):
        preview(shop, Declarations.load(shop), "vieved", NOON)


def test_a_model_that_is_not_built_is_told(shop: Project) -> None:
    from small_project import NOON

    (shop.root / "activation/segments/viewed.yml").write_text("description: Some.\nrule: {stage: lead}\n", encoding="utf-8")
    with pytest.raises(PlanRefused, match="dbt knows no model `profile_lifecycle`"):
        preview(shop, Declarations.load(shop), "viewed", NOON)


def test_whoever_is_not_in_a_rule_is_told_what_does_not_hold(shop: Project) -> None:
    text = "description: Some.\nrule: {all: [{did: Product Viewed, times: {at_least: 2}}, {profile: {first_name: {known: true}}}]}\n"
    (shop.root / "activation/segments/viewed.yml").write_text(text, encoding="utf-8")
    import duckdb

    with duckdb.connect(str(shop.warehouse)) as connection:
        connection.execute("create table segment_viewed as select 'p_1' as profile_id, 'because' as reason")
    segments = {
        person: next(
            row for row in explain(shop, person, Declarations.load(shop)).sections["segments"] if row["segment"] == "segment_viewed"
        )
        for person in ("p_0", "p_1")
    }
    assert (segments["p_1"]["member"], segments["p_1"]["reason"]) == (True, "because")
    assert (segments["p_0"]["member"], segments["p_0"]["reason"]) == (False, "not: Product Viewed 2 or more times")
