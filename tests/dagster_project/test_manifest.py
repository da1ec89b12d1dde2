from __future__ import annotations

import os
import threading

import pytest

from activation.engine.build import BuildFailed
from activation.engine.project import Project
from dagster_project import manifest

MODEL = "models/staging/web/stg_web__more.sql"


def names(project: Project) -> set[str]:
    return {node["name"] for node in manifest.load(project)["nodes"].values()}


def test_a_manifest_that_is_newer_than_the_models_is_read_as_it_is(project: Project) -> None:
    before = project.manifest.stat().st_mtime_ns
    assert "dim_profiles" in names(project)
    assert project.manifest.stat().st_mtime_ns == before


def test_a_model_that_was_added_or_taken_away_is_seen(project: Project) -> None:
    file = project.models / MODEL
    file.write_text("select 1 as one")
    assert "stg_web__more" in names(project)
    file.unlink()
    assert "stg_web__more" not in names(project)


def test_models_that_do_not_parse_are_told_in_the_words_of_dbt(project: Project) -> None:
    (project.models / MODEL).write_text("select * from {{ ref('nowhere') }}")
    with pytest.raises(BuildFailed, match="nowhere"):
        manifest.load(project)


def test_two_that_load_at_once_parse_once(project: Project) -> None:
    log = project.logs / "dbt.log"
    before = log.read_text().count("Running with dbt")
    os.utime(project.models / "dbt_project.yml")
    found: list[set[str]] = []
    threads = [threading.Thread(target=lambda: found.append(names(project))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert found[0] == found[1]
    assert log.read_text().count("Running with dbt") == before + 1
