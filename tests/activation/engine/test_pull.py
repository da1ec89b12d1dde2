"""Pulling: pages come once into raw, whatever breaks in between, and the next pull goes on where the last one was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import bookshop
import dagster as dg
import orjson
import pytest
from bookshop import Bookshop, Shop
from small_project import NOON, SmallProject

import connectors
from activation.engine import pull as pulling
from activation.engine.declarations import DeclarationErrors, Declarations
from activation.engine.errors import Held, UsageError
from activation.engine.landing import land
from activation.engine.pull import PullReport
from connectors.base import Fatal, Pulled
from dagster_project import pulls as pull_assets

SOURCE = "files: books/*.csv\nformat: csv\nkey: [[number, edition], [number]]\nrequired: [number]\n"


@pytest.fixture
def books(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    bookshop.known(monkeypatch)
    with bookshop.open_bookshop() as server:
        server.books = [{"number": number, "title": f"书 {number} 🎉"} for number in range(5)]
        yield server


@pytest.fixture
def shop(tmp_path: Any, books: Shop) -> SmallProject:
    shop = SmallProject(tmp_path / "shop")
    shop.write("activation/sources/book_events.yml", SOURCE)
    shop.write("activation/destinations.yml", f"paper: {{connector: bookshop, base_url: '{books.address}', pulls: [books]}}\n")
    return shop


def pulled(shop: SmallProject, **options: Any) -> PullReport:
    declarations = Declarations.load(shop.project)
    return pulling.run(shop.project, declarations, pulling.find(declarations, "paper/books"), NOON, **options)


def landed(shop: SmallProject) -> list[int]:
    return [json.loads(row[0])["number"] for row in shop.rows("select payload::varchar from raw.book_events order by _event_id")]


def cursor(shop: SmallProject) -> Any:
    return orjson.loads((shop.project.state / "pulls" / "paper.books.json").read_bytes())["cursor"]


def test_every_page_lands_and_the_next_pull_asks_only_for_what_is_new(shop: SmallProject, books: Shop) -> None:
    first = pulled(shop)
    assert (first.pages, first.events, first.landing.landed, first.complete) == (3, 5, 5, True)
    assert books.asked == [-1, 1, 3, 4]
    books.books.append({"number": 5, "title": "新", "isbn": "978"})
    second = pulled(shop)
    assert (second.events, second.landing.landed, second.landing.new_fields) == (1, 1, ["isbn"])
    assert books.asked[4:] == [4, 5]
    assert landed(shop) == [0, 1, 2, 3, 4, 5]
    assert shop.rows("select payload->>'title' from raw.book_events where _event_id = '3'") == [("书 3 🎉",)]


def test_nothing_new_is_no_news(shop: SmallProject, books: Shop) -> None:
    pulled(shop)
    again = pulled(shop)
    assert (again.pages, again.events, again.complete) == (0, 0, True)
    assert cursor(shop) == "4"


def test_from_the_start_everything_comes_again_and_lands_once(shop: SmallProject, books: Shop) -> None:
    pulled(shop)
    again = pulled(shop, from_start=True)
    assert (again.events, again.landing.landed, again.landing.duplicates) == (5, 0, 5)
    assert landed(shop) == [0, 1, 2, 3, 4]


def test_what_the_vendor_refuses_for_a_moment_is_asked_again(shop: SmallProject, books: Shop) -> None:
    books.refuse = [503, 429]
    report = pulled(shop)
    assert report.complete
    assert landed(shop) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("status", [500, 401])
def test_what_came_before_a_pull_was_cut_off_has_landed_and_the_next_goes_on(
    shop: SmallProject, books: Shop, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "backoff", lambda _: 0.0)
    monkeypatch.setattr("activation.engine.transport.backoff", lambda _: 0.0)
    books.refuse = [200, *[status] * 100]
    report = pulled(shop)
    assert (report.complete, report.passes_by_itself, report.events) == (False, status == 500, 2)
    assert report.reason.startswith("The bookshop answered")
    assert landed(shop) == [0, 1]
    books.refuse = []
    books.asked.clear()
    assert pulled(shop).complete
    assert books.asked[0] == 1
    assert landed(shop) == [0, 1, 2, 3, 4]


def test_a_page_whose_cursor_was_not_kept_comes_again_and_lands_once(
    shop: SmallProject, books: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, kept = pulling._Cursor.keep, []

    def killed(self: Any, value: str | None, now: Any) -> None:
        kept.append(value)
        if len(kept) == 2:
            raise KeyboardInterrupt
        keep(self, value, now)

    monkeypatch.setattr(pulling._Cursor, "keep", killed)
    with pytest.raises(KeyboardInterrupt):
        pulled(shop)
    assert cursor(shop) == "1"
    monkeypatch.setattr(pulling._Cursor, "keep", keep)
    report = pulled(shop)
    assert report.landing.duplicates == 2  # the page that was on disk when the process died
    assert landed(shop) == [0, 1, 2, 3, 4]


def test_a_deleted_warehouse_loses_nothing_that_was_pulled(shop: SmallProject, books: Shop) -> None:
    pulled(shop)
    shop.project.warehouse.unlink()
    land(shop.project, Declarations.load(shop.project), [shop.project.spool / "landed" / "book_events"], NOON, "book_events")
    assert landed(shop) == [0, 1, 2, 3, 4]
    assert cursor(shop) == "4"


def test_one_process_pulls_at_a_time(shop: SmallProject, books: Shop) -> None:
    pull = pulling.find(Declarations.load(shop.project), "paper/books")
    with pulling._Cursor.held(shop.project, pull), pytest.raises(Held, match="by another process"):
        pulled(shop)


def test_lines_that_cannot_land_are_quarantined_and_told(shop: SmallProject, books: Shop) -> None:
    shop.write("activation/sources/book_events.yml", SOURCE.replace("[number]\n", "[number, title]\n"))
    books.books[2] = {"number": 2}
    report = pulled(shop)
    assert (report.landing.landed, report.landing.quarantined) == (4, 1)


@pytest.mark.parametrize("page", [Pulled("another_source", [{"number": 1}], "1"), Pulled("book_events", ["no object"], "1")])  # type: ignore[list-item]
def test_a_connector_that_gives_something_else_is_stopped(
    shop: SmallProject, books: Shop, page: Pulled, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wrong(*_: Any) -> Any:
        yield page

    monkeypatch.setattr(Bookshop, "pull", wrong)
    report = pulled(shop)
    assert (report.code, report.events) == ("BROKEN_CONNECTOR", 0)


async def test_who_is_no_source_cannot_be_pulled() -> None:
    webhook = connectors.find("webhook")
    with pytest.raises(Fatal, match="nothing named x"):
        webhook(None).pull("x", None)


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        ("paper/boks", "Did you mean `paper/books`"),
        ("paper/elsewhere", "Write activation/sources/nowhere_declared.yml"),
        ("nobody/x", "nothing to pull as `nobody/x`"),
    ],
)
def test_what_cannot_be_pulled_is_said_in_a_sentence(shop: SmallProject, ref: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        pulling.find(Declarations.load(shop.project), ref)


@pytest.mark.parametrize(
    ("written", "said"),
    [("[boks]", "there is nothing named `boks` to pull here. Did you mean `books`"), ("books", "`pulls` is a list of names, such as")],
)
def test_a_pull_that_is_none_is_refused_when_the_file_is_read(shop: SmallProject, written: str, said: str) -> None:
    shop.write("activation/destinations.yml", f"paper: {{connector: bookshop, pulls: {written}}}\n")
    with pytest.raises(DeclarationErrors, match=said):
        Declarations.load(shop.project)


# -- as an asset ----------------------------------------------------------------------------------------------------------------


def materialized(shop: SmallProject) -> dg.ExecuteInProcessResult:
    definitions = pull_assets.definitions(shop.project, Declarations.load(shop.project))
    return dg.materialize(list(definitions.assets or []), raise_on_error=False)


def test_a_declared_pull_is_an_asset_with_its_counts(shop: SmallProject, books: Shop) -> None:
    result = materialized(shop)
    assert result.success
    (event,) = result.get_asset_materialization_events()
    assert event.asset_key == dg.AssetKey(["pulls", "paper", "books"])
    counts = {name: value.value for name, value in event.materialization.metadata.items()}
    assert counts == {"pages": 3, "events": 5, "landed": 5, "duplicates": 0, "quarantined": 0}


def test_a_pull_that_was_cut_off_is_a_failed_step_with_a_sentence(shop: SmallProject, books: Shop) -> None:
    books.refuse = [200, 401]
    result = materialized(shop)
    assert not result.success
    (failed,) = result.get_step_failure_events()
    assert "paper/books was cut off (UNAUTHORIZED)" in str(failed.step_failure_data.user_failure_data)
    assert landed(shop) == [0, 1]


def test_what_nobody_declared_is_no_asset(shop: SmallProject, books: Shop) -> None:
    shop.write("activation/destinations.yml", f"paper: {{connector: bookshop, base_url: '{books.address}'}}\n")
    assert not pull_assets.definitions(shop.project, Declarations.load(shop.project)).assets
    assert pulled(shop).complete  # by hand it can be pulled all the same


def test_time_moves_no_cursor_back(shop: SmallProject, books: Shop) -> None:
    declarations = Declarations.load(shop.project)
    pull = pulling.find(declarations, "paper/books")
    pulling.run(shop.project, declarations, pull, NOON)
    assert pulling.run(shop.project, declarations, pull, NOON - timedelta(days=9)).events == 0


REST = """
paper:
  connector: rest_api
  base_url: '{address}'
  token: ${{BOOKS_TOKEN}}
  scheme: ""
  pulls: [books]
  resources:
    books: {{path: /books, lands_in: book_events, query: {{limit: "100", after: "-1"}}, newer: {{field: number, parameter: after}}}}
"""


def test_any_rest_api_is_pulled_as_its_destination_declares(shop: SmallProject, books: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOKS_TOKEN", "open")
    shop.write("activation/destinations.yml", REST.format(address=books.address))
    assert pulled(shop).landing.landed == 5
    books.books.append({"number": 5})
    assert pulled(shop).landing.landed == 1
    assert books.asked == [-1, 4]
    assert landed(shop) == [0, 1, 2, 3, 4, 5]
    assert [asset.key for asset in pull_assets.definitions(shop.project, Declarations.load(shop.project)).assets or []] == [
        dg.AssetKey(["pulls", "paper", "books"])  # type: ignore[union-attr]
    ]


def test_a_resource_that_is_not_declared_cannot_be_pulled_by_itself(shop: SmallProject, books: Shop) -> None:
    shop.write("activation/destinations.yml", REST.format(address=books.address).replace("pulls: [books]", "pulls: [orders]"))
    with pytest.raises(DeclarationErrors, match=r"there is nothing named `orders` to pull here\. Known: books"):
        Declarations.load(shop.project)
