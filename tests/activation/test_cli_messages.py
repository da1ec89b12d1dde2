"""`sluice qr`: a picture that leads to a signed address."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from activation.cli import app
from activation.engine.errors import UsageError
from activation.engine.links import Links, project_key
from activation.engine.project import Project

PUBLIC = "https://collect.example.com"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.create(tmp_path / "shop")


def sluice(project: Project, *words: str) -> str:
    done = CliRunner().invoke(app, ["--project", str(project.root), *words], catch_exceptions=True)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.stdout


@pytest.mark.parametrize(("suffix", "start"), [(".svg", b"<?xml"), (".png", b"\x89PNG")])
def test_a_code_is_a_picture_of_an_address_that_the_collector_believes(project: Project, tmp_path: Path, suffix: str, start: bytes) -> None:
    picture = tmp_path / f"code{suffix}"
    words = ["qr", "expo", "--name", "Expo 上海", "--booth", "B12", "--until", "2027-01-31", "--out", str(picture), "--public-url", PUBLIC]
    said = sluice(project, *words)
    token = "".join(said.split()).rpartition("/k/")[2]
    links = Links(project_key(project.state), PUBLIC)
    link = links.read(token, "checkin", datetime(2027, 1, 31, 23, tzinfo=UTC))
    assert json.loads(json.dumps(link.place)) == {"event_id": "expo", "event_name": "Expo 上海", "booth": "B12"}
    assert picture.read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["expo", "--until", "soon"], "--until 'soon' is not a date"),
        (["expo", "--out", "code.docx"], "is no picture that can be made"),
        (["expo", "--name", "会" * 400], "Use shorter names"),
    ],
)
def test_what_cannot_be_made_is_said(project: Project, words: list[str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        sluice(project, "qr", *words)
