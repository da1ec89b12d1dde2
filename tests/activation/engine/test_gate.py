"""The gate asks, for every row that would leave, whether it may: suppression, a valid address, a known profile. What it does not know means no."""

from __future__ import annotations

import pytest
from small_project import SmallProject

from activation.engine.errors import DeclarationErrors, PlanRefused

EARLY, LATE = "2026-02-01", "2026-03-01"
MAIL, SMS, CRM = "mail/hello", "sms/hello", "hubspot/people"


# -- suppression ----------------------------------------------------------------------------------------------------------


def suppress(shop: SmallProject, ref: str, *rows: tuple[str, str | None, str | None]) -> list[str | None]:
    """The code for each of these (channel, reason, scope), one person each."""
    shop.people(len(rows))
    shop.fill("suppressions", [(f"p_{i}", *row) for i, row in enumerate(rows)])
    withheld = shop.withheld(ref)
    return [withheld.get(f"p_{i}") for i in range(len(rows))]


def test_marketing_stops_at_every_suppression_of_its_channel_or_of_all(shop: SmallProject) -> None:
    shop.send(MAIL)
    assert suppress(
        shop,
        MAIL,
        ("email", "hard_bounce", "all"),
        ("email", "complaint", "marketing"),
        ("all", "do_not_contact", "marketing"),
        ("email", "unsubscribed", "marketing"),
        ("sms", "hard_bounce", "all"),
    ) == ["HARD_BOUNCE", "COMPLAINT", "DO_NOT_CONTACT", "SUPPRESSED", None]


def test_a_transactional_message_passes_what_is_said_of_marketing_only(shop: SmallProject) -> None:
    shop.send(MAIL, purpose="order_update")
    assert suppress(
        shop,
        MAIL,
        ("email", "unsubscribed", "marketing"),
        ("all", "do_not_contact", "marketing"),
        ("email", "complaint", "all"),
    ) == [None, None, "COMPLAINT"]


def test_a_transactional_message_never_passes_a_hard_bounce_whatever_its_scope(shop: SmallProject) -> None:
    shop.send(MAIL, purpose="order_update")
    assert suppress(shop, MAIL, ("email", "hard_bounce", "all"), ("email", "hard_bounce", "marketing")) == ["HARD_BOUNCE"] * 2


def test_a_suppression_that_does_not_say_why_or_for_what_holds_for_everything(shop: SmallProject) -> None:
    shop.send(MAIL)
    assert suppress(shop, MAIL, ("email", None, "all"), ("email", None, None)) == ["SUPPRESSED"] * 2
    shop.send(MAIL, purpose="order_update")
    assert shop.withheld(MAIL) == {"p_0": "SUPPRESSED", "p_1": "SUPPRESSED"}


def test_a_record_stops_at_a_suppression_of_its_channel(shop: SmallProject) -> None:
    shop.sync(CRM)
    assert suppress(shop, CRM, ("crm", "do_not_contact", "all"), ("email", "hard_bounce", "all")) == ["DO_NOT_CONTACT", None]


# -- identifiers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ref", "column", "good", "bad"),
    [
        (
            MAIL,
            "email",
            ["a@b.co", "first.last+tag@sub.mail.example", "李@例子.example"],
            ["", " ", "a", "a@b", "@b.co", "a@@b.co", "a b@c.co", "a@b..co", "a@b.co,c@d.co", "<a@b.co>", "a@b.co\nBcc: c@d.co"],
        ),
        (SMS, "phone", ["+8613800000001", "+14155550123"], ["", "13800000001", "+0123456789", "+86 138 0000 0001", "+8613800000001x"]),
        ("wechat/hello", "wechat_openid", ["oAbc_def-123", "o" * 28], ["", "o 1", "o<1>", "o12"]),
    ],
)
def test_only_a_valid_address_of_the_channel_passes(shop: SmallProject, ref: str, column: str, good: list[str], bad: list[str]) -> None:
    shop.send(ref)
    shop.people(len(good) + len(bad) + 1)
    for index, value in enumerate([*good, *bad, None]):
        shop.sql(f"update dim_profiles set {column} = $${value}$$ where profile_id = 'p_{index}'") if value is not None else shop.sql(
            f"update dim_profiles set {column} = null where profile_id = 'p_{index}'"
        )
    contact = column.upper()
    expected = {f"p_{index}": f"BAD_{contact}" if value else f"NO_{contact}" for index, value in enumerate(bad, len(good))}
    assert shop.withheld(ref) == expected | {f"p_{len(good) + len(bad)}": f"NO_{contact}"}


# -- what it does not know ------------------------------------------------------------------------------------------------


def test_a_row_of_nobody_we_know_does_not_leave(shop: SmallProject) -> None:
    shop.people(2)
    shop.sql("delete from dim_profiles where profile_id = 'p_1'")
    assert shop.withheld(shop.sync(CRM)) == {"p_1": "NO_PROFILE"}


def test_rows_of_a_model_without_profiles_do_not_leave(shop: SmallProject) -> None:
    shop.people(2)
    shop.sql("alter table sync_people rename profile_id to contact_id")
    ref = shop.sync(CRM, key="contact_id")
    result = shop.runner().preview(shop.find(ref))
    assert result.withheld == {"NO_PROFILE": 2}


@pytest.mark.parametrize("table", ["consent_state", "suppressions", "dim_profiles"])
def test_without_a_table_it_asks_nothing_leaves(shop: SmallProject, table: str) -> None:
    shop.people(1)
    ref = shop.sync("files/people")
    shop.sql(f"drop table {table}")
    with pytest.raises(PlanRefused, match=f"Model `{table}` is not in the warehouse"):
        shop.run(ref)
    assert not (shop.project.root / ".sluice/files").exists()


