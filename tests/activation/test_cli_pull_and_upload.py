"""`sluice pull` and `sluice upload` as a person sees them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import ended

from activation.engine.project import REPOSITORY
from tests.activation.engine.small_project import NOON, SmallProject


@pytest.fixture
def shop(tmp_path: Path) -> SmallProject:
    shop = SmallProject(tmp_path / "shop")
    shop.write("activation/sources/list_members.yml", (REPOSITORY / "activation" / "sources" / "list_members.yml").read_text())
    return shop


def test_an_upload_says_what_became_of_every_line(shop: SmallProject) -> None:
    shop.write("people.csv", "email,note\na@b.example,x\nnobody,y\n")
    file = shop.project.root / "people.csv"
    code, out, _ = ended(shop.start("upload", str(file), "--list", "fair", now=NOON))
    assert code == 1  # somebody is not on the list
    assert "line 3: No identifier of the line can be one." in out
    assert "Nobody asked for: note." in out
    assert "nobody" not in out.replace("Nobody", "")
    code, out, _ = ended(shop.start("upload", str(file), "--list", "fair", "--json", now=NOON))
    said = json.loads(out)
    assert (said["members"], said["refused"], said["landing"]["landed"]) == (1, 1, 0)


def test_what_is_not_there_to_be_pulled_is_wrong_use(shop: SmallProject) -> None:
    assert ended(shop.start("pull", "files/people", now=NOON))[0] == 2
    code, out, _ = ended(shop.start("pull", now=NOON))
    assert (code, "What can be pulled" in out) == (0, True)
