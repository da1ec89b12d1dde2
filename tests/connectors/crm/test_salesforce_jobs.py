"""Jobs of Salesforce's Bulk API, by which many rows leave."""

from __future__ import annotations

import httpx
import pytest
from salesforce_org import (
    BY,
    batch,
    deliver,
    opened,
    rows,
    said,
    there,
)

from connectors.base import Fatal, Unanswered
from connectors.sandbox import Sandbox


async def test_many_rows_go_as_a_job_and_each_has_its_own_outcome(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    many = [
        {"LastName": f'李 "{place}", 第一行\n第二行', "Email": "nowhere" if place == 7 else None, "Tags__c": ["a", "邮件"]}
        for place in range(201)
    ]
    del many[3]["Email"]
    outcomes = await deliver(sandbox, http, batch(rows(*many)))
    assert said(outcomes) == [("rejected", "INVALID_EMAIL_ADDRESS") if place == 7 else ("sent", "CREATED") for place in range(201)]
    found = {one[BY]: one for one in there(sandbox, "Contact")}
    assert outcomes[3].provider_id == found["p_3"]["Id"]
    assert (found["p_3"]["LastName"], found["p_3"]["Tags__c"]) == ('李 "3", 第一行\n第二行', "a;邮件")
    assert "Email" not in found["p_3"]
    assert found["p_4"]["Email"] is None
    assert {"ingest": len(sandbox.emulators["salesforce"]._jobs)} == {"ingest": 1}


async def test_a_job_that_takes_long_is_waited_for_and_not_made_again(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    connector = opened(sandbox.addresses.http, http, poll_seconds=0.001, job_seconds=0.0001)
    what = batch(rows(*({"LastName": f"李{place}"} for place in range(201))))
    many_looks = sandbox.emulators["salesforce"]
    assert said(await connector.deliver(what)) == [("sent", "CREATED")] * 201
    job = next(iter(many_looks._jobs.values()))
    # Another job, which the vendor does not get done.
    more = batch(rows(*({"LastName": f"王{place}"} for place in range(201))))
    look, type(job).look = type(job).look, lambda self: None  # type: ignore[method-assign]
    try:
        with pytest.raises(Unanswered) as caught:
            await connector.deliver(more)
    finally:
        type(job).look = look  # type: ignore[method-assign]
    assert caught.value.code == "JOB_NOT_DONE"
    assert said(await connector.deliver(more)) == [("sent", "")] * 201
    assert len(many_looks._jobs) == 2


async def test_a_job_that_cannot_be_read_stops_the_run(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    with pytest.raises(Fatal) as caught:
        await deliver(sandbox, http, batch(rows(*({"LastName": "李", "nonsense": place} for place in range(201)))))
    assert caught.value.code == "INVALID_BATCH"
