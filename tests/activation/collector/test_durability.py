"""A collector that is killed has lost nothing it acknowledged, and the next one leaves nothing torn."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Lock

import httpx
from running_collector import Process, spooled


class Load:
    """Clients that send batches until the server is gone. `acknowledged` are the messages that were answered with 200."""

    def __init__(self, url: str, clients: int = 8) -> None:
        self.acknowledged: set[str] = set()
        self.flowing = Event()
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(clients)
        self._clients = [self._pool.submit(self._send, url, number) for number in range(clients)]

    def wait(self) -> None:
        for client in self._clients:
            client.result(timeout=300)
        self._pool.shutdown()

    def _send(self, url: str, client: int) -> None:
        with httpx.Client(base_url=url, trust_env=False, timeout=120) as http:
            for number in range(10_000):
                ids = [f"{client}-{number}-{n}" for n in range(20)]
                batch = [{"type": "track", "event": "x", "userId": "u", "messageId": name, "properties": {"t": "x" * 300}} for name in ids]
                try:
                    answer = http.post("/v1/batch", json={"batch": batch})
                except httpx.TransportError:
                    return
                assert answer.status_code == 200
                with self._lock:
                    self.acknowledged.update(ids)
                    if len(self.acknowledged) > 2000:
                        self.flowing.set()


def test_kill_9_under_load_loses_nothing_that_was_acknowledged(process: Callable[[], Process], tmp_path: Path) -> None:
    spool = tmp_path / ".sluice" / "spool"
    for _ in range(3):
        running = process()
        load = Load(running.url)
        assert load.flowing.wait(60)
        running.kill()
        load.wait()
        found = {line["messageId"] for line in spooled(spool, "web_events")}
        assert load.acknowledged <= found

        process().terminate()
        after = {line["messageId"] for line in spooled(spool, "web_events")}
        assert found <= after
        files = list((spool / "web_events").iterdir())
        assert {path.suffix for path in files} == {".jsonl"}
        assert all(path.read_bytes().endswith(b"\n") for path in files)


def test_a_stop_answers_what_is_under_way_and_finishes_its_files(process: Callable[[], Process], tmp_path: Path) -> None:
    running = process()
    load = Load(running.url)
    assert load.flowing.wait(60)
    logged = running.terminate()
    load.wait()
    assert {line["messageId"] for line in spooled(tmp_path / ".sluice" / "spool", "web_events")} == load.acknowledged
    assert {path.suffix for path in (tmp_path / ".sluice" / "spool" / "web_events").iterdir()} == {".jsonl"}
    assert "Traceback" not in logged


def test_nothing_personal_is_logged(process: Callable[[], Process]) -> None:
    running = process()
    with httpx.Client(base_url=running.url, trust_env=False) as http:
        http.post("/v1/identify", json={"userId": "ann-secret", "traits": {"email": "ann@example.com"}})
        http.post("/v1/identify", content=b'{"email":"ann@example.com"')
        http.get("/u/token-of-ann?email=ann@example.com")
        http.post("/hooks/nobody?email=ann@example.com", content=b"ann@example.com")
    logged = running.terminate()
    assert "ann" not in logged
    assert "127.0.0.1" not in logged
