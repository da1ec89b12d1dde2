"""The sample holds what real data holds: several devices a person, doubles, slips, bots, junk, late and repeated events."""

from __future__ import annotations

import polars as pl
from sample_month import PEOPLE, Month

from activation.sample.companies import found_companies
from activation.sample.devices import CRAWLERS
from activation.sample.people import gather_people


def identifies(month: Month) -> pl.DataFrame:
    return month.columns(
        "web_events",
        containing='"type":"identify"',
        cookie="$.anonymousId",
        user="$.userId",
        email="$.traits.email",
        phone="$.traits.phone",
        openid="$.traits.wechat_openid",
    )


def test_the_size_is_in_proportion_to_the_people(month: Month) -> None:
    rows = {source: len(month.lines(source)) for source in ("web_events", "shop_orders", "forms_submissions", "mail_events")}
    assert 30 * PEOPLE < rows["web_events"] < 60 * PEOPLE
    assert 0.08 * PEOPLE < rows["shop_orders"] < 0.35 * PEOPLE
    assert rows["forms_submissions"] > 0.1 * PEOPLE
    assert rows["mail_events"] > 2 * PEOPLE
    assert 0.45 * PEOPLE < len(month.csv("crm/contacts-2026-10-30.csv")) < 0.75 * PEOPLE


def test_some_accounts_are_seen_on_several_devices_and_most_devices_have_one_account(month: Month) -> None:
    seen = identifies(month).filter(pl.col("user").str.starts_with("u_"))
    devices = seen.group_by("user").agg(pl.col("cookie").n_unique())["cookie"]
    assert 1.05 < devices.mean() < 2.0  # type: ignore[operator]
    assert devices.max() == 3
    assert seen.group_by("cookie").agg(pl.col("user").n_unique())["user"].quantile(0.99) == 1.0


def test_two_cookies_are_shared_by_many_people(month: Month) -> None:
    emails = identifies(month).group_by("cookie").agg(pl.col("email").n_unique())["email"].sort(descending=True)
    assert emails[1] > 30
    assert emails[2] < 5


def test_junk_identifiers_come_from_many_devices(month: Month) -> None:
    junk = identifies(month).filter(pl.col("user").is_in(["anonymous", "-1", "00000000"]))
    assert junk["cookie"].n_unique() > 10
    assert "test@test.com" in junk["email"]
    assert "000000" in junk["phone"]
    assert "test@test.com" in month.column("forms_submissions", "$.fields.email")


def test_events_come_late_and_twice(month: Month) -> None:
    identifiers = month.column("web_events", "$.messageId")
    assert 0.002 < 1 - identifiers.n_unique() / len(identifiers) < 0.01
    times = month.columns("web_events", happened="$.timestamp", received="$.receivedAt").select(pl.all().str.to_datetime(time_zone="UTC"))
    hours = (times["received"] - times["happened"]).dt.total_hours()
    assert 0.002 < (hours >= 6).mean() < 0.015  # type: ignore[operator]
    assert 96 < hours.max() <= 120  # type: ignore[operator]
    assert month.column("mail_events", "$.sg_event_id").is_duplicated().any()


def test_crawlers_come_every_day_and_a_scraper_is_faster_than_any_reader(month: Month) -> None:
    looks = month.columns("web_events", agent="$.context.userAgent", cookie="$.anonymousId", at="$.timestamp")
    assert set(CRAWLERS) <= set(looks["agent"])
    pages = looks.group_by("cookie", pl.col("at").str.slice(0, 16)).len()["len"]
    assert pages.max() > 80  # type: ignore[operator]


def test_the_crm_has_people_twice_and_numbers_in_many_formats(month: Month) -> None:
    contacts = month.csv("crm/contacts-2026-10-30.csv")
    email = contacts["email"].drop_nulls().str.strip_chars().str.to_lowercase()
    assert email.is_duplicated().sum() > 10
    assert contacts["email"].drop_nulls().is_duplicated().sum() < email.is_duplicated().sum()
    shapes = contacts["phone"].drop_nulls().str.replace_all(r"\d", "9").unique()
    assert {"+8699999999999".replace("86", "99"), "99999999999", "999-9999-9999", "999 9999 9999", "+99 999 9999 9999"} <= set(shapes)


def test_companies_have_colleagues_and_others_use_free_mail(month: Month) -> None:
    contacts = month.csv("crm/contacts-2026-10-30.csv")
    colleagues = contacts["account_id"].value_counts()["count"]
    assert (colleagues >= 3).sum() > 20
    domains = contacts["email"].drop_nulls().str.strip_chars().str.to_lowercase().str.extract("@(.*)")
    free = domains.is_in(["mail.example", "post.example", "inbox.example"])
    assert 0.1 < free.mean() < 0.5  # type: ignore[operator]


