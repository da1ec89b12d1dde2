"""Callbacks of WeChat Official Accounts: what is believed, what is not, and what is read from them."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wechatpy import parse_message
from wechatpy.crypto import WeChatCrypto
from wechatpy.utils import WeChatSigner

from connectors import sandbox as sandboxes
from connectors.base import BadSignature, Batch, Callback, Row
from connectors.sandbox import Outgoing, Pending
from connectors.wechat.wechat_official import WechatOfficial

APPID, TOKEN, KEY = "wx5f1e2d3c4b5a6978", "sandboxWechatToken", "c2FuZGJveC13ZWNoYXQtYWVzLWtleS0zMi1ieXRlcyE"
NOW = datetime.now(UTC).replace(microsecond=0)
NONCE = "1372623149"
FOLLOW = (
    "<xml><ToUserName><![CDATA[gh_5f1e2d3c4b5a]]></ToUserName><FromUserName><![CDATA[oTestOpenid00000000000000001]]></FromUserName>"
    "<CreateTime>1761876000</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[subscribe]]></Event>"
    "<EventKey><![CDATA[qrscene_展会🎉]]></EventKey><Ticket><![CDATA[TICKET]]></Ticket></xml>"
)

unhurried = settings(deadline=None, database=None)


def account(encrypted: bool = True, **options: Any) -> WechatOfficial:
    given = {"appid": APPID, "app_secret": "s", "callback_token": TOKEN, "encoding_aes_key": KEY if encrypted else None}
    return WechatOfficial(WechatOfficial.Options(**(given | options)))


def signed(*parts: str) -> str:
    signer = WeChatSigner()
    signer.add_data(*parts)
    return str(signer.signature)


def plain(body: str = FOLLOW, method: str = "POST", at: datetime = NOW, nonce: str = NONCE, **query: str) -> Callback:
    """A callback in plain mode, signed by wechatpy."""
    timestamp = str(int(at.timestamp()))
    query = {"signature": signed(TOKEN, timestamp, nonce), "timestamp": timestamp, "nonce": nonce} | query
    return Callback(method, "https://collect.example/hooks/wechat", query, {"content-type": "text/xml"}, body.encode(), NOW)


def encrypted(xml: str = FOLLOW, appid: str = APPID, at: datetime = NOW) -> Callback:
    """A callback in encrypted mode, made by wechatpy."""
    timestamp = str(int(at.timestamp()))
    body = WeChatCrypto(TOKEN, KEY, appid).encrypt_message(xml, NONCE, timestamp)
    signature = body.split("<MsgSignature><![CDATA[")[1].split("]]")[0]
    return plain(body, at=at, encrypt_type="aes", msg_signature=signature)


def just_come(post: Outgoing) -> Callback:
    """What the sandbox posts: it goes by the clock on the wall, and this file may have been read long before."""
    return replace(plain(post.body.decode(), **post.query), received_at=datetime.now(UTC))


def sandbox_posts() -> tuple[Pending, list[Outgoing]]:
    sandbox = sandboxes.build()
    kept = sandbox.keep("wechat_official", "message", "oTestOpenid00000000000000001", {"msgid": 3100000000000000007})
    pending = Pending(kept, NOW - timedelta(hours=1), NOW)
    return pending, list(sandbox.emulators["wechat_official"].receipts([pending], ""))


# -- what is believed ---------------------------------------------------------------------------------------------------


def test_the_check_of_the_address_is_answered_with_its_own_words() -> None:
    for connector in (account(encrypted=True), account(encrypted=False)):
        received = connector.receive(plain("", method="GET", echostr="6039152783219"))
        assert (received.reply, received.events) == (b"6039152783219", [])


@pytest.mark.parametrize("callback", [plain(), encrypted()], ids=["plain", "encrypted"])
def test_a_callback_becomes_an_event_with_its_elements_and_its_xml(callback: Callback) -> None:
    received = account(encrypted="msg_signature" in callback.query).receive(callback)
    assert received.source == "wechat_callbacks"
    assert received.reply == b"success"
    assert received.events == [
        {
            "appid": APPID,
            "received_at": NOW.isoformat(),
            "ToUserName": "gh_5f1e2d3c4b5a",
            "FromUserName": "oTestOpenid00000000000000001",
            "CreateTime": "1761876000",
            "MsgType": "event",
            "Event": "subscribe",
            "EventKey": "qrscene_展会🎉",
            "Ticket": "TICKET",
            "xml": FOLLOW,
        }
    ]


@unhurried
@given(st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="]<&")))
def test_what_wechatpy_encrypts_is_decrypted_whatever_its_length(content: str) -> None:
    xml = f"<xml><FromUserName>o</FromUserName><Content><![CDATA[{content}]]></Content></xml>"
    assert account().receive(encrypted(xml)).events[0]["Content"] == content


def test_wechatpy_decrypts_what_the_sandbox_encrypts_and_reads_the_same_as_we_do() -> None:
    pending, (post, *_) = sandbox_posts()
    query = post.query
    xml = WeChatCrypto(TOKEN, KEY, APPID).decrypt_message(post.body.decode(), query["msg_signature"], query["timestamp"], query["nonce"])
    theirs = parse_message(xml)
    received = account().receive(just_come(post))
    (ours,) = received.events
    assert (theirs.event, theirs.source, theirs.status) == ("templatesendjobfinish", pending.kept.to, ours["Status"])
    assert (ours["Event"], ours["FromUserName"], ours["MsgID"]) == ("TEMPLATESENDJOBFINISH", pending.kept.to, "3100000000000000007")
    assert ours["CreateTime"] == str(int(pending.start.timestamp()))
    assert ours["xml"] == xml


def test_nested_elements_are_left_to_readers_of_the_xml() -> None:
    xml = "<xml><Event>scancode_push</Event><ScanCodeInfo><ScanType>qrcode</ScanType></ScanCodeInfo></xml>"
    (event,) = account().receive(encrypted(xml)).events
    assert (event["Event"], "ScanCodeInfo" in event, "qrcode" in event["xml"]) == ("scancode_push", False, True)


def test_an_element_cannot_take_the_place_of_what_we_say() -> None:
    (event,) = account().receive(encrypted("<xml><appid>wx0</appid><received_at>never</received_at></xml>")).events
    assert (event["appid"], event["received_at"]) == (APPID, NOW.isoformat())


async def test_a_message_of_ours_is_found_again_by_the_provider_id_of_its_outcome() -> None:
    sandbox = sandboxes.build()
    payload = b'{"openid":"oTestOpenid00000000000000001","template_id":"T","data":{}}'
    async with sandbox.serve(http_port=0, smtp_port=0) as addresses, httpx.AsyncClient(trust_env=False) as http:
        connector = WechatOfficial(WechatOfficial.Options(appid=APPID, app_secret="sandbox-wechat-app-secret"), http, addresses.http)
        row = Row(0, "p0", payload, message_id="m_1")
        (outcome,) = await connector.deliver(Batch("template_messages", "add", [row], "run-1", 1))
    pending = Pending(sandbox.journal.kept[0], NOW, NOW)
    (post, *_) = sandbox.emulators["wechat_official"].receipts([pending], "")
    (event,) = account().receive(just_come(post)).events
    assert event["MsgID"] == outcome.provider_id


# -- what is not --------------------------------------------------------------------------------------------------------


def test_any_part_of_an_encrypted_callback_that_is_tampered_with_makes_it_unbelievable() -> None:
    good = encrypted()
    assert account().receive(good).events
    cipher = good.body.split(b"<Encrypt><![CDATA[")[1].split(b"]]")[0]
    other = encrypted(FOLLOW.replace("subscribe", "unsubscribe")).body.split(b"<Encrypt><![CDATA[")[1].split(b"]]")[0]
    tampered = [
        replace(good, body=good.body.replace(cipher, other)),
        replace(good, body=good.body.replace(cipher, cipher[:-8] + b"AAAAAAA=")),
        replace(good, body=FOLLOW.encode()),
        *(replace(good, query={**good.query, name: "0" * 40}) for name in ("signature", "msg_signature")),
        *(replace(good, query={**good.query, name: good.query[name] + "1"}) for name in ("timestamp", "nonce")),
        *(replace(good, query={k: v for k, v in good.query.items() if k != name}) for name in ("signature", "msg_signature")),
    ]
    for callback in tampered:
        with pytest.raises(BadSignature):
            account().receive(callback)


@pytest.mark.parametrize("minutes", [-6, 6])
@pytest.mark.parametrize("make", [plain, encrypted])
def test_a_callback_too_far_from_our_clock_is_not_believed(make: Any, minutes: int) -> None:
    connector = account(encrypted=make is encrypted)
    assert connector.receive(make(at=NOW + timedelta(minutes=minutes) / 2)).events
    with pytest.raises(BadSignature, match="clock"):
        connector.receive(make(at=NOW + timedelta(minutes=minutes)))


@pytest.mark.parametrize("timestamp", ["", "now", "1e9", "9" * 400, "-1", "١٢٣", "\ud800"])
def test_a_timestamp_that_is_no_number_of_seconds_is_not_believed(timestamp: str) -> None:
    good = plain()
    query = {**good.query, "timestamp": timestamp}
    with pytest.raises(BadSignature):
        account(encrypted=False).receive(replace(good, query=query))
    try:
        query["signature"] = signed(TOKEN, timestamp, NONCE)
    except UnicodeEncodeError:
        return
    with pytest.raises(BadSignature, match="timestamp"):
        account(encrypted=False).receive(replace(good, query=query))


def test_in_plain_mode_a_signature_is_not_believed_for_a_second_body() -> None:
    connector = account(encrypted=False)
    connector.receive(plain())
    with pytest.raises(BadSignature, match="another message"):
        connector.receive(plain(FOLLOW.replace("subscribe", "unsubscribe")))


@pytest.mark.parametrize("callback", [plain(), encrypted()], ids=["plain", "encrypted"])
def test_a_callback_that_wechat_repeats_is_the_same_event_again(callback: Callback) -> None:
    connector = account(encrypted="msg_signature" in callback.query)
    assert connector.receive(callback).events == connector.receive(callback).events


def test_with_a_key_a_callback_that_is_not_encrypted_is_not_believed() -> None:
    with pytest.raises(BadSignature):
        account(encrypted=True).receive(plain())


def test_a_message_for_another_appid_is_not_believed() -> None:
    with pytest.raises(BadSignature, match="another appid"):
        account().receive(encrypted(appid="wx0000000000000000"))


def test_without_a_callback_token_nothing_is_believed() -> None:
    with pytest.raises(BadSignature):
        account(callback_token=None).receive(plain())


@pytest.mark.parametrize(
    "xml",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><xml><Content>&b;</Content></xml>',
        '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/hostname">]><xml><Content>&f;</Content></xml>',
        "<!DOCTYPE xml><xml><Content>a</Content></xml>",
        "<html></html>",
        "<xml><Content>a</xml>",
        "",
    ],
)
@pytest.mark.parametrize("make", [plain, encrypted])
def test_bombs_and_other_xml_that_wechat_never_sends_are_refused(make: Any, xml: str) -> None:
    with pytest.raises(BadSignature):
        account(encrypted=make is encrypted).receive(make(xml))


@unhurried
@given(st.binary() | st.text().map(str.encode) | st.binary().map(lambda noise: FOLLOW.encode() + noise))
def test_a_garbage_body_is_a_bad_signature_or_a_message_and_nothing_else(body: bytes) -> None:
    for connector in (account(encrypted=True), account(encrypted=False)):
        try:
            connector.receive(replace(plain(), body=body))
        except BadSignature:
            continue
        assert connector.options.encoding_aes_key is None


@unhurried
@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda noise: base64.b64encode(noise).decode()))
def test_a_garbage_ciphertext_is_a_bad_signature_and_nothing_else(cipher: str) -> None:
    timestamp = str(int(NOW.timestamp()))
    body = f"<xml><Encrypt><![CDATA[{cipher}]]></Encrypt></xml>"
    with pytest.raises(BadSignature):
        account().receive(plain(body, msg_signature=signed(TOKEN, timestamp, NONCE, cipher)))


@unhurried
@given(st.dictionaries(st.sampled_from(["signature", "timestamp", "nonce", "msg_signature", "echostr"]), st.text()))
def test_a_garbage_query_is_a_bad_signature_and_nothing_else(query: dict[str, str]) -> None:
    for method in ("GET", "POST"):
        with pytest.raises(BadSignature):
            account().receive(replace(encrypted(), method=method, query=query))


@pytest.mark.parametrize("key", ["short", "c2FuZGJveC13ZWNoYXQtYWVzLWtleS0zMi1ieXRlcyE=", "*" * 43])
def test_a_key_that_is_no_encoding_aes_key_is_refused_when_it_is_declared(key: str) -> None:
    with pytest.raises(ValueError, match="encoding_aes_key") as refused:
        account(encoding_aes_key=key)
    assert key not in str(refused.value)
