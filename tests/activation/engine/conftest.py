"""A small project and a sandbox for tests of the engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from running_sandbox import RunningSandbox, in_a_thread
from small_project import SmallProject


@pytest.fixture
def shop(tmp_path: Path) -> SmallProject:
    """A project with nobody in it."""
    return SmallProject(tmp_path / "shop")


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSandbox]:
    """Every vendor, listening; the project's destinations lead there."""
    with in_a_thread() as sandbox:
        for name, value in sandbox.environment.items():
            monkeypatch.setenv(name, value)
        yield sandbox


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer for a second is no answer; waits between attempts are short."""
    monkeypatch.setattr("activation.engine.deliver.TIMEOUT_SECONDS", 1.0)
    monkeypatch.setattr("activation.engine.deliver.backoff", lambda attempt: 0.01 * attempt)
    monkeypatch.setattr("activation.engine.transport.backoff", lambda attempt: 0.01 * attempt)


@pytest.fixture
def one_held(shop: SmallProject, sandbox: RunningSandbox, quick: None) -> SmallProject:
    """Two text messages, of which p_1's was not answered."""
    shop.people(2)
    ref = shop.send("sms/short")
    sandbox.fault("aliyun_sms", "reset", match="13800000001", when="before")
    shop.run(ref)
    return shop
