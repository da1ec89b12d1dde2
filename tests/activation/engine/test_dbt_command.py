"""dbt is imported at once and begins when a line says so."""

from __future__ import annotations

import subprocess
import sys

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
