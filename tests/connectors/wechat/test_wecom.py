"""WeCom: employees, customers, tags, tasks and callbacks as the vendor has them, against wechatpy and the sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wechatpy.enterprise import WeChatClient, parse_message
from wechatpy.enterprise.crypto import WeChatCrypto

from connectors import sandbox as sandboxes
from connectors.base import BadSignature, Batch, Callback, Fatal, Operation, Outcome, Pulled, Row, Transient
from connectors.chat.wecom_app import WecomApp
from connectors.sandbox import Fault, Pending, Sandbox, fate
from connectors.wechat.wecom import CustomerTags, Wecom

CORPID, TOKEN, KEY, NONCE = "ww5f1e2d3c4b5a6978", "sandboxWecomToken", "c2FuZGJveC13ZWNvbS1hZXMta2V5LTMyLWJ5dGVzISE", "1372623149"
CUSTOMER_SECRET, APP_SECRET, AGENT = "sandbox-wecom-customer-secret", "sandbox-wecom-app-secret", 1000002
NOW = datetime.now(UTC).replace(microsecond=0)
PEOPLE = [customer for n in range(150) if fate(customer := f"wmTest{n:026}", "is a customer") >= 0.02]
STRANGER = next(customer for n in range(2000) if fate(customer := f"wmTest{n:026}", "is a customer") < 0.02)
ADDED = (
    f"<xml><ToUserName><![CDATA[{CORPID}]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName><CreateTime>1761876000</CreateTime>"
    "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[change_external_contact]]></Event>"
    "<ChangeType><![CDATA[add_external_contact]]></ChangeType><UserID><![CDATA[zhangsan]]></UserID>"
    "<ExternalUserID><![CDATA[wmTest1]]></ExternalUserID><State><![CDATA[展会🎉]]></State></xml>"
)


class Corp:
    """The sandbox's corp, connectors that talk to it, and what it heard."""

    def __init__(self, sandbox: Sandbox, address: str, http: httpx.AsyncClient, asked: list[httpx.Request]) -> None:
        self.sandbox, self.address, self.http, self.asked = sandbox, address, http, asked
        self.emulator: Any = sandbox.emulators["wecom"]

    def connector(self, **options: Any) -> Wecom:
        return Wecom(Wecom.Options(**({"corpid": CORPID, "corp_secret": CUSTOMER_SECRET} | options)), self.http, self.address)

    def app(self, **options: Any) -> WecomApp:
        given = {"corpid": CORPID, "app_secret": APP_SECRET, "agent_id": AGENT, "to": "zhangsan"}
        return WecomApp(WecomApp.Options(**(given | options)), self.http, self.address)

    async def say(self, **fields: Any) -> Outcome:
        (outcome,) = await self.app().deliver(Batch("messages", "add", [Row(0, "a", orjson.dumps(fields))], "run-1", 1))
        return outcome

    async def send(self, *rows: Row) -> list[Outcome]:
        return await self.connector().deliver(Batch("group_messages", "add", rows, "run-1", 1))

    async def mark(self, *triples: tuple[str, str, str], operation: Operation = "add") -> list[Outcome]:
        return await self.connector().deliver(marks(*triples, operation=operation))

    async def sdk(self, call: Callable[[WeChatClient], Any], secret: str = CUSTOMER_SECRET) -> Any:
        """What wechatpy says of the sandbox. It would fetch its token at the vendor's own address, so it is given one."""
        client = WeChatClient(CORPID, secret)
        client.API_BASE_URL = f"{self.address}/cgi-bin/"
        token = await self.http.get(f"{self.address}/cgi-bin/gettoken", params={"corpid": CORPID, "corpsecret": secret})
        client.session.set(client.access_token_key, token.json()["access_token"])
        return await asyncio.to_thread(call, client)

    def fails(self, **fault: Any) -> None:
        self.sandbox.faults.add(Fault(vendor="wecom", **fault))

    def kept(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        return [(kept.to, dict(kept.content)) for kept in self.sandbox.journal.kept if kept.kind == kind]

    def calls(self, part: str) -> int:
        return sum(part in request.url.path for request in self.asked)

    def bodies(self, part: str) -> list[Any]:
        return [orjson.loads(request.content) for request in self.asked if part in request.url.path]

    @property
    def marked(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = self.emulator.state()["marked"]
        return found

    async def pull(self, name: str, cursor: str | None = None, pages: int | None = None) -> list[Pulled]:
        found = []
        async for page in self.connector().pull(name, cursor):
            found.append(page)
            if len(found) == pages:
                break
        return found


@pytest.fixture
async def corp() -> AsyncIterator[Corp]:
    asked: list[httpx.Request] = []

    async def listen(request: httpx.Request) -> None:
        asked.append(request)

    sandbox = sandboxes.build()
    async with (
        sandbox.serve(http_port=0, smtp_port=0) as addresses,
        httpx.AsyncClient(trust_env=False, event_hooks={"request": [listen]}, timeout=60) as http,
    ):
        yield Corp(sandbox, addresses.http, http, asked)


def message(index: int = 0, customer: str | None = None, **fields: Any) -> Row:
    payload = {"external_userid": customer or PEOPLE[index], "text": "双十一见 🎉"} | fields
    return Row(index, f"p{index}", orjson.dumps(payload), message_id=f"m_{index:032x}")


def marks(*triples: tuple[str, str, str], operation: Operation = "add") -> Batch:
    rows = [
        Row(n, str(n), orjson.dumps({"userid": member, "external_userid": customer, "tag": tag}))
        for n, (member, customer, tag) in enumerate(triples)
    ]
    return Batch("tags", operation, rows, "run-1", 1, on_removed="remove_from_list", settings=CustomerTags())


# -- employees ----------------------------------------------------------------------------------------------------------


async def test_text_markdown_and_cards_are_what_wechatpy_would_send(corp: Corp) -> None:
    card = {"title": "新商机", "text": "王小明 🎉", "url": "https://crm.example/1"}
    outcomes = [await corp.say(text="同步失败 🎉"), await corp.say(markdown="**失败**"), await corp.say(**card)]
    ours = corp.kept("message")

    def send(sdk: WeChatClient) -> None:
        sdk.message.send_text(AGENT, "lisi", "同步失败 🎉")
        sdk.message.send_markdown(AGENT, "lisi", "**失败**")
        sdk.message.send_text_card(AGENT, "lisi", card["title"], card["text"], card["url"])

    await corp.sdk(send, APP_SECRET)
    theirs = corp.kept("message")[3:]
    theirs[2][1].pop("btntxt")
    assert {outcome.status for outcome in outcomes} == {"sent"}
    assert [said for _, said in ours] == [said for _, said in theirs]
    assert {to for to, _ in ours} == {"zhangsan"}


async def test_a_row_may_name_whom_it_is_for(corp: Corp) -> None:
    await corp.say(text="客户回来了", userid="lisi|wangwu")
    assert [to for to, _ in corp.kept("message")] == ["lisi|wangwu"]


async def test_the_same_words_asked_for_again_arrive_once(corp: Corp) -> None:
    for _ in range(2):
        assert (await corp.say(text="同步失败")).status == "sent"
    assert len(corp.kept("message")) == 1


async def test_who_is_not_there_is_rejected_and_some_of_several_are_told(corp: Corp) -> None:
    gone = await corp.say(text="一", userid="left1")
    some = await corp.say(text="二", userid="left1|zhangsan")
    assert (gone.status, gone.code) == ("rejected", "81013")
    assert (some.status, some.code, "1 of 2" in some.reason, "left1" in some.reason) == ("sent", "INVALID_USER", True, False)


async def test_what_is_too_long_is_cut_at_a_whole_character(corp: Corp) -> None:
    await corp.say(text="字" * 3000)
    ((_, said),) = corp.kept("message")
    assert len(said["content"].encode()) <= 2048
    assert said["content"].endswith("字…")


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"app_secret": "wrong"}, "40001"),
        ({"corpid": "ww0"}, "40013"),
        ({"agent_id": 7}, "40056"),
        ({"app_secret": CUSTOMER_SECRET}, "48002"),
    ],
)
async def test_wrong_settings_of_an_app_stop_the_run_and_say_what_to_check(corp: Corp, wrong: dict[str, Any], code: str) -> None:
    with pytest.raises(Fatal, match=r"To go on|Without a token") as raised:
        await corp.app(**wrong).deliver(Batch("messages", "add", [Row(0, "a", b'{"text":"x"}')], "run-1", 1))
    assert raised.value.code == code
    assert not any(str(value) in raised.value.reason for value in wrong.values() if len(str(value)) > 3)


