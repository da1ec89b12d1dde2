"""What every connector must do, over real sockets to the sandbox. Connectors, and what they offer, are found; none is listed.

A connector joins with `specimens/<connector>.py`, which says what its rows and callbacks look like:

    OPTIONS: dict                     as in destinations.yml; a secret that is left out takes the sandbox's value
    ADDRESS = "http" | "smtp"         which of the sandbox's addresses is its base address; or a function that starts a real server, once,
                                      and gives its address (then EMULATOR is None)
    IMPATIENT: dict                   options under which it soon gives up waiting for an answer (may be left out: the HTTP client does)
    EMULATOR = "<vendor>" | None      whose faults to order; its own name if left out, None if no vendor is behind it (files)

  if it has objects:
    WRONG: dict | None                options whose credentials the sandbox refuses
    TELLS_SECONDS = True              whether a refusal for rate says how long to wait; False if the vendor never does
    PARTIAL = {"<object>": "row"}     what a row the vendor does not want does: "row" gives it an outcome, "batch" refuses the batch (`Refused`)
    payload(object, number) -> dict   a valid row, another for each number, with nulls, emoji and Chinese where they are allowed
    match(object, payload) -> str     the match value (may be left out)
    marker(object, payload) -> str    what finds this row, and no other, in a request: `match` of the `partial` fault
    personal(object, payload)         the strings of the row that must never be in an error, an outcome or a log
    SETTINGS = {"<object>": dict}     the object's own settings, if it needs any
    FEWEST = {"<object>": 2}          how many rows the vendor wants in a call at least, where one is not enough

  if it receives:
    callback(now) -> Callback         what the vendor sends, signed with the sandbox's secrets
    forgeries(now) -> dict            by name, callbacks that must not be believed: at least "unsigned", and "stale" and "tampered" where the
                                      vendor's signature covers time and body
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trial import SPECIMENS, Trial, specimens, statuses

import connectors
from connectors.base import BadSignature, ConnectorError, Fatal, Outcome, Refused, Transient, Unanswered
from connectors.sandbox import Addresses, Sandbox

NAMES = specimens()
OBJECTS = [(name, kind) for name in NAMES for kind in connectors.find(name).objects]
RECEIVERS = [name for name in NAMES if connectors.find(name).receives]
NOW = datetime(2026, 10, 31, 2, 0, tzinfo=UTC)
QUIET = ("httpx", "httpcore", "mail", "asyncio", "hypothesis", "uvicorn", "python_multipart")  # not the connectors' to keep quiet

over_objects = pytest.mark.parametrize(("name", "kind"), OBJECTS, ids=[f"{name}/{kind}" for name, kind in OBJECTS])
over_receivers = pytest.mark.parametrize("name", RECEIVERS)


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where connectors that write files, write them


@pytest.mark.parametrize("name", sorted(connectors.names()))
def test_every_connector_has_a_specimen(name: str) -> None:
    file = SPECIMENS / f"{name}.py"
    assert file.is_file(), f"Nothing here tries {name}: write tests/connectors/specimens/{file.name}. What stands in it is said above."
    assert Trial(name).specimen.__doc__


@over_objects
@pytest.mark.parametrize("size", ["one row", "a few rows", "a full batch"])
async def test_one_outcome_for_each_row_in_order(name: str, kind: str, size: str, addresses: Addresses, http: httpx.AsyncClient) -> None:
    trial = Trial(name)
    limit = trial.connector.objects[kind].batch_size
    count = {"one row": 1, "a few rows": min(3, limit), "a full batch": limit}[size]
    count = max(count, trial.fewest(kind))
    async with trial.open(addresses, http) as connector:
        outcomes = await connector.deliver(trial.batch(kind, range(count)))
    assert statuses(outcomes) == ["sent"] * count


@over_objects
async def test_duplicate_rows_get_an_outcome_each(name: str, kind: str, addresses: Addresses, http: httpx.AsyncClient) -> None:
    trial = Trial(name)
    numbers = [0, 1, 0][: trial.connector.objects[kind].batch_size]
    async with trial.open(addresses, http) as connector:
        outcomes = await connector.deliver(trial.batch(kind, numbers))
    assert statuses(outcomes)[:2] == ["sent", "sent"][: len(numbers)]
    assert len(outcomes) == len(numbers)
    assert set(statuses(outcomes)) <= {"sent", "rejected", "skipped"}


@over_objects
async def test_an_empty_batch_makes_no_call(name: str, kind: str) -> None:
    def nobody(request: httpx.Request) -> httpx.Response:
        raise AssertionError("a call was made")

    trial = Trial(name)
    closed = Addresses("http://127.0.0.1:9", "smtp://127.0.0.1:9")
    async with httpx.AsyncClient(transport=httpx.MockTransport(nobody)) as client, trial.open(closed, client) as connector:
        assert await connector.deliver(trial.batch(kind, [])) == []


@over_objects
async def test_wrong_credentials_stop_the_run(name: str, kind: str, addresses: Addresses, http: httpx.AsyncClient) -> None:
    trial = Trial(name)
    if trial.specimen.WRONG is None:
        return
    async with trial.open(addresses, http, trial.specimen.WRONG) as connector:
        with pytest.raises(Fatal):
            await connector.deliver(trial.batch(kind, [0]))


@over_objects
async def test_too_many_requests_wait_as_told_and_then_go_through(name: str, kind: str, sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    trial = Trial(name)
    if not trial.can("rate_limit"):
        return
    trial.fault(sandbox, "rate_limit", retry_after=7, match=trial.specimen.marker(kind, trial.specimen.payload(kind, 0)))
    async with trial.open(sandbox.addresses, http) as connector:
        with pytest.raises(Transient) as caught:
            await connector.deliver(trial.batch(kind, [0]))
        assert caught.value.after == (7.0 if getattr(trial.specimen, "TELLS_SECONDS", True) else None)
        assert trial.kept(sandbox) == 0
        assert set(statuses(await connector.deliver(trial.batch(kind, [0])))) == {"sent"}


@over_objects
async def test_a_row_the_vendor_does_not_want_does_not_cost_the_others(
    name: str, kind: str, sandbox: Sandbox, http: httpx.AsyncClient
) -> None:
    trial = Trial(name)
    if not trial.can("partial"):
        return
    count = min(3, trial.connector.objects[kind].batch_size)
    unwanted = count // 2
    trial.fault(sandbox, "partial", match=trial.specimen.marker(kind, trial.specimen.payload(kind, unwanted)))
    async with trial.open(sandbox.addresses, http) as connector:
        if trial.specimen.PARTIAL[kind] == "batch":
            with pytest.raises(Refused):
                await connector.deliver(trial.batch(kind, range(count)))
            assert trial.kept(sandbox) == 0
            return
        outcomes = await connector.deliver(trial.batch(kind, range(count)))
    assert statuses(outcomes) == ["rejected" if number == unwanted else "sent" for number in range(count)]
    assert outcomes[unwanted].code
    assert trial.kept(sandbox) == count - 1


@over_objects
@pytest.mark.parametrize("kind_of_silence", ["timeout", "reset"])
async def test_no_answer_after_the_request_left_is_unknown(
    name: str, kind: str, kind_of_silence: str, sandbox: Sandbox, http: httpx.AsyncClient, impatient: httpx.AsyncClient
) -> None:
    trial = Trial(name)
    if not trial.can(kind_of_silence):
        return
    trial.fault(sandbox, kind_of_silence, match=trial.specimen.marker(kind, trial.specimen.payload(kind, 0)))
    silent = kind_of_silence == "timeout"
    async with trial.open(sandbox.addresses, impatient if silent else http, impatient=silent) as connector:
        try:
            outcomes = await connector.deliver(trial.batch(kind, [0]))
        except (Unanswered, httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError):  # the engine takes all of these alike
            outcomes = []
    assert set(statuses(outcomes)) <= {"unknown"}
    async with asyncio.timeout(60):  # the vendor may be slower than the client was patient
        while trial.kept(sandbox) == 0:
            await asyncio.sleep(0.01)
    assert trial.kept(sandbox) == 1


@over_objects
async def test_an_answer_that_cannot_be_read_is_not_success(name: str, kind: str, sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    trial = Trial(name)
    if not trial.can("broken_json"):
        return
    trial.fault(sandbox, "broken_json", match=trial.specimen.marker(kind, trial.specimen.payload(kind, 0)))
    async with trial.open(sandbox.addresses, http) as connector:
        try:
            outcomes = await connector.deliver(trial.batch(kind, [0]))
        except Unanswered:
            outcomes = [Outcome("unknown")]
    assert set(statuses(outcomes)) == {"unknown"}


@over_objects
async def test_trouble_at_the_vendor_is_never_success(name: str, kind: str, sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    trial = Trial(name)
    if not trial.can("server_error"):
        return
    trial.fault(sandbox, "server_error", match=trial.specimen.marker(kind, trial.specimen.payload(kind, 0)))
    async with trial.open(sandbox.addresses, http) as connector:
        try:
            outcomes = await connector.deliver(trial.batch(kind, [0]))
        except (Transient, Unanswered):
            outcomes = []
    assert set(statuses(outcomes)) <= {"rejected", "unknown"}


@over_objects
async def test_nobody_there_is_surely_not_processed(name: str, kind: str, http: httpx.AsyncClient, unused_tcp_port: int) -> None:
    trial = Trial(name)
    if trial.emulator is None:
        return
    nobody = Addresses(f"http://127.0.0.1:{unused_tcp_port}", f"smtp://127.0.0.1:{unused_tcp_port}")
    async with trial.open(nobody, http) as connector:
        with pytest.raises((Transient, httpx.ConnectError)):
            await connector.deliver(trial.batch(kind, [0]))


@over_objects
async def test_nothing_secret_or_personal_is_said(
    name: str,
    kind: str,
    sandbox: Sandbox,
    http: httpx.AsyncClient,
    impatient: httpx.AsyncClient,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    trial = Trial(name)
    batch = trial.batch(kind, [0])
    marker = trial.specimen.marker(kind, trial.specimen.payload(kind, 0))
    said = [repr(batch), repr(batch.rows[0])]
    for fault in ("none", "partial", "rate_limit", "server_error", "timeout", "broken_json"):
        if fault != "none" and trial.can(fault):
            trial.fault(sandbox, fault, match=marker)
        silent = fault == "timeout"
        async with trial.open(sandbox.addresses, impatient if silent else http, impatient=silent) as connector:
            said += [repr(connector), str(connector), repr(connector.options), str(connector.options)]
            try:
                said += [f"{outcome.code} {outcome.reason}" for outcome in await connector.deliver(batch)]
            except ConnectorError as error:
                said += [str(error), repr(error), error.reason]
            except httpx.TransportError as error:
                said.append(str(error))
    said += [record.getMessage() for record in caplog.records if record.name.split(".")[0] not in QUIET]
    secrets = [
        str(info.json_schema_extra["sandbox"])
        for info in trial.connector.Options.model_fields.values()
        if isinstance(info.json_schema_extra, dict) and "sandbox" in info.json_schema_extra
    ]
    for hidden in [*secrets, *trial.specimen.personal(kind, trial.specimen.payload(kind, 0))]:
        assert not [line for line in said if hidden in line]


@pytest.mark.parametrize("name", [name for name in NAMES if connectors.find(name).objects])
async def test_a_check_says_what_it_found(name: str, sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    trial = Trial(name)
    async with trial.open(sandbox.addresses, http) as connector:
        assert await connector.check()
    if trial.specimen.WRONG is not None:
        async with trial.open(sandbox.addresses, http, trial.specimen.WRONG) as connector:
            with pytest.raises(Fatal):
                await connector.check()
    assert trial.kept(sandbox) == 0


@over_receivers
def test_a_genuine_callback_is_believed(name: str) -> None:
    trial = Trial(name)
    received = trial.open(None, None).receive(trial.specimen.callback(NOW))
    assert received.source == trial.connector.receives
    assert received.events
    assert all(isinstance(event, dict) for event in received.events)


@over_receivers
def test_a_forged_callback_is_not_believed(name: str) -> None:
    trial = Trial(name)
    connector = trial.open(None, None)
    forgeries = trial.specimen.forgeries(NOW)
    assert "unsigned" in forgeries
    genuine = trial.specimen.callback(NOW)
    if "timestamp" in f"{genuine.headers} {genuine.query} {genuine.body!r}".lower():
        assert {"stale", "from the future"} <= set(forgeries), "its vendor signs the time: a clock that is off is to be tried both ways"
    for callback in forgeries.values():
        with pytest.raises(BadSignature):
            connector.receive(callback)


@over_receivers
def test_garbage_raises_nothing_but_bad_signature(name: str) -> None:
    trial = Trial(name)
    connector = trial.open(None, None)
    genuine = trial.specimen.callback(NOW)
    text = st.text(max_size=40) | st.integers().map(str)

    @settings(max_examples=150, deadline=None, database=None)
    @given(st.data())
    def try_it(data: st.DataObject) -> None:
        spoilt = dataclasses.replace(
            genuine,
            method=data.draw(st.sampled_from(["GET", "POST", "PUT"])),
            headers={key: data.draw(st.just(value) | text) for key, value in genuine.headers.items() if data.draw(st.booleans())},
            query={key: data.draw(st.just(value) | text) for key, value in genuine.query.items() if data.draw(st.booleans())},
            body=data.draw(st.just(genuine.body) | st.binary(max_size=200) | text.map(str.encode)),
        )
        with contextlib.suppress(BadSignature):
            connector.receive(spoilt)

    try_it()


@pytest.mark.parametrize("name", [name for name in NAMES if not connectors.find(name).receives])
def test_who_receives_nothing_believes_nothing(name: str) -> None:
    trial = Trial(name)
    genuine = Trial("sendgrid").specimen.callback(NOW)
    with pytest.raises(BadSignature):
        trial.open(None, None).receive(genuine)
