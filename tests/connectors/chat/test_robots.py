"""Robots of chat rooms: signatures as the vendors write them down, and text of any length."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

import httpx
import orjson
import pytest
from trial import Trial, statuses

from connectors.base import Batch, Outcome, Row
from connectors.chat._robot import cut
from connectors.sandbox import Addresses, Sandbox

ROBOTS = ["wecom_robot", "feishu_robot", "dingtalk_robot", "slack"]


def say(text: str, **more: str) -> Batch:
    return Batch("messages", "add", [Row(0, "k", orjson.dumps({"text": text, **more}), None, "m_1")], "r1", 0)


async def asked(name: str, options: dict[str, Any], answer: dict[str, Any], **more: str) -> tuple[httpx.Request, list[Outcome]]:
    """The one request that a message makes, and what came of it when the vendor answers so."""
    seen: list[httpx.Request] = []

    def vendor(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=answer) if answer else httpx.Response(200, text="ok")

    async with httpx.AsyncClient(transport=httpx.MockTransport(vendor)) as http:
        trial = Trial(name)
        connector = trial.connector(trial.connector.Options.model_validate(options), http)
        outcomes = await connector.deliver(say("hello", **more))
    return seen[0], outcomes


async def test_wecom_is_asked_at_the_robot_s_own_address() -> None:
    request, outcomes = await asked("wecom_robot", {"key": "abc"}, {"errcode": 0, "errmsg": "ok"})
    assert str(request.url) == "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=abc"
    assert json.loads(request.content) == {"msgtype": "text", "text": {"content": "hello"}}
    assert statuses(outcomes) == ["sent"]


async def test_feishu_s_signature_is_keyed_with_time_and_secret_over_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.chat.feishu_robot.time.time", lambda: 1599360473.9)
    request, _ = await asked("feishu_robot", {"hook": "h-1", "signing_secret": "demo"}, {"code": 0, "msg": "success"})
    assert str(request.url) == "https://open.feishu.cn/open-apis/bot/v2/hook/h-1"
    body = json.loads(request.content)
    assert (body["timestamp"], body["sign"]) == ("1599360473", "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=")


async def test_dingtalk_s_signature_stands_in_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.chat.dingtalk_robot.time.time", lambda: 1577262236.757)
    options = {"access_token": "t", "signing_secret": "this is secret"}
    request, _ = await asked("dingtalk_robot", options, {"errcode": 0, "errmsg": "ok"})
    query = urllib.parse.parse_qs(request.url.query.decode())
    assert query["timestamp"] == ["1577262236757"]
    assert query["sign"] == ["hmPWwU+7lVdm3ZZz0r9tSfx0L4Q26jWOZr9+Gs6EZQM="]
    assert "+" not in request.url.query.decode().split("sign=")[1]


@pytest.mark.parametrize(("name", "options"), [("feishu_robot", {"hook": "h"}), ("dingtalk_robot", {"access_token": "t"})])
async def test_a_robot_without_a_secret_is_not_signed_for(name: str, options: dict[str, str]) -> None:
    request, _ = await asked(name, options, {"code": 0, "errcode": 0})
    assert "sign" not in f"{request.url}{request.content.decode()}"


@pytest.mark.parametrize("name", ROBOTS)
async def test_a_text_of_any_length_is_taken(name: str, sandbox: Sandbox, addresses: Addresses, http: httpx.AsyncClient) -> None:
    async with Trial(name).open(addresses, http) as connector:
        assert statuses(await connector.deliver(say("长" * 50_000))) == ["sent"]
    (kept,) = sandbox.journal.kept
    assert kept.content["text"].endswith("长…")


@pytest.mark.parametrize("name", ROBOTS)
async def test_an_empty_text_is_refused_and_nothing_is_said(name: str, sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    async with Trial(name).open(sandbox.addresses, http) as connector:
        (outcome,) = await connector.deliver(say(""))
    assert (outcome.status, bool(outcome.code), sandbox.journal.kept) == ("rejected", True, [])


def test_text_is_cut_between_characters() -> None:
    assert cut("长长长", 9) == "长长长"
    assert cut("长长长长", 10) == "长长…"
    assert len(cut("🎉" * 10, 20).encode()) <= 20


@pytest.mark.parametrize(
    ("name", "options", "whom", "said"),
    [
        ("wecom_robot", {"key": "k"}, "lilei", {"text": {"content": "hello", "mentioned_list": ["lilei"]}}),
        ("wecom_robot", {"key": "k"}, "+8613911112222", {"text": {"content": "hello", "mentioned_mobile_list": ["13911112222"]}}),
        ("dingtalk_robot", {"access_token": "t"}, "user123", {"text": {"content": "hello"}, "at": {"atUserIds": ["user123"]}}),
        ("dingtalk_robot", {"access_token": "t"}, "+8613911112222", {"text": {"content": "hello"}, "at": {"atMobiles": ["13911112222"]}}),
        ("feishu_robot", {"hook": "h"}, "ou_1", {"content": {"text": '<at user_id="ou_1"></at> hello'}}),
        ("slack", {"hook": "T/B/h"}, "U012ABC", {"text": "<@U012ABC> hello"}),
        ("slack", {"hook": "T/B/h"}, "!channel", {"text": "hello"}),
    ],
)
async def test_a_message_for_one_of_the_room_calls_them(name: str, options: dict[str, Any], whom: str, said: dict[str, Any]) -> None:
    request, _ = await asked(name, options, {"errcode": 0, "code": 0} if name != "slack" else {}, userid=whom)
    body = json.loads(request.content)
    assert {key: body[key] for key in said} == said
