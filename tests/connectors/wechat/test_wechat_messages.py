"""Everything but template messages that an Official Account says, and the tokens its processes share, against wechatpy and the sandbox."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest
from wechatpy import WeChatClient
from wechatpy.crypto import WeChatCrypto
from wechatpy.exceptions import WeChatClientException

from connectors import sandbox as sandboxes
from connectors.base import Batch, Fatal, Outcome, Pulled, Refused, Row, Transient, Unanswered
from connectors.sandbox import Fault, Pending, Sandbox, fate
from connectors.sandbox._wechat_messages import Speech
from connectors.wechat._fields import fault
from connectors.wechat._mass import clientmsgid
from connectors.wechat.wechat_official import WechatOfficial

OPTIONS: dict[str, Any] = {"appid": "wx5f1e2d3c4b5a6978", "app_secret": "sandbox-wechat-app-secret"}
TEMPLATE = "ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY"
FANS = [openid for n in range(200) if fate(openid := f"oTestMessage{n:016}", "follows") >= 0.02 and fate(openid, "refuses notices") >= 0.02]
STRANGER = next(openid for n in range(2000) if fate(openid := f"oTestMessage{n:016}", "follows") < 0.02)
SAYS = {"text": "双十一见 🎉"}


class Account:
    """The sandbox's account, a connector that sends to it, and what it heard."""

    def __init__(self, sandbox: Sandbox, address: str, http: httpx.AsyncClient, asked: list[httpx.Request]) -> None:
        self.sandbox, self.address, self.http, self.asked = sandbox, address, http, asked
        self.emulator: Any = sandbox.emulators["wechat_official"]
        self.speech: Speech = self.emulator.speech

    def connector(self) -> WechatOfficial:
        return WechatOfficial(WechatOfficial.Options(**OPTIONS), self.http, self.address)

    async def deliver(self, kind: str, *rows: Row) -> list[Outcome]:
        return await self.connector().deliver(Batch(kind, "add", rows, "run-1", 1))

    async def sdk(self, call: Callable[[WeChatClient], Any]) -> Any:
        """What wechatpy says of the sandbox. It would fetch its token at the vendor's own address, so it is given one."""
        client = WeChatClient(OPTIONS["appid"], OPTIONS["app_secret"])
        client.API_BASE_URL = f"{self.address}/cgi-bin/"
        query = {"grant_type": "client_credential", "appid": OPTIONS["appid"], "secret": OPTIONS["app_secret"]}
        token = await self.http.get(f"{self.address}/cgi-bin/token", params=query)
        client.session.set(client.access_token_key, token.json()["access_token"])
        return await asyncio.to_thread(call, client)

    def fails(self, **fault: Any) -> None:
        self.sandbox.faults.add(Fault(vendor="wechat_official", **fault))

    def kept(self, kind: str) -> list[dict[str, Any]]:
        return [dict(kept.content) for kept in self.sandbox.journal.kept if kept.kind == kind]

    def calls(self, part: str) -> int:
        return sum(part in request.url.path for request in self.asked)

    async def pull(self, name: str, cursor: str | None = None, pages: int | None = None) -> list[Pulled]:
        found = []
        async for page in self.connector().pull(name, cursor):
            found.append(page)
            if len(found) == pages:
                break
        return found


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    asked: list[httpx.Request] = []

    async def listen(request: httpx.Request) -> None:
        asked.append(request)

    sandbox = sandboxes.build()
    async with (
        sandbox.serve(http_port=0, smtp_port=0) as addresses,
        httpx.AsyncClient(trust_env=False, event_hooks={"request": [listen]}, timeout=60) as http,
    ):
        yield Account(sandbox, addresses.http, http, asked)


def row(index: int = 0, **fields: Any) -> Row:
    payload = {"openid": FANS[index]} | fields
    return Row(index, f"p{index}", orjson.dumps(payload), message_id=f"m_{index:032x}")


def notice(index: int = 0, **fields: Any) -> Row:
    return row(index, **{"template_id": TEMPLATE, "page": "https://shop.example/a", "data": {"thing1": {"value": "王小明 🎉"}}, **fields})


