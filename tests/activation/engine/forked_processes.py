"""Real processes that are ready at once: a mother that has imported everything forks them. Each has a pid of its own, and can be killed."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[3]
MODULES = (  # what a run loads, and would load anew in each process
    "activation.cli", "activation.engine.run", "activation.engine.build", "deadly_sandbox", "pandas", "psycopg", "pyarrow.dataset",
    "connectors.crm.hubspot", "connectors.email.mailgun", "connectors.email.sendgrid", "connectors.email.ses", "connectors.email.smtp",
    "connectors.sms.aliyun_sms", "connectors.wechat.wechat_official",
    "sqlglot.dialects.duckdb", "sqlglot.optimizer", "uvicorn.protocols.http.httptools_impl", "uvicorn.lifespan.off", "zoneinfo",
)  # fmt: skip


class Mother:
    """Forks processes and knows which of them live. A dead one keeps its pid until it was asked about, so that no other is killed for it."""

    def __init__(self) -> None:
        path = os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip

    def __enter__(self) -> Mother:
        return self

    def __exit__(self, *_: object) -> None:
        """Ends every process that still lives."""
        self._process.communicate()

    def start(self, function: str, *arguments: str, log: Path, **environment: str) -> Child:
        """`module:function` in a process; what it prints goes to the file `log`."""
        return Child(self, self.ask(start=[function, arguments, str(log), environment]), log)

    def ask(self, **question: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


class Child:
    """One process."""

    def __init__(self, mother: Mother, pid: int, log: Path) -> None:
        self.mother, self.pid, self.log = mother, pid, log
        self._ended = False

    @property
    def lives(self) -> bool:
        self._ended = self._ended or self.mother.ask(ended=self.pid)
        return not self._ended

    def kill(self) -> None:
        """`kill -9`; it is gone when this returns."""
        if self.lives:
            os.kill(self.pid, 9)
            self.wait()

    def wait(self, seconds: float = 120.0) -> None:
        deadline = time.monotonic() + seconds
        while self.lives:
            assert time.monotonic() < deadline, f"it did not end: {self.log.read_text()}"
            time.sleep(0.003)


def _mother() -> None:
    for module in MODULES:
        importlib.import_module(module)
    children: set[int] = set()
    for line in sys.stdin:
        question = json.loads(line)
        if "start" in question:
            pid = os.fork()
            if pid == 0:
                _child(*question["start"])
            children.add(pid)
            answer: Any = pid
        else:
            answer = os.waitpid(question["ended"], os.WNOHANG)[0] != 0
            if answer:
                children.discard(question["ended"])
        print(json.dumps(answer), flush=True)
    for pid in children:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def _child(function: str, arguments: list[str], log: str, environment: dict[str, str]) -> None:
    """Never returns."""
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, 1)
        os.dup2(file, 2)
        os.environ.update(environment)
        sys.argv = [function, *arguments]
        module, _, name = function.partition(":")
        getattr(importlib.import_module(module), name)()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _mother()
