"""The gate asks for consent: by channel, purpose and topic, the newest word counts, and what it does not know means no."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from running_sandbox import RunningSandbox
from small_project import TABLES, SmallProject

from activation.engine.declarations import Declarations
from activation.engine.errors import DeclarationErrors, PlanRefused

EARLY, LATE = "2026-02-01", "2026-03-01"
MAIL, SMS, CRM = "mail/hello", "sms/hello", "hubspot/people"

Consent = tuple[str, str, str, str | None]  # channel, purpose, status, since


def named(shop: SmallProject, names: Iterable[str]) -> None:
    """People of these ids."""
    people = list(names)
    shop.people(len(people))
    shop.sql(*(f"update {t} set profile_id = '{name}' where profile_id = 'p_{i}'" for i, name in enumerate(people)
               for t in ("dim_profiles", "sync_people", "segment_everyone")))  # fmt: skip


def ask(shop: SmallProject, ref: str, consents: dict[str, list[Consent]]) -> dict[str, str]:
    """Codes by profile, each with exactly the consents that are given for it."""
    named(shop, consents)
    shop.fill("consent_state", [(name, *consent) for name, given in consents.items() for consent in given])
    return shop.withheld(ref)


def test_a_message_that_needs_consent_leaves_only_with_it(shop: SmallProject) -> None:
    shop.send(MAIL)
    withheld = ask(
        shop,
        MAIL,
        {
            "agreed": [("email", "newsletter", "granted", EARLY)],
            "never asked": [],
            "agreed to sms": [("sms", "newsletter", "granted", EARLY)],
            "agreed to another purpose": [("email", "promotion", "granted", EARLY)],
            "withdrew": [("email", "newsletter", "withdrawn", EARLY)],
            "only asked so far": [("email", "newsletter", "pending", EARLY)],
        },
    )
    assert withheld == {
        "never asked": "NO_CONSENT",
        "agreed to sms": "NO_CONSENT",
        "agreed to another purpose": "NO_CONSENT",
        "withdrew": "CONSENT_WITHDRAWN",
        "only asked so far": "CONSENT_PENDING",
    }


def test_consent_to_all_channels_or_all_purposes_counts_for_each(shop: SmallProject) -> None:
    shop.send(MAIL)
    withheld = ask(
        shop,
        MAIL,
        {
            "all channels": [("all", "newsletter", "granted", EARLY)],
            "all purposes": [("email", "all", "granted", EARLY)],
            "all of both": [("all", "all", "granted", EARLY)],
            "left everything": [("all", "all", "withdrawn", EARLY)],
        },
    )
    assert withheld == {"left everything": "CONSENT_WITHDRAWN"}


def test_the_newest_word_counts_whether_said_of_this_or_of_all(shop: SmallProject) -> None:
    shop.send(MAIL)
    withheld = ask(
        shop,
        MAIL,
        {
            "agreed after leaving all": [("all", "all", "withdrawn", EARLY), ("email", "newsletter", "granted", LATE)],
            "left all after agreeing": [("email", "newsletter", "granted", EARLY), ("all", "all", "withdrawn", LATE)],
            "agreed to all after leaving this": [("email", "newsletter", "withdrawn", EARLY), ("all", "all", "granted", LATE)],
            "left this after agreeing to all": [("all", "all", "granted", EARLY), ("email", "newsletter", "withdrawn", LATE)],
            "left sms only": [("email", "newsletter", "granted", EARLY), ("sms", "all", "withdrawn", LATE)],
        },
    )
    assert withheld == {"left all after agreeing": "CONSENT_WITHDRAWN", "left this after agreeing to all": "CONSENT_WITHDRAWN"}


def test_of_two_words_at_once_the_withdrawal_counts(shop: SmallProject) -> None:
    shop.send(MAIL)
    both = [("email", "newsletter", "granted", EARLY), ("all", "all", "withdrawn", EARLY)]
    assert ask(shop, MAIL, {"one way": both, "the other way": both[::-1]}) == dict.fromkeys(
        ("one way", "the other way"), "CONSENT_WITHDRAWN"
    )


def test_a_withdrawal_of_unknown_date_counts_as_the_newest_and_a_consent_of_unknown_date_as_the_oldest(shop: SmallProject) -> None:
    shop.send(MAIL)
    withheld = ask(
        shop,
        MAIL,
        {
            "left some time": [("all", "all", "granted", LATE), ("email", "newsletter", "withdrawn", None)],
            "agreed some time": [("email", "newsletter", "granted", None), ("all", "all", "withdrawn", EARLY)],
            "agreed some time and nothing else": [("email", "newsletter", "granted", None)],
        },
    )
    assert withheld == {"left some time": "CONSENT_WITHDRAWN", "agreed some time": "CONSENT_WITHDRAWN"}


def test_a_request_that_waits_for_its_confirmation_says_neither_yes_nor_no(shop: SmallProject) -> None:
    shop.send(MAIL)
    withheld = ask(
        shop,
        MAIL,
        {
            "has agreed anyway": [("all", "newsletter", "granted", EARLY), ("email", "newsletter", "pending", LATE)],
            "has left": [("all", "all", "withdrawn", EARLY), ("email", "newsletter", "pending", LATE)],
        },
    )
    assert withheld == {"has left": "CONSENT_WITHDRAWN"}


def ask_about(shop: SmallProject, topic: str | None, words: dict[str, list[tuple[str, str | None, str, str]]]) -> dict[str, str]:
    """Codes by profile for a send about a topic, each with the words (purpose, topic, status, since) that are given for it."""
    shop.policy("purposes", "purposes: {newsletter: {basis: consent, topics: {events: Fairs, tips: Tips}}}")
    shop.send(MAIL, topic=topic)
    named(shop, words)
    shop.sql("alter table consent_state add column topic varchar")
    said = [(who, "email", purpose, status, since, part) for who, own in words.items() for purpose, part, status, since in own]
    shop.fill("consent_state", said)
    return shop.withheld(MAIL)


TOPICAL: dict[str, list[tuple[str, str | None, str, str]]] = {
    "took all": [("newsletter", "all", "granted", EARLY)],
    "took all, as an old row says": [("newsletter", None, "granted", EARLY)],
    "took events": [("newsletter", "events", "granted", EARLY)],
    "took tips": [("newsletter", "tips", "granted", EARLY)],
    "left events": [("newsletter", "all", "granted", EARLY), ("newsletter", "events", "withdrawn", LATE)],
    "left events, took all later": [("newsletter", "events", "withdrawn", EARLY), ("newsletter", "all", "granted", LATE)],
    "left events, took them again": [("newsletter", "all", "granted", EARLY), ("newsletter", "events", "granted", LATE)],
    "left all": [("newsletter", "events", "granted", EARLY), ("newsletter", "all", "withdrawn", LATE)],
    "left all, took events": [("newsletter", "all", "withdrawn", EARLY), ("newsletter", "events", "granted", LATE)],
    "left everything": [("newsletter", "events", "granted", EARLY), ("all", "all", "withdrawn", LATE)],
    "left events at once": [("newsletter", "events", "granted", LATE), ("newsletter", "events", "withdrawn", LATE)],
    "left tips": [("newsletter", "all", "granted", EARLY), ("newsletter", "tips", "withdrawn", LATE)],
}


def test_a_send_about_a_topic_goes_to_who_took_it_and_has_not_left_it_by_its_name(shop: SmallProject) -> None:
    assert ask_about(shop, "events", TOPICAL) == {
        "took tips": "NO_CONSENT",
        "left events": "CONSENT_WITHDRAWN",
        "left events, took all later": "CONSENT_WITHDRAWN",
        "left all": "CONSENT_WITHDRAWN",
        "left everything": "CONSENT_WITHDRAWN",
        "left events at once": "CONSENT_WITHDRAWN",
    }


def test_a_send_about_no_topic_goes_to_who_took_the_whole_purpose(shop: SmallProject) -> None:
    assert ask_about(shop, None, TOPICAL) == {
        "took events": "NO_CONSENT",
        "took tips": "NO_CONSENT",
        "left all": "CONSENT_WITHDRAWN",
        "left all, took events": "CONSENT_WITHDRAWN",
        "left everything": "CONSENT_WITHDRAWN",
        "left events at once": "NO_CONSENT",
    }


def test_a_topic_that_the_consents_do_not_know_stops_the_send(shop: SmallProject) -> None:
    shop.policy("purposes", "purposes: {newsletter: {basis: consent, topics: {events: Fairs}}}")
    shop.send(MAIL, topic="events")
    shop.people(1)
    with pytest.raises(PlanRefused, match="model `consent_state` has no column `topic`"):
        shop.withheld(MAIL)


def test_a_consent_that_has_ended_is_none_even_before_the_next_build(shop: SmallProject) -> None:
    shop.send(MAIL)
    shop.people(4)
    shop.sql("alter table consent_state add column expires_at timestamp")
    ends = ["2026-11-20 03:59", "2026-11-20 04:00", "2026-11-20 04:01", None]
    shop.fill("consent_state", [(f"p_{i}", "email", "newsletter", "granted", EARLY, end) for i, end in enumerate(ends)])
    assert shop.withheld(MAIL) == {"p_0": "CONSENT_EXPIRED", "p_1": "CONSENT_EXPIRED"}
    shop.sql("insert into consent_state values ('p_0', 'all', 'all', 'granted', timestamp '2026-03-01', null)")
    assert shop.withheld(MAIL) == {"p_1": "CONSENT_EXPIRED"}


def test_a_record_leaves_without_consent_until_the_person_objects(shop: SmallProject) -> None:
    shop.sync(CRM)
    withheld = ask(
        shop,
        CRM,
        {
            "never asked": [],
            "agreed": [("crm", "sales_contact", "granted", EARLY)],
            "objected": [("crm", "sales_contact", "withdrawn", EARLY)],
            "objected to everything": [("all", "all", "withdrawn", EARLY)],
            "left the newsletter": [("email", "newsletter", "withdrawn", EARLY)],
        },
    )
    assert withheld == {"objected": "OBJECTED", "objected to everything": "OBJECTED"}


def test_a_transactional_message_asks_for_no_consent(shop: SmallProject) -> None:
    shop.send(MAIL, purpose="order_update")
    assert ask(shop, MAIL, {"never asked": [], "left everything": [("all", "all", "withdrawn", EARLY)]}) == {}


def test_a_purpose_that_no_policy_knows_is_refused_when_the_file_is_loaded(shop: SmallProject) -> None:
    shop.send(MAIL, purpose="newsleter")
    with pytest.raises(DeclarationErrors, match=r"`newsleter` is not in activation/policies/purposes.yml. Did you mean `newsletter`\?"):
        Declarations.load(shop.project)


def test_a_purpose_that_no_policy_knows_is_refused_by_the_gate_too(shop: SmallProject) -> None:
    shop.people(1)
    shop.send(MAIL)
    runner = shop.runner()
    runner.declarations.policies = runner.declarations.policies.model_copy(update={"purposes": {}})
    with pytest.raises(PlanRefused, match="purpose `newsletter` is in no policy, so nothing may leave for it"):
        runner.run(runner.declarations.find(MAIL))


def unsubscribe(shop: SmallProject, what: dict[str, object], table: str = "tracking_events") -> None:
    """As if the collector's line had landed, and no build had come since."""
    shop.sql(f"create table if not exists raw.{table} (_event_id varchar, _landed_at timestamp, payload json)")
    shop.sql(f"insert into raw.{table} values ('e', timestamp '2026-11-20 03:00', '{json.dumps(what)}')")