def test_nobody_is_written_to_by_default() -> None:
    with pytest.raises(ValueError, match="to"):
        WecomApp.Options(agent_id=1)  # type: ignore[call-arg]


# -- tokens -------------------------------------------------------------------------------------------------------------


async def test_two_processes_get_the_same_token_and_a_new_one_after_it_expired(corp: Corp) -> None:
    one, two = corp.connector(), corp.connector()
    batch = Batch("group_messages", "add", [message()], "run-1", 1)
    for expected in (1, 2):
        assert [outcome.status for connector in (one, two) for outcome in await connector.deliver(batch)] == ["sent", "sent"]
        assert corp.emulator.given == expected
        corp.emulator.expire()


async def test_no_answer_to_the_token_request_means_that_nothing_was_sent(corp: Corp) -> None:
    corp.fails(kind="reset", match="gettoken")
    with pytest.raises(Transient, match=r"WeCom did not answer.*nothing was sent"):
        await corp.send(message())


# -- group messages -----------------------------------------------------------------------------------------------------


async def test_a_group_message_is_one_task_and_what_wechatpy_would_ask_for(corp: Corp) -> None:
    outcomes = await corp.send(*(message(n) for n in range(100)))
    await corp.sdk(lambda sdk: sdk.external_contact.add_msg_template({"external_userid": PEOPLE[:100], "text": {"content": "双十一见 🎉"}}))
    kept = corp.kept("task")
    ours, theirs = kept[:100], kept[100:]
    assert corp.calls("add_msg_template") == 1
    assert {outcome.status for outcome in outcomes} == {"sent"}
    assert [(to, said["text"], said["sender"]) for to, said in ours] == [(to, said["text"], said["sender"]) for to, said in theirs]


