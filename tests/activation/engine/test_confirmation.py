"""Double opt-in from the engine's side: whoever has not confirmed gets the one mail that asks for it, and nothing else."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from running_sandbox import RunningSandbox
from small_project import NOON, SmallProject

from activation.engine.links import Links, project_key

ASK, LETTER = "mail/ask", "mail/hello"


def asking(shop: SmallProject) -> None:
    """The send that asks whether the newsletter was really wanted."""
    shop.write("activation/content/ask.yml", 'email: {subject: "Is it you?", html: ask.html}\n')
    shop.write("activation/content/ask.html", '<p><a href="{{ confirm_url }}">Yes</a> <a href="https://shop.example/">the shop</a></p>')
    shop.send(ASK, purpose="order_update", confirms="newsletter", content="ask", fields={})


def test_who_asked_gets_the_question_with_a_link_of_its_own_and_no_letter(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(2)
    shop.fill(
        "consent_state", [("p_0", "email", "newsletter", "pending", "2026-11-19"), ("p_1", "email", "newsletter", "granted", "2026-01-01")]
    )
    shop.send(LETTER)
    asking(shop)
    letter, asked = shop.run(LETTER), shop.run(ASK)
    assert shop.outcomes(letter.run_id) == {"p_0": ("withheld", "CONSENT_PENDING"), "p_1": ("sent", "")}
    assert {key: outcome for key, (outcome, _) in shop.outcomes(asked.run_id).items()} == {"p_0": "sent", "p_1": "sent"}
    (mail,) = [kept for kept in sandbox.taken("smtp") if kept["to"] == "u0@mail.example"]
    (message_id,) = shop.rows("select message_id from activation.sync_changelog where ref = ? and key = 'p_0'", ASK)[0]
    (token,) = set(re.findall(r"/y/([\w-]+)", mail["content"]["html"]))
    links = Links(project_key(shop.project.state), "http://127.0.0.1:4020")
    link = links.read(token, "confirm", NOON)
    assert (link.message_id, link.channel, link.purpose) == (message_id, "email", "newsletter")
    assert "/c/" in mail["content"]["html"]


def test_who_left_and_asks_again_is_asked_again_and_once(shop: SmallProject, sandbox: RunningSandbox) -> None:
    asking(shop)
    shop.people(1)

    def said(status: str, since: str) -> None:
        shop.fill("consent_state", [("p_0", "email", "newsletter", status, since)])

    def asked_at(now: datetime) -> int:
        """How many mails leave now."""
        return [outcome for outcome, _ in shop.outcomes(shop.run(ASK, now).run_id).values()].count("sent")

    said("pending", "2026-11-19 10:00")
    assert [asked_at(NOON), asked_at(NOON + timedelta(days=1))] == [1, 0]
    # what was asked for before the mail left is what the mail asks about
    said("pending", "2026-11-18 10:00")
    assert asked_at(NOON + timedelta(days=1)) == 0
    for status in ("granted", "withdrawn"):
        said(status, "2026-11-21 10:00")
        assert asked_at(NOON + timedelta(days=2)) == 0
    said("pending", "2026-11-22 03:00")
    assert [asked_at(NOON + timedelta(days=2)), asked_at(NOON + timedelta(days=3))] == [1, 0]
    assert list(sandbox.message_ids("smtp").values()) == [1, 1]


def test_a_request_of_two_who_are_one_was_asked_about_when_either_was(shop: SmallProject, sandbox: RunningSandbox) -> None:
    asking(shop)
    shop.people(2)
    shop.fill("consent_state", [("p_0", "email", "newsletter", "pending", "2026-11-19 10:00")])
    shop.segment("segment_everyone", "p_0")
    shop.run(ASK)
    shop.merges(("p_0", "p_1"))
    shop.fill("consent_state", [("p_1", "email", "newsletter", "pending", "2026-11-19 10:00")])
    shop.fill("segment_everyone", [("p_1",)])
    shop.run(ASK, NOON + timedelta(days=1))
    assert shop.rows("select count(*) from activation.sync_changelog where outcome = 'sent'") == [(1,)]
    shop.fill("consent_state", [("p_1", "email", "newsletter", "pending", "2026-11-22 03:00")])
    shop.run(ASK, NOON + timedelta(days=2))
    assert shop.rows("select count(*) from activation.sync_changelog where outcome = 'sent'") == [(2,)]