# -- subscription notices -----------------------------------------------------------------------------------------------


async def test_a_subscription_notice_is_what_wechatpy_would_send(account: Account) -> None:
    said = notice().fields
    (outcome,) = await account.deliver("subscription_notices", notice())
    await account.sdk(lambda sdk: sdk.message.send_subscribe_message(said["openid"], TEMPLATE, said["data"], page=said["page"]))
    ours, theirs = account.kept("notice")
    assert outcome == Outcome("sent")
    assert ours == {name: value for name, value in theirs.items() if value is not None}


async def test_who_refused_notices_gets_none_and_the_sentence_says_what_that_means(account: Account) -> None:
    (outcome,) = await account.deliver("subscription_notices", notice(openid=STRANGER))
    assert (outcome.status, outcome.code) == ("rejected", "43101")
    assert "used up" in outcome.reason


# -- fields -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("thing1", "二十个字二十个字二十个字二十个字二十个字"),
        ("thing12", "🎉" * 20),
        ("character_string1", "A-2026#11/26_" + "x" * 19),
        ("number2", "-12.50"),
        ("letter1", "ABC"),
        ("symbol1", "!?…"),
        ("amount3", "¥1234567890"),
        ("amount1", "128.50元"),
        ("phone_number1", "+86-0766-66888866"),
        ("car_number1", "粤A8Z888挂"),
        ("name1", "王小明"),
        ("name1", "Maximilian Mustermann"[:20]),
        ("phrase1", "配送中"),
        ("time1", "2026年11月26日 15:01"),
        ("date1", "2026-11-26"),
        ("enum_string1", "whatever the template lists"),
        ("first", "您好，\n您的订单已发货"),  # templates of the older kind have no kinds
        ("keyword1", "x" * 300),
    ],
)
def test_values_within_their_limits_are_taken(name: str, value: str) -> None:
    assert fault(name, value) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("thing1", "x" * 21),
        ("thing1", ""),
        ("thing1", "  "),
        ("thing1", "two\nlines"),
        ("character_string1", "订单"),
        ("character_string1", "x" * 33),
        ("number1", "12a"),
        ("number1", "1" * 33),
        ("letter1", "A1"),
        ("symbol1", "!?!?!?"),
        ("amount1", "¥12345678901"),
        ("amount1", "很多"),
        ("phone_number1", "1" * 18),
        ("car_number1", "粤A8Z888挂车"),
        ("name1", "一二三四五六七八九十一"),
        ("name1", "x" * 21),
        ("phrase1", "正在配送之中"),
        ("phrase1", "ok"),
    ],
)
def test_values_beyond_their_limits_are_named_and_not_quoted(name: str, value: str) -> None:
    said = fault(name, value)
    assert said is not None
    assert f"`{name}`" in said
    assert not value.strip() or len(value) < 3 or value not in said


async def test_a_field_beyond_its_limit_is_rejected_before_any_call(account: Account) -> None:
    wrong = notice(data={"thing1": {"value": "x" * 21}, "phrase2": {"value": "ok"}, "time3": {"value": None}})
    for kind in ("subscription_notices", "template_messages"):
        (outcome,) = await account.deliver(kind, wrong)
        assert (outcome.status, outcome.code) == ("rejected", "FIELD_LIMIT")
        assert all(name in outcome.reason for name in ("thing1", "phrase2", "time3"))
    assert account.asked == []


# -- customer service ---------------------------------------------------------------------------------------------------


async def test_a_service_message_is_what_wechatpy_would_send(account: Account) -> None:
    assert await account.deliver("service_messages", row(**SAYS)) == [Outcome("sent")]
    await account.deliver("service_messages", row(msgtype="image", image={"media_id": "M"}))
    await account.sdk(lambda sdk: (sdk.message.send_text(FANS[0], SAYS["text"]), sdk.message.send_image(FANS[0], "M")))
    ours, image, *theirs = account.kept("service")
    assert [ours, image] == theirs


