"""Sources of dlt: what dlt reads lands by our landing, what dlt remembers is the pull's cursor."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from activation.engine import pull as pulling
from activation.engine.declarations import DeclarationErrors, Declarations
from connectors.base import ConnectorError, Fatal, Pulled, Transient
from connectors.sandbox import Sandbox
from connectors.sandbox.hubspot import TOKEN
from connectors.web import _dlt_pages
from connectors.web.dlt_source import DltSource
from tests.activation.engine.small_project import NOON, SmallProject

SINCE = {"type": "incremental", "cursor_path": "at", "initial_value": "2026-01-01"}
ORDERS = {
    "lands_in": "orders",
    "endpoint": {"path": "orders", "data_selector": "data", "paginator": {"type": "json_link", "next_url_path": "next"}, "params": {"since": SINCE}},
}  # fmt: skip


class Api:
    """Two orders a page, the newest first, those since `since`."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = [{"number": n, "at": f"2026-10-{n:02}"} for n in (5, 4, 3, 2, 1)]
        self.asked: list[tuple[str, dict[str, list[str]]]] = []
        self.status, self.next_host, self.fail_at = 200, "", 0
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                api.asked.append((self.headers.get("authorization", ""), query))
                status = 503 if api.fail_at == len(api.asked) else api.status
                start = int(query.get("offset", ["0"])[0])
                found = [one for one in api.orders if str(one.get("at", "9")) >= query.get("since", ["0"])[0]]
                more = f"{api.next_host}/orders?offset={start + 2}&since={query.get('since', ['0'])[0]}"
                body = json.dumps({"data": found[start : start + 2], "next": more if start + 2 < len(found) else None}).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def api() -> Iterator[Api]:
    api = Api()
    yield api
    api.server.shutdown()
    api.server.server_close()


@pytest.fixture
def project_of(tmp_path: Path, api: Api) -> SmallProject:
    shop = SmallProject(tmp_path / "shop")
    shop.write(
        "activation/sources/orders.yml", "files: orders/*.jsonl\nformat: jsonl\nkind: records\nkey: [[number]]\nrequired: [number]\n"
    )
    shop.write(
        "activation/destinations.yml",
        json.dumps({"shop_api": {"connector": "dlt_source", "base_url": api.address, "attempts": 1, "resources": {"orders": ORDERS}}}),
    )
    return shop


def pulled(shop: SmallProject) -> pulling.PullReport:
    declarations = Declarations.load(shop.project)
    return pulling.run(shop.project, declarations, pulling.find(declarations, "shop_api/orders"), NOON)


async def taken(cursor: str | None = None, address: str = "http://127.0.0.1:9", name: str = "orders", **options: Any) -> list[Pulled]:
    connector = DltSource(DltSource.Options(**{"attempts": 1, "resources": {"orders": ORDERS}, **options}), None, address)
    return [page async for page in connector.pull(name, cursor)]


def test_the_first_pull_lands_everything_and_the_next_only_what_is_newer(project_of: SmallProject, api: Api) -> None:
    first = pulled(project_of)
    assert (first.events, first.landing.landed, first.complete) == (5, 5, True)
    assert {token for token, _ in api.asked} == {"Bearer sandbox-rest-token"}
    api.asked.clear()
    api.orders.insert(0, {"number": 6, "at": "2026-10-06"})
    second = pulled(project_of)
    assert api.asked[0][1]["since"] == ["2026-10-05"]
    assert (second.landing.landed, second.complete) == (1, True)
    rows = project_of.rows("select payload->>'$.number' from raw.orders order by 1")
    assert [row[0] for row in rows] == ["1", "2", "3", "4", "5", "6"]


def test_a_pull_that_breaks_off_loses_nothing_though_the_newest_came_first(project_of: SmallProject, api: Api, monkeypatch: Any) -> None:
    monkeypatch.setattr(pulling, "ATTEMPTS", 1)
    monkeypatch.setattr(_dlt_pages, "PAGE", 1)
    api.fail_at = 2
    cut = pulled(project_of)
    assert (cut.complete, cut.passes_by_itself, cut.landing.landed) == (False, True, 2)
    again = pulled(project_of)
    assert again.complete
    assert len(project_of.rows("select distinct payload->>'$.number' from raw.orders")) == 5


def test_what_is_new_in_a_record_lands_and_what_is_wrong_with_one_keeps_no_other_out(project_of: SmallProject, api: Api) -> None:
    pulled(project_of)
    api.orders[:0] = [{"number": 7, "at": "2026-10-07", "gift": {"to": "韩梅梅 🎁"}}, {"at": "2026-10-08"}]
    report = pulled(project_of).landing
    assert (report.landed, report.quarantined) == (1, 1)
    assert "gift.to" in report.new_fields or "gift" in report.new_fields


