"""A small project, and `sluice` in this process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from command_line import Said, Sluice

from activation import cli
from tests.activation.engine.small_project import SmallProject


@pytest.fixture
def shop(tmp_path: Path) -> SmallProject:
    return SmallProject(tmp_path / "shop")


@pytest.fixture
def sluice(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shop: SmallProject) -> Sluice:
    """Run a command on the shop's project."""
    for name in ("SLUICE_AS_OF", "SLUICE_SANDBOX_URL", "SLUICE_SANDBOX_SMTP"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: object) -> Said:
        monkeypatch.setenv("SLUICE_PROJECT", str(shop.project.root))
        monkeypatch.setattr(sys, "argv", ["sluice", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Said(int(end.value.code or 0), said.out, said.err)

    return run