@pytest.mark.parametrize(("by", "ago"), [("message", timedelta(hours=48, seconds=1)), ("event", timedelta(minutes=1, seconds=1))])
async def test_outside_its_window_a_service_message_is_rejected_and_later_sent(account: Account, by: str, ago: timedelta) -> None:
    account.speech.opens(FANS[0], by, datetime.now(UTC) - ago)
    (outcome,) = await account.deliver("service_messages", row(**SAYS))
    assert (outcome.status, outcome.code) == ("rejected", "45015")
    assert "48 hours" in outcome.reason
    assert "1 minute" in outcome.reason
    account.speech.opens(FANS[0], "message", datetime.now(UTC))
    assert await account.deliver("service_messages", row(**SAYS)) == [Outcome("sent")]


@pytest.mark.parametrize(("by", "takes"), [("message", 5), ("event", 3)])
async def test_a_window_takes_so_many_messages_and_no_more(account: Account, by: str, takes: int) -> None:
    account.speech.opens(FANS[0], by, datetime.now(UTC) + timedelta(hours=1))
    outcomes = [(await account.deliver("service_messages", row(**SAYS)))[0] for _ in range(takes + 1)]
    assert [outcome.status for outcome in outcomes] == [*["sent"] * takes, "rejected"]
    assert (outcomes[-1].code, "takes no more" in outcomes[-1].reason) == ("45047", True)


@pytest.mark.parametrize("kind", ["service_messages", "mass_messages", "mass_to_tags"])
@pytest.mark.parametrize("fields", [{}, {"text": ""}, {"text": None}, {"msgtype": "image"}, {"msgtype": "image", "image": "M"}])
async def test_a_row_that_says_nothing_is_rejected_before_any_call(account: Account, kind: str, fields: dict[str, Any]) -> None:
    outcomes = await account.deliver(kind, row(0, tag="星标组", **fields), row(1, tag="星标组", **fields))
    assert {(outcome.status, outcome.code) for outcome in outcomes} == {("rejected", "NO_CONTENT")}
    assert account.asked == []


# -- mass messages ------------------------------------------------------------------------------------------------------


async def test_a_mass_message_is_one_call_for_all_and_what_wechatpy_would_send(account: Account) -> None:
    outcomes = await account.deliver("mass_messages", *(row(n, **SAYS) for n in range(50)))
    await account.sdk(lambda sdk: sdk.message.send_mass_text(FANS[:50], SAYS["text"], client_msg_id="theirs"))
    ours, theirs = account.kept("mass")
    assert set(outcomes) == {Outcome("sent", provider_id=str(ours["msg_id"]))}
    assert account.calls("mass/send") == 1
    for sent in (ours, theirs):
        assert (sent["touser"], sent["msgtype"], sent["text"]) == (FANS[:50], "text", {"content": SAYS["text"]})


async def test_an_article_goes_out_as_wechatpy_would_send_it(account: Account) -> None:
    await account.deliver("mass_messages", *(row(n, msgtype="mpnews", mpnews={"media_id": "M"}) for n in range(2)))
    await account.sdk(lambda sdk: sdk.message.send_mass_article(FANS[:2], "M", client_msg_id="theirs"))
    ours, theirs = account.kept("mass")
    own = {"clientmsgid", "msg_id"}
    assert {k: v for k, v in ours.items() if k not in own} == {k: v for k, v in theirs.items() if k not in own}


async def test_the_same_batch_again_reaches_nobody_twice_and_is_success(account: Account) -> None:
    rows = [row(n, **SAYS) for n in range(3)]
    first = await account.deliver("mass_messages", *rows)
    again = await account.deliver("mass_messages", *reversed(rows))
    assert first == again
    assert len(account.kept("mass")) == 1


async def test_other_people_or_other_words_are_another_mass_message(account: Account) -> None:
    await account.deliver("mass_messages", row(0, **SAYS), row(1, **SAYS))
    await account.deliver("mass_messages", row(0, **SAYS), row(2, **SAYS))
    await account.deliver("mass_messages", row(0, text="别的"), row(1, text="别的"))
    assert len({sent["clientmsgid"] for sent in account.kept("mass")}) == 3


