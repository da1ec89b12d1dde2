"""The vendors' sandbox on free ports of this machine, beside a test that runs the engine, or as a process that can be killed."""

from __future__ import annotations

import asyncio
import json
import os
import select
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from connectors.sandbox import build

SERVE = """
import asyncio, json, sys
from pathlib import Path
from connectors.sandbox import build

async def serve():
    async with build(Path(sys.argv[1])).serve("127.0.0.1", 0, 0) as addresses:
        print(json.dumps([addresses.http, addresses.smtp]), flush=True)
        await asyncio.Event().wait()

asyncio.run(serve())
"""
MESSAGE_ID = {
    "smtp": lambda content: content["unique_args"].get("message_id"),
    "aliyun_sms": lambda content: content["out_id"],
    "wechat_official": lambda content: content["client_msg_id"],
    "ses": lambda content: content["tags"][0]["Value"],
    "sendgrid": lambda content: content["unique_args"]["message_id"],
    "mailgun": lambda content: content["user_variables"]["message_id"],
}


class RunningSandbox:
    """What people and tests may ask of a sandbox, over HTTP."""

    def __init__(self, http: str, smtp: str) -> None:
        self.environment = {"SLUICE_SANDBOX_URL": http, "SLUICE_SANDBOX_SMTP": smtp}
        self._client = httpx.Client(base_url=http, trust_env=False, timeout=120, verify=False)

    def fault(self, vendor: str, kind: str, **details: Any) -> None:
        answer = self._client.post("/_sandbox/faults", json={"vendor": vendor, "kind": kind, **details})
        assert answer.status_code == 200, answer.text

    def faults_left(self) -> int:
        return len(self._client.get("/_sandbox/faults").json()["faults"])

    def no_faults(self) -> None:
        self._client.delete("/_sandbox/faults")

    def taken(self, vendor: str) -> list[dict[str, Any]]:
        """Everything the vendor took, in order."""
        return self._client.get("/_sandbox/messages", params={"vendor": vendor}).json()["messages"]  # type: ignore[no-any-return]

    def message_ids(self, vendor: str) -> Counter[str]:
        """How often each message arrived."""
        return Counter(MESSAGE_ID[vendor](kept["content"]) for kept in self.taken(vendor))

    def state(self, vendor: str) -> Any:
        return self._client.get(f"/_sandbox/state/{vendor}").json()

    def contacts(self) -> dict[str, dict[str, str]]:
        """The properties of HubSpot's contacts by mail address."""
        contacts = self._client.get("/_sandbox/state/hubspot").json()["contacts"]
        return {contact["properties"]["email"]: contact["properties"] for contact in contacts}

    def close(self) -> None:
        self._client.close()


@contextmanager
def in_a_thread() -> Iterator[RunningSandbox]:
    """A sandbox in a loop of its own."""
    addresses: list[str] = []
    started = threading.Event()
    ending: list[Any] = []

    async def serve() -> None:
        ended = asyncio.Event()
        async with build().serve("127.0.0.1", 0, 0) as found:
            addresses.extend([found.http, found.smtp])
            ending.append(lambda loop=asyncio.get_running_loop(): loop.call_soon_threadsafe(ended.set))
            started.set()
            await ended.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="sandbox")
    thread.start()
    assert started.wait(180), "the sandbox did not start"
    sandbox = RunningSandbox(*addresses)
    try:
        yield sandbox
    finally:
        sandbox.close()
        ending[0]()
        thread.join()


@contextmanager
def as_a_process(state: Path) -> Iterator[RunningSandbox]:
    """A sandbox as a process, with what it got on disk in `state`."""
    with subprocess.Popen([sys.executable, "-c", SERVE, str(state)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as process:
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], 30)[0], "the sandbox did not start"
            sandbox = RunningSandbox(*json.loads(os.read(process.stdout.fileno(), 1000)))
            try:
                yield sandbox
            finally:
                sandbox.close()
        finally:
            process.kill()
