"""Group messages, customer tags and encrypted callbacks of a WeCom corp. wechatpy signs and encrypts."""

import dataclasses
from datetime import datetime, timedelta
from typing import Any

from wechatpy.enterprise.crypto import WeChatCrypto

from connectors.base import Callback
from connectors.sandbox import fate

OPTIONS: dict[str, Any] = {}
ADDRESS = "http"
WRONG = {"corp_secret": "somebody-elses-secret"}
TELLS_SECONDS = False
PARTIAL = {"group_messages": "row", "tags": "row"}
CUSTOMERS = [customer for n in range(10_500) if fate(customer := f"wmSpecimen{n:022}", "is a customer") >= 0.02]
CORPID, TOKEN, KEY = "ww5f1e2d3c4b5a6978", "sandboxWecomToken", "c2FuZGJveC13ZWNvbS1hZXMta2V5LTMyLWJ5dGVzISE"
NONCE = "1372623149"
EVENT = (
    "<xml><ToUserName><![CDATA[ww5f1e2d3c4b5a6978]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>"
    "<CreateTime>1793412000</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[change_external_contact]]></Event>"
    "<ChangeType><![CDATA[add_external_contact]]></ChangeType><UserID><![CDATA[zhangsan]]></UserID>"
    "<ExternalUserID><![CDATA[wmSpecimen0000000000000000000001]]></ExternalUserID><State><![CDATA[展会🎉]]></State></xml>"
)


def payload(kind: str, number: int) -> dict[str, Any]:
    if kind == "tags":
        return {"external_userid": CUSTOMERS[number], "userid": "zhangsan", "tag": "重要", "note": None}
    return {"external_userid": CUSTOMERS[number], "text": "双十一见 🎉", "userid": None}


SETTINGS = {"tags": {"group": "客户等级"}}  # the corp has it, and the tag in it


def marker(kind: str, row: dict[str, Any]) -> str:
    return str(row["external_userid"])


def personal(kind: str, row: dict[str, Any]) -> list[str]:
    return [row[name] for name in ("external_userid", "text") if name in row]


def callback(now: datetime, xml: str = EVENT, corpid: str = CORPID) -> Callback:
    timestamp = str(int(now.timestamp()))
    body = WeChatCrypto(TOKEN, KEY, corpid).encrypt_message(xml, NONCE, timestamp)
    signed = body.split("<MsgSignature><![CDATA[")[1].split("]]")[0]
    query = {"timestamp": timestamp, "nonce": NONCE, "msg_signature": signed}
    return Callback("POST", "https://collector.example/hooks/wecom", query, {"content-type": "text/xml"}, body.encode(), now)


def forgeries(now: datetime) -> dict[str, Callback]:
    genuine = callback(now)
    other = callback(now, EVENT.replace("add_external", "del_external"))
    return {
        "unsigned": dataclasses.replace(genuine, query={}),
        "tampered": dataclasses.replace(genuine, body=other.body),
        "stale": dataclasses.replace(genuine, received_at=now + timedelta(minutes=5, seconds=1)),
        "from the future": dataclasses.replace(genuine, received_at=now - timedelta(minutes=6)),
        "another nonce": dataclasses.replace(genuine, query={**genuine.query, "nonce": "1"}),
        "another corp's": callback(now, corpid="ww0000000000000000"),
        "not encrypted": dataclasses.replace(genuine, body=EVENT.encode()),
        "not XML": callback(now, "{}"),
        "a bomb": callback(now, '<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><xml><Event>&b;</Event></xml>'),
    }
