"""Rounds in which `sluice run`, the vendors, or both are killed: people come, change and go, and nothing waits for anything to be whole."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from deadly_sandbox import LATER, MOMENTS, DeadlySandbox
from forked_processes import Child, Mother
from small_project import NOON, SmallProject

CRM, MAIL, SMS, WECHAT = "hubspot/people", "mail/hello", "sms/short", "wechat/tapped"
BATCHED = {f"{vendor}/by_{vendor}": vendor for vendor in ("ses", "sendgrid", "mailgun")}  # a template of the vendor's, many mails in a call
REFS = [CRM, MAIL, SMS, WECHAT, *BATCHED]
VENDORS = {MAIL: "smtp", SMS: "aliyun_sms", WECHAT: "wechat_official", **BATCHED}
FEW = "limits: {per_second: 1000, concurrency: 4, batch_size: %d}"
DESTINATIONS = f"""
mail: {{connector: smtp, base_url: "${{SLUICE_SANDBOX_SMTP}}", sender: News <news@sluice.example>, {FEW % 3}}}
sms: {{connector: aliyun_sms, base_url: "${{SLUICE_SANDBOX_URL}}", {FEW % 1}}}
wechat: {{connector: wechat_official, base_url: "${{SLUICE_SANDBOX_URL}}", {FEW % 1}}}
hubspot: {{connector: hubspot, base_url: "${{SLUICE_SANDBOX_URL}}", {FEW % 4}}}
ses: {{connector: ses, base_url: "${{SLUICE_SANDBOX_URL}}", sender: news@sluice.example, {FEW % 3}}}
sendgrid: {{connector: sendgrid, base_url: "${{SLUICE_SANDBOX_URL}}", sender: news@sluice.example, {FEW % 3}}}
mailgun: {{connector: mailgun, domain: sluice.example, base_url: "${{SLUICE_SANDBOX_URL}}", sender: news@sluice.example, {FEW % 3}}}
"""
TEMPLATE = 'email: {template: d-0123456789abcdef0123456789abcdef, params: {name: "{{ first_name }}", out: "{{ unsubscribe_url }}"}}\n'
PEOPLE_A_ROUND = 4
UNSUBSCRIBED = "43004"  # what WeChat answers for the few who do not follow the account
# A lot whose rows were answered one by one has no answer of its own.
UNANSWERED = (
    "select run_id from deliveries where outcome is null",
    "select run_id from lots where outcome is null and rows > (select count(*) from deliveries d where d.run_id = lots.run_id "
    "and d.row_number between lots.first_row and lots.last_row and d.outcome is not null)",
)


class Rounds:
    """One project, one sandbox, many killed processes. `kills` counts in what state they died."""

    def __init__(self, folder: Path, mother: Mother, sandbox: DeadlySandbox, seed: int) -> None:
        self.random = random.Random(seed)
        self.folder, self.mother, self.sandbox = folder, mother, sandbox
        self.journal = sandbox.state / "received.jsonl"
        self.shop = SmallProject(folder / "shop")
        self.shop.write("activation/destinations.yml", DESTINATIONS)
        self.shop.sync(CRM, mode="mirror", on_removed="archive", guards={"max_removed_pct": 100})
        for ref in (MAIL, SMS, WECHAT):
            self.shop.send(ref)
        self.shop.write("activation/content/template.yml", TEMPLATE)
        for ref in BATCHED:
            self.shop.send(ref, object="batch_messages", content="template")
        self._slow()
        self.people = 0
        self.read = (0, 0)  # bytes and lines of the journal
        self.ledger = self.shop.ledger()
        self.kills: Counter[str] = Counter()

    def _slow(self) -> None:
        """What comes is taken, and answered a little later: time to die in between."""
        for vendor in ("hubspot", *VENDORS.values()):
            self.sandbox.fault(vendor, "slow", seconds=0.01, times=1_000_000)

    def play(self) -> None:
        """One round: the source changes, and a run of two is killed, or the vendors are; at times the run that recovers is killed as well."""
        self.change()
        refs = self.random.sample(REFS, 2)
        way = self.random.choices((self.killed_at_a_moment, self.killed_by_the_vendor, self.without_the_vendors), (5, 6, 1))[0]
        way(refs)
        if self.random.random() < 0.3:
            self.killed_while_it_recovers(refs)

    def change(self) -> None:
        """New people; and of those who came lately some leave the CRM's source, and some change there and back."""
        first, self.people = self.people, self.people + PEOPLE_A_ROUND
        new = f"range({first}, {self.people}) t(i)"
        lately = [f"'p_{number}'" for number in range(max(0, first - PEOPLE_A_ROUND), self.people)]
        changed, gone = ", ".join(self.random.sample(lately, 3)), ", ".join(self.random.sample(lately, 2))
        self.shop.sql(
            f"update sync_people set first_name = 'Name{self.random.randrange(2)}' where profile_id in ({changed})",
            f"delete from sync_people where profile_id in ({gone})",
            f"insert into dim_profiles select 'p_' || i, 'Name' || i, 'u' || i || '@mail.example', '+8613800' || lpad(i::varchar, 6, '0'), "
            f"'o' || lpad(i::varchar, 27, '0'), 'Asia/Shanghai' from {new}",
            f"insert into sync_people select 'p_' || i, 'u' || i || '@mail.example', 'Name' || i, 'Wuhan', 1 from {new}",
            f"insert into segment_everyone select 'p_' || i from {new}",
            f"insert into consent_state select 'p_' || i, 'all', 'all', 'granted', timestamp '2026-01-01' from {new}",
        )

    def killed_at_a_moment(self, refs: list[str]) -> None:
        """Once so much has arrived somewhere, when it is about to settle, or at any time of its life."""
        moment = self.random.choices((self.has_arrived, self.is_delivered, self.has_lived), (5, 3, 2))[0]()
        self.killed(refs, moment, self.random.uniform(0.0, 0.03))

    def killed_by_the_vendor(self, refs: list[str]) -> None:
        """At a moment no clock would find: when something came, when it was taken, or when it was answered and nothing is recorded yet."""
        moment, after = self.random.choice([*MOMENTS, LATER]), self.random.randint(1, 2 * PEOPLE_A_ROUND)
        before = self.runs()
        process = self.start("run", *refs)
        self.sandbox.trap(process.pid, moment, after)
        process.wait()
        self.sandbox.no_trap()
        self.count(before, process)

    def without_the_vendors(self, refs: list[str]) -> None:
        """They are killed and come back; half of the runs are killed as well, the others go on."""
        before, moment = self.runs(), self.has_arrived()
        process = self.start("run", *refs)
        self.wait_for(process, moment)
        self.sandbox.kill()
        time.sleep(self.random.uniform(0.0, 0.1))
        if self.random.random() < 0.5:
            process.kill()
        self.sandbox.revive()
        self._slow()
        process.wait()
        for row in self.ledger.rows("select destination from circuits"):  # as if every pause had run its time
            self.ledger.close_circuit(row["destination"])
        self.kills["the vendors died"] += 1
        self.count(before, process)

    def killed_while_it_recovers(self, refs: list[str]) -> None:
        """The next run closes what the one before left behind, and dies over it."""
        left = {row["run_id"]: row["status"] for row in self.ledger.rows("select run_id, status from runs where status <> 'settled'")}

        def moment(_: int) -> bool:
            return any(
                left.get(row["run_id"], row["status"]) != row["status"] for row in self.ledger.rows("select run_id, status from runs")
            )

        if left:
            self.kills["recovering runs killed"] += self.killed(refs, moment, self.random.uniform(0.0, 0.1))

    def killed(self, refs: list[str], moment: Callable[[int], bool], jitter: float) -> bool:
        before = self.runs()
        process = self.start("run", *refs)
        self.wait_for(process, moment)
        time.sleep(jitter)
        lived = process.lives
        process.kill()
        self.count(before, process)
        return lived

    def wait_for(self, process: Child, moment: Callable[[int], bool]) -> None:
        while process.lives and not moment(process.pid):
            time.sleep(0.003)

    def runs(self) -> set[str]:
        return {row["run_id"] for row in self.ledger.rows("select run_id from runs")}

    def count(self, before: set[str], process: Child) -> None:
        """Whatever it was that killed it, it had nothing to complain of before."""
        said = process.log.read_text()
        assert "Traceback" not in said, said
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
        """Runs of everything that nobody disturbs: the second sends what the last one left unanswered and may be sent again."""
        for _ in range(2):
            process = self.shop.start("run", *REFS, **self.sandbox.environment)
            _, err = process.communicate(timeout=600)
            assert "Traceback" not in err, err

    def held(self) -> list[dict[str, str]]:
        """What `sluice ledger` lists."""
        process = self.shop.start("ledger", "list", "--json", "--state", "held", **self.sandbox.environment)
        out, err = process.communicate(timeout=600)
        assert process.returncode == 0, err
        return json.loads(out)  # type: ignore[no-any-return]

    def start(self, *arguments: str) -> Child:
        everything = ["--project", str(self.shop.project.root), "--as-of", NOON.isoformat(), *arguments]
        return self.mother.start("activation.cli:main", *everything, log=self.folder / "said", **self.sandbox.environment)

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
            return "before its first run began"
        run_id, state = begun[-1]
        if any(row["run_id"] == run_id for unanswered in UNANSWERED for row in self.ledger.rows(unanswered)):
            return "between request and record"
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
            assert [row["run_id"] for unanswered in UNANSWERED for row in ledger.rows(unanswered)] == []
            assert ledger.rows("select * from messages where state = 'intended'") == []

    def the_destination_equals_the_source(self) -> None:
        there = {email: contact["firstname"] for email, contact in self.sandbox.contacts().items()}
        assert there == dict(self.shop.rows("select email, first_name from sync_people"))

    def no_message_came_twice_and_none_is_missing_but_those_that_are_held(self) -> None:
        held = self.held()
        assert {row["state"] for row in held} <= {"held"}
        for ref, vendor in VENDORS.items():
            came = self.sandbox.message_ids(vendor)
            assert {message_id: count for message_id, count in came.items() if count > 1} == {}
            due = dict(self.shop.rows("select profile_id, 'm_' || md5(? || '|' || profile_id) from segment_everyone", ref))
            assert set(came) <= set(due.values())
            held_here = {row["key"] for row in held if row["ref"] == ref}
            refused = self.refused(ref)
            assert {key for key, message_id in due.items() if message_id not in came} <= held_here | refused
            states = {key: state for key, (state, _) in self.shop.state(ref).items()}
            assert states == {key: "held" if key in held_here else "acknowledged" for key in due if key not in refused}

    def refused(self, ref: str) -> set[str]:
        """Those whom the vendor does not know, by its own word. They got nothing."""
        said = self.shop.rows(
            "select distinct key, message_id from activation.sync_changelog where ref = ? and reason_code = ?", ref, UNSUBSCRIBED
        )
        assert {message_id for _, message_id in said}.isdisjoint(self.sandbox.message_ids(VENDORS[ref]))
        return {key for key, _ in said}
