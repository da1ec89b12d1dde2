"""Who is one person: landed records become profiles through the identity graph, and stay the same profiles."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime

import networkx as nx
import pytest
from sent_records import account, alias, at, contact, form, identify, order, page, wechat
from warehouse_house import House, Record

SELECT = ["+bridge_profile_identifiers", "+int_identity_dropped_edges", "+bridge_profile_accounts", "+dim_accounts", "+profile_merges"]
COOKIE = "00000000-1111-4000-8000-{:012d}"


def _chain() -> list[Record]:
    """e0 - p0 - e1 - p1 - …: 500 identifiers of which no two neighbours are alike."""
    links = [form(email=f"e{n}@chain.example", phone=f"+861391234{n:04d}") for n in range(250)]
    links += [form(email=f"e{n + 1}@chain.example", phone=f"+861391234{n:04d}") for n in range(249)]
    random.Random(1).shuffle(links)
    return links


def _couples() -> list[tuple[str, str]]:
    """Addresses and numbers tied at random, none of them to more than five others."""
    drawn, count, couples = random.Random(2), defaultdict(int), set()
    for _ in range(600):
        couple = (f"r{drawn.randrange(400)}@random.example", f"+861371234{drawn.randrange(400):04d}")
        if couple not in couples and all(count[one] < 5 for one in couple):
            couples.add(couple)
            for one in couple:
                count[one] += 1
    return sorted(couples)


COUPLES = _couples()
FIRST: list[Record] = [
    *_chain(),
    *(form(email=email, phone=phone) for email, phone in COUPLES),
    # one account on 60 devices
    *(identify(user="u-star", anonymous=COOKIE.format(n)) for n in range(60)),
    # a tablet in a shop on which eight people leave their address, and a page seen on it
    *(identify(anonymous="kiosk", email=f"visitor{n}@mail.example") for n in range(8)),
    # the number of a switchboard that seven contacts have, and a fixed line
    *(contact(f"switch{n}", email=f"switch{n}@firm.example", phone="+8613711112222") for n in range(7)),
    *(contact(f"line{n}", email=f"line{n}@firm.example", phone="010-88886666") for n in range(2)),
    # two accounts on one family computer
    identify(user="u-mother", anonymous="family", email="mother@mail.example"),
    identify(user="u-father", anonymous="family", email="father@mail.example"),
    # values that mean nothing
    *(identify(user="null", anonymous=f"junk{n}", email="test@test.com", phone="13800000000") for n in range(3)),
    # the application says that these are one
    identify(user="u-old", email="old@mail.example"),
    alias("u-old", "u-new"),
    alias(COOKIE.format(900), "u-new"),
    # a follower known in the CRM by unionid
    wechat("o-1", "subscribe", "2026-06-01 09:00", UnionID="un-1"),
    contact("c-wechat", email="follower@mail.example", wechat_unionid="un-1"),
    # written in many ways
    form(email=" Same@Mail.Example ", phone="0086 139-1111-0001"),
    order("o-same", "2026-06-01 10:00", email="same@mail.example", phone="13911110001"),
    # three companies' people
    account("a-1", "Bright", "bright.example"),
    account("a-2", "Bright again", "bright.example", created="2026-02-01"),
    contact("c-linked", email="linked@bright.example", account_id="a-2"),
    form(email="guessed@bright.example"),
    form(email="unknown@dark.example"),
    form(email="private@mail.example"),
    # two who will turn out to be one
    identify("2026-06-01 10:00", user="u-one", email="one@mail.example"),
    identify("2026-06-01 11:00", anonymous="late", phone="+8613922220000"),
]
SECOND: list[Record] = [
    form("2026-06-09 10:00", email="one@mail.example", phone="+8613922220000"),
    # lands last, but happened before everything else
    identify("2025-01-01 10:00", user="u-one", anonymous="first-of-all"),
    contact("c-linked", "2026-06-09 10:00", email="moved@mail.example", account_id="a-2"),
    page("2026-06-09 10:00", anonymous="kiosk"),
]


@pytest.fixture(scope="module")
def twice(new_house: Callable[[], House]) -> House:
    """Two landings with a build after each."""
    house = new_house()
    house.land(at("2026-06-02 00:00"), FIRST)
    house.build(select=SELECT)
    house.execute("create table first_profiles as from identity.bridge_profile_identifiers")
    house.land(at("2026-06-10 00:00"), SECOND)
    house.build(select=SELECT)
    return house


@pytest.fixture(scope="module")
def at_once(new_house: Callable[[], House]) -> House:
    """The same two landings in a new warehouse, built once."""
    house = new_house()
    house.land(at("2026-06-02 00:00"), FIRST)
    house.land(at("2026-06-10 00:00"), SECOND)
    house.build(select=SELECT)
    return house


def test_a_chain_of_five_hundred_identifiers_is_one_person(twice: House) -> None:
    assert twice.rows(
        "select count(*), count(distinct profile_id) from identity.bridge_profile_identifiers "
        "where identifier like '%@chain.example' or identifier like '+861391234%'"
    ) == [(500, 1)]


def test_random_couples_fall_into_the_components_that_networkx_finds(twice: House) -> None:
    found = defaultdict(set)
    for profile, identifier in twice.rows(
        "select profile_id, identifier from identity.bridge_profile_identifiers "
        "where identifier like '%@random.example' or identifier like '+861371234%'"
    ):
        found[profile].add(identifier)
    assert sorted(map(sorted, found.values())) == sorted(map(sorted, nx.connected_components(nx.Graph(COUPLES))))


def test_one_account_on_sixty_devices_is_one_person(twice: House) -> None:
    assert len({twice.profile("u-star"), *(twice.profile(COOKIE.format(n)) for n in range(60))}) == 1


def test_a_shared_tablet_joins_nobody(twice: House) -> None:
    people = {twice.profile(f"visitor{n}@mail.example") for n in range(8)}
    assert len(people) == 8
    assert twice.profile("kiosk") not in people


def test_a_number_that_many_contacts_have_joins_nobody(twice: House) -> None:
    assert len({twice.profile(f"switch{n}@firm.example") for n in range(7)}) == 7
    assert twice.profile("line0@firm.example") != twice.profile("line1@firm.example")


def test_two_accounts_on_one_computer_stay_two_people(twice: House) -> None:
    assert len({twice.profile("u-mother"), twice.profile("u-father"), twice.profile("family")}) == 3
    assert twice.profile("u-mother") == twice.profile("mother@mail.example")


def test_junk_values_belong_to_nobody_and_join_nobody(twice: House) -> None:
    assert [twice.profile(value) for value in ("null", "test@test.com", "+8613800000000", "+861088886666")] == [None] * 4
    assert len({twice.profile(f"junk{n}") for n in range(3)}) == 3


def test_every_dropped_edge_says_why(twice: House) -> None:
    reasons = dict(
        twice.rows(
            "select coalesce(nullif(right_identifier, ''), left_identifier), min(reason) from identity.int_identity_dropped_edges group by 1"
        )
    )
    assert reasons["kiosk"] == "more than 5 of email at one anonymous_id"
    assert reasons["+8613711112222"] == "more than 5 of crm_contact_id at one phone"
    assert reasons["family"] == "more than 1 of user_id at one anonymous_id"
    assert reasons["+861088886666"].startswith("blocked value: fixed line")
    assert reasons["test@test.com"].startswith("blocked value: placeholder")


def test_an_alias_joins_accounts_whatever_the_limits_say(twice: House) -> None:
    assert twice.profile("u-old") == twice.profile("u-new") == twice.profile("old@mail.example") == twice.profile(COOKIE.format(900))


def test_a_unionid_joins_a_follower_with_the_contact(twice: House) -> None:
    assert twice.profile("o-1") == twice.profile("un-1") == twice.profile("follower@mail.example")


def test_addresses_and_numbers_are_one_however_they_are_written(twice: House) -> None:
    assert twice.profile("same@mail.example") == twice.profile("+8613911110001")


def test_a_merge_keeps_the_id_of_the_identifier_that_landed_first(twice: House) -> None:
    before = dict(twice.rows("select identifier, profile_id from first_profiles"))
    assert before["u-one"] != before["+8613922220000"]
    assert twice.profile("+8613922220000") == twice.profile("first-of-all") == before["u-one"]
    assert before["+8613922220000"] in twice.column(
        "select own_profile_id from identity.bridge_profile_identifiers where profile_id = ?", before["u-one"]
    )


def test_an_id_handed_out_before_a_merge_leads_to_the_person_of_today(twice: House) -> None:
    before = dict(twice.rows("select identifier, profile_id from first_profiles"))
    assert twice.rows(
        "select profile_id, rule, merged_at from identity.profile_merges where previous_id = ?", before["+8613922220000"]
    ) == [(before["u-one"], "web_identify", datetime(2026, 6, 1, 11))]
    # every id of the first build is somebody's today, or leads to somebody
    assert (
        twice.column(
            "select distinct profile_id from first_profiles anti join identity.bridge_profile_identifiers using (profile_id) "
            "anti join identity.profile_merges on previous_id = first_profiles.profile_id"
        )
        == []
    )


def test_merges_lead_straight_to_people_of_today_and_each_id_once(twice: House) -> None:
    assert twice.rows("select count(distinct previous_id) = count(*), count(*) > 499 from identity.profile_merges") == [(True, True)]
    assert twice.rows("from identity.profile_merges where profile_id in (select previous_id from identity.profile_merges)") == []
    assert twice.rows("from identity.profile_merges anti join identity.bridge_profile_identifiers using (profile_id)") == []


def test_profiles_that_nothing_joins_keep_their_ids(twice: House) -> None:
    changed = twice.column(
        "select identifier from first_profiles join identity.bridge_profile_identifiers b using (identifier) where b.profile_id <> first_profiles.profile_id"
    )
    assert sorted(changed) == ["+8613922220000", "late"]


def test_an_address_a_contact_had_before_still_leads_to_the_person(twice: House) -> None:
    assert twice.profile("linked@bright.example") == twice.profile("moved@mail.example") == twice.profile("c-linked")


def test_a_rebuild_from_nothing_gives_the_same_profiles(twice: House, at_once: House) -> None:
    everything = "select identifier_type, identifier, profile_id from identity.bridge_profile_identifiers order by all"
    assert twice.rows(everything) == at_once.rows(everything)


def test_a_rebuild_from_nothing_gives_the_same_merges(twice: House, at_once: House) -> None:
    everything = "select previous_id, profile_id, rule, edge, merged_at from identity.profile_merges order by all"
    assert twice.rows(everything) == at_once.rows(everything)


def test_a_full_refresh_gives_the_same_profiles_and_keys(twice: House) -> None:
    everything = "select identifier_key, identifier, profile_id from identity.bridge_profile_identifiers order by all"
    before = twice.rows(everything)
    twice.build(select=SELECT, full=True)
    assert twice.rows(everything) == before


def test_people_belong_to_the_company_of_the_crm_or_else_of_their_mail_domain(twice: House) -> None:
    companies = dict(
        twice.rows(
            "select i.identifier, a.account_id from identity.bridge_profile_identifiers i join identity.bridge_profile_accounts a using (profile_id) where a.is_primary"
        )
    )
    assert companies["linked@bright.example"] == "a-2"
    assert companies["guessed@bright.example"] == "a-1"
    assert companies["unknown@dark.example"].startswith("d_")
    assert "private@mail.example" not in companies


def test_a_company_that_is_in_the_crm_twice_does_not_double_anybody(twice: House) -> None:
    assert twice.rows("select count(*), count(distinct profile_id) from identity.bridge_profile_accounts where is_primary") == twice.rows(
        "select count(distinct profile_id), count(distinct profile_id) from identity.bridge_profile_accounts"
    )
    assert twice.rows("select source, profiles from identity.dim_accounts where domain = 'bright.example' order by profiles") == [
        ("crm", 1),
        ("crm", 2),
    ]


@pytest.fixture(scope="module")
def decided(new_house: Callable[[], House]) -> House:
    """A build, then what a person decided about some of its pairs, and another build."""
    house = new_house()
    house.land(
        at("2026-06-02 00:00"),
        [
            # a couple with one address, each with an account
            identify(user="u-anna", email="both@mail.example"),
            form("2026-06-01 11:00", email="both@mail.example", phone="+8613911110001"),
            contact("c-ben", email="ben@mail.example", phone="+8613911110001"),
            # one person that nothing shows to be one
            form(email="work@firm.example"),
            form(email="home@mail.example"),
            # one device with two accounts that the application says are one
            identify(user="u-before", anonymous="laptop"),
            identify(user="u-after", anonymous="laptop"),
            alias("u-before", "u-after"),
        ],
    )
    house.build(select=SELECT)
    house.execute("create table first_profiles as from identity.bridge_profile_identifiers")
    house.execute(
        "insert into seeds.identity_manual_pairs by name select unnest(['email', 'email', 'email']) as left_type, "
        "unnest(['both@mail.example', ' Work@Firm.example', 'nobody@mail.example']) as left_identifier, "
        "unnest(['crm_contact_id', 'email', 'email']) as right_type, unnest(['c-ben', 'home@mail.example', 'work@firm.example']) as right_identifier, "
        "unnest(['never', 'same', 'same']) as verdict, 'they told us' as reason"
    )
    _build_again(house)
    return house


def _build_again(house: House) -> None:
    house.profiles = {}
    house.dbt.run(["run"], house.project.warehouse, select=SELECT)


def test_two_of_whom_a_person_said_that_they_are_never_one_are_parted(decided: House) -> None:
    before = dict(decided.rows("select identifier, profile_id from first_profiles"))
    assert before["both@mail.example"] == before["c-ben"]
    assert decided.profile("both@mail.example") == decided.profile("u-anna") != decided.profile("c-ben")
    # the number is the contact's by a stronger rule than it is the form's
    assert decided.profile("+8613911110001") == decided.profile("ben@mail.example") == decided.profile("c-ben")
    assert decided.rows("select left_identifier, right_identifier, rule, reason from identity.int_identity_dropped_edges") == [
        ("both@mail.example", "+8613911110001", "form_submission", "between two that are never the same")
    ]


def test_two_of_whom_a_person_said_that_they_are_one_are_joined(decided: House) -> None:
    assert decided.profile("work@firm.example") == decided.profile("home@mail.example")
    assert decided.rows("select rule, evidence from identity.int_identity_edges where rule = 'manual_same'") == [
        ("manual_same", "they told us")
    ]
    assert decided.profile("nobody@mail.example") is None


def test_accounts_that_are_stated_to_be_one_count_as_one_partner(decided: House) -> None:
    assert decided.profile("laptop") == decided.profile("u-before") == decided.profile("u-after")


def test_a_decision_that_is_taken_back_gives_the_people_of_before(decided: House) -> None:
    decided.execute("delete from seeds.identity_manual_pairs")
    _build_again(decided)
    everything = "select identifier, profile_id from {} order by all"
    assert decided.rows(everything.format("identity.bridge_profile_identifiers")) == decided.rows(everything.format("first_profiles"))
