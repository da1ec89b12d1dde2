"""A website on another origin than the collector, and a real browser that visits it."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NO_CHROMIUM = "There is no Chromium on this machine; install the package `chromium` to look at pages."


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The files of a folder, at the address given."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def browsing(errors: list[str]) -> Iterator[Any]:
    """A browser. What fails in scripts of its pages is in `errors` afterwards."""
    if CHROMIUM is None:
        pytest.skip(NO_CHROMIUM)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def install(folder: Path, *packages: str) -> Path:
    """npm packages in `folder`, kept for the next time. Skips the test where they cannot be had."""
    modules = folder / "node_modules"
    if not all((modules / package.rpartition("@")[0]).is_dir() for package in packages):
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("There is no npm on this machine; install it to try Segment's own clients.")
        command = [npm, "install", "--prefix", str(folder), "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", *packages]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            pytest.skip("npm cannot reach its registry from here, so Segment's own clients cannot be tried.")
    return modules