async def test_any_source_of_dlt_is_pulled_with_what_it_remembers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notes_by_dlt.py").write_text(
        """
import dlt, datetime, decimal

@dlt.source
def notes(api_key, upto):
    @dlt.resource
    def pages(at=dlt.sources.incremental("at", initial_value=0)):
        assert api_key == "s3cret"
        yield [{"at": n, "due": datetime.date(2026, 1, n), "worth": decimal.Decimal("1.50")} for n in range(at.last_value + 1, upto + 1)]

    @dlt.transformer(data_from=pages)
    def lines(notes):
        for note in notes:
            yield {"line": note["at"]}

    return pages, lines
"""
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, "notes_by_dlt", None)
    monkeypatch.delitem(sys.modules, "notes_by_dlt")
    resources = {"pages": {"lands_in": "notes"}, "lines": {"lands_in": "lines"}}
    notes = {"source": "notes_by_dlt:notes", "credential": "s3cret", "resources": resources}
    first = await taken(name="pages", arguments={"upto": 2}, **notes)
    events = [event for page in first for event in page.events]
    assert [event["at"] for event in events] == [1, 2]
    assert (events[0]["due"], float(events[0]["worth"])) == ("2026-01-01", 1.5)
    second = await taken(first[-1].cursor, name="pages", arguments={"upto": 4}, **notes)
    assert [event["at"] for page in second for event in page.events] == [3, 4]
    (lines,) = await taken(name="lines", arguments={"upto": 2}, **notes)
    assert (lines.source, list(lines.events)) == ("lines", [{"line": 1}, {"line": 2}])
    with pytest.raises(Fatal, match="has no resource `orders`"):
        await taken(arguments={"upto": 1}, **(notes | {"resources": {"orders": {"lands_in": "x"}}}))


async def test_dlt_reads_a_vendor_that_pages_by_the_body_of_a_post(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    people = [{"properties": {"email": f"p{n}@b.example"}} for n in range(5)]
    created = await http.post(
        f"{sandbox.addresses.http}/crm/v3/objects/contacts/batch/create",
        json={"inputs": people},
        headers={"authorization": f"Bearer {TOKEN}"},
    )
    assert created.is_success, created.text
    endpoint = {
        "path": "crm/v3/objects/contacts/search",
        "method": "POST",
        "json": {"limit": 2, "properties": ["email"], "filterGroups": []},
        "data_selector": "results",
        "paginator": {"type": "cursor", "cursor_path": "paging.next.after", "cursor_body_path": "after"},
    }
    found = await taken(
        address=sandbox.addresses.http, credential=TOKEN, resources={"orders": {"lands_in": "people", "endpoint": endpoint}}
    )
    assert {event["properties"]["email"] for page in found for event in page.events} == {f"p{n}@b.example" for n in range(5)}


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [(401, Fatal, "UNAUTHORIZED"), (400, Fatal, "HTTP_400"), (503, Transient, "UNAVAILABLE"), (302, Fatal, "HTTP_302")],
)
async def test_answers_are_sorted_and_say_nothing_of_the_vendors(api: Api, status: int, error: type[ConnectorError], code: str) -> None:
    api.status = status
    with pytest.raises(error) as caught:
        await taken(address=api.address)
    assert caught.value.code == code
    assert api.address not in str(caught.value)


@pytest.mark.parametrize("host", ["http://127.0.0.2:9", "https://evil.example"])
async def test_a_credential_goes_to_no_other_host(api: Api, host: str) -> None:
    api.next_host = host
    with pytest.raises(Fatal) as caught:
        await taken(address=api.address)
    assert caught.value.code == "OTHER_HOST"
    assert len(api.asked) == 1


async def test_what_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Transient, match="did not answer"):
        await taken()
    with pytest.raises(Fatal, match="no resource named books"):
        await taken(name="books")
    with pytest.raises(Fatal, match="pull anew"):
        await taken("no cursor of ours")
    with pytest.raises(Fatal, match="Install the package"):
        await taken(source="nowhere_at_all:notes", resources={"orders": {"lands_in": "x"}})
    monkeypatch.setitem(sys.modules, "dlt.common.pipeline", None)
    with pytest.raises(Fatal, match="is not installed"):
        await taken()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"auth": {"type": "magic"}}, "one of bearer"),
        ({"auth": {"type": "bearer", "token": "abc"}}, "write it as `credential`"),
        ({"source": "a:b"}, "says itself what it asks for"),
        ({"source": "os.system('x')"}, "pattern"),
        ({"resources": {}}, "at least 1"),
    ],
)
def test_options_that_are_none_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        DltSource.Options(**{"resources": {"orders": ORDERS}, **options})


def test_a_secret_that_is_written_into_a_declaration_is_refused(project_of: SmallProject) -> None:
    project_of.write(
        "activation/destinations.yml", json.dumps({"a": {"connector": "dlt_source", "credential": "abc", "resources": {"orders": ORDERS}}})
    )
    with pytest.raises(DeclarationErrors, match="is a secret"):
        Declarations.load(project_of.project)
