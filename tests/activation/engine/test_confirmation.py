"""Double opt-in from the engine's side: whoever has not confirmed gets the one mail that asks for it, and nothing else."""

from __future__ import annotations

import re

from running_sandbox import RunningSandbox
from small_project import NOON, SmallProject

from activation.engine.links import Links, project_key

ASK, LETTER = "mail/ask", "mail/hello"


def test_who_asked_gets_the_question_with_a_link_of_its_own_and_no_letter(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(2)
    shop.fill(
        "consent_state", [("p_0", "email", "newsletter", "pending", "2026-11-19"), ("p_1", "email", "newsletter", "granted", "2026-01-01")]
    )
    shop.send(LETTER)
    shop.write("activation/content/ask.yml", 'email: {subject: "Is it you?", html: ask.html}\n')
    shop.write("activation/content/ask.html", '<p><a href="{{ confirm_url }}">Yes</a> <a href="https://shop.example/">the shop</a></p>')
    shop.send(ASK, purpose="order_update", confirms="newsletter", content="ask", fields={})
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
