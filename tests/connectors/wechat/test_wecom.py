"""WeCom: employees, customers, tags, tasks and callbacks as the vendor has them, against wechatpy and the sandbox."""

from __future__ import annotations

from typing import Any

import pytest
from wechatpy.enterprise import WeChatClient
from wecom_corp import AGENT, APP_SECRET, CUSTOMER_SECRET, NOW, PEOPLE, STRANGER, Corp, message

from connectors.base import Batch, Fatal, Row, Transient
from connectors.chat.wecom_app import WecomApp

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
