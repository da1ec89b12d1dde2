"""WeChat Official Accounts: template messages and tags as the vendor takes them, against wechatpy and the sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest
from wechatpy import WeChatClient
from wechatpy.exceptions import WeChatClientException

from connectors import sandbox as sandboxes
from connectors.base import Batch, ConnectorError, Fatal, Operation, Outcome, Refused, Row, Transient, Unanswered
from connectors.sandbox import Fault, Sandbox, fate
from connectors.wechat.wechat_official import WechatOfficial

OPTIONS: dict[str, Any] = {"appid": "wx5f1e2d3c4b5a6978", "app_secret": "sandbox-wechat-app-secret"}
TEMPLATE = "ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY"
FANS = [openid for n in range(200) if fate(openid := f"oTestOpenid{n:017}", "follows") >= 0.02]
STRANGER = next(openid for n in range(2000) if fate(openid := f"oTestOpenid{n:017}", "follows") < 0.02)


class Account:
    """The sandbox's account, a connector that sends to it, and what it heard."""

    def __init__(self, sandbox: Sandbox, address: str, http: httpx.AsyncClient, asked: list[httpx.Request]) -> None:
        self.sandbox, self.address, self.http, self.asked = sandbox, address, http, asked

    def connector(self, **options: Any) -> WechatOfficial:
        return WechatOfficial(WechatOfficial.Options(**(OPTIONS | options)), self.http, self.address)

    async def sdk(self) -> WeChatClient:
        """wechatpy at the sandbox. It would fetch its token at the vendor's own address, so it is given one."""
        client = WeChatClient(OPTIONS["appid"], OPTIONS["app_secret"])
        client.API_BASE_URL = f"{self.address}/cgi-bin/"
        query = {"grant_type": "client_credential", "appid": OPTIONS["appid"], "secret": OPTIONS["app_secret"]}
        token = await self.http.get(f"{self.address}/cgi-bin/token", params=query)
        client.session.set(client.access_token_key, token.json()["access_token"])
        return client

    def fails(self, **fault: Any) -> None:
        self.sandbox.faults.add(Fault(vendor="wechat_official", **fault))

    def kept(self, kind: str = "message") -> list[tuple[str, dict[str, Any]]]:
        return [(kept.to, dict(kept.content)) for kept in self.sandbox.journal.kept if kept.kind == kind]

    def calls(self, part: str) -> int:
        return sum(part in request.url.path for request in self.asked)

    @property
    def fans(self) -> dict[str, list[str]]:
        """Openids by tag, without WeChat's own tag."""
        tags: dict[str, list[str]] = self.sandbox.emulators["wechat_official"].state()["tags"]
        return {name: fans for name, fans in tags.items() if name != "星标组"}


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    asked: list[httpx.Request] = []

    async def listen(request: httpx.Request) -> None:
        asked.append(request)

    sandbox = sandboxes.build()
    async with (
        sandbox.serve(http_port=0, smtp_port=0) as addresses,
        httpx.AsyncClient(trust_env=False, event_hooks={"request": [listen]}) as http,
    ):
        yield Account(sandbox, addresses.http, http, asked)


def message(index: int = 0, openid: str = FANS[0], **fields: Any) -> Row:
    payload = {
        "openid": openid,
        "template_id": TEMPLATE,
        "url": "https://shop.example/订单?a=1",
        "data": {"thing1": {"value": "王小明 🎉"}},
    }
    return Row(index, f"p{index}", orjson.dumps(payload | fields), message_id=f"m_{index:032x}")


def messages(*rows: Row) -> Batch:
    return Batch("template_messages", "add", rows or (message(),), "run-1", 1)


def tagged(*pairs: tuple[str, str], operation: Operation = "add") -> Batch:
    rows = [Row(n, f"{openid} {tag}", orjson.dumps({"openid": openid, "tag": tag})) for n, (openid, tag) in enumerate(pairs)]
    return Batch("tags", operation, rows, "run-1", 1, on_removed="remove_from_list")


# -- template messages --------------------------------------------------------------------------------------------------


