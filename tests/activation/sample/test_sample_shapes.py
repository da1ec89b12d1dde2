"""Every source has the shape that its sender gives it, and nothing in it reaches a real person."""

from __future__ import annotations

import orjson
import phonenumbers
import polars as pl
import pytest
from defusedxml import ElementTree
from sample_month import Month

MEMBERS = {
    "web_events": {"messageId", "anonymousId", "type", "context", "timestamp", "sentAt", "receivedAt"},
    "mail_events": {"email", "timestamp", "event", "category", "sg_event_id", "sg_message_id", "smtp-id"},
    "sms_receipts": {"phone_number", "send_time", "report_time", "success", "err_code", "err_msg", "sms_size", "biz_id", "out_id"},
    "wechat_callbacks": {"appid", "received_at", "ToUserName", "FromUserName", "CreateTime", "MsgType", "xml"},
    "shop_orders": {"order_id", "anonymous_id", "status", "currency", "total", "items", "ordered_at", "updated_at"},
    "forms_submissions": {"submission_id", "form_id", "page_url", "submitted_at", "anonymous_id", "fields", "consent", "utm"},
    "consent_records": {
        "consent_id", "identifier_type", "identifier", "channel", "purpose", "status", "source", "wording", "double_opt_in", "occurred_at"
    },
}  # fmt: skip
HEADERS = {
    "crm/contacts-2026-10-30.csv": "contact_id,account_id,email,phone,first_name,last_name,title,lifecycle_stage,lead_status,owner,city,"
    "country,do_not_contact,wechat_unionid,created_at,updated_at,job_level",
    "crm/accounts-2026-10-30.csv": "account_id,name,domain,industry,employees,annual_revenue,city,country,created_at,updated_at",
    "crm/opportunities-2026-10-30.csv": "opportunity_id,account_id,contact_id,name,stage,amount,currency,created_at,closed_at,updated_at",
    "webinar/2026-10-03.csv": "webinar_id,webinar_title,email,full_name,registered_at,joined_at,left_at,watch_seconds,questions",
    "offline/2026-10-09.csv": "event_id,event_name,city,phone,email,full_name,checked_in_at,booth",
    "ads/2026-10-01.csv": "date,platform,campaign,ad_group,impressions,clicks,cost,currency",
}


@pytest.mark.parametrize("source", MEMBERS)
def test_every_line_is_json_and_has_what_its_source_always_has(month: Month, source: str) -> None:
    rows = [orjson.loads(text) for text in month.json(source)]
    assert rows
    assert all(row.keys() >= MEMBERS[source] for row in rows)


@pytest.mark.parametrize("name", HEADERS)
def test_every_export_has_its_columns(month: Month, name: str) -> None:
    assert (month.root / name).read_text(encoding="utf-8").splitlines()[0] == HEADERS[name]


def test_job_levels_are_a_column_that_appears_in_a_later_export(month: Month) -> None:
    assert "job_level" not in month.csv("crm/contacts-2026-10-20.csv").columns
    assert month.csv("crm/contacts-2026-10-30.csv")["job_level"].drop_nulls().len() > 100


def test_three_lines_of_a_month_are_malformed(month: Month) -> None:
    broken = [text for source in MEMBERS for text in month.lines(source) if not is_json(text)]
    assert len(broken) == 2
    check_ins = month.lines("offline_checkins")
    assert [text.count(",") for text in check_ins if text.count(",") != 7] == [2]


def is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def test_web_messages_are_of_the_kinds_of_the_segment_spec(month: Month) -> None:
    rows = [orjson.loads(text) for text in month.json("web_events")[::3]]
    own = {"track": "event", "page": "properties", "identify": "traits", "group": "groupId", "alias": "previousId"}
    assert {row["type"] for row in rows} == own.keys()
    assert all(own[row["type"]] in row for row in rows)
    assert {row["event"] for row in rows if row["type"] == "track"} == {
        "Product Viewed", "Pricing Viewed", "Document Downloaded", "Video Watched", "Product Added", "Order Completed", "Signed Up",
        "Search Performed",
    }  # fmt: skip
    assert all(row["properties"].keys() >= {"url", "path", "title"} for row in rows if row["type"] == "page")
    assert all(row["context"].keys() >= {"userAgent", "ip", "locale", "timezone", "library"} for row in rows)
    assert {"source", "medium", "name"} <= next(row["context"]["campaign"].keys() for row in rows if "campaign" in row["context"])


@pytest.mark.parametrize(
    ("source", "time"),
    [
        ("web_events", "$.receivedAt"),
        ("wechat_callbacks", "$.received_at"),
        ("shop_orders", "$.updated_at"),
        ("forms_submissions", "$.submitted_at"),
    ],
)
def test_a_file_holds_what_came_on_its_day(month: Month, source: str, time: str) -> None:
    for file in month.files:
        if file.source == source:
            came = pl.Series(file.path.read_text(encoding="utf-8").splitlines()).str.json_path_match(time).drop_nulls()
            assert came.str.starts_with(file.path.stem.removeprefix("orders-")).all()


def test_a_wechat_callback_carries_its_xml_with_the_same_elements(month: Month) -> None:
    for text in month.json("wechat_callbacks"):
        row = orjson.loads(text)
        document = {element.tag: element.text or "" for element in ElementTree.fromstring(row["xml"])}
        assert document == {name: row[name] for name in document}
        assert document.keys() == row.keys() - {"appid", "received_at", "UnionID", "xml"}


def test_the_total_of_an_order_is_the_sum_of_its_items(month: Month) -> None:
    for text in month.json("shop_orders"):
        row = orjson.loads(text)
        assert row["total"] == sum(item["price"] * item["quantity"] for item in row["items"])
        assert len({item["product_id"] for item in row["items"]}) == len(row["items"])


def test_no_mail_address_is_outside_the_reserved_domains_but_the_well_known_junk(month: Month) -> None:
    found = pl.concat([month.lines(source).str.extract_all(r"[\w.+-]+@[\w.-]+").explode().drop_nulls() for source in month.sources()])
    addresses = found.unique()
    assert len(addresses) > 1000
    assert set(addresses.filter(~addresses.str.to_lowercase().str.ends_with(".example"))) == {"test@test.com"}


def test_every_phone_number_is_one_that_the_numbering_plans_allow(month: Month) -> None:
    contacts = month.csv("crm/contacts-2026-10-30.csv")["phone"].drop_nulls()
    written = {"CN": [*contacts, *month.column("sms_receipts", "$.phone_number")], "": month.column("shop_orders", "$.phone").drop_nulls()}
    for region, numbers in written.items():
        assert len(numbers) > 50
        assert all(phonenumbers.is_valid_number(phonenumbers.parse(number, region)) for number in numbers)


def test_numbers_abroad_are_reserved_for_fiction(month: Month) -> None:
    abroad = pl.concat([month.lines(source).str.extract_all(r"\+1\d{10}").explode().drop_nulls() for source in month.sources()])
    assert len(abroad)
    assert abroad.str.contains(r"^\+1\d{3}55501\d\d$").all()
