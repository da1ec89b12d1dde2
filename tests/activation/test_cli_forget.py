"""`sluice forget` on the command line: what it prints, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from activation.cli import app
from activation.engine.errors import SluiceError, UsageError
from tests.activation.engine.small_project import SmallProject


@pytest.fixture
def shop(tmp_path: Path) -> SmallProject:
    shop = SmallProject(tmp_path / "shop")
    manifest = json.loads(shop.project.manifest.read_text())
    node = {
        "name": "bridge_profile_identifiers",
        "resource_type": "model",
        "schema": "main",
        "alias": "bridge_profile_identifiers",
        "columns": {},
    }
    manifest["nodes"]["bridge"] = node
    shop.project.manifest.write_text(json.dumps(manifest))
    shop.people(2)
    shop.sql(
        "create table bridge_profile_identifiers as select profile_id, row_number() over () as identifier_key, 'email' as identifier_type, "
        "email as identifier, now()::timestamp as last_seen_at from dim_profiles"
    )
    return shop


def sluice(shop: SmallProject, *words: str) -> str:
    done = CliRunner().invoke(app, ["--project", str(shop.project.root), "forget", *words], catch_exceptions=True)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.stdout


def test_a_person_is_looked_at_forgotten_and_proven(shop: SmallProject) -> None:
    assert "Nobody was forgotten." in sluice(shop, "--list")
    assert "Nothing was changed." in sluice(shop, "u1@mail.example", "--why", "ticket 7", "--dry-run")
    done = json.loads(sluice(shop, "u1@mail.example", "--why", "ticket 7", "--by", "Privacy", "--json"))
    assert done["counts"]["main.dim_profiles"] == 1
    (proof,) = json.loads(sluice(shop, "--list", "--json"))
    assert {"erasure_id": done["erasure_id"], "why": "ticket 7", "erased_by": "Privacy"}.items() <= proof.items()
    assert done["erasure_id"] in sluice(shop, "--list")
    assert f"({done['erasure_id']})" in sluice(shop, "u1@mail.example", "--why", "again").replace("\n", "")
    assert "Forgotten: x_" in sluice(shop, "u0@mail.example", "--why", "ticket 8")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "Name one person, or say --list"),
        (["u1@mail.example", "--list"], "Name one person, or say --list"),
        (["u1@mail.example"], "Say why with --why"),
        (["nobody@mail.example", "--why", "x"], "Nobody has this identifier"),
        (["u1@mail.example", "--why", "x", "--without", "no/such"], "no/such"),
    ],
)
def test_wrong_use_is_a_sentence(shop: SmallProject, words: list[str], sentence: str) -> None:
    with pytest.raises(SluiceError, match=sentence) as refused:
        sluice(shop, *words)
    assert isinstance(refused.value, UsageError)
