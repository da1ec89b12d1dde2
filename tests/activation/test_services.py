from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import yaml

from activation.engine.errors import SluiceError
from activation.engine.project import REPOSITORY, Project
from activation.services import run_dev, write_dagster_home

DEV = """
import sys
from pathlib import Path
from activation.engine.project import Project
from activation.services import run_dev
sys.exit(run_dev(Project(Path(sys.argv[1])), *map(int, sys.argv[2:])))
"""
Start = Callable[..., subprocess.Popen[str]]


def free_ports(count: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(listener.getsockname()[1]) for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def descendants(pid: int) -> dict[int, str]:
    """Every process below `pid`, with its command line."""
    found: dict[int, str] = {}
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                with suppress(OSError):
                    found[child] = Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")
                found |= descendants(child)
    return found


def until(true: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"within {seconds:.0f} seconds {what} did not happen"
        time.sleep(0.1)


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts Python with these arguments; at the end of the test it is killed with everything it started."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        left = [process.pid, *descendants(process.pid)] if process.poll() is None else []
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.communicate()


def read_until(process: subprocess.Popen[str], pattern: str) -> str:
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if re.search(pattern, line):
            return seen
    raise AssertionError(seen)


# -- the sandbox by itself ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_sandbox_says_where_it_is_keeps_what_it_gets_and_ends_cleanly(project: Project, start: Start, number: signal.Signals) -> None:
    process = start("-m", "activation.cli", "--project", str(project.root), "sandbox", "--port", "0", "--smtp-port", "0")
    said = read_until(process, "Ctrl-C")
    http, smtp = re.search(r"(http://127\.0\.0\.1:\d+) ", said), re.search(r"smtp://127\.0\.0\.1:(\d+)", said)
    assert http
    assert smtp
    assert httpx.get(http[1] + "/_sandbox/messages", trust_env=False).json()["count"] == 0
    assert listens(int(smtp[1]))
    process.send_signal(number)
    rest, _ = process.communicate(timeout=180)
    assert (process.returncode, rest) == (0, "")
    assert (project.sandbox / "received.jsonl").exists()


def test_a_sandbox_whose_port_is_taken_says_so(project: Project, start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process = start("-m", "activation.cli", "--project", str(project.root), "sandbox", "--port", port, "--smtp-port", "0")
        said, _ = process.communicate(timeout=180)
    assert process.returncode == 1
    assert f"cannot listen on 127.0.0.1, ports {port} and 0" in said
    assert "Traceback" not in said


# -- everything at once ------------------------------------------------------------------------------------------------


def test_dev_starts_everything_says_where_it_is_and_one_interrupt_ends_all(project: Project, start: Start) -> None:
    ports = free_ports(4)
    process = start("-c", DEV, str(project.root), *map(str, ports))
    said = read_until(process, "Ctrl-C ends all")
    ui, sandbox, smtp, collector = ports
    for address in (f"http://127.0.0.1:{ui}", f"http://127.0.0.1:{sandbox}", f"smtp://127.0.0.1:{smtp}", f"http://127.0.0.1:{collector}"):
        assert address in said
    assert httpx.get(f"http://127.0.0.1:{ui}/server_info", trust_env=False, timeout=180).json()["dagster_version"]
    assert httpx.get(f"http://127.0.0.1:{collector}/healthz", trust_env=False).status_code == 200
    below = descendants(process.pid)
    assert any("dagster._daemon" in command for command in below.values())
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=300)
    assert process.returncode == 0
    assert not any(listens(port) for port in ports)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below), 120, f"the end of {below}")


def test_dev_ends_everything_when_one_part_ends(project: Project, start: Start) -> None:
    ports = free_ports(4)
    process = start("-c", DEV, str(project.root), *map(str, ports))

    def collector() -> list[int]:
        return [pid for pid, command in descendants(process.pid).items() if " collect " in command]

    until(lambda: bool(collector()) and listens(ports[3]), 300, "the start of the collector")
    below = descendants(process.pid)
    os.kill(collector()[0], signal.SIGKILL)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "The collector ended by itself (exit code -9), so everything is ended." in said
    assert ".sluice/logs/dev-collector.log" in said
    assert not any(listens(port) for port in ports)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below), 120, f"the end of {below}")


def test_dev_with_a_taken_port_starts_nothing_and_names_it(project: Project) -> None:
    ports = free_ports(4)
    for index, name in enumerate(("the Dagster UI", "the sandbox", "the sandbox", "the collector")):
        with (
            socket.create_server(("127.0.0.1", ports[index])),
            pytest.raises(SluiceError, match=f"Port {ports[index]}, which {name} needs, is taken"),
        ):
            run_dev(project, *ports)
    assert list(project.logs.glob("dev-*")) == []


# -- Dagster's settings ------------------------------------------------------------------------------------------------

ASK = """
import json
import dagster as dg
with dg.DagsterInstance.get() as instance:
    config = instance.get_concurrency_config()
    print(json.dumps([instance.telemetry_enabled, config.pool_config.default_pool_limit, instance.run_monitoring_enabled]))
"""


def test_dagster_takes_the_settings_with_one_place_in_each_pool_and_tells_nobody(project: Project) -> None:
    home = write_dagster_home(project)
    assert home == project.dagster_home
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ASK], env={**os.environ, "DAGSTER_HOME": str(home)}, capture_output=True, text=True
    )
    assert done.stderr == ""
    assert json.loads(done.stdout) == [False, 1, True]
    assert yaml.safe_load((home / "dagster.yaml").read_text())["telemetry"] == {"enabled": False}