def test_who_unsubscribed_since_the_last_build_gets_nothing_more(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(4)
    shop.run(shop.send(MAIL))
    shop.send("mail/again")
    messages = dict(shop.rows("select profile_id, message_id from activation.sync_changelog"))
    left = {"type": "unsubscribe", "channel": "email", "purpose": "newsletter", "occurred_at": "2026-11-20T03:00:00Z"}
    unsubscribe(shop, {**left, "message_id": messages["p_0"]})
    unsubscribe(shop, {**left, "message_id": messages["p_1"], "type": "page_shown"})
    unsubscribe(shop, {**left, "message_id": messages["p_2"], "purpose": "order_update"})
    no = {
        "identifier_type": "message_id",
        "channel": "all",
        "purpose": "newsletter",
        "status": "withdrawn",
        "occurred_at": "2026-11-20T03:00:00Z",
    }
    unsubscribe(shop, {**no, "identifier": messages["p_3"]}, "consent_records")
    unsubscribe(shop, {**no, "identifier": messages["p_1"], "status": "granted"}, "consent_records")
    assert shop.withheld("mail/again") == {"p_0": "CONSENT_WITHDRAWN", "p_3": "CONSENT_WITHDRAWN"}
    # asked for it again since, and that has been built
    shop.sql("insert into consent_state values ('p_0', 'email', 'newsletter', 'granted', timestamp '2026-11-20 03:01')")
    assert shop.withheld("mail/again") == {"p_3": "CONSENT_WITHDRAWN"}


def test_who_unsubscribed_long_ago_gets_nothing_more_though_no_build_came_since(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(2)
    shop.run(shop.send(MAIL))
    shop.send("mail/again")
    messages = dict(shop.rows("select profile_id, message_id from activation.sync_changelog"))
    unsubscribe(shop, {"type": "unsubscribe", "channel": "email", "purpose": "newsletter", "message_id": messages["p_0"]})
    shop.sql("update raw.tracking_events set _landed_at = timestamp '2026-09-01'")
    unsubscribe(shop, {"type": "page_shown", "message_id": messages["p_1"]})
    assert shop.withheld("mail/again") == {"p_0": "CONSENT_WITHDRAWN"}


LANDED = {
    "stg_crm__contacts": "contact_id varchar, email varchar, phone varchar, do_not_contact boolean, updated_at timestamp",
    "stg_consent__records": "identifier_type varchar, identifier varchar, channel varchar, purpose varchar, topic varchar, status varchar, occurred_at timestamp",
    "int_message_receipts": "source varchar, channel varchar, event_type varchar, identifier_type varchar, identifier varchar, message_id varchar, "
    "occurred_at timestamp, _batch_id varchar",
    "message_event_types": "source varchar, pattern varchar, event_type varchar",
    "consent_purposes": "purpose varchar, is_marketing boolean, is_transactional boolean",
    "consent_channels": "channel varchar",
    "bridge_profile_identifiers": "identifier_type varchar, identifier varchar, profile_id varchar",
}


def landing(shop: SmallProject) -> None:
    """The models that know what landed, as dbt would have made them, and four people whose addresses they know."""
    for name, columns in LANDED.items():
        shop.write(f"dbt_models/models/{name}.sql", f"-- {columns}\n")
        shop.sql(f"create table {name} ({columns})")
    shop._manifest({*TABLES, *LANDED})
    shop.people(4)
    shop.sql(
        "insert into bridge_profile_identifiers select 'email', email, profile_id from dim_profiles",
        "insert into bridge_profile_identifiers values ('crm_contact_id', 'c-1', 'p_1')",
        "insert into consent_purposes values ('newsletter', true, false), ('sales_contact', false, false), ('order_update', false, true)",
        "insert into consent_channels values ('email'), ('sms'), ('crm')",
        "insert into message_event_types values ('mail', '^spamreport', 'complained'), ('mail', '^(group_)?unsubscribe', 'unsubscribed')",
        "create table raw.mail_events (_batch_id varchar, _landed_at timestamp, payload json)",
    )


def test_who_complained_or_said_no_since_the_last_build_gets_nothing_more(shop: SmallProject) -> None:
    landing(shop)
    shop.send(MAIL)
    assert shop.withheld(MAIL) == {}
    for number, event in enumerate(("spamreport", "group_unsubscribe")):
        line = json.dumps({"event": event, "email": f"U{number}@mail.example", "timestamp": 1795143600})
        shop.sql(f"insert into raw.mail_events values ('b_new', timestamp '2026-11-20 03:00', '{line}')")
    shop.sql(
        "insert into stg_consent__records values ('email', 'u2@mail.example', 'email', 'all', 'all', 'withdrawn', timestamp '2026-11-20 03:00')"
    )
    assert shop.withheld(MAIL) == {"p_0": "CONSENT_WITHDRAWN", "p_1": "CONSENT_WITHDRAWN", "p_2": "CONSENT_WITHDRAWN"}
    # what is owed about an order still goes out, but not to an address that called it spam
    shop.send(MAIL, purpose="order_update")
    assert shop.withheld(MAIL) == {"p_0": "COMPLAINT"}


def test_whom_the_crm_marks_since_the_last_build_gets_no_marketing_and_is_in_no_list(shop: SmallProject) -> None:
    landing(shop)
    shop.send(MAIL)
    shop.sync(CRM)
    shop.sql(
        "insert into stg_crm__contacts values ('c-1', 'other@mail.example', null, true, timestamp '2026-11-20 03:00')",
        "insert into stg_crm__contacts values ('c-2', 'u2@mail.example', null, true, timestamp '2026-11-20 03:00')",
        "insert into stg_crm__contacts values ('c-3', 'u3@mail.example', null, false, timestamp '2026-11-20 03:00')",
    )
    assert shop.withheld(MAIL) == {"p_1": "CONSENT_WITHDRAWN", "p_2": "CONSENT_WITHDRAWN"}
    assert shop.withheld(CRM) == {"p_1": "OBJECTED", "p_2": "OBJECTED"}
    # agreed to again since: the CRM's mark still stands before every marketing message
    shop.sql(
        "insert into consent_state select profile_id, 'email', 'newsletter', 'granted', timestamp '2026-11-20 03:30' from dim_profiles"
    )
    assert shop.withheld(MAIL) == {"p_1": "DO_NOT_CONTACT", "p_2": "DO_NOT_CONTACT"}


def test_where_the_gate_cannot_hear_who_said_no_nothing_leaves(shop: SmallProject) -> None:
    landing(shop)
    shop.send(MAIL)
    shop.sql("drop table stg_crm__contacts")
    with pytest.raises(PlanRefused, match="Model `stg_crm__contacts` is not in the warehouse"):
        shop.withheld(MAIL)


def test_a_model_that_tells_who_said_no_is_asked_only_as_it_should_be(shop: SmallProject) -> None:
    """Without a column that the gate asks for nobody is written to, and the sentence names it."""
    shop.people(1)
    ref = shop.send()
    shop.segment("bridge_profile_identifiers", "p_0")
    with pytest.raises(PlanRefused, match="`bridge_profile_identifiers` has no column `identifier`"):
        shop.run(ref)
