"""A vendor of the tests' own that is pulled from: an HTTP server with books, oldest first, and the connector that reads them in pages."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

import connectors
from connectors.base import Answer, Connector, Pulled, SecretStr, secret

ANSWER = Answer("The bookshop", idempotent=True)


class Bookshop(Connector):
    """Books by number. The cursor is the number of the last book seen."""

    channel = "web"
    base_url = "https://books.example"
    pulls: ClassVar = {"books": "book_events", "elsewhere": "nowhere_declared"}

    class Options(Connector.Options):
        token: SecretStr = secret(sandbox="open")
        page: int = 2

    async def pull(self, name: str, cursor: str | None) -> AsyncIterator[Pulled]:
        while True:
            query = {"after": cursor or "-1", "limit": str(self.options.page)}
            headers = {"authorization": self.options.token.get_secret_value()}
            response = await self.http.get(self.address + "/books", params=query, headers=headers)
            ANSWER.raise_for(response)
            books = ANSWER.json(response)
            if not books:
                return
            cursor = str(books[-1]["number"])
            yield Pulled("book_events", books, cursor)


class Shop:
    """What the server has, what it was asked, and with which status it refuses the next requests."""

    def __init__(self) -> None:
        self.books: list[dict[str, Any]] = []
        self.asked: list[int] = []
        self.refuse: list[int] = []
        self.address = ""


@contextmanager
def open_bookshop() -> Iterator[Shop]:
    shop = Shop()

    class Counter(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            after, limit = int(query["after"][0]), int(query["limit"][0])
            shop.asked.append(after)
            status = shop.refuse.pop(0) if shop.refuse else 200 if self.headers["authorization"] == "open" else 401
            body = json.dumps([book for book in shop.books if book["number"] > after][:limit] if status == 200 else {}).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Counter)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    shop.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield shop
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let destinations name `bookshop` as their connector, as if its file lay among the others."""
    monkeypatch.setitem(connectors.names(), "bookshop", __name__)
