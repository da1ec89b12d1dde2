"""dbt parsed once for all tests of this folder, and warehouses built with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from warehouse_house import Dbt, House


@pytest.fixture(scope="session")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dbt]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield Dbt(tmp_path_factory.mktemp("dbt"), monkeypatch)


@pytest.fixture(scope="session")
def new_house(dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], House]:
    """Makes an empty warehouse."""

    def make() -> House:
        folder: Path = tmp_path_factory.mktemp("house")
        return House(folder, dbt)

    return make
