"""Callbacks of WeCom: signed, encrypted, and read as wechatpy reads them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wechatpy.enterprise import parse_message
from wechatpy.enterprise.crypto import WeChatCrypto
from wecom_corp import ADDED, CORPID, KEY, NONCE, NOW, PEOPLE, TOKEN

from connectors import sandbox as sandboxes
from connectors.base import BadSignature, Callback
from connectors.sandbox import Pending
from connectors.sandbox._wecom_customers import is_no_friend
from connectors.wechat.wecom import Wecom


def receiver(**options: Any) -> Wecom:
    given = {"corpid": CORPID, "corp_secret": "s", "callback_token": TOKEN, "encoding_aes_key": KEY}
    return Wecom(Wecom.Options(**(given | options)))


def encrypted(xml: str = ADDED, corpid: str = CORPID, at: datetime = NOW, method: str = "POST") -> Callback:
    """A callback made by wechatpy; with GET, the check of the address."""
    timestamp = str(int(at.timestamp()))
    body = WeChatCrypto(TOKEN, KEY, corpid).encrypt_message(xml, NONCE, timestamp)
    query = {"timestamp": timestamp, "nonce": NONCE, "msg_signature": body.split("<MsgSignature><![CDATA[")[1].split("]]")[0]}
    if method == "GET":
        query["echostr"] = body.split("<Encrypt><![CDATA[")[1].split("]]")[0]
    return Callback(method, "https://collect.example/hooks/wecom", query, {}, b"" if method == "GET" else body.encode(), NOW)


def test_the_check_of_the_address_is_answered_with_what_wechatpy_encrypted() -> None:
    check = encrypted("6039152783219", method="GET")
    received = receiver().receive(check)
    theirs = WeChatCrypto(TOKEN, KEY, CORPID).check_signature(
        check.query["msg_signature"], check.query["timestamp"], NONCE, check.query["echostr"]
    )
    assert (received.reply, received.events) == (theirs.encode() if isinstance(theirs, str) else theirs, [])
    assert received.reply == b"6039152783219"


def test_an_event_keeps_all_that_it_says_and_an_id_that_tells_it_from_others_of_its_second() -> None:
    (event,) = receiver().receive(encrypted()).events
    said = {
        "corpid": CORPID,
        "Event": "change_external_contact",
        "ChangeType": "add_external_contact",
        "UserID": "zhangsan",
        "State": "展会🎉",
    }
    assert said.items() <= event.items()
    assert (event["xml"], event["received_at"]) == (ADDED, NOW.isoformat())
    (other,) = receiver().receive(encrypted(ADDED.replace("wmTest1", "wmTest2"))).events
    (again,) = receiver().receive(replace(encrypted(), received_at=NOW + timedelta(seconds=5))).events
    assert event["event_id"] == again["event_id"] != other["event_id"]


def test_wechatpy_reads_what_the_sandbox_posts_as_we_do() -> None:
    sandbox = sandboxes.build()
    kept = sandbox.keep("wecom", "marked", PEOPLE[0], {"userid": "zhangsan", "add": ["et0001"], "remove": []})
    (post,) = sandbox.emulators["wecom"].receipts([Pending(kept, NOW, NOW)], "")
    crypto = WeChatCrypto(TOKEN, KEY, CORPID)
    xml = crypto.decrypt_message(post.body.decode(), post.query["msg_signature"], post.query["timestamp"], post.query["nonce"])
    theirs = parse_message(xml)
    callback = Callback("POST", "https://collect.example", post.query, post.headers, post.body, datetime.now(UTC))
    (ours,) = receiver().receive(callback).events
    assert (ours["xml"], ours["FromUserName"], ours["ExternalUserID"]) == (xml, theirs.source, PEOPLE[0])


def test_a_customer_who_removed_the_member_that_is_to_write_to_them_is_told_of() -> None:
    sandbox = sandboxes.build()
    gone, there = (next(one for one in (f"wmGone{n:026}" for n in range(2000)) if is_no_friend(one) is wanted) for wanted in (True, False))
    kept = [sandbox.keep("wecom", "task", one, {"msgid": "m1", "sender": "lisi", "created": 1}) for one in (gone, there)]
    (post,) = sandbox.emulators["wecom"].receipts([Pending(one, NOW, NOW) for one in kept], "")
    callback = Callback("POST", "https://collect.example", post.query, post.headers, post.body, datetime.now(UTC))
    (told,) = receiver().receive(callback).events
    assert (told["ChangeType"], told["UserID"], told["ExternalUserID"]) == ("del_follow_user", "lisi", gone)


def test_any_part_that_is_tampered_with_makes_a_callback_unbelievable() -> None:
    for good in (encrypted(), encrypted("6039152783219", method="GET")):
        assert receiver().receive(good)
        for name in good.query:
            for value in ("", good.query[name][:-1] + ("A" if good.query[name][-1] != "A" else "B")):
                with pytest.raises(BadSignature):
                    receiver().receive(replace(good, query={**good.query, name: value}))
    with pytest.raises(BadSignature, match="another"):
        receiver().receive(encrypted(corpid="ww0000000000000000"))
    with pytest.raises(BadSignature):
        receiver().receive(replace(encrypted(), body=ADDED.encode()))
    for at in (NOW - timedelta(minutes=6), NOW + timedelta(minutes=6)):
        with pytest.raises(BadSignature, match="clock"):
            receiver().receive(encrypted(at=at))
    with pytest.raises(BadSignature, match="no callback_token"):
        receiver(encoding_aes_key=None).receive(encrypted())


@settings(deadline=None, database=None)
@given(
    st.binary() | st.text().map(str.encode), st.dictionaries(st.sampled_from(["timestamp", "nonce", "msg_signature", "echostr"]), st.text())
)
def test_garbage_is_a_bad_signature_and_nothing_else(body: bytes, query: dict[str, str]) -> None:
    for method in ("GET", "POST"):
        for spoilt in (query, encrypted().query | query):
            with pytest.raises(BadSignature):
                receiver().receive(replace(encrypted(), method=method, body=body, query=spoilt))
