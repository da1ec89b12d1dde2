"""Messages of every kind, follower tags and encrypted callbacks of a WeChat account. wechatpy signs and encrypts."""

import dataclasses
from datetime import datetime, timedelta
from typing import Any

from wechatpy.crypto import WeChatCrypto
from wechatpy.utils import WeChatSigner

from connectors.base import Callback
from connectors.sandbox import fate

OPTIONS: dict[str, Any] = {}
ADDRESS = "http"
WRONG = {"app_secret": "somebody-elses-secret"}
TELLS_SECONDS = False
PARTIAL = {
    "template_messages": "row",
    "subscription_notices": "row",
    "service_messages": "row",
    "mass_messages": "batch",
    "mass_to_tags": "row",
    "tags": "batch",
}
FEWEST = {"mass_messages": 2}
# Openids of people who follow the sandbox's account and refuse no notices.
PEOPLE = (f"oSpecimen{n:019}" for n in range(10_500))
FANS = [openid for openid in PEOPLE if fate(openid, "follows") >= 0.02 and fate(openid, "refuses notices") >= 0.02]
APPID, TOKEN, KEY = "wx5f1e2d3c4b5a6978", "sandboxWechatToken", "c2FuZGJveC13ZWNoYXQtYWVzLWtleS0zMi1ieXRlcyE"
NONCE = "1372623149"
EVENT = (
    "<xml><ToUserName><![CDATA[gh_5f1e2d3c4b5a]]></ToUserName><FromUserName><![CDATA[oSpecimen0000000000000000001]]></FromUserName>"
    "<CreateTime>1793412000</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[SCAN]]></Event>"
    "<EventKey><![CDATA[展会🎉]]></EventKey></xml>"
)


def payload(kind: str, number: int) -> dict[str, Any]:
    if kind == "tags":
        return {"openid": FANS[number], "tag": "星标组", "note": None}  # a tag that every account has
    if kind == "mass_to_tags":
        return {"tag": "星标组", "text": f"双十一见 🎉 {number}", "note": None}
    if kind == "mass_messages":
        return {"openid": FANS[number], "text": "双十一见 🎉", "note": None}
    if kind == "service_messages":
        return {"openid": FANS[number], "text": f"王小明，您好 🎉 {number}", "note": None}
    data = {"thing1": {"value": f"王小明 🎉 {number}"}}
    return {"openid": FANS[number], "template_id": "ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY", "url": None, "data": data}


def marker(kind: str, row: dict[str, Any]) -> str:
    return str(row["text"] if kind == "mass_to_tags" else row["openid"])


def personal(kind: str, row: dict[str, Any]) -> list[str]:
    return [row[name] for name in ("openid", "text") if name in row] + [field["value"] for field in row.get("data", {}).values()]


def callback(now: datetime, xml: str = EVENT, appid: str = APPID) -> Callback:
    timestamp = str(int(now.timestamp()))
    body = WeChatCrypto(TOKEN, KEY, appid).encrypt_message(xml, NONCE, timestamp)
    signer = WeChatSigner()
    signer.add_data(TOKEN, timestamp, NONCE)
    signed = body.split("<MsgSignature><![CDATA[")[1].split("]]")[0]
    query = {"signature": signer.signature, "timestamp": timestamp, "nonce": NONCE, "encrypt_type": "aes", "msg_signature": signed}
    return Callback("POST", "https://collector.example/hooks/wechat", query, {"content-type": "text/xml"}, body.encode(), now)


def forgeries(now: datetime) -> dict[str, Callback]:
    genuine = callback(now)
    other = callback(now, EVENT.replace("SCAN", "subscribe"))
    return {
        "unsigned": dataclasses.replace(genuine, query={}),
        "tampered": dataclasses.replace(genuine, body=other.body),
        "stale": dataclasses.replace(genuine, received_at=now + timedelta(minutes=5, seconds=1)),
        "from the future": dataclasses.replace(genuine, received_at=now - timedelta(minutes=6)),
        "another nonce": dataclasses.replace(genuine, query={**genuine.query, "nonce": "1"}),
        "another account's": callback(now, appid="wx0000000000000000"),
        "not encrypted": dataclasses.replace(genuine, body=EVENT.encode()),
        "not XML": callback(now, "{}"),
        "a bomb": callback(now, '<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><xml><Event>&b;</Event></xml>'),
    }
