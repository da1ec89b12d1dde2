"""Samples to look at: a month that all tests here share and only read, and small ones of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sample_month import DAYS, PEOPLE, SEED, Month

from activation.sample import write_sample


@pytest.fixture(scope="session")
def month(tmp_path_factory: pytest.TempPathFactory) -> Month:
    root = tmp_path_factory.mktemp("month")
    return Month(root, write_sample(PEOPLE, DAYS, SEED, root))


@pytest.fixture
def sample(tmp_path: Path) -> Callable[..., Path]:
    """Writes a small sample into a folder of its own."""

    def write(folder: str, people: int = 300, days: int = 3, seed: int = 1, first_day: int = 0) -> Path:
        write_sample(people, days, seed, tmp_path / folder, first_day=first_day)
        return tmp_path / folder

    return write