def test_a_clientmsgid_is_within_what_wechat_takes() -> None:
    assert len(clientmsgid({"text": {"content": "字" * 5000}}, [f"m_{n:032x}" for n in range(10_000)])) <= 64


async def test_after_a_lost_answer_the_same_batch_is_asked_for_again_and_went_out_once(account: Account) -> None:
    """What the engine does with an idempotent object."""
    rows = [row(n, **SAYS) for n in range(3)]
    account.fails(kind="reset", match="mass/send")
    with pytest.raises(httpx.TransportError):
        await account.deliver("mass_messages", *rows)
    outcomes = await account.deliver("mass_messages", *rows)
    assert {outcome.status for outcome in outcomes} == {"sent"}
    assert len(account.kept("mass")) == 1


async def test_a_repeat_that_comes_too_soon_is_unknown_for_a_minute_not_unsent(account: Account) -> None:
    account.fails(kind="partial", code="45066")
    with pytest.raises(Unanswered) as raised:
        await account.deliver("mass_messages", row(0, **SAYS), row(1, **SAYS))
    assert raised.value.after == 60


async def test_a_mass_message_for_one_person_is_rejected_before_any_call(account: Account) -> None:
    (outcome,) = await account.deliver("mass_messages", row(**SAYS))
    assert (outcome.status, outcome.code) == ("rejected", "TOO_FEW")
    assert await account.deliver("mass_messages", row(**SAYS), row(**SAYS)) == [outcome] * 2
    assert account.asked == []


async def test_one_bad_openid_refuses_the_batch_so_that_it_is_found(account: Account) -> None:
    with pytest.raises(Refused):
        await account.deliver("mass_messages", row(0, **SAYS), row(1, **SAYS), row(2, openid="o-too-short", **SAYS))
    assert account.kept("mass") == []


async def test_people_who_get_other_words_get_a_call_of_their_own(account: Account) -> None:
    rows = [row(n, text="甲" if n % 2 else "乙") for n in range(6)] + [row(6, text="丙"), row(7)]
    outcomes = await account.deliver("mass_messages", *rows)
    assert [outcome.code for outcome in outcomes] == [*[""] * 6, "TOO_FEW", "NO_CONTENT"]
    assert [(sent["text"]["content"], sent["touser"]) for sent in account.kept("mass")] == [("乙", FANS[0:6:2]), ("甲", FANS[1:6:2])]


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"kind": "rate_limit"}, "skipped"),
        ({"kind": "reset"}, "unknown"),
        ({"kind": "broken_json"}, "unknown"),
        ({"kind": "partial"}, "rejected"),
    ],
)
async def test_one_failed_call_of_several_takes_nothing_back_that_another_sent(
    account: Account, fault: dict[str, Any], status: str
) -> None:
    account.fails(match="乙", times=9, **fault)
    outcomes = await account.deliver("mass_messages", *(row(n, text="甲" if n < 2 else "乙") for n in range(6)))
    assert [outcome.status for outcome in outcomes] == [*["sent"] * 2, *[status] * 4]


async def test_within_a_part_of_several_the_row_at_fault_is_found(account: Account) -> None:
    account.fails(kind="partial", match=FANS[2], times=9)
    outcomes = await account.deliver("mass_messages", *(row(n, text="甲" if n < 2 else "乙") for n in range(6)))
    assert [outcome.status for outcome in outcomes] == ["sent", "sent", "rejected", "rejected", "sent", "sent"]