async def test_a_template_message_arrives_as_wechatpy_would_send_it(account: Account) -> None:
    (outcome,) = await account.connector().deliver(messages())
    payload = message().fields
    theirs = await asyncio.to_thread(
        (await account.sdk()).message.send_template, payload["openid"], payload["template_id"], payload["data"], payload["url"]
    )
    (ours_to, ours), (theirs_to, sent) = account.kept()
    assert outcome == Outcome("sent", provider_id=str(ours["msgid"]))
    assert ours_to == theirs_to
    assert ours | {"msgid": theirs["msgid"]} == sent | {"client_msg_id": message().message_id}


async def test_text_leaves_as_raw_utf8_since_escapes_are_refused(account: Account) -> None:
    connector = account.connector()
    (outcome,) = await connector.deliver(messages())
    assert outcome.status == "sent"
    assert "王小明 🎉".encode() in account.asked[-1].content
    escaped = await account.http.post(account.asked[-1].url, content=b'{"touser":"\\u738b"}')
    assert escaped.json()["errcode"] == 40033


async def test_a_repeated_message_id_reaches_the_person_once(account: Account) -> None:
    connector = account.connector()
    first, second = await connector.deliver(messages()), await connector.deliver(messages())
    assert first == second
    assert len(account.kept()) == 1


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"openid": "o-too-short"}, "40003"),
        ({"openid": STRANGER}, "43004"),
        ({"data": {"thing1": {"value": "x" * 21}}}, "FIELD_LIMIT"),
    ],
)
async def test_what_lies_in_the_row_rejects_the_row_alone(account: Account, fields: dict[str, Any], code: str) -> None:
    (outcome,) = await account.connector().deliver(messages(message(**fields)))
    assert (outcome.status, outcome.code) == ("rejected", code)
    assert "rid" not in outcome.reason
    assert account.kept() == []


