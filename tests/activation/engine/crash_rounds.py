"""Rounds in which `sluice run` is killed at a random moment: people come, change and go, and nothing waits for anything to be whole."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from running_sandbox import RunningSandbox
from small_project import SmallProject

CRM, MAIL, SMS, WECHAT = "hubspot/people", "mail/hello", "sms/short", "wechat/tapped"
REFS = [CRM, MAIL, SMS, WECHAT]
VENDORS = {MAIL: "smtp", SMS: "aliyun_sms", WECHAT: "wechat_official"}
FEW = "limits: {per_second: 1000, concurrency: 2, batch_size: %d}"
DESTINATIONS = f"""
mail: {{connector: smtp, base_url: "${{SLUICE_SANDBOX_SMTP}}", sender: News <news@sluice.example>, {FEW % 3}}}
sms: {{connector: aliyun_sms, base_url: "${{SLUICE_SANDBOX_URL}}", {FEW % 1}}}
wechat: {{connector: wechat_official, base_url: "${{SLUICE_SANDBOX_URL}}", {FEW % 1}}}
hubspot: {{connector: hubspot, base_url: "${{SLUICE_SANDBOX_URL}}", {FEW % 4}}}
"""
PEOPLE_A_ROUND = 10


class Rounds:
    """One project, one sandbox, many killed processes. `kills` counts in what state they died."""

    def __init__(self, folder: Path, sandbox: RunningSandbox, seed: int) -> None:
        self.random = random.Random(seed)
        self.sandbox = sandbox
        self.journal = folder / "sandbox" / "received.jsonl"
        self.shop = SmallProject(folder / "shop")
        self.shop.write("activation/destinations.yml", DESTINATIONS)
        self.shop.sync(CRM, mode="mirror", on_removed="archive", guards={"max_removed_pct": 100})
        for ref in (MAIL, SMS, WECHAT):
            self.shop.send(ref)
        for vendor in ("hubspot", "smtp", "aliyun_sms", "wechat_official"):
            sandbox.fault(vendor, "slow", seconds=0.03, times=1_000_000)  # taken, and answered a little later: time to die in between
        self.people = 0
        self.read = (0, 0)  # bytes and lines of the journal
        self.ledger = self.shop.ledger()
        self.kills: Counter[str] = Counter()

    def change(self) -> None:
        """New people; and of those who came lately some leave the CRM's source, and some change there and back."""
        first, self.people = self.people, self.people + PEOPLE_A_ROUND
        new = f"range({first}, {self.people}) t(i)"
        lately = [f"'p_{number}'" for number in range(max(0, first - PEOPLE_A_ROUND), self.people)]
        changed, gone = ", ".join(self.random.sample(lately, 6)), ", ".join(self.random.sample(lately, 2))
        self.shop.sql(
            f"update sync_people set first_name = 'Name{self.random.randrange(2)}' where profile_id in ({changed})",
            f"delete from sync_people where profile_id in ({gone})",
            f"insert into dim_profiles select 'p_' || i, 'Name' || i, 'u' || i || '@mail.example', '+8613800' || lpad(i::varchar, 6, '0'), "
            f"'o' || lpad(i::varchar, 27, '0'), 'Asia/Shanghai' from {new}",
            f"insert into sync_people select 'p_' || i, 'u' || i || '@mail.example', 'Name' || i, 'Wuhan', 1 from {new}",
            f"insert into segment_everyone select 'p_' || i from {new}",
            f"insert into consent_state select 'p_' || i, 'all', 'all', 'granted', timestamp '2026-01-01' from {new}",
        )

    def killed(self) -> None:
        """A run of two of them that is killed: once so much has arrived somewhere, when it is about to settle, or at any time of its life."""
        moment = self.random.choices((self.has_arrived, self.is_delivered, self.has_lived), (5, 3, 2))[0]()
        jitter = self.random.uniform(0.0, 0.03)
        before = {row["run_id"] for row in self.ledger.rows("select run_id from runs")}
        process = self.start("run", *self.random.sample(REFS, 2))
        while process.poll() is None and not moment(process.pid):
            time.sleep(0.003)
        time.sleep(jitter)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()
        self.kills[self.left_behind(before)] += 1

    def has_arrived(self) -> Callable[[int], bool]:
        enough = self.arrived() + self.random.randint(1, 2 * PEOPLE_A_ROUND)
        return lambda _: self.arrived() >= enough

    def is_delivered(self) -> Callable[[int], bool]:
        before = {row["run_id"] for row in self.ledger.rows("select run_id from runs where status = 'delivered'")}
        return lambda _: any(row["run_id"] not in before for row in self.ledger.rows("select run_id from runs where status = 'delivered'"))

    def has_lived(self) -> Callable[[int], bool]:
        """So long since it took its first lease."""
        long, since = self.random.uniform(0.0, 2.0), [0.0]

        def moment(pid: int) -> bool:
            if not since[0] and any(f":{pid}:" in row["holder"] for row in self.ledger.rows("select holder from leases")):
                since[0] = time.monotonic()
            return bool(since[0]) and time.monotonic() - since[0] > long

        return moment

    def finish(self) -> None:
        """A run of everything that nobody disturbs."""
        process = self.start("run", *REFS)
        _, err = process.communicate(timeout=600)
        assert "Traceback" not in err, err

    def status(self) -> dict[str, list[dict[str, str]]]:
        process = self.start("status", "--json")
        out, err = process.communicate(timeout=600)
        assert process.returncode == 0, err
        return json.loads(out)  # type: ignore[no-any-return]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return self.shop.start(*arguments, **self.sandbox.environment)

    def arrived(self) -> int:
        """How much the vendors have taken since the beginning."""
        with self.journal.open("rb") as journal:
            journal.seek(self.read[0])
            new = journal.read()
        self.read = (self.read[0] + len(new), self.read[1] + new.count(b"\n"))
        return self.read[1]

    def left_behind(self, before: set[str]) -> str:
        """In what state the process died: by the last run that it began."""
        begun = [
            row for row in self.ledger.rows("select run_id, status from runs order by started_at, run_id") if row["run_id"] not in before
        ]
        if not begun:
            return "before its first run"
        run_id, state = begun[-1]
        for table in ("deliveries", "lots"):
            if self.ledger.rows(f"select 1 from {table} where run_id = ? and outcome is null limit 1", (run_id,)):
                return "between request and answer"
        return f"after {len(begun)} of 2 runs" if state == "settled" else f"while {state}"

    # -- what must be so at the end -----------------------------------------------------------------------------------

    def verify(self) -> None:
        self.every_planned_row_has_one_outcome_in_each_run()
        self.the_destination_equals_the_source()
        self.no_message_came_twice_and_none_is_missing_but_those_that_are_held()

    def every_planned_row_has_one_outcome_in_each_run(self) -> None:
        runs = self.shop.rows("select run_id, planned, sent + rejected + withheld + unknown + skipped + invalid from activation.sync_runs")
        logged = self.shop.rows("select run_id, count(*), count(distinct row_number) from activation.sync_changelog group by 1")
        rows = {run_id: (count, numbers) for run_id, count, numbers in logged}
        assert all(planned == outcomes and rows.get(run_id, (0, 0)) == (planned, planned) for run_id, planned, outcomes in runs)
        assert set(rows) <= {run_id for run_id, *_ in runs}
        with self.ledger as ledger:
            assert {row["run_id"] for row in ledger.rows("select run_id from runs")} == {run_id for run_id, *_ in runs}
            assert ledger.rows("select * from runs where status <> 'settled'") == []
            assert ledger.rows("select * from deliveries where outcome is null") == []
            assert ledger.rows("select * from lots where outcome is null") == []
            assert ledger.rows("select * from messages where state = 'intended'") == []

    def the_destination_equals_the_source(self) -> None:
        there = {email: contact["firstname"] for email, contact in self.sandbox.contacts().items()}
        assert there == dict(self.shop.rows("select email, first_name from sync_people"))

    def no_message_came_twice_and_none_is_missing_but_those_that_are_held(self) -> None:
        held = self.status()["held"]
        for ref, vendor in VENDORS.items():
            came = self.sandbox.message_ids(vendor)
            assert {message_id: count for message_id, count in came.items() if count > 1} == {}
            due = dict(self.shop.rows("select profile_id, 'm_' || md5(? || '|' || profile_id) from segment_everyone", ref))
            refused = {
                row[0] for row in self.shop.rows("select key from activation.sync_changelog where ref = ? and outcome = 'rejected'", ref)
            }
            held_here = {row["key"] for row in held if row["ref"] == ref}
            missing = {key for key, message_id in due.items() if message_id not in came}
            assert missing <= held_here | refused
            assert set(came) <= set(due.values())
            acknowledged = {key for key, (state, _) in self.shop.state(ref).items() if state == "acknowledged"}
            assert acknowledged | held_here | refused == set(due)
            assert acknowledged.isdisjoint(held_here | missing)