@pytest.mark.parametrize("table", ["consent_state", "suppressions"])
def test_without_a_model_it_asks_nothing_leaves(shop: SmallProject, table: str) -> None:
    shop.people(1)
    ref = shop.sync("files/people")
    shop.forget_model(table)
    with pytest.raises(PlanRefused, match=f"dbt knows no model `{table}`"):
        shop.run(ref)


def test_a_table_without_the_column_it_asks_for_lets_nothing_leave(shop: SmallProject) -> None:
    shop.people(1)
    ref = shop.sync("files/people")
    shop.sql("alter table suppressions rename scope to extent")
    with pytest.raises(PlanRefused, match="Model `suppressions` has no column `scope`"):
        shop.run(ref)
    assert not (shop.project.root / ".sluice/files").exists()


# -- how it answers -------------------------------------------------------------------------------------------------------


def test_the_first_rule_that_refuses_is_the_reason(shop: SmallProject) -> None:
    shop.people(2)
    ref = shop.send(MAIL)
    shop.sql("update dim_profiles set email = null")
    shop.fill("suppressions", [("p_0", "email", "hard_bounce", "all"), ("p_1", "email", "hard_bounce", "all")])
    shop.sql("delete from consent_state where profile_id = 'p_0'")
    assert shop.withheld(ref) == {"p_0": "NO_CONSENT", "p_1": "HARD_BOUNCE"}


def test_who_leaves_a_list_is_always_let_go(shop: SmallProject) -> None:
    shop.people(2)
    ref = shop.sync("files/people", mode="mirror", on_removed="delete", guards={"max_removed_pct": 100})
    shop.run(ref)
    shop.sql("delete from sync_people where profile_id = 'p_0'", "delete from dim_profiles where profile_id = 'p_0'")
    shop.fill("consent_state", [("p_0", "all", "all", "withdrawn", EARLY)])
    assert shop.withheld(ref) == {}
    assert shop.run(ref).operations["remove"]["succeeded"] == 1


def test_a_profile_that_stands_twice_is_asked_about_once(shop: SmallProject) -> None:
    shop.people(2)
    shop.sql("insert into dim_profiles select * from dim_profiles", "insert into segment_everyone select * from segment_everyone")
    shop.sql("delete from consent_state", "insert into consent_state values ('p_0', 'all', 'all', 'withdrawn', timestamp '2026-01-01')")
    ref = shop.sync("files/people")
    assert shop.withheld(ref) == {"p_0": "OBJECTED"}
    books = shop.books(shop.run(ref).run_id)
    assert (books["planned"], books["sent"], books["withheld"]) == (2, 1, 1)


def test_every_refusal_is_written_down_with_its_sentence(shop: SmallProject) -> None:
    shop.people(1)
    shop.fill("consent_state", [("p_0", "crm", "sales_contact", "withdrawn", EARLY)])
    result = shop.run(shop.sync(CRM))
    assert shop.rows("select outcome, reason_code, reason, profile_id from activation.sync_changelog where run_id = ?", result.run_id) == [
        ("withheld", "OBJECTED", "The person objected to sales_contact by crm.", "p_0")
    ]
    assert result.status == "succeeded"


# -- ids of before, and rows about nobody -----------------------------------------------------------------------------------


def test_what_an_id_of_before_said_holds_for_the_person_of_today(shop: SmallProject) -> None:
    shop.people(3)
    shop.send(MAIL)
    shop.fill("consent_state", [("p_0", "email", "newsletter", "granted", EARLY), ("old", "email", "newsletter", "withdrawn", LATE),
                                ("p_1", "all", "all", "granted", EARLY), ("p_2", "all", "all", "granted", EARLY)])  # fmt: skip
    shop.fill("suppressions", [("older", "email", "complaint", "marketing")])
    assert shop.withheld(MAIL) == {}
    shop.merges(("old", "p_0"), ("older", "p_1"))
    assert shop.withheld(MAIL) == {"p_0": "CONSENT_WITHDRAWN", "p_1": "COMPLAINT"}


def test_merges_that_dbt_knows_and_has_not_built_let_nothing_leave(shop: SmallProject) -> None:
    shop.people(1)
    shop.send(MAIL)
    shop.merges(("old", "p_0"))
    shop.sql("drop table profile_merges")
    with pytest.raises(PlanRefused, match="`profile_merges` is not in the warehouse"):
        shop.withheld(MAIL)


def test_nobody_is_asked_about_rows_about_accounts(shop: SmallProject) -> None:
    shop.people(2)
    shop.fill("consent_state", [("p_0", "all", "all", "withdrawn", EARLY)])
    shop.fill("suppressions", [("p_1", "all", "do_not_contact", "all")])
    shop.sql("insert into sync_people (profile_id, email) values ('acme', 'info@acme.example')")
    shop.sync(CRM)
    assert shop.withheld(CRM) == {"p_0": "OBJECTED", "p_1": "DO_NOT_CONTACT", "acme": "NO_PROFILE"}
    shop.sync(CRM, about="accounts")
    assert shop.withheld(CRM) == {}


def test_a_purpose_that_is_not_declared_is_refused_for_accounts_too(shop: SmallProject) -> None:
    shop.people(1)
    shop.sync(CRM, about="accounts", purpose="resale")
    with pytest.raises(DeclarationErrors, match=r"`resale` is not in activation/policies/purposes\.yml"):
        shop.withheld(CRM)
