"""Mass messages of an Official Account: to openids and to tags, once, within what WeChat lets a follower have."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import pytest
from wechat_account import FANS, OPTIONS, SAYS, Account, row
from wechatpy.crypto import WeChatCrypto

from connectors.base import Batch, Outcome, Refused, Row, Transient, Unanswered
from connectors.sandbox import Pending
from connectors.wechat._mass import clientmsgid


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