async def test_each_customers_message_has_an_id_of_its_own_that_tells_nobody_who_it_is(corp: Corp) -> None:
    outcomes = await corp.send(*(message(n) for n in range(20)))
    ids = [str(outcome.provider_id) for outcome in outcomes]
    assert len(set(ids)) == 20
    assert not any(customer in id for customer, id in zip(PEOPLE, ids, strict=False))


async def test_customers_on_the_fail_list_are_rejected_and_the_others_go_out(corp: Corp) -> None:
    outcomes = await corp.send(message(0), message(1, STRANGER), message(2), message(3, STRANGER))
    assert [(outcome.status, outcome.code) for outcome in outcomes] == [("sent", ""), ("rejected", "NOT_REACHED")] * 2
    assert [to for to, _ in corp.kept("task")] == [PEOPLE[0], PEOPLE[2]]


async def test_a_send_names_the_customer_by_the_contact_it_matched(corp: Corp) -> None:
    row = Row(0, "p_1", '{"openid":"","text":"双十一见"}'.encode(), match=PEOPLE[0], message_id="m_1")
    assert [outcome.status for outcome in await corp.send(row)] == ["sent"]
    assert [to for to, _ in corp.kept("task")] == [PEOPLE[0]]


async def test_other_words_or_another_member_are_another_task(corp: Corp) -> None:
    link = [{"msgtype": "link", "link": {"title": "海报", "url": "https://shop.example"}}]
    rows = [message(0), message(1, userid="lisi"), message(2), message(3, text="别的"), message(4, text=None, attachments=link)]
    assert {outcome.status for outcome in await corp.send(*rows)} == {"sent"}
    asked = [
        (body["external_userid"], body.get("sender"), body.get("text"), body.get("attachments")) for body in corp.bodies("add_msg_template")
    ]
    words = {"content": "双十一见 🎉"}
    assert asked == [
        ([PEOPLE[0], PEOPLE[2]], None, words, None),
        ([PEOPLE[1]], "lisi", words, None),
        ([PEOPLE[3]], None, {"content": "别的"}, None),
        ([PEOPLE[4]], None, None, link),
    ]