async def test_to_a_tag_goes_what_wechatpy_would_send_to_it_and_once_for_each_row_key(account: Account) -> None:
    tags = Batch("tags", "add", [Row(n, str(n), orjson.dumps({"openid": FANS[n], "tag": "老客户"})) for n in range(3)], "r", 1)
    await account.connector().deliver(tags)
    first = await account.deliver("mass_to_tags", row(tag="老客户", **SAYS))
    again = await account.deliver("mass_to_tags", row(tag="老客户", **SAYS))
    tag = next(iter(account.kept("tag")))["id"]
    await account.sdk(lambda sdk: sdk.message.send_mass_text(tag, SAYS["text"], client_msg_id="theirs"))
    ours, theirs = account.kept("mass")
    assert first == again == [Outcome("sent", provider_id=str(ours["msg_id"]))]
    assert ours["filter"] == {"is_to_all": False, "tag_id": tag}
    assert theirs["filter"] == {"is_to_all": False, "group_id": tag}
    assert ours["openids"] == theirs["openids"] == sorted(FANS[:3])


async def test_to_a_tag_that_nobody_made_goes_nothing_and_no_tag_is_made(account: Account) -> None:
    (outcome,) = await account.deliver("mass_to_tags", row(tag="没有", **SAYS))
    assert (outcome.status, outcome.code) == ("rejected", "NO_SUCH_TAG")
    assert account.kept("tag") == []


async def test_the_sandbox_lets_a_follower_have_four_mass_messages_a_month_and_reports_the_fifth(account: Account) -> None:
    for n in range(5):
        await account.deliver("mass_messages", row(0, text=f"第{n}条"), row(1, text=f"第{n}条"))
    assert [len(sent["reached"]) for sent in account.kept("mass")] == [2, 2, 2, 2, 0]
    pending = Pending(account.sandbox.journal.kept[-1], datetime.now(UTC), datetime.now(UTC))
    (post,) = account.emulator.receipts([pending], "")
    crypto = WeChatCrypto("sandboxWechatToken", "c2FuZGJveC13ZWNoYXQtYWVzLWtleS0zMi1ieXRlcyE", OPTIONS["appid"])
    xml = crypto.decrypt_message(post.body.decode(), post.query["msg_signature"], post.query["timestamp"], post.query["nonce"])
    assert "<ErrorCount>2</ErrorCount>" in xml


async def test_a_used_up_day_of_mass_messages_waits_for_the_next(account: Account) -> None:
    account.fails(kind="partial", code="45028")
    with pytest.raises(Transient) as raised:
        await account.deliver("mass_messages", row(0, **SAYS), row(1, **SAYS))
    assert raised.value.after is not None


# -- followers ----------------------------------------------------------------------------------------------------------


async def test_every_follower_is_pulled_a_hundred_at_a_time_as_wechatpy_sees_them(account: Account) -> None:
    pages = await account.pull("followers")
    theirs = await account.sdk(lambda sdk: list(sdk.user.iter_followers()))
    people = await account.sdk(lambda sdk: sdk.user.get_batch(theirs[:100]))
    assert [event["openid"] for page in pages for event in page.events] == theirs
    assert list(pages[0].events) == [{"appid": OPTIONS["appid"], **person} for person in people]
    assert [len(page.events) for page in pages] == [100, len(theirs) - 100, 0]
    assert {page.source for page in pages} == {"wechat_followers"}


async def test_followers_are_read_over_several_pages_of_openids(account: Account) -> None:
    account.emulator.followers.at_once = 30
    pages = await account.pull("followers")
    assert [event["openid"] for page in pages for event in page.events] == account.emulator.followers.openids


async def test_a_pull_that_was_cut_off_goes_on_behind_the_page_that_landed(account: Account) -> None:
    (first,) = await account.pull("followers", pages=1)
    rest = await account.pull("followers", first.cursor)
    found = [event["openid"] for page in (first, *rest) for event in page.events]
    assert found == account.emulator.followers.openids
    assert rest[-1].cursor is None


async def test_when_the_follower_at_the_cursor_has_left_the_round_begins_anew(account: Account) -> None:
    (first,) = await account.pull("followers", pages=1)
    account.emulator.followers.openids.remove(first.cursor)
    rest = await account.pull("followers", first.cursor)
    assert [event["openid"] for page in rest for event in page.events] == account.emulator.followers.openids


