"""sluice.js in a real browser, on a page of another origin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from running_collector import Running, until
from website import browsing, serving

Collect = Callable[..., Running]
TAG = '<!doctype html><title>Pricing</title><script async src="{url}/sluice.js" data-write-key="wk" {more}></script>'
READY = "() => window.sluice && window.sluice.track"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browsing([]) as found:
        yield found


class Site:
    """Pages with sluice.js on them, visited by one person with one browser."""

    def __init__(self, running: Running, folder: Path, url: str, context: Any) -> None:
        self.running, self.folder, self.url, self.context = running, folder, url, context
        self.errors: list[str] = []

    def visit(self, path: str = "index.html", more: str = "", before: str = "") -> Any:
        """Open a page, and wait until the script is there. `more` are attributes of its tag, `before` is HTML above it."""
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        (self.folder / path.partition("?")[0]).write_text(before + TAG.format(url=self.running.url, more=more), encoding="utf-8")
        page.goto(f"{self.url}/{path}")
        page.wait_for_function(READY)
        return page

    def kept(self, count: int) -> list[dict[str, Any]]:
        until(lambda: len(self.running.kept("shop_events")) >= count, 60)
        return self.running.kept("shop_events")


@pytest.fixture
def site(collect: Collect, browser: Any, tmp_path: Path) -> Iterator[Site]:
    running = collect(write_keys={"wk": "shop_events"}, public=None)
    (tmp_path / "site").mkdir()
    context = browser.new_context(locale="zh-CN", timezone_id="Asia/Shanghai")
    with serving(tmp_path / "site") as url:
        found = Site(running, tmp_path / "site", url, context)
        yield found
        context.close()
    assert found.errors == []


def stored(page: Any) -> dict[str, str]:
    found: dict[str, str] = page.evaluate("() => ({...localStorage})")
    return found


def told(site: Site) -> set[Any]:
    """The numbers of the events that arrived; None: a page. What is told twice under one id lands once."""
    return {(message.get("properties") or {}).get("n") for message in site.running.kept("shop_events")}


def test_page_track_and_identify_arrive_in_segments_shape(site: Site) -> None:
    page = site.visit("index.html?a=1")
    page.evaluate(
        "() => { sluice.track('Signed Up', {plan: 'pro 🎉'}); sluice.identify('u1', {email: 'ann@example.com'}); sluice.track('x') }"
    )
    viewed, signed_up, identified, after = site.kept(4)
    assert (viewed["type"], viewed["properties"]["path"], viewed["properties"]["title"]) == ("page", "/index.html", "Pricing")
    assert viewed["context"]["page"]["url"] == f"{site.url}/index.html?a=1"
    assert (viewed["context"]["locale"], viewed["context"]["timezone"]) == ("zh-CN", "Asia/Shanghai")
    assert (signed_up["event"], signed_up["properties"]) == ("Signed Up", {"plan": "pro 🎉"})
    assert (identified["userId"], identified["traits"]) == ("u1", {"email": "ann@example.com"})
    assert after["userId"] == "u1"
    assert len({message["anonymousId"] for message in (viewed, signed_up, identified, after)}) == 1
    assert len({message["messageId"] for message in (viewed, signed_up, identified, after)}) == 4


def test_calls_made_before_the_script_is_there_are_not_lost(site: Site) -> None:
    early = "<script>(window.sluice = window.sluice || []).push(['track', 'Early', {n: 1}])</script>"
    site.visit(before=early)
    assert [message.get("event") for message in site.kept(2)] == [None, "Early"]


def test_the_campaign_is_kept_over_pages_and_replaced_by_the_next(site: Site) -> None:
    site.visit("a.html?utm_source=news&utm_medium=email&utm_campaign=autumn")
    site.kept(1)
    site.visit("b.html")
    site.kept(2)
    site.visit("c.html?utm_source=ads")
    campaigns = [message["context"]["campaign"] for message in site.kept(3)]
    autumn = {"source": "news", "medium": "email", "name": "autumn"}
    assert campaigns == [autumn, autumn, {"source": "ads"}]


def test_somebody_who_comes_back_is_the_same_visitor(site: Site) -> None:
    site.visit("a.html").close()
    site.visit("b.html")
    # A page that is closed while it tells leaves the telling to the next one: it may come twice, under one id.
    until(lambda: len({message["messageId"] for message in site.running.kept("shop_events")}) == 2, 60)
    assert len({message["anonymousId"] for message in site.running.kept("shop_events")}) == 1


def test_a_page_that_is_left_at_once_has_still_told(site: Site) -> None:
    page = site.visit()
    page.evaluate("() => { for (let n = 0; n < 80; n++) sluice.track('x', {n}); location.href = 'about:blank' }")
    until(lambda: told(site) == {None, *range(80)}, 60)


def test_what_the_browser_does_not_take_from_a_page_that_is_left_is_told_by_the_next(site: Site) -> None:
    page = site.visit()
    page.evaluate("() => { for (let n = 0; n < 400; n++) sluice.track('x', {n}); location.href = 'about:blank' }")
    page.wait_for_url("about:blank")
    visitor = site.kept(1)[0]["anonymousId"]
    again = site.visit("b.html")
    until(lambda: told(site) == {None, *range(400)}, 60)
    assert {message["anonymousId"] for message in site.running.kept("shop_events")} == {visitor}
    assert "sluice_waiting" not in stored(again)


@pytest.mark.parametrize("left", ["[null, 7, {}, [", "[null, 7, {}]", "7", "null", '"😀"'])
def test_whatever_stands_where_the_rest_is_kept_the_page_tells_its_own(site: Site, left: str) -> None:
    page = site.visit()
    page.evaluate("left => localStorage.setItem('sluice_waiting', left)", left)
    again = site.visit("b.html")
    assert [message["properties"]["path"] for message in site.kept(2)] == ["/index.html", "/b.html"]
    assert "sluice_waiting" not in stored(again)


def test_before_consent_nothing_is_stored_or_sent_and_afterwards_everything(site: Site) -> None:
    page = site.visit("index.html?utm_source=news", 'data-consent="required"')
    page.evaluate("() => { sluice.identify('u1'); sluice.track('x') }")
    page.wait_for_load_state("networkidle")
    assert stored(page) == {}
    assert site.running.kept("shop_events") == []
    page.evaluate("() => sluice.consent(true)")
    assert [message["type"] for message in site.kept(3)] == ["page", "identify", "track"]
    assert {"sluice_consent", "sluice_anonymous", "sluice_campaign"} <= set(stored(page))
    site.visit("b.html", 'data-consent="required"')
    site.kept(4)


def test_consent_that_is_taken_back_ends_it_and_forgets_the_visitor(site: Site) -> None:
    page = site.visit()
    site.kept(1)
    page.evaluate("() => { sluice.consent(false); sluice.track('x') }")
    page.wait_for_load_state("networkidle")
    assert stored(page) == {"sluice_consent": "refused"}
    later = site.visit("b.html")
    later.wait_for_load_state("networkidle")
    assert later.evaluate("() => sluice.anonymousId()") is None
    assert len(site.running.kept("shop_events")) == 1


@pytest.mark.parametrize("asked", ["doNotTrack: {value: '1'}", "globalPrivacyControl: {value: true}"])
def test_a_browser_that_asks_not_to_be_tracked_is_not(site: Site, asked: str) -> None:
    site.context.add_init_script(f"Object.defineProperties(navigator, {{{asked}}})")
    page = site.visit("index.html?utm_source=news")
    page.evaluate("() => { sluice.identify('u1'); sluice.track('x'); sluice.consent(true) }")
    page.wait_for_load_state("networkidle")
    assert set(stored(page)) <= {"sluice_consent"}
    assert site.running.kept("shop_events") == []


def test_events_wait_for_a_collector_that_is_busy(site: Site) -> None:
    refused = []

    def busy(route: Any) -> None:
        if len(refused) < 2:
            refused.append(route.request.url)
            route.fulfill(
                status=429,
                headers={"retry-after": "0.05", "access-control-allow-origin": "*", "access-control-expose-headers": "retry-after"},
            )
        else:
            route.continue_()

    site.context.route("**/v1/batch", busy)
    page = site.visit()
    while len(refused) < 2:  # the answers above are given while the browser is being driven
        page.wait_for_timeout(50)
    page.wait_for_function("() => performance.getEntriesByType('resource').filter(r => r.name.endsWith('/v1/batch')).length >= 3")
    assert [message["type"] for message in site.kept(1)] == ["page"]


def test_the_script_is_small_and_asked_for_again_only_when_it_changes(collect: Collect) -> None:
    running = collect()
    answer = running.http.get("/sluice.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert len(answer.content) < 12_000
    again = running.http.get("/sluice.js", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