@pytest.mark.parametrize(("fields", "code"), [({"text": None}, "NO_CONTENT"), ({"text": "字" * 1334}, "TOO_LONG")])
async def test_what_wecom_would_not_take_is_rejected_before_any_call(corp: Corp, fields: dict[str, Any], code: str) -> None:
    (outcome,) = await corp.send(message(**fields))
    assert (outcome.status, outcome.code) == ("rejected", code)
    assert corp.asked == []


async def test_what_became_of_a_task_is_pulled_until_it_is_done(corp: Corp) -> None:
    outcomes = await corp.send(*(message(n) for n in range(60)))
    ids = {str(outcome.provider_id) for outcome in outcomes}
    waiting = await corp.pull("message_results")
    events = [event for page in waiting for event in page.events]
    assert {event["provider_id"] for event in events} == ids
    assert {event["status"] for event in events} == {0}
    (msgid,) = {event["msgid"] for event in events}
    created = int(events[0]["created_at"])
    assert waiting[-1].cursor == str(created)  # an open task is asked about again
    corp.emulator.customers.confirm(msgid)
    done = await corp.pull("message_results", waiting[-1].cursor)
    results = {event["provider_id"]: event["status"] for page in done for event in page.events}
    assert results.keys() == ids
    assert set(results.values()) > {1}
    assert int(str(done[-1].cursor)) >= created
    assert {page.source for page in done} == {"wecom_records"}


async def test_results_are_asked_for_task_by_task_the_oldest_first(corp: Corp) -> None:
    for n in range(3):
        await corp.send(message(n, text=f"第{n}条"))
    for n, (kept,) in enumerate(corp.emulator.customers._tasks.values()):
        kept.content["created"] -= 10 - n  # made one second after another
    pages = await corp.pull("message_results")
    assert len({page.events[0]["msgid"] for page in pages if page.events}) == 3
    assert [event["external_userid"] for page in pages for event in page.events] == PEOPLE[:3]


async def test_without_tasks_there_is_one_empty_page_that_goes_on_from_now(corp: Corp) -> None:
    (page,) = await corp.pull("message_results")
    assert (page.events, int(str(page.cursor)) >= int(NOW.timestamp())) == ([], True)


# -- tags ---------------------------------------------------------------------------------------------------------------


async def test_a_customer_gets_several_tags_in_one_call_as_wechatpy_would_mark_it(corp: Corp) -> None:
    outcomes = await corp.mark(("zhangsan", PEOPLE[0], "高意向"), ("zhangsan", PEOPLE[1], "高意向"), ("zhangsan", PEOPLE[0], "老客户"))
    assert outcomes == [Outcome("sent")] * 3
    assert corp.marked == {f"zhangsan {PEOPLE[0]}": ["老客户", "高意向"], f"zhangsan {PEOPLE[1]}": ["高意向"]}
    assert (corp.calls("mark_tag"), corp.calls("add_corp_tag"), corp.calls("get_corp_tag_list")) == (2, 2, 2)
    groups = (await corp.sdk(lambda sdk: sdk.external_contact.get_corp_tag_list()))["tag_group"]
    ids = [tag["id"] for group in groups if group["group_name"] == "Sluice" for tag in group["tag"]]
    await corp.sdk(lambda sdk: sdk.external_contact.mark_tag("zhangsan", PEOPLE[0], remove_tag=ids))
    assert corp.marked[f"zhangsan {PEOPLE[0]}"] == []


