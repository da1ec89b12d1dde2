"""Every connector that receives, behind the real collector: what its vendor signed is kept, and of whatever else is sent, nothing.

Found by itself: a connector is tried as soon as its specimen has a `callback`. What `callback` takes second is what the vendor signs.
"""

from __future__ import annotations

import base64
import dataclasses
import inspect
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trial import Trial, specimens

import connectors
from connectors.base import Callback, Connector
from tests.activation.collector.running_collector import NOW, Running, start

RECEIVERS = [name for name in specimens() if connectors.find(name).receives]


def public(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


# Of every form that a secret has: any text, an AES key of WeChat, a secret of Standard Webhooks, public keys.
SECRETS = [
    "somebody-elses-secret-0000000000", "A" * 43, "whsec_c29tZWJvZHkgZWxzZXMgc2VjcmV0IDAwMDAwMDA=",
    public(ec.generate_private_key(ec.SECP256R1())), public(rsa.generate_private_key(65537, 2048)),
]  # fmt: skip
relaxed = settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
TEXT = re.compile(r"<!\[CDATA\[.*?\]\]>")
words = st.text(max_size=30) | st.sampled_from(["李雷 🎉", "", "null", "-1", "é" * 300, "\u2028", "9" * 40])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)


class Door:
    """One connector behind a collector that has the address its vendor knows."""

    def __init__(self, stack: ExitStack, folder: Path, name: str) -> None:
        self.trial = Trial(name)
        self.genuine: Callback = self.trial.specimen.callback(NOW)
        parts = urlsplit(self.genuine.url)
        self.path, self.public = parts.path, f"{parts.scheme}://{parts.netloc}"
        self.collector = self.behind(stack, folder / "spool", self.trial.open(None, None))
        self._seen = 0

    def behind(self, stack: ExitStack, folder: Path, connector: Connector) -> Running:
        return start(stack, folder, receivers={self.path.rpartition("/")[2]: connector}, public=self.public)

    def post(self, callback: Callback, collector: Running | None = None) -> httpx.Response:
        """As the vendor would send it. What no vendor's client can put into a header is left out."""
        headers = {name: value.strip().encode("utf-8", "replace") for name, value in callback.headers.items() if value.isprintable()}
        parts = urlsplit(callback.url)
        query = callback.query or dict(httpx.QueryParams(parts.query))
        return (collector or self.collector).http.request(callback.method, parts.path, params=query, content=callback.body, headers=headers)

    def fresh(self) -> list[dict[str, Any]]:
        """What was kept since the last look."""
        kept = self.collector.kept(str(self.trial.connector.receives))
        fresh, self._seen = kept[self._seen :], len(kept)
        return fresh


@pytest.fixture(scope="module", params=RECEIVERS)
def door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with ExitStack() as stack:
        yield Door(stack, tmp_path_factory.mktemp("door"), request.param)


def test_what_the_vendor_signed_is_kept_and_said_again_it_is_the_same(door: Door) -> None:
    first, second = door.post(door.genuine), door.post(door.genuine)
    assert (first.status_code, second.status_code) == (200, 200)
    kept = door.fresh()
    half = len(kept) // 2
    assert kept
    assert kept[:half] == kept[half:]  # so that it lands once


def test_of_what_is_not_the_vendor_s_nothing_is_kept(door: Door) -> None:
    forgeries = door.trial.specimen.forgeries(NOW)
    for name, forged in forgeries.items():
        # When it is, and how it is reached, the collector knows by itself.
        if forged.received_at == NOW and forged.method in {"GET", "POST"} and forged.url.startswith(door.public):
            assert door.post(forged).status_code == 401, name
    assert door.fresh() == []


def test_with_another_secret_the_vendor_s_own_is_not_believed(door: Door, tmp_path: Path) -> None:
    trial = door.trial
    fields = trial.connector.Options.model_fields
    secrets = [key for key, info in fields.items() if isinstance(info.json_schema_extra, dict) and "sandbox" in info.json_schema_extra]
    refused = []
    for key in secrets:
        for other in SECRETS:
            try:
                connector = trial.open(None, None, {**trial.specimen.OPTIONS, key: other})
            except ValueError:
                continue  # it has a form, which is not this one
            with ExitStack() as stack:
                collector = door.behind(stack, tmp_path / key, connector)
                if door.post(door.genuine, collector).status_code == 401:
                    assert collector.kept(str(trial.connector.receives)) == []
                    refused.append(key)
            break
    assert refused


