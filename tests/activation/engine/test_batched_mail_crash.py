"""`kill -9` amid calls that carry many mails: before the vendor takes them, when some are taken, and between its answer and our record."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from deadly_sandbox import MOMENTS, DeadlySandbox, deadly
from forked_processes import Mother
from small_project import NOON, SmallProject
from test_batched_mail import CONTENT, DESTINATIONS, TEMPLATE

PEOPLE, A_CALL = 20, 4
STRIKES_AT = 7  # the mail, of twenty, that kills who sends it: one in the midst of the second call


@pytest.fixture(scope="module")
def mother() -> Iterator[Mother]:
    with Mother() as mother:
        yield mother


@pytest.fixture
def vendors(mother: Mother, tmp_path: Path) -> Iterator[DeadlySandbox]:
    with deadly(mother, tmp_path / "sandbox") as sandbox:
        yield sandbox


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("vendor", [*TEMPLATE, "aliyun_directmail"])
def test_nobody_gets_a_mail_twice_and_whose_call_was_cut_off_is_held_and_listed(
    shop: SmallProject, mother: Mother, vendors: DeadlySandbox, tmp_path: Path, vendor: str, moment: str
) -> None:
    limits = f"{{per_second: 1000, concurrency: 1, batch_size: {A_CALL}}}"
    shop.write("activation/destinations.yml", DESTINATIONS.replace("{per_second: 1000}", limits))
    shop.content(CONTENT % TEMPLATE.get(vendor, "autumn"))
    ref = shop.send(f"{vendor}/hello", object="batch_messages")
    shop.people(PEOPLE)

    def sluice(*command: str, trap: bool = False) -> str:
        arguments = ["--project", str(shop.project.root), "--as-of", NOON.isoformat(), *command]
        process = mother.start("activation.cli:main", *arguments, log=tmp_path / "said", **vendors.environment)
        if trap:
            vendors.trap(process.pid, moment, STRIKES_AT)
        process.wait()
        said = process.log.read_text()
        assert "Traceback" not in said, said
        return said

    def listed() -> set[str]:
        return {row["key"] for row in json.loads(sluice("ledger", "list", "--json", "--state", "held"))}

    sluice("run", ref, trap=True)
    assert 0 < len(vendors.taken(vendor)) < PEOPLE, "it was to die half-way"
    sluice("run", ref)

    came = Counter(kept["to"] for kept in vendors.taken(vendor))
    due = dict(shop.rows("select profile_id, email from dim_profiles"))
    assert max(came.values()) == 1
    states = {key: state for key, (state, _) in shop.state(ref).items()}
    held = {key for key, state in states.items() if state == "held"}
    # The whole call that was cut off is held, and no other; all others got their mail.
    assert Counter(states.values()) == {"held": A_CALL, "acknowledged": PEOPLE - A_CALL}
    assert {key for key, address in due.items() if address not in came} <= held
    assert listed() == held
    # What did arrive of it is settled by its receipts; the rest waits for a person.
    arrived = {key for key in held if due[key] in came}
    shop.fill(
        "fct_message_events",
        shop.rows("select 'm_' || md5(? || '|' || profile_id) from dim_profiles where list_contains(?, profile_id)", ref, list(arrived)),
    )
    sluice("run", ref)
    assert listed() == held - arrived
    assert Counter(kept["to"] for kept in vendors.taken(vendor)) == came
