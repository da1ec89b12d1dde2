"""A place to land in."""

from __future__ import annotations

from pathlib import Path

import pytest
from landing_place import LandingPlace


@pytest.fixture
def place(tmp_path: Path) -> LandingPlace:
    return LandingPlace(tmp_path / "place")
