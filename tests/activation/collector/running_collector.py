"""A real collector on a free loopback port, in a thread of this process or as a process of its own."""

from __future__ import annotations

import hashlib
import hmac
import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import httpx
import orjson
import uvicorn

from activation.collector.app import build
from activation.collector.body import Bodies
from activation.collector.rates import Rates
from activation.collector.spool import Spool
from activation.engine.form_specs import Form
from activation.engine.links import Links
from connectors.base import BadSignature, Callback, Connector, Received

NOW = datetime(2026, 10, 31, 2, 0, tzinfo=UTC)
KEY = b"a key for tests, 32 bytes long.."
MESSAGE = "m_" + "0123456789abcdef" * 2
PUBLIC = "https://collect.example.com"
LINKS = Links(KEY, PUBLIC, issued_at=NOW)


def spooled(folder: Path, source: str) -> list[dict[str, Any]]:
    """What landing finds: the lines of finished files, and the complete lines of open ones."""
    found = []
    for path in sorted((folder / source).glob("*.jsonl*")):
        lines = path.read_bytes().split(b"\n")
        found += [json.loads(line) for line in lines[:-1]]
    return found


def until(true: Callable[[], bool], seconds: float = 180) -> None:
    """Wait for something that another thread or process is about to do."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        threading.Event().wait(0.02)


FORMS = {
    "demo": Form.model_validate(
        {
            "title": {"en": "A demo", "zh": "演示"},
            "fields": {
                "email": {"title": "E-mail", "format": "email"},
                "phone": {"title": "Phone", "format": "phone"},
                "size": {"title": "People", "type": "integer", "minimum": 1},
                "topic": {"title": "Topic", "enum": ["mail", "sms"]},
                "news": {"title": "News?", "type": "boolean"},
                "message": {"title": "Message", "format": "multiline", "maxLength": 50},
            },
            "required": ["email"],
            "consent": {"wording": {"en": "Write to me.", "zh": "请给我写信。"}, "purposes": ["newsletter"], "channels": ["email"]},
            "thanks": {"en": "Thank you.", "zh": "谢谢。"},
        }
    ),
    "strict": Form.model_validate(
        {
            "title": "Strict",
            "fields": {"email": {"title": "E-mail", "format": "email"}},
            "consent": {"wording": "I agree.", "purposes": ["promotion"], "channels": ["sms"], "required": True},
        }
    ),
    "letter": Form.model_validate(
        {
            "title": "The letter",
            "fields": {"email": {"title": "E-mail", "format": "email"}},
            "consent": {"wording": "Yes.", "purposes": ["newsletter"], "topic": "events", "channels": ["email"], "double_opt_in": True},
        }
    ),
}


class SignedHook(Connector):
    """A vendor that signs its callbacks: hex HMAC-SHA256 of the body in x-signature."""

    channel: ClassVar[str] = "web"
    receives: ClassVar[str | None] = "vendor_events"

    def receive(self, callback: Callback) -> Received:
        expected = hmac.new(b"vendor's secret", callback.body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(callback.headers.get("x-signature", "").encode(), expected.encode()):
            raise BadSignature("the signature does not fit")
        if callback.method == "GET":
            return Received("vendor_events", [], callback.query["echo"].encode())
        try:
            event = orjson.loads(callback.body)
        except orjson.JSONDecodeError:
            raise BadSignature("not JSON") from None
        return Received("vendor_events", [{"event": event, "url": callback.url}], b"success")


def signature(body: bytes) -> dict[str, str]:
    return {"x-signature": hmac.new(b"vendor's secret", body, hashlib.sha256).hexdigest()}


@dataclass
class Running:
    """A collector that answers at `url` and keeps what it gets below `folder`."""

    url: str
    folder: Path
    server: uvicorn.Server
    thread: threading.Thread
    http: httpx.Client

    def kept(self, source: str = "web_events") -> list[dict[str, Any]]:
        return spooled(self.folder, source)

    def local(self, link: str) -> str:
        """A link, at the address where this collector really is."""
        return link.replace(PUBLIC, self.url)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(120)
        assert not self.thread.is_alive()
        self.http.close()


def start(
    stack: ExitStack,
    folder: Path,
    *,
    write_keys: Mapping[str, str] | None = None,
    spool: Mapping[str, Any] | None = None,
    bodies: Mapping[str, Any] | None = None,
    receivers: Mapping[str, Connector] | None = None,
    per_second: float | None = None,
    public: str | None = PUBLIC,
    clock: Callable[[], datetime] = lambda: NOW,
) -> Running:
    """`public` is the address that vendors and people know it by; None: the one where it really is."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = build(
        Spool(folder, **(spool or {})),
        Links(KEY, public or url, issued_at=NOW),
        receivers or {"vendor": SignedHook(None), "silent": Connector(None)},
        write_keys,
        clock,
        bodies=Bodies(**(bodies or {})),
        rates=Rates(per_second, 3),
        forms=FORMS,
        topics={"newsletter": "News and articles.", "newsletter/events": "Fairs.", "product_news": "What is new in the product."},
    )
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="on", ws="none"))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    # The socket listens already: this request waits in its queue until the server takes it.
    http = httpx.Client(base_url=url, timeout=120, trust_env=False)
    assert http.get("/healthz").status_code == 200
    running = Running(url, folder, server, thread, http)
    stack.callback(listener.close)
    stack.callback(running.stop)
    return running


@dataclass
class Process:
    """`serve` in a process of its own."""

    url: str
    popen: subprocess.Popen[str]

    def kill(self) -> None:
        self.popen.kill()
        self.end()

    def terminate(self) -> str:
        """Ask it to stop, and return what it had logged since it began to serve."""
        self.popen.send_signal(signal.SIGTERM)
        return self.end()

    def end(self) -> str:
        _, errors = self.popen.communicate(timeout=180)
        return errors or ""


SERVE = """
import sys
from pathlib import Path
from activation.collector.server import serve
from activation.engine.project import Project
serve(Project(Path(sys.argv[1])), port=0, receivers={})
"""
