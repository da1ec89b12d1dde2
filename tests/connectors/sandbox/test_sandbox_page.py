from __future__ import annotations

from html.parser import HTMLParser

import httpx

from connectors.sandbox import Sandbox

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


class Reader(HTMLParser):
    """What a browser would build."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def keep(sandbox: Sandbox, to: str, subject: str, html: str = "") -> None:
    sandbox.keep("smtp", "message", to, {"subject": subject, "text": subject, "html": html, "smtp_id": "", "unique_args": {}})


async def page(sandbox: Sandbox, http: httpx.AsyncClient, query: str = "") -> tuple[httpx.Response, Reader]:
    response = await http.get(f"{sandbox.addresses.http}/{query}")
    assert response.status_code == 200
    return response, Reader(response.text)


async def test_an_empty_sandbox_says_what_to_do(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    _, read = await page(sandbox, http)
    assert "Nothing has arrived yet" in read.text


async def test_the_newest_message_comes_first_with_counts_per_vendor(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    keep(sandbox, "a@x.example", "first 你好")
    keep(sandbox, "b@x.example", "second")
    sandbox.keep("webhook", "row", "partner", {"webhook_id": "m", "index": 0, "row": {"id": 1}})
    _, read = await page(sandbox, http)
    assert read.text.index("row for partner") < read.text.index("second") < read.text.index("first 你好")
    assert all(label in read.text for label in ("all 3", "smtp 2", "webhook 1"))
    _, read = await page(sandbox, http, "?vendor=webhook")
    assert "row for partner" in read.text
    assert "second" not in read.text


async def test_nothing_that_arrives_can_act_on_the_page(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    keep(sandbox, EVIL, EVIL, f"<p>hello</p>{EVIL}")
    keep(sandbox, EVIL, EVIL)
    sandbox.keep(EVIL, EVIL, EVIL, {"x": EVIL})
    for query in ("", f"?vendor={EVIL}", "?vendor=smtp"):
        response, read = await page(sandbox, http, query)
        assert not read.all("script")
        assert not read.all("img")
        assert "script-src" not in response.headers["content-security-policy"]
        assert response.headers["content-security-policy"].startswith("default-src 'none'")
        for frame in read.all("iframe"):
            assert frame["sandbox"] == "allow-popups allow-popups-to-escape-sandbox"  # no scripts, no forms, no origin
            assert frame["srcdoc"] == f"<base target=_blank><p>hello</p>{EVIL}"


async def test_the_page_needs_nothing_from_elsewhere(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    keep(sandbox, "a@x.example", "s", "<p>x</p>")
    _, read = await page(sandbox, http)
    assert [link for link in read.all("a") if not str(link["href"]).startswith("/")] == []
    assert not read.all("link")
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in read.all("meta")