def test_whatever_is_changed_on_the_way_nothing_is_kept_but_what_was_signed(door: Door) -> None:
    if "tampered" not in door.trial.specimen.forgeries(NOW):
        pytest.skip("its vendor does not sign the body")
    door.fresh()
    door.post(door.genuine)
    signed = door.fresh()

    @relaxed
    @given(
        at=st.integers(0, len(door.genuine.body) - 1),
        put=st.sampled_from([b"x", b"7", b"", b'"', b"\xff"]),
        out=st.just(1) | st.integers(0, 4),
    )
    def try_it(at: int, put: bytes, out: int) -> None:
        body = door.genuine.body
        answer = door.post(dataclasses.replace(door.genuine, body=body[:at] + put + body[at + out :]))
        kept = door.fresh()
        assert answer.status_code in {200, 401}
        assert kept == (signed if answer.status_code == 200 else [])

    try_it()


def test_anything_that_is_not_signed_is_refused_and_nothing_of_it_is_kept(door: Door) -> None:
    names = st.sampled_from([*door.genuine.headers, *door.genuine.query, "token", "content-type"])
    bodies = st.binary(max_size=100) | values.map(lambda value: json.dumps(value).encode())
    if door.trial.specimen.forgeries(NOW)["unsigned"].body == door.genuine.body:
        bodies |= st.just(door.genuine.body)  # what it is signed with stands elsewhere

    @relaxed
    @given(
        method=st.sampled_from(["GET", "POST"]),
        headers=st.dictionaries(names, words, max_size=4),
        query=st.dictionaries(names, words, max_size=4),
        body=bodies,
    )
    def try_it(method: str, headers: dict[str, str], query: dict[str, str], body: bytes) -> None:
        sent = dataclasses.replace(door.genuine, method=method, headers=headers, query=query or {"none": "1"}, body=body)
        assert door.post(sent).status_code == 401
        assert door.fresh() == []

    try_it()


def test_whatever_the_vendor_signs_is_kept_or_refused_and_never_an_error(door: Door) -> None:
    """Names in Chinese, emoji, fields that are missing or of another kind than ever before."""
    callback = door.trial.specimen.callback
    signed = list(inspect.signature(callback).parameters.values())[1].default

    @relaxed
    @given(st.data())
    def try_it(data: st.DataObject) -> None:
        answer = door.post(callback(NOW, _changed(signed, data)))
        kept = door.fresh()
        assert answer.status_code in {200, 401}
        assert answer.status_code == 200 or kept == []

    try_it()


def _changed(signed: Any, data: st.DataObject) -> Any:
    """What was signed, with some of it otherwise: in the same form, bytes of JSON, XML, or fields."""
    if isinstance(signed, bytes):
        if data.draw(st.integers(0, 9)) == 0:
            return data.draw(words).encode()
        return orjson.dumps(_spoilt(orjson.loads(signed), data))
    if isinstance(signed, str):
        return TEXT.sub(
            lambda found: f"<![CDATA[{data.draw(words).replace(']]>', '')}]]>" if not data.draw(st.integers(0, 3)) else found[0], signed
        )
    if all(isinstance(value, str) for value in signed.values()):
        return {name: (data.draw(words) if data.draw(st.integers(0, 3)) == 0 else value) for name, value in signed.items()}
    return _spoilt(signed, data)


def _spoilt(value: Any, data: st.DataObject) -> Any:
    chance = data.draw(st.integers(0, 11))
    if chance == 0:
        return data.draw(values)
    if isinstance(value, dict):
        return {name: _spoilt(one, data) for name, one in value.items() if data.draw(st.integers(0, 14))}
    if isinstance(value, list):
        return [_spoilt(one, data) for one in value]
    return value
