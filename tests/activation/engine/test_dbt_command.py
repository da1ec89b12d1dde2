"""dbt is imported at once and begins when a line says so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from activation.engine import dbt_command


def run(*arguments: str, told: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", dbt_command.__file__, *arguments]
    return subprocess.run(command, input=told, capture_output=True, text=True, check=False, timeout=120)


def test_without_a_line_nothing_is_done_and_nothing_said() -> None:
    done = run("--version", told="")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_the_line_lists_is_added_to_the_arguments_and_dbts_exit_code_is_passed_on() -> None:
    done = run("parse", told='["--no-such-option"]\n')
    assert done.returncode == 2
    assert "No such option '--no-such-option'" in done.stdout + done.stderr


def test_dbt_runs_with_the_arguments_given() -> None:
    assert "Core:" in run("--version", told="[]\n").stdout


# An event that is told when somebody makes its text.
FIRED = """
import runpy, sys
from dbt_common.events.base_types import EventLevel
from dbt_common.events.functions import fire_event
from dbt_common.events.event_manager_client import add_logger_to_manager
from dbt_common.events.logger import LoggerConfig
from dbt_common.events.types import RetryExternalCall

runpy.run_path({file!r})["leave_out_what_nobody_hears"]()
add_logger_to_manager(LoggerConfig(name="heard", level=EventLevel({level!r}), output_stream=sys.stderr))
RetryExternalCall.message = lambda event: print("made") or "text"
fire_event(RetryExternalCall(attempt=1, max=2))
fire_event(RetryExternalCall(attempt=1, max=2), level=EventLevel.WARN)
"""


@pytest.mark.parametrize(("level", "texts"), [("info", 1), ("debug", 2)])
def test_the_text_of_an_event_is_made_only_where_a_log_takes_its_level(level: str, texts: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FIRED.format(file=dbt_command.__file__, level=level)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.count("made") == texts
    assert done.stderr.count("text") == texts


def test_the_table_that_most_waits_for_is_built_before_views_of_an_earlier_name(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    for name, text in {
        "a_view": "select 1 as i",
        "b_table": "{{ config(materialized='table') }} select 1 as i",
        "c_view_of_it": "select * from {{ ref('z_first') }}",
        "d_table_of_that": "{{ config(materialized='table') }} select * from {{ ref('c_view_of_it') }}",
        "z_first": "{{ config(materialized='table') }} select 1 as i",
    }.items():
        (tmp_path / "models" / f"{name}.sql").write_text(text, encoding="utf-8")
    (tmp_path / "dbt_project.yml").write_text("{name: few, profile: few}", encoding="utf-8")
    (tmp_path / "profiles.yml").write_text(
        "few: {target: it, outputs: {it: {type: duckdb, path: few.duckdb, threads: 1}}}", encoding="utf-8"
    )
    done = subprocess.run(
        [sys.executable, "-P", dbt_command.__file__, "run", "--no-use-colors"],
        input="[]\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        cwd=tmp_path,
    )
    first, second, third, *_ = started = re.findall(r"START sql \w+ model main\.(\w+)", done.stdout)
    assert (first, second, third) == ("z_first", "b_table", "c_view_of_it")
    assert sorted(started) == ["a_view", "b_table", "c_view_of_it", "d_table_of_that", "z_first"]
