"""What WeChat and WeCom tell, in the warehouse: followers that were listed, results of group messages, the end of mass messages, and the duty to delete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sent_records import at, wechat
from warehouse_house import House, Record

NOW = at("2026-06-30 00:00")


def follower(openid: str, **given: Any) -> Record:
    return "wechat_followers/a.jsonl", {"appid": "wx1", "openid": openid, **given}


def result(number: int, status: int, **given: Any) -> Record:
    about = {"msgid": "msg1", "userid": "zhangsan", "external_userid": f"wmCustomer{number}", "created_at": "1780300800"}
    ids = {"corpid": "ww1", "kind": "message_result", "record_id": f"msg1/zhangsan/{number}", "provider_id": f"msg1/{number}"}
    return "wecom_records/a.jsonl", {**ids, **about, "status": status, **given}


def chat(number: str, sender: str, text: str, channel: str = "wecom", **given: Any) -> Record:
    about = {
        "channel": channel,
        "conversation_id": "c1",
        "message_id": number,
        "sender": sender,
        "sent_at": f"2026-06-2{number[1]}T10:00:00+08:00",
    }
    return "chat/a.jsonl", {**about, "text": text, **given}


def customer(external_userid: str, member: str = "zhangsan", **given: Any) -> Record:
    """As the pull hands it on."""
    ids = {
        "corpid": "ww1",
        "kind": "customer",
        "record_id": f"{member}/{external_userid}",
        "userid": member,
        "external_userid": external_userid,
    }
    return "wecom_records/a.jsonl", {**ids, "follow_info": {"createtime": FOLLOWED}, **given}


def told(when: str, change: str, external_userid: str, member: str = "zhangsan", **given: Any) -> Record:
    """As the connector hands a callback on."""
    about = {
        "MsgType": "event",
        "Event": "change_external_contact",
        "ChangeType": change,
        "UserID": member,
        "ExternalUserID": external_userid,
    }
    ids = {"corpid": "ww1", "event_id": f"{when} {change} {external_userid} {member}", "CreateTime": str(int(at(when).timestamp()))}
    return "wecom_callbacks/a.jsonl", {**ids, **about, **given}


def in_chat(when: str, detail: str, *members: str) -> Record:
    """A change of a group chat, as the connector hands the callback on."""
    said = "".join(f"<Item><![CDATA[{one}]]></Item>" for one in members)
    xml = f"<xml><Event><![CDATA[change_external_chat]]></Event><MemChangeList>{said}</MemChangeList></xml>"
    about = {"MsgType": "event", "Event": "change_external_chat", "ChangeType": "update", "UpdateDetail": detail, "ChatId": "wr1"}
    ids = {"corpid": "ww1", "event_id": f"{when} {detail}", "CreateTime": str(int(at(when).timestamp()))}
    return "wecom_callbacks/a.jsonl", {**ids, **about, "xml": xml}


IN_CHAT, ALSO_IN_CHAT = "wmAJ2GCAAAXtWyujaWJHDDGi0mAAAA01", "woAJ2GCAAAXtWyujaWJHDDGi0mAAAA02"
FOLLOWED = int(at("2026-06-05 10:00").timestamp())
RECORDS: list[Record] = [
    follower("o-listed", subscribe=1, subscribe_time=FOLLOWED, unionid="un-1", tagid_list=[2]),
    follower("o-other-account", subscribe=1, subscribe_time=FOLLOWED, unionid="un-1"),
    follower("o-gone", subscribe=0),
    follower("o-left-later", subscribe=1, subscribe_time=FOLLOWED, unionid="un-2"),
    wechat("o-left-later", "unsubscribe", "2026-06-20 10:00"),
    wechat("mphelper", "MASSSENDJOBFINISH", "2026-06-21 10:00", MsgID="34182", Status="send success", SentCount="2"),
    result(1, 0),
    result(2, 1, send_time=1780304400),
    result(3, 2),
    result(4, 3),
    (
        "wecom_records/a.jsonl",
        {"corpid": "ww1", "kind": "customer", "record_id": "zhangsan/wm1", "external_userid": "wm1", "unionid": "un-1"},
    ),
    chat("m1", "customer", "请问CRM系统怎么收费？", wecom_external_userid="wm1", topic="售前"),
    chat("m1", "customer", "请问CRM系统怎么收费？", wecom_external_userid="wm1", topic="售前"),
    chat("m2", "agent", "您好，请留下电话。", wecom_external_userid="wm1"),
    chat("m3", "customer", "13911117777，想看客户关系管理演示", wecom_external_userid="wm1", phone="13911117777"),
    chat("m1", "visitor", "hello", channel="web_chat", anonymous_id="device-1", email="Web.Chat@mail.example"),
    ("wecom_records/a.jsonl", {"corpid": "ww1", "kind": "tag", "record_id": "et1", "name": "重要"}),
    told("2026-06-10 10:00", "add_external_contact", "wmNew", State="展会🎉"),
    told("2026-06-10 10:05", "edit_external_contact", "wmNew"),
    customer("wmLeft", unionid="un-left"),
    told("2026-06-11 10:00", "del_follow_user", "wmLeft"),
    customer("wmDropped"),
    told("2026-06-11 11:00", "del_external_contact", "wmDropped"),
    told("2026-06-12 10:00", "del_follow_user", "wmBack"),
    told("2026-06-13 10:00", "add_external_contact", "wmBack"),
    customer("wmTwo"),
    customer("wmTwo", "lisi"),
    told("2026-06-14 10:00", "del_follow_user", "wmTwo", "lisi"),
    ("wecom_callbacks/a.jsonl", {"corpid": "ww1", "event_id": "m", "MsgType": "text", "FromUserName": "zhangsan", "Content": "你好"}),
    ("wecom_callbacks/a.jsonl", {"corpid": "ww1", "event_id": "c", "MsgType": "event", "Event": "change_external_chat", "ChatId": "wr1"}),
    in_chat("2026-06-15 10:00", "add_member", IN_CHAT, "zhangsan", ALSO_IN_CHAT),
    in_chat("2026-06-16 10:00", "del_member", ALSO_IN_CHAT),
    in_chat("2026-06-17 10:00", "change_owner"),
]


@pytest.fixture(scope="module")
def house(new_house: Callable[[], House]) -> House:
    house = new_house()
    house.land(NOW, RECORDS)
    house.build(NOW)
    return house


def test_who_is_listed_follows_until_a_later_callback_says_otherwise(house: House) -> None:
    following = dict(house.rows("select openid, is_following from marts.int_wechat_followers"))
    assert following == {"o-listed": True, "o-other-account": True, "o-gone": False, "o-left-later": False}


def test_accounts_of_one_owner_know_the_same_person_by_the_unionid(house: House) -> None:
    assert house.profile("o-listed") == house.profile("o-other-account") == house.profile("un-1") is not None


def test_a_customer_in_wecom_is_the_follower_with_the_same_unionid(house: House) -> None:
    person = house.profile("o-listed")
    assert house.rows("select profile_id, wechat_unionid from identity.dim_profiles where wecom_external_userid = 'wm1'") == [
        (person, "un-1")
    ]


def test_the_accounts_own_helper_is_nobody(house: House) -> None:
    assert house.profile("mphelper") is None


def test_leaving_is_an_event_and_so_is_the_duty_to_delete(house: House) -> None:
    said = house.rows("select event_name, profile_id from marts.fct_events where source = 'wechat' order by 1")
    person = house.profile("o-left-later")
    assert said == [("Account Unfollowed", person), ("WeChat Data Deletion Requested", person)]


def test_results_of_group_messages_speak_the_vocabulary_of_message_events(house: House) -> None:
    said = house.rows(
        "select provider_id, event_type, bounce_type, occurred_at from marts.int_message_receipts where source = 'wecom_tasks' order by 1"
    )
    assert [row[:3] for row in said] == [
        ("msg1/1", "accepted", None),
        ("msg1/2", "delivered", None),
        ("msg1/3", "bounced", "soft"),
        ("msg1/4", "failed", None),
    ]
    assert said[1][3] == at("2026-06-01 09:00").replace(tzinfo=None)
    asked = house.column("select reason from marts.fct_message_events where source = 'wecom_tasks'")
    assert sorted(asked)[-1] == "zhangsan was asked to send it: waiting"


def test_who_was_added_or_removed_in_wecom_is_an_event_of_theirs(house: House) -> None:
    said = house.rows(
        "select event_name, profile_id, object_id, object_name from marts.fct_events where source = 'wecom' and event_name like 'WeCom Contact%' "
        "order by occurred_at"
    )
    assert said == [
        ("WeCom Contact Added", house.profile("wmNew"), "展会🎉", "zhangsan"),
        ("WeCom Contact Removed", house.profile("wmLeft"), None, "zhangsan"),
        ("WeCom Contact Dropped", house.profile("wmDropped"), None, "zhangsan"),
        ("WeCom Contact Removed", house.profile("wmBack"), None, "zhangsan"),
        ("WeCom Contact Added", house.profile("wmBack"), None, "zhangsan"),
        ("WeCom Contact Removed", house.profile("wmTwo"), None, "lisi"),
    ]
    assert None not in {profile for _, profile, *_ in said}


def test_whom_no_member_has_any_more_is_known_and_not_reached(house: House) -> None:
    reached = house.rows("select wecom_external_userid from identity.dim_profiles where wecom_external_userid like 'wm%' order by 1")
    assert reached == [("wm1",), ("wmBack",), ("wmNew",), ("wmTwo",)]  # and nobody who is only in a group chat
    assert house.profile("wmLeft") == house.profile("un-left") is not None
    assert house.rows("select members from marts.int_wecom_customers where external_userid = 'wmTwo'") == [(1,)]


def test_a_follower_listed_again_with_nothing_new_lands_once_and_a_change_lands(house: House) -> None:
    again = house.land(NOW, [RECORDS[0], follower("o-gone", subscribe=1, subscribe_time=FOLLOWED)])
    assert again.landed == 1


def test_what_a_person_wrote_in_a_chat_is_theirs_and_once_and_an_answer_is_not(house: House) -> None:
    person = house.profile("o-listed")
    said = house.rows(
        "select channel, event_name, object_name, occurred_at, profile_id from marts.fct_events where source = 'chat' order by 4, 1 desc"
    )
    assert said == [
        ("wecom", "Chat Message Received", "售前", at("2026-06-21 02:00").replace(tzinfo=None), person),
        ("web_chat", "Chat Message Received", None, at("2026-06-21 02:00").replace(tzinfo=None), house.profile("web.chat@mail.example")),
        ("wecom", "Chat Message Received", None, at("2026-06-23 02:00").replace(tzinfo=None), person),
    ]
    assert house.profile("+8613911117777") == person


def test_words_of_a_chat_become_tags_though_no_event_holds_them(house: House) -> None:
    assert house.rows("select * from marts.fct_events where properties like '%收费%' or object_name like '%收费%'") == []
    found = house.rows("select tag, profile_id from tags.tag_assignments where tag = 'topic:crm'")
    assert found == [("topic:crm", house.profile("o-listed"))]


def test_customers_who_come_into_a_group_chat_and_leave_it_are_told_and_employees_are_not(house: House) -> None:
    found = house.rows(
        "select occurred_at::date::text, event_name, profile_id from marts.fct_events where object_id = 'wr1' order by 1, profile_id = ? desc",
        house.profile(IN_CHAT),
    )
    first, second = house.profile(IN_CHAT), house.profile(ALSO_IN_CHAT)
    assert found == [
        ("2026-06-15", "WeCom Group Joined", first),
        ("2026-06-15", "WeCom Group Joined", second),
        ("2026-06-16", "WeCom Group Left", second),
    ]
    assert first is not None
    assert first != second
