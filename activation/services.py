"""The processes that stand around a run while somebody works here: the sandbox by itself, or everything at once with one Ctrl-C to end it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from activation import screens
from activation.engine.errors import SluiceError
from activation.engine.project import REPOSITORY, Project
from connectors.sandbox import build

HOST = "127.0.0.1"
SANDBOX_PORT, SMTP_PORT, COLLECTOR_PORT = 4010, 4025, 4020
RECEIPTS_SECONDS = 5
STARTING_SECONDS = 300.0
ENDING_SECONDS = 30.0
# `dagster dev` points at a newer command that wants another layout of the project; everything else it says is worth reading.
QUIET = "ignore:Function `dev_command` is superseded"


async def run_sandbox(project: Project, host: str, port: int, smtp_port: int, receipts_to: str, receipts_every: float | None) -> None:
    """Serve the vendors' sandbox until SIGINT or SIGTERM. Raises SluiceError when an address cannot be had."""
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    sandbox = build(state_dir=project.sandbox, receipts_to=receipts_to, receipts_every=receipts_every)
    try:
        async with sandbox.serve(host, port, smtp_port) as addresses:
            screens.say(f"The sandbox is at {addresses.http} (open it to see what arrived) and takes mail at {addresses.smtp}.")
            when = f"every {receipts_every:g} seconds" if receipts_every else "when asked"
            screens.say(f"Receipts go to {receipts_to} {when}. Ctrl-C ends it.")
            await ended.wait()
    except OSError as error:
        raise SluiceError(f"The sandbox cannot listen on {host}, ports {port} and {smtp_port}: {error.strerror or error}.") from None


@dataclass
class Service:
    """One process that `sluice dev` looks after: a name for people, its command, where it listens, where its log is."""

    name: str
    command: Sequence[str]
    ports: Sequence[int]
    log: Path
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self, output: IO[bytes]) -> None:
        # A session of its own: Ctrl-C in the terminal reaches us alone, and we end it with everything it has started.
        self.process = subprocess.Popen(
            self.command, cwd=REPOSITORY, env=dict(self.environment), stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )

    @property
    def ended(self) -> int | None:
        return self.process.poll() if self.process else None

    @property
    def answers(self) -> bool:
        return all(_taken(port) for port in self.ports)

    def ask_to_end(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)

    def end(self, deadline: float) -> None:
        """Wait for it, then end whatever is left of its session."""
        if self.process is None:
            return
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(max(0.0, deadline - time.monotonic()))
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def run_dev(
    project: Project,
    port: int,
    sandbox_port: int = SANDBOX_PORT,
    smtp_port: int = SMTP_PORT,
    collector_port: int = COLLECTOR_PORT,
) -> int:
    """The Dagster UI with its daemon, the sandbox and the collector, until Ctrl-C (0) or until one of them ends by itself (1).

    Raises SluiceError, with nothing started, when a port is taken.
    """
    write_dagster_home(project)
    services = _services(project, port, sandbox_port, smtp_port, collector_port)
    for service in services:
        for taken in filter(_taken, service.ports):
            other = " or choose another with `sluice dev --port N`" if taken == port else ""
            raise SluiceError(f"Port {taken}, which {service.name} needs, is taken. Stop what listens there{other}.")
    screens.say("Starting the Dagster UI, the sandbox and the collector …")
    with _stop_signal() as stopped, _running(services):
        if not _wait_until_all_answer(services, stopped):
            return _say_what_ended(project, services) if not stopped else 0
        screens.say(f"The Dagster UI    http://{HOST}:{port}           the asset graph, runs, schedules")
        screens.say(
            f"The sandbox       http://{HOST}:{sandbox_port}           what arrived at the vendors; mail at smtp://{HOST}:{smtp_port}"
        )
        screens.say(f"The collector     http://{HOST}:{collector_port}           events, forms, webhooks come in here")
        screens.say(
            f"The inbox         {project.relative(project.state)}/inbox/   files put here land by themselves, such as web/events.jsonl"
        )
        screens.say(f"Their logs are in {project.relative(project.logs)}/dev-*.log. Ctrl-C ends all.")
        while not stopped:
            if any(service.ended is not None for service in services):
                return _say_what_ended(project, services)
            time.sleep(0.2)
        screens.say("Ending …")
    return 0


def write_dagster_home(project: Project) -> Path:
    """DAGSTER_HOME of this project, with the instance settings that Sluice ships. Returns the folder."""
    shutil.copyfile(REPOSITORY / "dagster_project" / "dagster.yaml", project.dagster_home / "dagster.yaml")
    return project.dagster_home


def _services(project: Project, port: int, sandbox_port: int, smtp_port: int, collector_port: int) -> list[Service]:
    collector = f"http://{HOST}:{collector_port}"
    environment = {
        **os.environ,
        "SLUICE_PROJECT": str(project.root),
        "SLUICE_SANDBOX_URL": f"http://{HOST}:{sandbox_port}",
        "SLUICE_SANDBOX_SMTP": f"smtp://{HOST}:{smtp_port}",
        "SLUICE_COLLECTOR_URL": collector,
        "DAGSTER_HOME": str(project.dagster_home),
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": ",".join(filter(None, [os.environ.get("PYTHONWARNINGS"), QUIET])),
    }
    sluice = [sys.executable, "-m", "activation.cli"]
    sandbox = [*sluice, "sandbox", "--host", HOST, "--port", str(sandbox_port), "--smtp-port", str(smtp_port)]
    sandbox += ["--receipts-to", collector, "--receipts-every", str(RECEIPTS_SECONDS)]
    dagster = [sys.executable, "-m", "dagster", "dev", "-w", str(REPOSITORY / "workspace.yaml"), "-h", HOST, "-p", str(port)]
    return [
        Service("the sandbox", sandbox, [sandbox_port, smtp_port], project.logs / "dev-sandbox.log", environment),
        Service("the collector", [*sluice, "collect", "--host", HOST, "--port", str(collector_port)], [collector_port],
                project.logs / "dev-collector.log", environment),
        Service("the Dagster UI", dagster, [port], project.logs / "dev-dagster.log", environment),
    ]  # fmt: skip


@contextmanager
def _running(services: Sequence[Service]) -> Iterator[None]:
    """Start them all; at the end ask all to end, wait, and kill what does not."""
    try:
        for service in services:
            with service.log.open("wb") as output:
                service.start(output)
        yield
    finally:
        for service in services:
            service.ask_to_end()
        deadline = time.monotonic() + ENDING_SECONDS
        for service in services:
            service.end(deadline)


@contextmanager
def _stop_signal() -> Iterator[list[int]]:
    """A list that is no longer empty once Ctrl-C or SIGTERM came."""
    stopped: list[int] = []
    before = {number: signal.signal(number, lambda number, _: stopped.append(number)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait_until_all_answer(services: Sequence[Service], stopped: Sequence[int]) -> bool:
    deadline = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < deadline and not stopped:
        if any(service.ended is not None for service in services):
            return False
        if all(service.answers for service in services):
            return True
        time.sleep(0.2)
    return False


def _say_what_ended(project: Project, services: Sequence[Service]) -> int:
    ended = next((service for service in services if service.ended is not None), None)
    late = ended or next(service for service in services if not service.answers)
    what = f"ended by itself (exit code {ended.ended})" if ended else f"did not answer within {STARTING_SECONDS:.0f} seconds"
    screens.say(f"{late.name.capitalize()} {what}, so everything is ended. The end of {project.relative(late.log)}:")
    for line in late.log.read_text(errors="replace").splitlines()[-12:]:
        screens.say(f"  {line}")
    return 1


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0