async def test_a_removed_row_loses_its_tag_and_a_tag_nobody_made_needs_no_call(corp: Corp) -> None:
    await corp.mark(("zhangsan", PEOPLE[0], "高意向"))
    assert await corp.mark(("zhangsan", PEOPLE[0], "高意向"), operation="remove") == [Outcome("sent")]
    (outcome,) = await corp.mark(("zhangsan", PEOPLE[0], "没有"), operation="remove")
    assert (outcome.status, outcome.code) == ("sent", "NO_SUCH_TAG")
    assert corp.marked == {f"zhangsan {PEOPLE[0]}": []}


async def test_a_member_who_has_no_such_customer_costs_the_other_rows_nothing(corp: Corp) -> None:
    outcomes = await corp.mark(("zhangsan", STRANGER, "高意向"), ("zhangsan", PEOPLE[0], "高意向"))
    assert [(outcome.status, outcome.code) for outcome in outcomes] == [("rejected", "84061"), ("sent", "")]
    (outcome,) = await corp.mark(("zhangsan", STRANGER, "高意向"), operation="remove")
    assert (outcome.status, outcome.code) == ("sent", "NO_CUSTOMER")


async def test_a_tag_that_was_deleted_meanwhile_is_looked_up_again(corp: Corp) -> None:
    connector = corp.connector()
    await connector.deliver(marks(("zhangsan", PEOPLE[0], "高意向")))
    corp.fails(kind="partial", code="40068")
    with pytest.raises(Transient):
        await connector.deliver(marks(("zhangsan", PEOPLE[1], "高意向")))
    assert await connector.deliver(marks(("zhangsan", PEOPLE[1], "高意向"))) == [Outcome("sent")]


async def test_the_corps_tags_are_pulled_with_their_groups(corp: Corp) -> None:
    await corp.mark(("zhangsan", PEOPLE[0], "高意向"))
    (page,) = await corp.pull("tags")
    assert {(event["group_name"], event["name"], event["kind"]) for event in page.events} == {
        ("客户等级", "重要", "tag"),
        ("Sluice", "高意向", "tag"),
    }
    assert page.cursor is None


# -- customers ----------------------------------------------------------------------------------------------------------


async def test_every_customer_is_pulled_as_wechatpy_sees_them(corp: Corp) -> None:
    pages = await corp.pull("customers")
    theirs = set()
    for member in (await corp.sdk(lambda sdk: sdk.external_contact.get_follow_user_list()))["follow_user"]:
        listed = await corp.sdk(lambda sdk, member=member: sdk.external_contact.list(member))  # type: ignore[misc]
        theirs |= {(member, customer) for customer in listed["external_userid"]}
    ours = [(event["userid"], event["external_userid"]) for page in pages for event in page.events]
    assert (len(ours), set(ours)) == (len(theirs), theirs)
    assert all(event["unionid"] and event["kind"] == "customer" for page in pages for event in page.events)
    assert len({event["record_id"] for page in pages for event in page.events}) == len(ours)


async def test_a_pull_of_customers_that_was_cut_off_goes_on_behind_the_page_that_landed(corp: Corp) -> None:
    (first,) = await corp.pull("customers", pages=1)
    rest = await corp.pull("customers", first.cursor)
    found = [event["record_id"] for page in (first, *rest) for event in page.events]
    assert found == [event["record_id"] for page in await corp.pull("customers") for event in page.events]
    assert rest[-1].cursor is None


async def test_a_tag_goes_both_ways(corp: Corp) -> None:
    (page, *_) = await corp.pull("customers")
    customer = page.events[0]
    await corp.mark((customer["userid"], customer["external_userid"], "高意向"))
    names = {event["record_id"]: event["name"] for event in (await corp.pull("tags"))[0].events}
    again = next(event for page in await corp.pull("customers") for event in page.events if event["record_id"] == customer["record_id"])
    assert [names[tag] for tag in again["follow_info"]["tag_id"]] == ["高意向"]


async def test_a_pull_without_permission_stops_and_says_so(corp: Corp) -> None:
    with pytest.raises(Fatal, match=r"48002.*permission"):
        async for _ in corp.connector(corp_secret=APP_SECRET).pull("customers", None):
            pass
    with pytest.raises(Fatal, match="nothing named"):
        corp.connector().pull("friends", None)


# -- callbacks ----------------------------------------------------------------------------------------------------------


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
