"""Contacts and leads that were pulled from a CRM count like those of an export, whichever CRM it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sent_records import at, contact
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


@pytest.fixture(scope="module")
def house(new_house: Callable[[], House]) -> House:
    house = new_house()
    house.land(
        at("2026-06-30 00:00"),
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
                phone="+8613911110002",
                hs_email_optout="true",
                lifecyclestage="MQL",
            ),
            pulled("fxiaoke", "ContactObj", "f1", "01", email="fx@mail.example", tel="13911110003", name="李雷"),
            pulled("neocrm", "contact", "7", "01", email="neo@mail.example", mobile="13911110004", contactName="韩梅梅"),
        ],
    )
    house.build(at("2026-06-30 00:00"), select=["stg_crm__pulled_contacts", "stg_crm__contact_versions", "stg_crm__contacts"], tested=True)
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
        ("salesforce:00QA", "lead@mail.example", None, None, None, False),
    ]


def test_every_version_that_was_pulled_is_kept(house: House) -> None:
    assert house.column("select count(*) from staging.stg_crm__contact_versions where contact_id = 'salesforce:003A'") == [2]
