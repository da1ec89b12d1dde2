"""dbt is imported at once and begins when a line says so."""

from __future__ import annotations

import subprocess
import sys

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
