"""The followers and quotas of an Official Account, as a source."""

from __future__ import annotations

import pytest
from wechat_account import OPTIONS, SAYS, Account, row

from connectors.base import Fatal, Pulled, Transient


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
