"""Messages by Aliyun SMS, one a call and many a call, and its reports, which nothing but a token in their address speaks for."""

import dataclasses
from datetime import datetime
from typing import Any

import orjson

from connectors.base import Callback

OPTIONS: dict[str, Any] = {}
ADDRESS = "http"
WRONG = {"access_key_secret": "somebody-elses-secret"}
PARTIAL = {"messages": "row", "batch_messages": "batch"}
URL = "https://collector.example/hooks/sms"
REPORTS = [
    {
        "phone_number": "13800138000",
        "send_time": "2026-10-31 09:59:58",
        "report_time": "2026-10-31 10:00:00",
        "success": True,
        "err_code": "DELIVERED",
        "err_msg": "用户接收成功",
        "sms_size": "1",
        "biz_id": "900619746936498440^0",
        "out_id": "m_1",
    }
]


def payload(kind: str, number: int) -> dict[str, Any]:
    return {
        "phone": f"+86138{number:08}",
        "sign_name": "示例科技",
        "template_code": "SMS_1001",
        "params": {"name": f"王小明 🎉 {number}", "city": None},
    }


def marker(kind: str, row: dict[str, Any]) -> str:
    return str(row["phone"]).removeprefix("+86")


def personal(kind: str, row: dict[str, Any]) -> list[str]:
    return [marker(kind, row), row["params"]["name"]]


def callback(now: datetime, body: bytes = orjson.dumps(REPORTS)) -> Callback:
    return Callback("POST", URL, {"token": "sandbox-aliyun-callback-token"}, {"content-type": "application/json"}, body, now)


def forgeries(now: datetime) -> dict[str, Callback]:
    genuine = callback(now)
    return {
        "unsigned": dataclasses.replace(genuine, query={}),
        "another token": dataclasses.replace(genuine, query={"token": "sandbox-aliyun-callback-tokem"}),
        "a part of the token": dataclasses.replace(genuine, query={"token": "sandbox-aliyun"}),
        "not reports": callback(now, b"[1]"),
        "not a list": callback(now, orjson.dumps(REPORTS[0])),
        "not JSON": callback(now, b"\xff"),
    }
