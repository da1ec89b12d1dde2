"""Messages by Tencent Cloud SMS, one number a call and many of one message; its reports, which nothing but a token speaks for."""

import dataclasses
from datetime import datetime
from typing import Any

import orjson

from connectors.base import Callback

OPTIONS: dict[str, Any] = {"sms_sdk_app_id": "1400006666"}
ADDRESS = "http"
WRONG = {"sms_sdk_app_id": "1400006666", "secret_key": "somebody-elses-secret"}
TELLS_SECONDS = False
PARTIAL = {"messages": "row", "batch_messages": "row"}
URL = "https://collector.example/hooks/tencent_sms"
REPORTS = [
    {
        "user_receive_time": "2026-10-31 10:00:00",
        "nationcode": "86",
        "mobile": "13800138000",
        "report_status": "SUCCESS",
        "errmsg": "DELIVRD",
        "description": "用户短信送达成功",
        "sid": "5000:1045710669157053657849499619",
    }
]


def payload(kind: str, number: int) -> dict[str, Any]:
    # A call of many has one text for all.
    name = f"王小明 🎉 {number}" if kind == "messages" else "王小明 🎉"
    return {"phone": f"+86138{number:08}", "sign_name": "示例科技", "template_code": "449739", "params": {"name": name, "city": None}}


def marker(kind: str, row: dict[str, Any]) -> str:
    return str(row["phone"]).removeprefix("+86")


def personal(kind: str, row: dict[str, Any]) -> list[str]:
    return [marker(kind, row), row["params"]["name"]]


def callback(now: datetime, body: bytes = orjson.dumps(REPORTS)) -> Callback:
    return Callback("POST", URL, {"token": "sandbox-tencent-callback-token"}, {"content-type": "application/json"}, body, now)


def forgeries(now: datetime) -> dict[str, Callback]:
    genuine = callback(now)
    return {
        "unsigned": dataclasses.replace(genuine, query={}),
        "another token": dataclasses.replace(genuine, query={"token": "sandbox-tencent-callback-tokem"}),
        "a part of the token": dataclasses.replace(genuine, query={"token": "sandbox-tencent"}),
        "not reports": callback(now, b"[1]"),
        "a report about nobody": callback(now, b"{}"),
        "not JSON": callback(now, b"\xff"),
    }
