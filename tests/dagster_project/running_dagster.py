"""A real Dagster beside a test: web server and daemon as processes of their own, on a free port, asked over GraphQL."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from activation.engine.project import REPOSITORY, Project
from activation.services import write_dagster_home

LAUNCH = """
mutation ($params: ExecutionParams!) {
  launchRun(executionParams: $params) { __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } }
}"""
STATUS = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
RUNS = "query { runsOrError { ... on Runs { results { runId status pipelineName tags { key value } } } } }"
MESSAGES = """
query ($id: ID!, $after: String) { logsForRun(runId: $id, limit: 1000, afterCursor: $after) { ... on EventConnection {
  cursor hasMore events { __typename
    ... on MessageEvent { message stepKey }
    ... on ExecutionStepFailureEvent { error { message cause { message } } failureMetadata { description } } } } } }"""
LOCATIONS = """
query { workspaceOrError { ... on Workspace { locationEntries { loadStatus locationOrLoadError {
  __typename ... on PythonError { message cause { message } } } } } } }"""
ENDED = {"SUCCESS", "FAILURE", "CANCELED"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def environment(project: Project, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "SLUICE_PROJECT": str(project.root),
        "DAGSTER_HOME": str(write_dagster_home(project)),
        **more,
    }


class RunningDagster:
    """What people and tests may ask of it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.Client(base_url=url, trust_env=False, timeout=300)

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        answer = self._client.post("/graphql", json={"query": query, "variables": variables}).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]  # type: ignore[no-any-return]

    def launch(self, job: str, assets: Sequence[Sequence[str]] | None = None) -> str:
        selector: dict[str, Any] = {"repositoryLocationName": "sluice", "repositoryName": "__repository__", "pipelineName": job}
        if assets is not None:
            selector["assetSelection"] = [{"path": list(path)} for path in assets]
        found = self.ask(LAUNCH, params={"selector": selector, "mode": "default", "runConfigData": {}})["launchRun"]
        assert found["__typename"] == "LaunchRunSuccess", found
        return str(found["run"]["runId"])

    def status(self, run_id: str) -> str:
        return str(self.ask(STATUS, id=run_id)["runOrError"]["status"])

    def wait(self, run_id: str, seconds: float) -> str:
        """How the run ended. Fails the test when it has not within `seconds`."""
        deadline = time.monotonic() + seconds
        while (status := self.status(run_id)) not in ENDED:
            assert time.monotonic() < deadline, f"the run is still {status} after {seconds:.0f} s\n{self.story(run_id)}"
            time.sleep(0.5)
        return status

    def runs(self) -> list[dict[str, Any]]:
        return self.ask(RUNS)["runsOrError"]["results"]  # type: ignore[no-any-return]

    def story(self, run_id: str) -> str:
        """What went wrong in a run, and its last words, for a test that fails."""
        events: list[dict[str, Any]] = []
        page: dict[str, Any] = {"hasMore": True, "cursor": None}
        while page["hasMore"]:
            page = self.ask(MESSAGES, id=run_id, after=page["cursor"])["logsForRun"]
            events += page["events"]
        failures = [event for event in events if "Failure" in event["__typename"]]
        return "\n".join(map(str, [*failures, *events[-20:]]))

    def close(self) -> None:
        self._client.close()


@contextmanager
def running(project: Project, daemon: bool = True, **more: str) -> Iterator[RunningDagster]:
    """Web server (and daemon) over `project`, ended with everything they started by their own pids."""
    port = free_port()
    variables = environment(project, **more)
    workspace = ["-w", str(REPOSITORY / "workspace.yaml")]
    with ExitStack() as stack:
        web = [sys.executable, "-m", "dagster_webserver", "-h", "127.0.0.1", "-p", str(port), *workspace]
        process = stack.enter_context(_process(web, variables, project.logs / "web.log"))
        dagster = RunningDagster(f"http://127.0.0.1:{port}")
        stack.callback(dagster.close)
        _wait_until_it_answers(dagster, process, project.logs / "web.log")
        if daemon:
            # Not before: in an empty DAGSTER_HOME both would make the tables.
            command = [sys.executable, "-m", "dagster._daemon", "run", *workspace]
            stack.enter_context(_process(command, variables, project.logs / "daemon.log"))
        yield dagster


@contextmanager
def _process(command: Sequence[str], variables: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=REPOSITORY, env=dict(variables), stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what it had started and left behind


def _wait_until_it_answers(dagster: RunningDagster, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            (location,) = dagster.ask(LOCATIONS)["workspaceOrError"]["locationEntries"]
        except httpx.TransportError:
            time.sleep(0.3)
            continue
        assert location["locationOrLoadError"]["__typename"] == "RepositoryLocation", location
        return
    raise AssertionError(log.read_text()[-3000:])
