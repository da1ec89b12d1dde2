from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest

from connectors.base import Fatal, Pulled, Transient
from connectors.web.rest_api import RestApi

BOOKS = [{"id": number, "at": f"2026-10-{number + 10}"} for number in range(5)]
Api = Callable[[httpx.Request], httpx.Response]


def paged(request: httpx.Request) -> httpx.Response:
    """Two books a page, by all the ways there are to the next one."""
    query = dict(request.url.params)
    start = int(query.get("token", query.get("offset", 2 * (int(query.get("page", 1)) - 1))))
    books = [book for book in BOOKS if book["at"] >= query.get("since", "")][start : start + 2]
    more = f"https://api.example.com/v2/books?offset={start + 2}&since={query.get('since', '')}" if len(books) == 2 else None
    body = {"data": {"items": books}, "links": {"next": more}, "after": str(start + 2) if more else None}
    return httpx.Response(200, json=body, headers={"link": f'<{more}>; rel="next"'} if more else {})


async def pulled(api: Api, cursor: str | None = None, **resource: Any) -> tuple[list[Pulled], list[httpx.Request]]:
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return api(request)

    given = {"path": "/books", "lands_in": "books", "records": "data.items", **resource}
    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client:
        connector = RestApi(RestApi.Options(token="t0ken", resources={"books": given}), client, "https://api.example.com/v2")
        return [page async for page in connector.pull("books", cursor)], seen


@pytest.mark.parametrize(
    "next_", [{"url_in": "links.next"}, {"token_in": "after", "parameter": "token"}, {"link_header": True}, {"number": "page"}]
)
async def test_every_way_to_the_next_page_gives_every_record_once(next_: dict[str, Any]) -> None:
    pages, seen = await pulled(paged, next=next_)
    assert [book for page in pages for book in page.events] == BOOKS
    assert {page.source for page in pages} == {"books"}
    assert {request.headers["authorization"] for request in seen} == {"Bearer t0ken"}


@pytest.mark.parametrize("next_", [{"url_in": "links.next"}, {"token_in": "after", "parameter": "token"}, {"number": "page"}])
async def test_a_pull_that_was_cut_off_goes_on_at_the_next_page(next_: dict[str, Any]) -> None:
    pages, _ = await pulled(paged, next=next_)
    rest, _ = await pulled(paged, pages[0].cursor, next=next_)
    assert [book for page in rest for book in page.events] == BOOKS[2:]


async def test_the_next_pull_asks_only_for_what_is_newer() -> None:
    way = {"next": {"url_in": "links.next"}, "newer": {"field": "at", "parameter": "since"}}
    pages, _ = await pulled(paged, **way)
    again, seen = await pulled(paged, pages[-1].cursor, **way)
    assert dict(seen[0].url.params) == {"since": "2026-10-14"}
    assert [book for page in again for book in page.events] == BOOKS[4:]
    assert pages[0].cursor is not None
    assert orjson.loads(pages[0].cursor)["greatest"] == "2026-10-11"


async def test_without_pages_everything_comes_at_once_and_again() -> None:
    pages, _ = await pulled(lambda _: httpx.Response(200, json=BOOKS), records=None)
    again, _ = await pulled(lambda _: httpx.Response(200, json=BOOKS), pages[-1].cursor, records=None)
    assert [list(page.events) for page in (*pages, *again)] == [BOOKS, BOOKS]


@pytest.mark.parametrize("address", ["https://evil.example/v2/books", "http://api.example.com/v2/books", "//evil.example/x"])
async def test_a_token_goes_to_no_other_host(address: str) -> None:
    seen: list[str] = []

    def api(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.host)
        return httpx.Response(200, json={"data": {"items": []}, "links": {"next": address}})

    with pytest.raises(Fatal) as caught:
        await pulled(api, next={"url_in": "links.next"})
    assert caught.value.code == "OTHER_HOST"
    assert seen == ["api.example.com"]


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (httpx.Response(401), Fatal, "UNAUTHORIZED"),
        (httpx.Response(400), Fatal, "HTTP_400"),
        (httpx.Response(302, headers={"location": "https://evil.example"}), Fatal, "HTTP_302"),
        (httpx.Response(503), Transient, "UNAVAILABLE"),
        (httpx.Response(200, json={"data": {"items": [1]}}), Fatal, "NO_RECORDS"),
        (httpx.Response(200, json={"data": {"items": [{"at": 1}, {"at": "x"}]}}), Fatal, "MIXED_VALUES"),
        (httpx.Response(200, json={"data": {"items": []}, "links": {"next": "/v2/books"}}), Fatal, "SAME_PAGE"),
    ],
)
async def test_answers_are_sorted(answer: httpx.Response, error: type[Exception], code: str) -> None:
    with pytest.raises(error) as caught:
        await pulled(lambda _: answer, next={"url_in": "links.next"}, newer={"field": "at", "parameter": "since"})
    assert code in str(caught.value)


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        ({"next": {}}, "says one of"),
        ({"next": {"url_in": "a", "link_header": True}}, "says one of"),
        ({"next": {"token_in": "a"}}, "go together"),
        ({"path": "https://evil.example"}, "pattern"),
        ({"wants": 1}, "Extra inputs"),
    ],
)
def test_a_resource_that_is_none_is_refused(resource: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        RestApi.Options(resources={"books": {"path": "/books", "lands_in": "books", **resource}})


def test_what_can_be_pulled_is_what_was_written() -> None:
    assert RestApi.declared_pulls({"resources": {"a": {"lands_in": "x"}, "b": {}, "c": 1}}) == {"a": "x"}
    assert RestApi.declared_pulls({"resources": "none"}) == {}
