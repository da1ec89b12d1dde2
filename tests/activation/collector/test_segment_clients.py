"""Segment's official JavaScript clients, unchanged, against the collector: in a real browser, and in Node."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from running_collector import Running, until
from website import browsing, install, serving

Collect = Callable[..., Running]
BROWSER_CLIENT, NODE_CLIENT = "@segment/analytics-next@1.84.3", "@segment/analytics-node@3.1.0"


@pytest.fixture(scope="module")
def modules(request: pytest.FixtureRequest) -> Path:
    assert request.config.cache is not None
    return install(Path(request.config.cache.mkdir("segment_clients")), BROWSER_CLIENT, NODE_CLIENT)


PAGE = """<!doctype html><meta charset="utf-8"><title>Shop</title><script src="index.js"></script>
<script>
window.done = (async () => {
  const {AnalyticsBrowser} = window.AnalyticsNext
  const analytics = AnalyticsBrowser.load({writeKey: "wk", cdnURL: "%s"})
  await analytics.page("docs", "Pricing")
  await analytics.identify("u1", {email: "ann@example.com", firstName: "安"})
  await analytics.track("Signed Up", {plan: "pro 🎉"})
  await analytics.group("g1", {name: "Example"})
  await analytics.alias("u2")
})()
</script>"""


def test_the_browser_client_finds_its_settings_and_delivers_every_kind(collect: Collect, modules: Path, tmp_path: Path) -> None:
    running = collect(write_keys={"wk": "shop_events"}, public=None)
    shutil.copytree(modules / "@segment" / "analytics-next" / "dist" / "umd", tmp_path / "site")
    (tmp_path / "site" / "index.html").write_text(PAGE % running.url, encoding="utf-8")
    errors: list[str] = []
    with serving(tmp_path / "site") as site, browsing(errors) as browser:
        page = browser.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{site}/index.html?utm_source=news&utm_campaign=autumn")
        page.evaluate("() => window.done")
        until(lambda: len(running.kept("shop_events")) == 5, 60)
    assert errors == []
    kept = {message["type"]: message for message in running.kept("shop_events")}
    assert kept["page"]["properties"]["url"].startswith(site)
    assert kept["page"]["context"]["campaign"] == {"source": "news", "name": "autumn"}
    assert kept["identify"]["traits"] == {"email": "ann@example.com", "firstName": "安"}
    assert kept["track"]["properties"] == {"plan": "pro 🎉"}
    assert kept["group"]["groupId"] == "g1"
    assert kept["alias"]["previousId"] == "u1"
    assert all("writeKey" not in message and message["messageId"].startswith("ajs-next-") for message in kept.values())


def test_settings_are_told_for_known_keys_only(collect: Collect) -> None:
    running = collect(write_keys={"wk": "shop_events"})
    told = running.http.get("/v1/projects/wk/settings", headers={"origin": "https://shop.example.com"})
    assert told.json()["integrations"] == {"Segment.io": {"apiKey": "wk", "apiHost": "collect.example.com/v1", "protocol": "https"}}
    assert told.headers["access-control-allow-origin"] == "*"
    assert running.http.get("/v1/projects/other/settings").status_code == 401


SCRIPT = """
const {Analytics} = require("@segment/analytics-node")
const analytics = new Analytics({writeKey: "wk", host: process.argv[1], maxRetries: 0})
analytics.on("error", error => { console.error(error); process.exitCode = 1 })
for (let n = 0; n < 50; n++) analytics.track({userId: "u1", event: "Product Viewed", properties: {n}})
analytics.identify({userId: "u1", traits: {email: "ann@example.com"}})
analytics.closeAndFlush()
"""


def test_the_node_client_delivers_each_message_once(collect: Collect, modules: Path) -> None:
    running = collect(write_keys={"wk": "shop_events"})
    done = subprocess.run(["node", "-e", SCRIPT, running.url], cwd=modules.parent, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    kept = running.kept("shop_events")
    assert sorted(message["properties"]["n"] for message in kept if message["type"] == "track") == list(range(50))
    assert len(kept) == 51
