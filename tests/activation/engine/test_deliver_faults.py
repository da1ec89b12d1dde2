"""Random scripts of faults: every run's books balance, and when the faults are over records equal the source and no message came twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from running_sandbox import RunningSandbox, in_a_thread
from small_project import SmallProject

from activation.engine.codes import OUTCOMES
from activation.engine.history import status

CRM, PARTNER, SMS, MAIL, WECHAT = "hubspot/people", "partner/people", "sms/short", "mail/hello", "wechat/tapped"
VENDORS = {CRM: "hubspot", PARTNER: "webhook", SMS: "aliyun_sms", MAIL: "smtp", WECHAT: "wechat_official"}
PEOPLE = 12

kinds = st.sampled_from(["rate_limit", "server_error", "partial", "timeout", "reset", "slow", "broken_json"])


@st.composite
def fault(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(kinds)
    who = draw(st.integers(0, PEOPLE - 1))
    return {
        "kind": kind,
        "times": draw(st.integers(1, 6)),
        "when": draw(st.sampled_from(["before", "after"])),
        "retry_after": draw(st.sampled_from([None, 0])),
        "seconds": 0.05,
        # Some of them with one person's row only, wherever the vendor has it.
        "match": draw(st.sampled_from(["", f"u{who}@mail", f"13800{who:06}", f"o{who:027}"])),
    }


def calm(shop: SmallProject, vendors: RunningSandbox) -> None:
    vendors.no_faults()
    shop.end_pauses()


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ref=st.sampled_from(sorted(VENDORS)), script=st.lists(st.lists(fault(), max_size=4), min_size=1, max_size=2))
def test_whatever_goes_wrong_the_books_balance_and_in_the_end_everything_is_right(
    tmp_path_factory: pytest.TempPathFactory,
    quick: None,
    monkeypatch: pytest.MonkeyPatch,
    ref: str,
    script: list[list[dict[str, Any]]],
) -> None:
    shop = SmallProject(tmp_path_factory.mktemp("faults") / "shop")
    with in_a_thread() as vendors:
        for name, value in vendors.environment.items():
            monkeypatch.setenv(name, value)
        play(shop, vendors, ref, script)


def play(shop: SmallProject, vendors: RunningSandbox, ref: str, script: list[list[dict[str, Any]]]) -> None:
    destinations = (shop.project.declarations / "destinations.yml").read_text()
    shop.write("activation/destinations.yml", destinations.replace("timeout_seconds: 30", "timeout_seconds: 0.5").replace("10}", "5}"))
    shop.people(PEOPLE)
    (shop.sync if ref in (CRM, PARTNER) else shop.send)(ref)
    vendor = VENDORS[ref]

    for faults in script:
        for one in faults:
            if not (vendor == "smtp" and one["kind"] == "broken_json"):
                vendors.fault(vendor, **one)
        result = shop.run(ref)
        books = shop.books(result.run_id)
        assert books == {"planned": result.planned, **{name: result.outcomes[name] for name in OUTCOMES}}
        assert result.failed == (result.status != "succeeded")
        calm(shop, vendors)
        with shop.ledger() as ledger:
            assert ledger.rows("select * from deliveries where outcome is null") == []
            assert ledger.rows("select * from messages where state = 'intended'") == []

    last = shop.run(ref)
    assert set(shop.outcomes(last.run_id).values()) <= {("sent", ""), ("sent", "CREATED")}
    assert shop.run(ref).planned == 0
    came = vendors.taken(vendor)
    if ref == CRM:
        assert {key: contact["firstname"] for key, contact in vendors.contacts().items()} == {
            f"u{number}@mail.example": f"Name{number}" for number in range(PEOPLE)
        }
    elif ref == PARTNER:
        assert {kept["content"]["row"]["email"] for kept in came} == {f"u{number}@mail.example" for number in range(PEOPLE)}
    else:
        to = Counter(kept["to"].removeprefix("+86") for kept in came)
        column = {SMS: "substr(phone, 4)", MAIL: "email", WECHAT: "wechat_openid"}[ref]
        everybody = {row[0]: row[1] for row in shop.rows(f"select {column}, profile_id from dim_profiles")}
        held = {row["key"] for row in status(shop.project, shop.declarations).held}
        assert set(to.values()) <= {1}
        assert {everybody[address] for address in to} | held == set(everybody.values())