async def test_a_reason_never_holds_an_openid(account: Account) -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        if "token" in request.url.path:
            return httpx.Response(200, json={"access_token": "t", "expires_in": 7200})
        return httpx.Response(200, json={"errcode": 40003, "errmsg": f"invalid openid {FANS[0]} rid: 5f-aa-bb"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        (outcome,) = await WechatOfficial(WechatOfficial.Options(**OPTIONS), http, "https://api.example").deliver(messages())
    assert outcome.reason == "WeChat answered 40003: invalid openid …"


async def test_errcodes_are_sorted_by_what_the_caller_must_do(account: Account) -> None:
    expected: dict[type[ConnectorError] | str, list[int]] = {
        "rejected": [40003, 43004, 43019, 43101, 48002, 50005, 46004, 45015, 45047, 99999],
        Fatal: [40013, 40037, 40125, 40164, 47003, 48001, 48004, 48008, 50002, 45026],
        Transient: [-1, 45011, 40241, 45009],
    }
    sorted_into: dict[type[ConnectorError] | str, list[int]] = {kind: [] for kind in expected}
    connector = account.connector()
    for code in (code for codes in expected.values() for code in codes):
        account.fails(kind="partial", code=str(code))
        try:
            (outcome,) = await connector.deliver(messages())
            sorted_into[outcome.status].append(int(outcome.code))
        except ConnectorError as error:
            sorted_into[type(error)].append(int(error.code))
    assert sorted_into == expected
    assert account.kept() == []


async def test_a_used_up_quota_waits_for_the_next_day_in_china(account: Account) -> None:
    account.fails(kind="partial", code="45009")
    with pytest.raises(Transient) as raised:
        await account.connector().deliver(messages())
    assert raised.value.after is not None
    then = datetime.now(UTC) + timedelta(seconds=raised.value.after, hours=8)
    assert abs((then - then.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()) < 60


# -- tokens -------------------------------------------------------------------------------------------------------------


async def test_one_token_serves_many_calls_at_once(account: Account) -> None:
    connector = account.connector()
    await asyncio.gather(*(connector.deliver(messages(message(n, FANS[n]))) for n in range(20)))
    assert (account.calls("stable_token"), len(account.kept())) == (1, 20)


@pytest.mark.parametrize("code", ["40001", "40014", "42001"])
async def test_a_token_that_is_no_longer_good_is_replaced_once_and_the_call_repeated(account: Account, code: str) -> None:
    connector = account.connector()
    await connector.deliver(messages())
    account.fails(kind="partial", code=code)
    (outcome,) = await connector.deliver(messages(message(1)))
    assert outcome.status == "sent"
    assert (account.calls("stable_token"), account.calls("template/send"), len(account.kept())) == (2, 3, 2)


async def test_a_fresh_token_that_is_refused_too_stops_the_run(account: Account) -> None:
    account.fails(kind="partial", code="42001", times=2)
    with pytest.raises(Fatal):
        await account.connector().deliver(messages())
    assert account.calls("template/send") == 2


async def test_a_token_the_platform_still_believes_in_is_replaced_by_force() -> None:
    asked: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if "stable_token" in request.url.path:
            asked.append(orjson.loads(request.content))
            return httpx.Response(200, json={"access_token": "new" if asked[-1]["force_refresh"] else "old", "expires_in": 7200})
        good = request.url.params["access_token"] == "new"
        return httpx.Response(200, json={"errcode": 0, "msgid": 5} if good else {"errcode": 40001, "errmsg": "invalid credential"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        connector = WechatOfficial(WechatOfficial.Options(**OPTIONS), http, "https://api.example")
        assert await connector.deliver(messages()) == [Outcome("sent", provider_id="5")]
    assert [content["force_refresh"] for content in asked] == [False, False, True]


@pytest.mark.parametrize(("wrong", "code"), [({"appid": "wx0"}, "40013"), ({"app_secret": "wrong"}, "40125")])
async def test_wrong_credentials_are_fatal_and_never_quoted(account: Account, wrong: dict[str, str], code: str) -> None:
    connector = account.connector(**wrong)
    for attempt in (connector.deliver(messages()), connector.check()):
        with pytest.raises(Fatal) as raised:
            await attempt
        assert raised.value.code == code
        assert not any(value in str(raised.value) for value in (*wrong.values(), FANS[0]))


async def test_the_check_needs_a_token_and_sends_nothing(account: Account) -> None:
    assert await account.connector().check() == "a token was given for this account"
    assert account.sandbox.journal.kept == []


async def test_no_answer_to_the_token_request_means_that_nothing_was_sent(account: Account) -> None:
    account.fails(kind="reset", match="stable_token")
    with pytest.raises(Transient, match="nothing was sent"):
        await account.connector().deliver(messages())
    account.fails(kind="broken_json", match="stable_token")
    with pytest.raises(Transient, match="nothing was sent"):
        await account.connector().deliver(messages())
    assert account.kept() == []


async def test_half_an_answer_to_the_message_leaves_it_open_whether_it_went_out(account: Account) -> None:
    account.fails(kind="broken_json", match="template/send")
    with pytest.raises(Unanswered):
        await account.connector().deliver(messages())
    assert len(account.kept()) == 1


# -- tags ---------------------------------------------------------------------------------------------------------------


async def test_a_tag_is_made_once_and_fifty_people_get_it_in_one_call(account: Account) -> None:
    connector = account.connector()
    outcomes = await connector.deliver(tagged(*((openid, "高意向") for openid in FANS[:50])))
    await connector.deliver(tagged((FANS[60], "高意向")))
    assert {outcome.status for outcome in outcomes} == {"sent"}
    assert account.fans == {"高意向": [*FANS[:50], FANS[60]]}
    assert (account.calls("tags/get"), account.calls("tags/create"), account.calls("batchtagging")) == (1, 1, 2)


async def test_wechatpy_sees_the_tags_that_we_made_and_we_find_those_that_it_made(account: Account) -> None:
    sdk = await account.sdk()
    made = await asyncio.to_thread(sdk.tag.create, "老客户")
    await account.connector().deliver(tagged((FANS[0], "老客户"), (FANS[1], "新客户")))
    listed = {tag["name"]: (tag["id"], tag["count"]) for tag in await asyncio.to_thread(sdk.tag.get)}
    assert listed["老客户"] == (made["id"], 1)
    assert listed["新客户"][1] == 1
    await asyncio.to_thread(sdk.tag.untag_user, made["id"], FANS[0])
    with pytest.raises(WeChatClientException, match="45157"):
        await asyncio.to_thread(sdk.tag.create, "新客户")
    assert account.fans == {"老客户": [], "新客户": [FANS[1]]}


async def test_people_of_several_tags_are_tagged_tag_by_tag_and_answered_in_order(account: Account) -> None:
    account.fails(kind="partial", match=f"{FANS[2]} b", times=9)
    pairs = [(FANS[0], "a"), (FANS[1], "b"), (FANS[2], "b"), (FANS[3], "a"), (FANS[4], "b")]
    outcomes = await account.connector().deliver(tagged(*pairs))
    assert [(outcome.status, outcome.code) for outcome in outcomes] == [
        ("sent", ""),
        ("sent", ""),
        ("rejected", "40003"),
        ("sent", ""),
        ("sent", ""),
    ]
    assert account.fans == {"a": [FANS[0], FANS[3]], "b": [FANS[1], FANS[4]]}


@pytest.mark.parametrize(("openid", "code"), [("o-too-short", "40003"), (STRANGER, "50005")])
async def test_a_batch_of_one_tag_is_refused_for_one_openid_and_nobody_is_tagged(account: Account, openid: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        await account.connector().deliver(tagged((FANS[0], "a"), (openid, "a")))
    assert refused.value.code == code
    assert account.fans == {"a": []}


async def test_one_person_twice_in_a_batch_is_named_once(account: Account) -> None:
    outcomes = await account.connector().deliver(tagged((FANS[0], "a"), (FANS[0], "a")))
    assert [outcome.status for outcome in outcomes] == ["sent", "sent"]
    assert len(account.kept("tagged")) == 1


async def test_a_removed_row_loses_its_tag_and_a_tag_nobody_made_needs_no_call(account: Account) -> None:
    connector = account.connector()
    await connector.deliver(tagged((FANS[0], "a"), (FANS[1], "a")))
    await connector.deliver(tagged((FANS[0], "a"), operation="remove"))
    assert account.fans == {"a": [FANS[1]]}
    (outcome,) = await connector.deliver(tagged((FANS[0], "never"), operation="remove"))
    assert (outcome.status, outcome.code) == ("sent", "NO_SUCH_TAG")
    assert "never" not in account.fans


async def test_somebody_who_left_needs_no_tag_taken_away(account: Account) -> None:
    connector = account.connector()
    await connector.deliver(tagged((FANS[0], "a")))
    (outcome,) = await connector.deliver(tagged((STRANGER, "a"), operation="remove"))
    assert (outcome.status, outcome.code) == ("sent", "NOT_FOLLOWING")
    with pytest.raises(Refused):
        await connector.deliver(tagged((FANS[0], "a"), (STRANGER, "a"), operation="remove"))
    assert account.fans == {"a": [FANS[0]]}


async def test_a_tag_that_was_deleted_meanwhile_is_looked_up_again(account: Account) -> None:
    connector = account.connector()
    await connector.deliver(tagged((FANS[0], "a")))
    account.fails(kind="partial", code="45159")
    with pytest.raises(Transient):
        await connector.deliver(tagged((FANS[1], "a")))
    await connector.deliver(tagged((FANS[1], "a")))
    assert account.calls("tags/get") == 2


async def test_a_name_that_wechat_does_not_take_is_refused(account: Account) -> None:
    with pytest.raises(Refused) as refused:
        await account.connector().deliver(tagged((FANS[0], "十一个汉字三十三个字节长")))
    assert refused.value.code == "45158"


async def test_a_twenty_first_tag_on_one_person_is_refused(account: Account) -> None:
    connector = account.connector()
    await connector.deliver(tagged(*((FANS[0], f"t{n}") for n in range(20))))
    with pytest.raises(Refused) as refused:
        await connector.deliver(tagged((FANS[0], "t20")))
    assert refused.value.code == "45059"


@pytest.mark.parametrize(("fault", "error"), [({"kind": "rate_limit"}, Transient), ({"kind": "server_error"}, Transient)])
async def test_a_busy_platform_is_asked_again_later(account: Account, fault: dict[str, Any], error: type[ConnectorError]) -> None:
    account.fails(**fault)
    with pytest.raises(error):
        await account.connector().deliver(tagged((FANS[0], "a")))


async def test_an_empty_batch_makes_no_call(account: Account) -> None:
    connector = account.connector()
    assert await connector.deliver(Batch("tags", "add", (), "run-1", 1)) == []
    assert await connector.deliver(Batch("template_messages", "add", (), "run-1", 1)) == []
    assert account.asked == []


async def test_neither_options_nor_rows_show_what_is_in_them() -> None:
    shown = f"{WechatOfficial.Options(**OPTIONS)!r} {message()!r}"
    assert not any(text in shown for text in (OPTIONS["app_secret"], FANS[0]))
