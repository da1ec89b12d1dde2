"""Webhooks of vendors: believed only when signed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from running_collector import PUBLIC, Running, signature

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
