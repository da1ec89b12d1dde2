from __future__ import annotations

import asyncio
import signal
import sys
import time
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiosmtplib
import httpx
import orjson
import pytest

from connectors.sandbox import Addresses, Fault, Sandbox, build, find
from connectors.sandbox.faults import Faults

TOKEN = {"authorization": "Bearer pat-sandbox-hubspot-token"}
SERVER = """
import asyncio, sys
from pathlib import Path
from connectors.sandbox import build

async def main():
    async with build(Path(sys.argv[1])).serve("127.0.0.1", 0, 0) as addresses:
        print(addresses.http, addresses.smtp, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def mail(address: str, to: str, **headers: str) -> None:
    message = EmailMessage()
    message["Subject"] = headers.pop("subject", "hello")
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content("text")
    host, _, port = address.removeprefix("smtp://").partition(":")
    await aiosmtplib.send(message, sender="news@sender.example", recipients=[to], hostname=host, port=int(port), local_hostname="test")


async def upsert(http: httpx.AsyncClient, address: str, *emails: str) -> httpx.Response:
    inputs = [{"id": email, "idProperty": "email", "properties": {"email": email}} for email in emails]
    return await http.post(f"{address}/crm/v3/objects/contacts/batch/upsert", json={"inputs": inputs}, headers=TOKEN)


async def messages(http: httpx.AsyncClient, sandbox: Sandbox, **query: Any) -> dict[str, Any]:
    return dict((await http.get(f"{sandbox.addresses.http}/_sandbox/messages", params=query)).json())


def test_every_vendor_file_is_found() -> None:
    assert set(find()) >= {"smtp", "sendgrid", "hubspot", "webhook"}


async def test_what_arrived_can_be_read_by_vendor_and_in_order(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    await mail(sandbox.addresses.smtp, "a@x.example", subject="你好")
    await upsert(http, sandbox.addresses.http, "b@x.example")
    everything = await messages(http, sandbox)
    assert everything["counts"] == {"smtp": 1, "hubspot": 1}
    assert [one["to"] for one in everything["messages"]] == ["a@x.example", "b@x.example"]
    mails = await messages(http, sandbox, vendor="smtp")
    assert mails["count"] == 1
    assert mails["messages"][0]["content"]["subject"] == "你好"
    assert [one["id"] for one in (await messages(http, sandbox, after=1))["messages"]] == [2]
    assert (await http.get(f"{sandbox.addresses.http}/_sandbox/messages?after=x")).status_code == 400


async def test_a_vendors_state_can_be_read(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    await upsert(http, sandbox.addresses.http, "b@x.example")
    state = await http.get(f"{sandbox.addresses.http}/_sandbox/state/hubspot")
    assert [contact["properties"] for contact in state.json()["contacts"]] == [{"email": "b@x.example"}]
    assert (await http.get(f"{sandbox.addresses.http}/_sandbox/state/nobody")).status_code == 404


async def test_it_comes_back_after_a_kill_with_all_it_had_answered_for(tmp_path: Path, http: httpx.AsyncClient) -> None:
    process, addresses = await started(tmp_path)
    try:
        for number in range(5):
            await mail(addresses.smtp, f"p{number}@x.example")
        await upsert(http, addresses.http, "a@x.example", "b@x.example")
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()
    with (tmp_path / "received.jsonl").open("ab") as file:
        file.write(b'{"id":8,"vendor":"smtp","ki')  # killed in the middle of a line
    process, addresses = await started(tmp_path)
    try:
        seen = (await http.get(f"{addresses.http}/_sandbox/messages")).json()
        assert seen["counts"] == {"smtp": 5, "hubspot": 2}
        assert [one["id"] for one in seen["messages"]] == [1, 2, 3, 4, 5, 6, 7]
        again = (await upsert(http, addresses.http, "a@x.example")).json()
        assert again["results"][0]["new"] is False
    finally:
        process.kill()
        await process.wait()
    assert [orjson.loads(line)["id"] for line in (tmp_path / "received.jsonl").read_bytes().splitlines()] == [1, 2, 3, 4, 5, 6, 7, 8]


async def started(state_dir: Path) -> tuple[asyncio.subprocess.Process, Addresses]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", SERVER, str(state_dir), stdout=asyncio.subprocess.PIPE)
    assert process.stdout
    line = await asyncio.wait_for(process.stdout.readline(), 30)
    return process, Addresses(*line.decode().split())


async def test_faults_are_ordered_listed_used_up_and_taken_back(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    url = f"{sandbox.addresses.http}/_sandbox/faults"
    ordered = await http.post(url, json={"vendor": "hubspot", "kind": "rate_limit", "times": 2, "retry_after": 3, "match": "a@x.example"})
    assert ordered.json()["faults"][0]["times"] == 2
    assert (await upsert(http, sandbox.addresses.http, "b@x.example")).status_code == 200
    refused = await upsert(http, sandbox.addresses.http, "a@x.example")
    assert (refused.status_code, refused.headers["retry-after"], refused.json()["category"]) == (429, "3", "RATE_LIMITS")
    assert (await http.get(url)).json()["faults"][0]["times"] == 1
    assert (await http.delete(url)).json() == {"faults": []}
    assert (await upsert(http, sandbox.addresses.http, "a@x.example")).status_code == 200


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"vendor": "hubspot", "kind": "explosion"}, "kind"),
        ({"vendor": "nobody", "kind": "slow"}, "vendor"),
        ({"vendor": "smtp", "kind": "broken_json"}, "kind"),
        ({"vendor": "hubspot", "kind": "slow", "time": 3}, "time"),
        ({"vendor": "hubspot", "kind": "slow", "times": 0}, "times"),
    ],
)
async def test_a_fault_that_cannot_be_is_refused_with_what_is_wrong(
    wrong: dict[str, Any], said: str, sandbox: Sandbox, http: httpx.AsyncClient
) -> None:
    answer = await http.post(f"{sandbox.addresses.http}/_sandbox/faults", json=wrong)
    assert answer.status_code == 400
    assert answer.json()["errors"][0].startswith(said)


def test_a_fault_meets_what_it_matches_written_or_encoded() -> None:
    faults = Faults()
    faults.add(Fault(vendor="x", kind="slow", match="+8613800138000"))
    assert faults.take("y", "+8613800138000") is None
    assert faults.take("x", "+8613900139000") is None
    assert faults.take("x", "POST /?PhoneNumbers=%2B8613800138000") is not None
    assert faults.take("x", "+8613800138000") is None


@pytest.mark.parametrize(("when", "taken"), [("before", 0), ("after", 1)])
async def test_a_connection_is_reset_by_the_peer(when: str, taken: int, sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    sandbox.faults.add(Fault(vendor="hubspot", kind="reset", when=when))
    with pytest.raises(httpx.ReadError) as caught:
        await upsert(http, sandbox.addresses.http, "a@x.example")
    error: BaseException | None = caught.value
    while error is not None and not isinstance(error, ConnectionResetError):
        error = error.__cause__ or error.__context__
    assert isinstance(error, ConnectionResetError)
    assert len(sandbox.journal.kept) == taken


async def test_slow_is_answered_later(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    sandbox.faults.add(Fault(vendor="hubspot", kind="slow", seconds=0.2))
    start = time.monotonic()
    assert (await upsert(http, sandbox.addresses.http, "a@x.example")).status_code == 200
    assert time.monotonic() - start >= 0.2


async def test_trouble_at_the_vendor_has_the_vendors_words(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    sandbox.faults.add(Fault(vendor="hubspot", kind="server_error"))
    answer = await upsert(http, sandbox.addresses.http, "a@x.example")
    assert (answer.status_code, answer.json()["status"]) == (500, "error")
    sandbox.faults.add(Fault(vendor="hubspot", kind="broken_json"))
    broken = await upsert(http, sandbox.addresses.http, "a@x.example")
    assert broken.status_code == 200
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(broken.content)


async def test_it_stops_at_once_though_a_request_is_left_hanging() -> None:
    sandbox = build()
    async with httpx.AsyncClient(trust_env=False, timeout=180) as http:
        async with sandbox.serve("127.0.0.1", 0, 0) as addresses:
            sandbox.faults.add(Fault(vendor="hubspot", kind="timeout"))
            sandbox.faults.add(Fault(vendor="smtp", kind="timeout"))
            hanging = [
                asyncio.create_task(upsert(http, addresses.http, "a@x.example")),
                asyncio.create_task(mail(addresses.smtp, "a@x.example")),
            ]
            while len(sandbox.journal.kept) < 2:
                await asyncio.sleep(0.01)
            start = time.monotonic()
        assert time.monotonic() - start < 5
        errors = await asyncio.gather(*hanging, return_exceptions=True)
        assert isinstance(errors[0], httpx.TransportError)
        assert isinstance(errors[1], aiosmtplib.SMTPServerDisconnected)


async def test_a_port_that_is_taken_is_an_error_of_the_system(sandbox: Sandbox) -> None:
    taken = int(sandbox.addresses.http.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"):
        async with build().serve("127.0.0.1", taken, 0):
            pass
