"""Mail by a template that the vendor keeps, many in a call: from a segment and a content to what each recipient got, and nobody twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from running_sandbox import RunningSandbox
from small_project import SmallProject

from activation.engine.content_lint import lint
from activation.engine.preview import preview

LIMITS = "limits: {per_second: 1000}"
PLACE = 'base_url: "${SLUICE_SANDBOX_URL:-http://127.0.0.1:1}", sender: News <news@sluice.example>'
DESTINATIONS = f"""
ses: {{connector: ses, {PLACE}, {LIMITS}}}
sendgrid: {{connector: sendgrid, {PLACE}, {LIMITS}}}
mailgun: {{connector: mailgun, domain: sluice.example, {PLACE}, {LIMITS}}}
aliyun_directmail: {{connector: aliyun_directmail, {PLACE}, {LIMITS}}}
"""
CONTENT = """
utm: {source: sluice, campaign: autumn}
email:
  template: %s
  params: {name: "{{ first_name }} 🎉", out: "{{ unsubscribe_url }}"}
  links: {offer: "https://www.sluice.example/offer"}
"""
TEMPLATE = {"ses": "autumn", "sendgrid": "d-0123456789abcdef0123456789abcdef", "mailgun": "autumn"}
OTHER = {"ses": "winter", "sendgrid": "d-fedcba9876543210fedcba9876543210", "mailgun": "winter"}
EVERY = pytest.mark.parametrize("vendor", list(TEMPLATE))


@pytest.fixture
def post(shop: SmallProject) -> SmallProject:
    shop.write("activation/destinations.yml", DESTINATIONS)
    return shop


def declare(post: SmallProject, vendor: str, **changes: Any) -> str:
    post.content(CONTENT % TEMPLATE[vendor])
    return post.send(f"{vendor}/hello", object="batch_messages", **changes)


def sent(post: SmallProject) -> Counter[str]:
    return Counter(one for (one,) in post.rows("select message_id from activation.sync_changelog where outcome = 'sent'"))


def named(kept: dict[str, Any]) -> str:
    """Our message id, as the vendor repeats it in its events."""
    return "m_" + orjson.dumps(kept["content"]).decode().split('"m_')[1].split('"')[0]


def params(kept: dict[str, Any]) -> dict[str, str]:
    content = kept["content"]
    found: dict[str, str] = content["params"] if "params" in content else orjson.loads(content["t:variables"])
    return found


def template(kept: dict[str, Any]) -> str:
    return str(kept["content"].get("template") or kept["content"]["template_id"])


@EVERY
def test_many_leave_in_one_call_and_each_gets_a_mail_of_their_own(post: SmallProject, sandbox: RunningSandbox, vendor: str) -> None:
    post.people(60)
    ref = declare(post, vendor)
    first, second = post.run(ref), post.run(ref)
    assert (first.outcomes["sent"], second.outcomes["sent"]) == (60, 0)
    taken = sandbox.taken(vendor)
    assert Counter(named(kept) for kept in taken) == sent(post)
    assert sorted(kept["to"] for kept in taken) == sorted(f"u{n}@mail.example" for n in range(60))
    for kept in taken:
        filled = params(kept)
        assert filled["name"] == f"Name{kept['to'].removeprefix('u').partition('@')[0]} 🎉"
        assert "/c/" in filled["offer"]
        assert "/u/" in filled["out"]
    assert len({params(kept)["offer"] for kept in taken}) == 60


@EVERY
def test_a_call_that_was_not_answered_is_held_whole_and_never_made_again(
    post: SmallProject, sandbox: RunningSandbox, vendor: str, quick: None
) -> None:
    post.people(20)
    ref = declare(post, vendor)
    sandbox.fault(vendor, "timeout")
    first, second = post.run(ref), post.run(ref)
    assert (first.outcomes["sent"], first.outcomes["unknown"], second.outcomes["sent"]) == (0, 20, 0)
    assert {state for state, _ in post.state(ref).values()} == {"held"}
    assert Counter(kept["to"] for kept in sandbox.taken(vendor)) == Counter(f"u{n}@mail.example" for n in range(20))
    told = [(named(kept),) for kept in sandbox.taken(vendor)]
    post.fill("fct_message_events", told[:5])  # five receipts came
    post.run(ref)
    assert Counter(state for state, _ in post.state(ref).values()) == {"held": 15, "acknowledged": 5}
    assert len(sandbox.taken(vendor)) == 20


@EVERY
def test_the_recipient_that_a_vendor_refuses_is_rejected_alone(post: SmallProject, sandbox: RunningSandbox, vendor: str) -> None:
    post.people(20)
    ref = declare(post, vendor)
    sandbox.fault(vendor, "partial", match="u13@", times=20)
    result = post.run(ref)
    assert (result.outcomes["sent"], result.outcomes["rejected"]) == (19, 1)
    assert post.outcomes(result.run_id)["p_13"][0] == "rejected"
    sandbox.no_faults()
    assert post.run(ref).outcomes["sent"] == 1
    assert Counter(kept["to"] for kept in sandbox.taken(vendor)) == Counter(f"u{n}@mail.example" for n in range(20))


@EVERY
def test_arms_with_other_templates_leave_in_calls_of_their_own(post: SmallProject, sandbox: RunningSandbox, vendor: str) -> None:
    post.people(30)
    post.write("activation/content/other.yml", CONTENT % OTHER[vendor])
    experiment = {"name": "words", "arms": {"old": 1, "new": 1}, "content": {"new": "other"}}
    ref = declare(post, vendor, experiment=experiment)
    assert post.run(ref).outcomes["sent"] == 30
    taken = sandbox.taken(vendor)
    assert {template(kept) for kept in taken} == {TEMPLATE[vendor], OTHER[vendor]}
    assert len({kept["to"] for kept in taken}) == len(taken) == 30
    if vendor == "mailgun":  # which names the call that a mail was in
        assert len({kept["content"]["message_id"] for kept in taken}) == 2


def test_a_preview_shows_what_the_template_would_be_filled_with(post: SmallProject, tmp_path: Path) -> None:
    declare(post, "ses")
    (shown,) = preview(post.project, post.declarations, "ses/hello", None, tmp_path)
    assert shown.payload["template"] == "autumn"
    assert shown.payload["params"]["offer"] == "https://www.sluice.example/offer?utm_source=sluice&utm_campaign=autumn"
    assert shown.payload["params"]["name"] == "‹first_name› 🎉"


def test_a_template_without_a_way_out_is_told(post: SmallProject) -> None:
    declare(post, "ses")
    assert list(lint(post.declarations)) == []
    post.content("email: {template: autumn, params: {name: '{{ first_name }}'}}\n")
    assert [sentence for _, sentence in lint(post.declarations)] == ["its mail shows no way out: put {{ unsubscribe_url }} in `params`."]
