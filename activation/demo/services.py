"""What a demo stands on: a project of its own making, and the sandbox and the collector as processes."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from activation.engine.errors import SluiceError, UsageError
from activation.engine.project import Project

ADDRESS = re.compile(r"(https?|smtp)://127\.0\.0\.1:\d+")


def clear(project: Project) -> None:
    """Take away what an earlier demo left; refuse to take away anything else."""
    marker = project.state / "made-by-demo"
    if project.warehouse.exists() and not marker.exists():
        raise UsageError(
            f"{project.root} has a warehouse that the demo did not make, and the demo will not replace it. "
            "Run it elsewhere: `sluice init /tmp/demo`, then `sluice --project /tmp/demo demo`."
        )
    marker.touch()
    for name in ("warehouse.duckdb", "warehouse.duckdb.wal", "ledger.db", "ledger.db-wal", "ledger.db-shm"):
        (project.state / name).unlink(missing_ok=True)
    for name in ("spool", "plans", "sandbox", "sample", "files"):
        shutil.rmtree(project.state / name, ignore_errors=True)


@contextmanager
def services(project: Project) -> Iterator[Mapping[str, str]]:
    """The sandbox and the collector as processes of their own, on free ports, ended by their own pids."""
    collector_port = _free_port()
    environment = {**os.environ, "SLUICE_COLLECTOR_URL": f"http://127.0.0.1:{collector_port}"}
    sluice = [sys.executable, "-m", "activation.cli", "--project", str(project.root)]
    log = (project.logs / "demo-services.log").open("w")
    sandbox = subprocess.Popen(
        [*sluice, "sandbox", "--port", "0", "--smtp-port", "0"],
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    processes: list[subprocess.Popen[Any]] = [sandbox]
    try:
        addresses = {"collector": environment["SLUICE_COLLECTOR_URL"]}
        assert sandbox.stdout is not None
        for line in sandbox.stdout:
            for match in ADDRESS.finditer(line):
                addresses["sandbox" if match[1] == "http" else "smtp"] = match[0]
            if "sandbox" in addresses and "smtp" in addresses:
                break
        else:
            raise SluiceError(f"The sandbox did not start. See {project.relative(project.logs)}/demo-services.log.")
        os.environ.update(
            SLUICE_SANDBOX_URL=addresses["sandbox"], SLUICE_SANDBOX_SMTP=addresses["smtp"], SLUICE_COLLECTOR_URL=addresses["collector"]
        )
        processes.append(subprocess.Popen([*sluice, "collect", "--port", str(collector_port)], env={**os.environ}, stdout=log, stderr=log))
        _wait_for(f"{addresses['collector']}/healthz", processes[-1], project)
        yield addresses
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        log.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_for(address: str, process: subprocess.Popen[Any], project: Project) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(address, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise SluiceError(f"The collector did not start. See {project.relative(project.logs)}/demo-services.log.")
