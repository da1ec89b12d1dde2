from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import pytest
from standardwebhooks import Webhook as Verifier

from connectors.base import Batch, Callback, Fatal, Outcome, Refused, Row
from connectors.sandbox import Sandbox
from connectors.web.webhook import Rows, Webhook

SECRET = "whsec_c2FuZGJveC13ZWJob29rLXNlY3JldC1mb3ItbG9vcGJhY2s="


def batch(count: int, **changes: Any) -> Batch:
    rows = [Row(index, f"k{index}", orjson.dumps({"id": index, "name": "韩梅梅 Han"})) for index in range(count)]
    return Batch(**{"object": "rows", "operation": "change", "rows": rows, "run_id": "r1", "number": 1, "settings": Rows(), **changes})


async def delivered(what: Batch, answer: httpx.Response) -> tuple[httpx.Request, list[Outcome]]:
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answer

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client:
        outcomes = await Webhook(Webhook.Options(secret=SECRET), client, "http://127.0.0.1:9").deliver(what)
    return seen[0], outcomes


async def test_the_reference_library_believes_what_we_sign() -> None:
    request, outcomes = await delivered(batch(2), httpx.Response(204))
    rows = Verifier(SECRET).verify(request.content, dict(request.headers))
    assert rows == [{"_operation": "change", "id": 0, "name": "韩梅梅 Han"}, {"_operation": "change", "id": 1, "name": "韩梅梅 Han"}]
    assert [outcome.status for outcome in outcomes] == ["sent", "sent"]


async def test_an_object_says_its_operation_once() -> None:
    request, _ = await delivered(batch(1, settings=Rows(body="object")), httpx.Response(200))
    assert orjson.loads(request.content) == {"object": "rows", "operation": "change", "rows": [{"id": 0, "name": "韩梅梅 Han"}]}
    assert Verifier(SECRET).verify(request.content, dict(request.headers))


async def test_the_id_is_the_same_for_the_same_rows_and_another_for_a_part_of_them() -> None:
    first, _ = await delivered(batch(2), httpx.Response(200))
    again, _ = await delivered(batch(2), httpx.Response(200))
    half, _ = await delivered(batch(1), httpx.Response(200))
    later, _ = await delivered(batch(2, number=2), httpx.Response(200))
    assert first.headers["webhook-id"] == again.headers["webhook-id"]
    assert len({request.headers["webhook-id"] for request in (first, half, later)}) == 3


async def test_a_repeat_is_taken_once(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    connector = Webhook(Webhook.Options(secret=SECRET), http, sandbox.addresses.http)
    for _ in range(2):
        assert [outcome.status for outcome in await connector.deliver(batch(3))] == ["sent"] * 3
    assert len(sandbox.journal.kept) == 3


async def test_the_endpoint_may_speak_of_each_row() -> None:
    results = [
        {"status": "sent"},
        {"status": "rejected", "code": "NO", "reason": "韩梅梅 Han is not wanted"},
        {"status": "skipped"},
        {"x": 1},
    ]
    _, outcomes = await delivered(batch(4), httpx.Response(207, json={"results": results}))
    assert [outcome.status for outcome in outcomes] == ["sent", "rejected", "skipped", "unknown"]
    assert outcomes[1].code == "NO"


@pytest.mark.parametrize("answer", [{}, {"results": []}, {"results": [{"status": "sent"}]}, [1]])
async def test_partial_success_without_a_result_for_each_row_is_unknown(answer: Any) -> None:
    _, outcomes = await delivered(batch(2), httpx.Response(207, json=answer))
    assert [outcome.status for outcome in outcomes] == ["unknown", "unknown"]


async def test_a_page_in_answer_is_as_good_as_any_2xx() -> None:
    _, outcomes = await delivered(batch(1), httpx.Response(200, html="<p>thanks</p>"))
    assert outcomes == [Outcome("sent")]


@pytest.mark.parametrize(("status", "error"), [(400, Refused), (413, Refused), (422, Refused), (302, Refused), (410, Fatal), (403, Fatal)])
async def test_refusals_are_sorted(status: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        await delivered(batch(2), httpx.Response(status))


def test_a_secret_that_is_no_key_is_refused_and_not_repeated() -> None:
    for wrong in ("whsec_", "whsec_c2hvcnQ=", "hunter2"):
        with pytest.raises(ValueError, match="24 to 64 random bytes") as caught:
            Webhook.Options(secret=wrong)
        assert wrong == "whsec_" or wrong not in str(caught.value)


def test_events_land_where_the_destination_says() -> None:
    now = datetime(2026, 10, 31, tzinfo=UTC)
    body = b'{"submission_id":"s1"}'
    headers = {
        "webhook-id": "a",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Verifier(SECRET).sign("a", now, body.decode()),
    }
    connector = Webhook(Webhook.Options(secret=SECRET, lands_in="forms_submissions"))
    received = connector.receive(Callback("POST", "http://x/hooks/partner", {}, headers, body, now))
    assert (received.source, received.events) == ("forms_submissions", [{"submission_id": "s1"}])


HOSTILE = '"}], "admin": true, "x": [{"\n\u2028</script>{{ 7 * 7 }}'


async def test_a_template_makes_the_body_and_it_is_signed_as_it_is() -> None:
    template = '{"kind": {{ object | tojson }}, "op": "{{ operation }}", "people": [{% for r in rows %}{"name": {{ r.name | tojson }}}{{ "," if not loop.last }}{% endfor %}]}'
    rows = [Row(n, f"k{n}", orjson.dumps({"id": n, "name": name})) for n, name in enumerate(["韩梅梅 🎉", HOSTILE])]
    request, outcomes = await delivered(batch(0, rows=rows, settings=Rows(template=template)), httpx.Response(200))
    assert Verifier(SECRET).verify(request.content, dict(request.headers)) == {
        "kind": "rows",
        "op": "change",
        "people": [{"name": "韩梅梅 🎉"}, {"name": HOSTILE}],
    }
    assert [outcome.status for outcome in outcomes] == ["sent", "sent"]


@pytest.mark.parametrize(
    ("template", "error", "said"),
    [
        ('{"x": {{ rows[0].nmae | tojson }}}', Refused, "nmae"),
        ("{{ rows[0][rows[0].name] }}", Refused, "TEMPLATE_ERROR"),
        ('{"x": "{{ rows[0].name }}", }', Refused, "not JSON"),
        ("{{ rows[0].id / 0 }}", Refused, "ZeroDivisionError"),
        ("{{ ''.__class__.__mro__ }}", Fatal, "may not touch"),
        ("{{ rows.append(1) }}", Fatal, "may not touch"),
        ("{{ cycler.__init__.__globals__ }}", Fatal, "may not touch"),
    ],
)
async def test_what_a_template_cannot_make_does_not_leave(template: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said) as caught:
        await delivered(batch(1, settings=Rows(template=template)), httpx.Response(200))
    assert "韩梅梅" not in str(caught.value)


def test_what_is_no_template_is_refused_when_it_is_declared() -> None:
    with pytest.raises(ValueError, match=r"not a template \(line 2\)"):
        Rows(template="[\n{% for %}]")