def test_mail_comes_back_in_every_way(month: Month) -> None:
    count = dict(month.column("mail_events", "$.event").value_counts().iter_rows())
    assert count.keys() - {"spamreport"} == {"delivered", "open", "click", "bounce", "deferred", "unsubscribe"}
    assert count["delivered"] > count["open"] > count["click"] > count["bounce"]


def test_nobody_is_written_to_after_a_hard_bounce_or_an_unsubscribe(month: Month) -> None:
    events = month.columns(
        "mail_events", email="$.email", at="$.timestamp", event="$.event", status="$.status", category="$.category[0]"
    ).filter(pl.col("category") != "order_update")
    ended = events.filter((pl.col("status") == "5.1.1") | pl.col("event").is_in(["unsubscribe", "spamreport"]))
    ended = ended.group_by("email").agg(pl.col("at").min().alias("ended"))
    written = (pl.col("event") == "delivered") | (pl.col("status") == "5.1.1")
    later = events.filter(written).join(ended, on="email").filter(pl.col("at") > pl.col("ended"))
    assert len(ended) > 5
    assert later.is_empty()


def test_nobody_shares_an_address_or_a_number_with_another() -> None:
    people = gather_people(20_000, 1, found_companies(20_000, 1))
    for identifier in (people.email, people.phone, people.openid, people.user_id):
        assert identifier.drop_nulls().is_unique().all()


def test_sms_receipts_are_good_and_bad(month: Month) -> None:
    good = month.column("sms_receipts", "$.success") == "true"
    assert 0.85 < good.mean() < 0.99  # type: ignore[operator]
    assert "MOBILE_NOT_ON_SERVICE" in month.column("sms_receipts", "$.err_code")


def test_followers_come_by_code_act_leave_and_some_give_their_number(month: Month) -> None:
    events = set(month.column("wechat_callbacks", "$.Event").drop_nulls())
    assert events == {"subscribe", "unsubscribe", "CLICK", "VIEW", "SCAN", "TEMPLATESENDJOBFINISH"}
    assert month.column("wechat_callbacks", "$.EventKey").drop_nulls().str.starts_with("qrscene_").any()
    assert month.column("wechat_callbacks", "$.Content").drop_nulls().len() > 20
    bound = identifies(month).drop_nulls("openid")
    assert bound["phone"].is_not_null().all()
    assert len(bound) > 10
    assert set(month.column("forms_submissions", "$.fields.wechat_openid").drop_nulls()) <= set(bound["openid"])


def test_a_consent_that_is_withdrawn_was_given_before(month: Month) -> None:
    names = ("identifier", "channel", "purpose", "status", "occurred_at")
    records = month.columns("consent_records", **{name: f"$.{name}" for name in names})
    sms = records.filter(pl.col("channel") == "sms")
    given = sms.filter(pl.col("status") == "granted").select("identifier", since="occurred_at")
    taken = sms.filter(pl.col("status") == "withdrawn").join(given, on="identifier", how="left")
    assert len(taken) > 5
    assert (taken["occurred_at"] > taken["since"]).all()
    assert set(records["channel"]) == {"email", "sms", "wechat", "crm", "all"}
    assert set(records["purpose"]) == {"newsletter", "promotion", "sales_contact", "order_update", "all"}


def test_those_who_order_have_visited_more(month: Month) -> None:
    looks = month.columns("web_events", containing='"type":"page","name":"Product"', cookie="$.anonymousId").group_by("cookie").len()
    ordered = month.column("shop_orders", "$.anonymous_id").unique()
    buyers, others = (looks.filter(pl.col("cookie").is_in(ordered.implode()) == buys)["len"].mean() for buys in (True, False))
    assert buyers > 1.5 * others  # type: ignore[operator]


def test_orders_are_what_the_site_saw_and_some_are_paid_back(month: Month) -> None:
    seen = set(month.column("web_events", "$.properties.order_id", containing="Order Completed"))
    orders = month.columns("shop_orders", order="$.order_id", status="$.status")
    assert set(orders["order"]) == seen
    assert set(orders["status"]) == {"paid", "cancelled", "refunded"}
    assert orders.filter(pl.col("status") == "paid")["order"].is_unique().all()


def test_people_write_and_read_in_chinese_and_in_western_languages(month: Month) -> None:
    locales = month.column("web_events", "$.context.locale").value_counts(sort=True)
    assert locales.row(0)[0] == "zh-CN"
    assert {"en-US", "en-GB", "de-DE", "fr-FR"} < set(locales.to_series(0))
    titles = month.column("web_events", "$.context.page.title").drop_nulls().unique()
    assert {"白色亚麻连衣裙 - 清禾生活", "White Linen Dress - Qinghe Living"} <= set(titles)
