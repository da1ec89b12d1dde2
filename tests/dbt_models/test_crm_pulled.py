"""What was pulled from a CRM counts like what was exported, whichever CRM it is: contacts and leads, companies, opportunities, their history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sent_records import at, contact, crm_change, order
from warehouse_house import House, Record


def pulled(system: str, kind: str, record: str, when: str, deleted: bool = False, **fields: Any) -> Record:
    row = {
        "system": system,
        "object": kind,
        "id": record,
        "changed_at": f"2026-06-{when}T10:00:00.000Z",
        "deleted": deleted,
        "fields": fields,
    }
    return "crm_records/records.jsonl", row


AS_OF = at("2026-06-30 00:00")
SOLD = int(at("2026-03-01 10:00").timestamp() * 1000)
DEALS = [
    pulled("salesforce", "Account", "001A", "01", Name="江城科技", Website="https://www.Acme.example/cn?x=1", NumberOfEmployees=120, BillingCity="武汉"),
    pulled("salesforce", "Account", "001B", "01", Name="Gone", Website="gone.example"),
    pulled("salesforce", "Account", "001B", "02", deleted=True, Name="Gone", Website="gone.example"),
    pulled("hubspot", "companies", "9", "01", name="Second", domain="second.example", numberofemployees="7", annualrevenue="1000.5"),
    pulled("fxiaoke", "AccountObj", "a1", "01", name="纷享客户", create_time=SOLD),
    pulled("neocrm", "account", "5", "01", accountName="易客户", createdAt=str(SOLD)),
    pulled("salesforce", "Contact", "003D", "01", Email="signs@acme.example", AccountId="001A", Birthdate="1992-02-29"),
    pulled(
        "salesforce", "Opportunity", "006A", "05", AccountId="001A", ContactId="003D", Name="Seats", StageName="Signed", IsWon=True, IsClosed=True,
        Amount=5000.0, CreatedDate="2026-01-01T00:00:00.000+0000", CloseDate="2026-03-01", Contract_End_Date__c="2026-07-15",
    ),
    *(
        pulled("salesforce", "OpportunityHistory", f"008{day}", "05", OpportunityId="006A", StageName=stage, Amount=amount, CreatedDate=f"2026-{day}T08:00:00.000+0000")
        for day, stage, amount in [("01-01", "Qualification", 1.0), ("01-20", "Proposal", 1.0), ("01-25", "Proposal", 5000.0), ("03-01", "Signed", 5000.0)]
    ),
    pulled("salesforce", "Opportunity", "006B", "05", AccountId="001A", StageName="Proposal", IsClosed=False, Amount=70.0, CloseDate="2026-12-01"),
    pulled("salesforce", "Opportunity", "006C", "05", AccountId="001A", StageName="Closed Won", IsWon=False, IsClosed=True),
    pulled("salesforce", "Opportunity", "006D", "05", AccountId="001A", StageName="Proposal", IsClosed=False),
    pulled("salesforce", "Opportunity", "006D", "06", deleted=True, AccountId="001A", StageName="Proposal", IsClosed=False),
    pulled("hubspot", "deals", "4", "05", dealname="D", dealstage="closedwon", amount="12.5", hs_primary_associated_company="9", closedate="2026-05-01T00:00:00Z", contact_id="1"),
    crm_change("deal.propertyChange", 4, "2026-04-01 10:00", "dealstage", "presentationscheduled"),
    crm_change("deal.propertyChange", 4, "2026-04-02 10:00", "amount", "12.5"),
    order("A-1", "2026-02-01 10:00", email="subscribes@shop.example", contract_ends_at="2026-07-20"),
    order("A-2", "2026-02-01 10:00", email="buys@other.example"),
    pulled("fxiaoke", "NewOpportunityObj", "o1", "05", name="商机", sales_stage="x", sales_stage__r="赢单", account_id="a1", amount="88", close_date=SOLD),
    pulled("neocrm", "opportunity", "3", "05", opportunityName="机会", accountId="5", money="99", saleStageId="122", closeDate=str(SOLD)),
    pulled("salesforce", "Lead", "00QH", "20", Email="handed.back@mail.example", Status="Unqualified"),
    pulled("salesforce", "LeadHistory", "017A", "10", LeadId="00QH", Field="Status", OldValue="Open", NewValue="Unqualified", CreatedDate="2026-06-10T09:00:00.000+0000"),
]  # fmt: skip


@pytest.fixture(scope="module")
def house(new_house: Callable[[], House]) -> House:
    house = new_house()
    house.land(
        AS_OF,
        [
            contact("1", "2026-06-01 10:00", email="export@mail.example", do_not_contact="false"),
            pulled("salesforce", "Contact", "003A", "01", Email="Sf@mail.example", MobilePhone="13911110001", HasOptedOutOfEmail=False),
            pulled("salesforce", "Contact", "003A", "02", Email="Sf@mail.example", MobilePhone="13911110001", HasOptedOutOfEmail=True),
            pulled("salesforce", "Lead", "00QA", "01", Email="lead@mail.example", DoNotCall=False, Status="Open"),
            pulled("salesforce", "Lead", "00QA", "03", deleted=True, Email="lead@mail.example", DoNotCall=True),
            pulled("salesforce", "OpportunityHistory", "008A", "01", StageName="Closed Won"),
            pulled(
                "hubspot",
                "contacts",
                "1",
                "01",
                email="hs@mail.example",
                date_of_birth="1990-06-30",
                phone="+8613911110002",
                hs_email_optout="true",
                lifecyclestage="MQL",
            ),
            pulled("fxiaoke", "ContactObj", "f1", "01", email="fx@mail.example", tel="13911110003", name="李雷"),
            *DEALS,
            pulled("neocrm", "contact", "7", "01", email="neo@mail.example", mobile="13911110004", contactName="韩梅梅"),
        ],
    )
    house.build(
        AS_OF,
        select=["+dim_accounts", "+segment_renewals_due_30d", "stg_crm__contacts", "stg_crm__changes", "opportunity_stages_have_names"],
        tested=True,
    )
    return house


def test_each_crm_s_fields_become_those_of_a_contact(house: House) -> None:
    found = house.rows(
        "select contact_id, email, phone, last_name, lifecycle_stage, do_not_contact from staging.stg_crm__contacts order by 1"
    )
    assert found == [
        ("1", "export@mail.example", None, None, None, False),
        ("fxiaoke:f1", "fx@mail.example", "+8613911110003", "李雷", None, False),
        ("hubspot:1", "hs@mail.example", "+8613911110002", None, "mql", True),
        ("neocrm:7", "neo@mail.example", "+8613911110004", "韩梅梅", None, False),
        ("salesforce:003A", "sf@mail.example", "+8613911110001", None, None, True),
        ("salesforce:003D", "signs@acme.example", None, None, None, False),
        ("salesforce:00QA", "lead@mail.example", None, None, None, False),
        ("salesforce:00QH", "handed.back@mail.example", None, None, None, False),
    ]


def test_every_version_that_was_pulled_is_kept(house: House) -> None:
    assert house.column("select count(*) from staging.stg_crm__contact_versions where contact_id = 'salesforce:003A'") == [2]


def test_companies_of_every_crm_are_accounts_and_a_deleted_one_is_none(house: House) -> None:
    found = house.rows("select account_id, name, domain, employees, city from staging.stg_crm__accounts order by 1")
    assert found == [
        ("fxiaoke:a1", "纷享客户", None, None, None),
        ("hubspot:9", "Second", "second.example", 7, None),
        ("neocrm:5", "易客户", None, None, None),
        ("salesforce:001A", "江城科技", "acme.example", 120, "武汉"),
    ]


def test_a_deal_is_won_or_lost_by_the_crm_s_own_word_and_else_by_the_name_of_its_stage(house: House) -> None:
    found = house.rows("select opportunity_id, account_id, stage, amount, closed_at::date::text from marts.fct_opportunities order by 1")
    assert found == [
        ("fxiaoke:o1", "fxiaoke:a1", "closed_won", 88.0, "2026-03-01"),
        ("hubspot:4", "hubspot:9", "closed_won", 12.5, "2026-05-01"),
        ("neocrm:3", "neocrm:5", "122", 99.0, None),
        ("salesforce:006A", "salesforce:001A", "closed_won", 5000.0, "2026-03-01"),
        ("salesforce:006B", "salesforce:001A", "proposal", 70.0, None),
        ("salesforce:006C", "salesforce:001A", "closed_lost", None, None),
    ]


def test_a_stage_that_is_told_by_number_has_the_name_that_it_was_given_and_is_asked_for_otherwise(house: House) -> None:
    manifest = house.dbt.manifest
    (unnamed,) = (node for node in manifest.nodes.values() if node.name == "opportunity_stages_have_names")
    assert unnamed.config.severity == "warn"
    house.build(AS_OF, select=["stg_crm__opportunity_versions"], variables={"crm_stage_names": {"122": "赢单"}})
    assert house.column("select stage from staging.stg_crm__opportunities where opportunity_id = 'neocrm:3'") == ["closed_won"]
    house.build(AS_OF, select=["stg_crm__opportunity_versions"])
    assert house.column("select stage from staging.stg_crm__opportunities where opportunity_id = 'neocrm:3'") == ["122"]


def test_people_and_deals_stand_under_the_company_that_the_crm_names(house: House) -> None:
    found = house.rows(
        "select profiles, open_opportunities, open_amount, won_opportunities, won_amount from identity.dim_accounts where name = '江城科技'"
    )
    assert found == [(1, 1, 70.0, 1, 5000.0)]
    person = house.profile("signs@acme.example")
    assert house.rows("select account_id, link from identity.bridge_profile_accounts where profile_id = ? and is_primary", person) == [
        ("salesforce:001A", "crm")
    ]


def test_a_contract_is_due_when_the_crm_says_it_ends(house: House) -> None:
    found = house.rows("select profile_id, renews_at::date::text from segments.segment_renewals_due_30d order by 2")
    assert found == [(house.profile("signs@acme.example"), "2026-07-15"), (house.profile("subscribes@shop.example"), "2026-07-20")]


def test_the_stages_that_an_opportunity_went_through_are_events_of_its_contact(house: House) -> None:
    found = house.rows(
        "select occurred_at::date::text, object_name, value from marts.fct_events where event_name = 'Opportunity Stage Changed' "
        "and profile_id = ? order by 1",
        house.profile("signs@acme.example"),
    )
    assert found == [("2026-01-01", "qualification", 5000.0), ("2026-01-20", "proposal", 5000.0), ("2026-03-01", "signed", 5000.0)]


def test_a_deal_of_hubspot_is_its_contact_s(house: House) -> None:
    person = house.profile("hs@mail.example")
    assert house.column("select profile_id from marts.fct_opportunities where opportunity_id = 'hubspot:4'") == [person]
    events = house.column(
        "select event_name from marts.fct_events where profile_id = ? and object_id = 'hubspot:4' order by occurred_at", person
    )
    assert events == ["Opportunity Stage Changed", "Opportunity Won", "Opportunity Created"]  # as made: it says no time


def test_the_history_tells_when_a_lead_was_handed_back(house: House) -> None:
    person = house.profile("handed.back@mail.example")
    first = house.rows(
        "select min(occurred_at)::text from marts.int_lifecycle_evidence where profile_id = ? and stage = 'recycled'", person
    )
    assert first == [("2026-06-10 09:00:00",)]


def test_a_birthday_comes_round_every_year(house: House) -> None:
    found = house.rows("select email, birthday::text, next_birthday::text from identity.dim_profiles where birthday is not null order by 1")
    assert found == [("hs@mail.example", "1990-06-30", "2026-06-30"), ("signs@acme.example", "1992-02-29", "2027-02-28")]
