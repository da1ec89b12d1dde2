"""Webhooks of vendors: believed only when signed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from running_collector import PUBLIC, Running, SignedHook, signature

from connectors.base import Callback, Received

Collect = Callable[..., Running]


def test_a_signed_callback_is_kept_and_answered_as_the_vendor_expects(collect: Collect) -> None:
    running = collect()
    body = '{"name":"点击 🎉"}'.encode()
    answer = running.http.post("/hooks/vendor?nonce=1", content=body, headers=signature(body))
    assert (answer.status_code, answer.text) == (200, "success")
    assert running.kept("vendor_events") == [{"event": {"name": "点击 🎉"}, "url": f"{PUBLIC}/hooks/vendor?nonce=1"}]


def test_an_address_check_by_get_is_answered_and_keeps_nothing(collect: Collect) -> None:
    running = collect()
    assert running.http.get("/hooks/vendor?echo=42", headers=signature(b"")).text == "42"
    assert running.kept("vendor_events") == []


@pytest.mark.parametrize("headers", [{}, {"x-signature": "00"}, {"x-signature": "ü".encode("latin-1")}, signature(b"another body")])
def test_a_wrong_signature_is_401_and_a_count_and_nothing_is_kept(collect: Collect, headers: dict[str, str]) -> None:
    running = collect()
    answer = running.http.post("/hooks/vendor", content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_signature")
    assert list(running.folder.iterdir()) == []
    assert 'bad_signatures_total{destination="vendor"} 1' in running.http.get("/metrics").text


@pytest.mark.parametrize("name", ["nobody", "silent", "..%2Fvendor"])
def test_a_destination_that_takes_no_callbacks_is_404(collect: Collect, name: str) -> None:
    assert collect().http.post(f"/hooks/{name}", content=b"{}").status_code == 404


def test_a_callback_that_is_too_large_is_refused(collect: Collect) -> None:
    assert collect().http.post("/hooks/vendor", content=b"x" * (5 << 20)).status_code == 413


def test_what_a_callback_needs_first_is_fetched_and_what_it_asks_for_is_visited(collect: Collect, vendor: Vendor) -> None:
    running = collect(receivers={"vendor": Learning(vendor.address)})
    body = b'{"name":1}'
    answer = running.http.post("/hooks/vendor", content=body, headers=signature(body))
    assert answer.status_code == 200
    assert vendor.asked == ["/certificate", "/confirm"]
    assert running.http.post("/hooks/vendor", content=body, headers=signature(body)).status_code == 200
    assert vendor.asked == ["/certificate", "/confirm", "/confirm"]


@pytest.mark.parametrize("silent", ["/certificate", "/confirm"])
def test_a_callback_that_cannot_be_judged_or_confirmed_is_to_be_posted_again(collect: Collect, vendor: Vendor, silent: str) -> None:
    vendor.broken = silent
    running = collect(receivers={"vendor": Learning(vendor.address)})
    body = b'{"name":1}'
    assert running.http.post("/hooks/vendor", content=body, headers=signature(body)).status_code == 503
    vendor.broken = ""
    assert running.http.post("/hooks/vendor", content=body, headers=signature(body)).status_code == 200


class Learning(SignedHook):
    """A vendor whose certificate has to be fetched, and who asks to be visited."""

    def __init__(self, address: str) -> None:
        super().__init__(None)
        self.vendor, self.known = address, b""

    def wants(self, callback: Callback) -> str | None:
        return None if self.known else f"{self.vendor}/certificate"

    def learn(self, address: str, found: bytes) -> None:
        if found != b"certificate":
            raise ValueError
        self.known = found

    def receive(self, callback: Callback) -> Received:
        assert self.known
        return replace(super().receive(callback), visit=f"{self.vendor}/confirm")


class Vendor(ThreadingHTTPServer):
    """Where the certificate is."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.broken = ""
        super().__init__(("127.0.0.1", 0), Answering)
        self.address = f"http://127.0.0.1:{self.server_port}"


class Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Vendor)
        server.asked.append(self.path)
        self.send_response(500 if self.path == server.broken else 200)
        self.end_headers()
        self.wfile.write(self.path.removeprefix("/").encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with Vendor() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
