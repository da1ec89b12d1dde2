"""Customers of a WeCom corp and their tags, both ways."""

from __future__ import annotations

import pytest
from wecom_corp import APP_SECRET, PEOPLE, STRANGER, Corp, marks

from connectors.base import Fatal, Outcome, Transient

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