async def test_an_account_without_followers_gives_one_empty_page(account: Account) -> None:
    account.emulator.followers.openids.clear()
    assert await account.pull("followers") == [Pulled("wechat_followers", [], None)]


async def test_a_refused_pull_stops_with_the_vendors_words(account: Account) -> None:
    account.fails(kind="rate_limit", match="user/get")
    with pytest.raises(Transient):
        await account.pull("followers")
    with pytest.raises(Fatal, match="nothing named"):
        account.connector().pull("friends", None)


async def test_what_is_left_of_each_quota_can_be_pulled(account: Account) -> None:
    await account.deliver("mass_messages", row(0, **SAYS), row(1, **SAYS))
    (page,) = await account.pull("quotas")
    left = {event["interface"]: (event["daily_limit"], event["used"], event["remain"]) for event in page.events}
    assert left["/cgi-bin/message/mass/send"] == (100, 1, 99)
    assert page.source == "wechat_quotas"


# -- tokens -------------------------------------------------------------------------------------------------------------

SENDER = """
import asyncio, sys
import httpx, orjson
from connectors.base import Batch, Row
from connectors.wechat.wechat_official import WechatOfficial

async def main(address, name, openids):
    options = WechatOfficial.Options(appid="wx5f1e2d3c4b5a6978", app_secret="sandbox-wechat-app-secret")
    async with httpx.AsyncClient(trust_env=False, timeout=120) as http, WechatOfficial(options, http, address) as connector:
        async def send(number, openid):
            row = orjson.dumps({"openid": openid, "template_id": "T", "data": {}})
            return await connector.deliver(Batch("template_messages", "add", [Row(0, name, row, message_id=f"{name}-{number}")], "r", 1))
        for number, openid in enumerate(openids):
            (outcome,) = await send(number, openid)
            print(outcome.status, outcome.code, flush=True)
            sys.stdin.readline()
asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
"""


async def test_two_processes_share_the_token_and_do_not_fetch_it_against_each_other(account: Account) -> None:
    tokens = account.emulator._tokens
    command = [sys.executable, "-c", SENDER, account.address]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    processes = [
        await asyncio.create_subprocess_exec(
            *command, name, *FANS[:4], stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=environment
        )
        for name in ("one", "two")
    ]
    issued = []
    said: list[list[str]] = []
    try:
        for turn in range(4):
            said.append([(await process.stdout.readline()).decode().strip() for process in processes if process.stdout])
            issued.append(tokens.issued)
            if turn == 1:
                tokens.expire()  # the platform renews it: both find out, and both get the same one again
            for process in processes:
                assert process.stdin
                process.stdin.write(b"\n")
                await process.stdin.drain()
    finally:
        for process in processes:
            process.stdin.close()  # type: ignore[union-attr]
            await process.wait()
    assert said == [["sent", "sent"]] * 4
    assert issued == [1, 1, 2, 2]
    assert len(account.kept("message")) == 8


async def test_a_token_that_only_force_replaces_is_replaced_once_for_both_processes(account: Account) -> None:
    one, two = account.connector(), account.connector()
    batch = Batch("template_messages", "add", [notice()], "run-1", 1)
    await one.deliver(batch)
    await two.deliver(batch)
    refused = next(iter(account.emulator._tokens._good_until))
    account.emulator._tokens.distrusted = {refused}
    assert [outcome.status for connector in (one, two) for outcome in await connector.deliver(batch)] == ["sent", "sent"]
    forced = [orjson.loads(request.content)["force_refresh"] for request in account.asked if "stable_token" in request.url.path]
    assert forced.count(True) <= 2
    assert account.emulator._tokens.issued == 2


async def test_wechatpy_with_the_older_tokens_does_not_end_ours(account: Account) -> None:
    connector = account.connector()
    batch = Batch("template_messages", "add", [notice()], "run-1", 1)
    await connector.deliver(batch)
    with pytest.raises(WeChatClientException):
        await account.sdk(lambda sdk: sdk.message.send_text("o-too-short", "hi"))
    await connector.deliver(batch)
    assert account.calls("stable_token") == 1
