"""A sandbox that can be killed and come back, and that kills who sends to it: before it takes something, before it answers, or after."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from running_sandbox import RunningSandbox
from starlette.requests import Request
from starlette.responses import Response

from connectors.sandbox import build

MOMENTS = ("came", "taken", "answered")  # when the answer has left, and nobody has read it
LATER = "read"  # right after the answer: what was done with it by then, chance decides
A_WRITE = 0.002  # seconds until an answer by mail is on its way


class DeadlySandbox(RunningSandbox):
    """A sandbox process, with what it got on disk in `state`."""

    def __init__(self, mother: Any, state: Path) -> None:
        self._mother, self.state = mother, state
        state.mkdir(parents=True)
        self._ports = ("0", "0")
        self._start()
        super().__init__(*self._addresses)
        self._ports = tuple(address.rpartition(":")[2] for address in self._addresses)

    def _start(self) -> None:
        addresses = self.state / "addresses.json"
        addresses.unlink(missing_ok=True)
        self.process = self._mother.start("deadly_sandbox:serve", str(self.state), *self._ports, log=self.state / "log")
        deadline = time.monotonic() + 60
        while not addresses.exists():
            assert self.process.lives, self.process.log.read_text()
            assert time.monotonic() < deadline, "the sandbox did not start"
            time.sleep(0.003)
        self._addresses = json.loads(addresses.read_text())

    def kill(self) -> None:
        self.process.kill()

    def revive(self) -> None:
        """It comes back at the same address, with what it had taken; what was to go wrong is forgotten."""
        self._start()
        self._client.close()
        self._client = httpx.Client(base_url=self._addresses[0], trust_env=False, timeout=120, verify=False)

    def trap(self, pid: int, moment: str, after: int) -> None:
        """Kill this process with the `after`th thing that comes from now on, at one of the MOMENTS of it, or LATER."""
        self._client.post("/_trap", json=[pid, moment, after])

    def no_trap(self) -> None:
        self._client.post("/_trap", json=None)


@contextmanager
def deadly(mother: Any, state: Path) -> Iterator[DeadlySandbox]:
    sandbox = DeadlySandbox(mother, state)
    try:
        yield sandbox
    finally:
        sandbox.close()
        sandbox.kill()


def serve() -> None:
    """The process: state, HTTP port and SMTP port are its arguments."""
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))


def _states_of_threads(pid: int) -> Iterator[str]:
    """A letter for each, as proc(5) has it."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):
            yield (thread / "stat").read_text().rpartition(")")[2].split()[0]


async def _serve(state: Path, http_port: int, smtp_port: int) -> None:
    sandbox = build(state)
    trap: list[Any] = []  # pid, moment, how many things are still to come
    inner, keep = sandbox.app, sandbox.keep

    def is_due(moment: str) -> bool:
        return bool(trap) and trap[1] == moment and trap[2] <= 0

    def strikes(moment: str) -> None:
        if is_due(moment):
            with suppress(ProcessLookupError):
                os.kill(trap[0], signal.SIGKILL)
            trap.clear()

    def holds(moment: str) -> None:
        if is_due(moment):
            with suppress(ProcessLookupError, FileNotFoundError):
                os.kill(trap[0], signal.SIGSTOP)
                # One of its threads has to take the signal before the others stop: on a busy machine they would go on and read the answer.
                while any(state not in "TtXZ" for state in _states_of_threads(trap[0])):
                    time.sleep(0.001)

    def keeps(vendor: str, *arguments: Any) -> Any:
        if trap:
            trap[2] -= 1
        strikes("came")
        kept = keep(vendor, *arguments)
        strikes("taken")
        if vendor == "smtp":
            holds("answered")
            for moment in ("answered", LATER):
                asyncio.get_running_loop().call_later(A_WRITE, strikes, moment)
        return kept

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/_trap":
            trap[:] = json.loads(await Request(scope, receive).body()) or []
            return await Response()(scope, receive, send)

        async def sends(message: Any) -> None:
            is_vendors = not scope["path"].startswith("/_")
            # An answer without a body is whole with its head, which leaves at once.
            if is_vendors and message["type"] == "http.response.start":
                holds("answered")
            await send(message)
            if is_vendors and message["type"] == "http.response.body" and not message.get("more_body"):
                strikes("answered")
                strikes(LATER)

        return await inner(scope, receive, sends)

    sandbox.keep, sandbox.app = keeps, app  # type: ignore[method-assign, assignment]
    async with sandbox.serve("127.0.0.1", http_port, smtp_port) as addresses:
        new = state / "addresses.new"
        new.write_text(json.dumps([addresses.http, addresses.smtp]))
        new.rename(state / "addresses.json")
        await asyncio.Event().wait()
