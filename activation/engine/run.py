"""A run of a sync or send, whole: what was interrupted is closed first, then plan → guards → gate → deliver → settle."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop

from activation.engine import alerts, column_types, gate, guards, memory, merges, outgoing, retention
from activation.engine.content import Renderer
from activation.engine.declarations import Activation, Declarations
from activation.engine.deliver import Delivery, Stop
from activation.engine.errors import GuardStop, InputsMoved, SluiceError
from activation.engine.funnel import Stage, funnel
from activation.engine.gate.on_their_way import on_their_way
from activation.engine.ledger import LEASE_SECONDS, Lease, LeaseLost, Ledger, open_ledger
from activation.engine.links import Links, project_key
from activation.engine.models import Models
from activation.engine.plan import Plan, adopt_receipts, make_plan, plan_removals
from activation.engine.project import Project
from activation.engine.settle import Settled, settle
from activation.engine.warehouse import opened

Announce = Callable[[str], None]
ProgressBar = Callable[[str, int], "Callable[[int], None]"]


@dataclass(frozen=True)
class Override:
    """A person's decision to pass the guards."""

    who: str
    why: str


@dataclass(frozen=True)
class Preview:
    """A plan with what the guards and the gate say of it now."""

    plan: Plan
    guard_reasons: list[str]
    withheld: Mapping[str, int]
    funnel: list[Stage]


@dataclass
class Runner:
    """Runs what a project declares. `now` is the moment the gate asks about; leases and limits go by the real clock.

    `stop` is for who wants everything to end. A destination that fails ends its own run only. `say` is told what does not change how the
    run ended, such as an alert that could not be delivered. `verdicts_hold` so many seconds: a send that takes longer asks the gate anew.
    """

    project: Project
    declarations: Declarations
    now: datetime
    stop: Stop = field(default_factory=Stop)
    progress: ProgressBar | None = None
    say: Announce = field(default=lambda sentence: None)
    verdicts_hold: float = gate.VALID_SECONDS

    def __post_init__(self) -> None:
        self.now = self.now.astimezone(UTC)

    def preview(self, activation: Activation) -> Preview:
        """Plan, guards and gate, with nothing sent and nothing moved. The plan file can be applied with its hash."""
        with open_ledger(self.project) as ledger, opened(self.project) as connection:
            models = Models(self.project)
            verdicts = self.project.plans / f"preview-{os.getpid()}.parquet"
            try:
                with merges.followed(connection, models, activation):
                    plan = make_plan(connection, self.project, models, activation)
                    plan.warnings.extend(self._warnings(connection, ledger, activation))
                    withheld = self._ask(connection, models, ledger, activation, plan.file, verdicts)
                    stages = funnel(connection, models, activation, plan, withheld)
            finally:
                verdicts.unlink(missing_ok=True)
            self._note(ledger, plan)
        return Preview(plan, guards.broken(plan, activation.spec.guards), withheld, stages)

    def run(
        self,
        activation: Activation,
        plan_hash: str | None = None,
        override: Override | None = None,
        only_keys: list[str] | None = None,
        check: Callable[[Plan, Path], None] | None = None,
    ) -> Settled:
        """Run once. Raises Held, PlanRefused, InputsMoved, GuardStop before anything has left. `check` may raise to stop it there too."""
        try:
            activation.destination.open_options()  # a missing variable is said now, before anything is locked or written
            with open_ledger(self.project) as ledger, held(ledger, activation.ref) as lease:
                self._close_interrupted(ledger, lease, activation)
                settled = self._run(ledger, lease, activation, plan_hash, override, only_keys, check)
        except SluiceError as error:
            self._alert(alerts.of_error(activation, error))
            raise
        self._alert(alerts.of_run(activation, settled))
        return settled

    def _alert(self, found: list[alerts.Found]) -> None:
        alerts.send(self.project, self.declarations.alerts, self.declarations.destinations, found, self.say)

    def recover(self, activation: Activation) -> list[Settled]:
        """Close what an earlier process left behind, and do no more."""
        with open_ledger(self.project) as ledger:
            if not ledger.unsettled(activation.ref):
                return []
            with held(ledger, activation.ref) as lease:
                return self._close_interrupted(ledger, lease, activation)

    def _run(
        self,
        ledger: Ledger,
        lease: Lease,
        activation: Activation,
        plan_hash: str | None,
        override: Override | None,
        only_keys: list[str] | None,
        check: Callable[[Plan, Path], None] | None,
    ) -> Settled:
        started_at = datetime.now(UTC)
        memory.be_frugal()
        models = Models(self.project)
        with opened(self.project) as connection:
            for message_id in adopt_receipts(connection, models, activation):
                ledger.settle_message(message_id, "sent")
            merges.follow(connection, models, activation)
            plan = make_plan(connection, self.project, models, activation, only_keys)
            plan.warnings.extend(self._warnings(connection, ledger, activation))
            self._note(ledger, plan)
            if plan_hash is not None and plan.plan_hash != plan_hash:
                raise InputsMoved(
                    f"{activation.ref}: the rows are no longer those of plan {plan_hash} (now {plan.plan_hash}). "
                    f"Look at the new plan with `sluice plan {activation.ref}`."
                )
            reasons = guards.broken(plan, activation.spec.guards)
            if reasons and override is None:
                raise GuardStop(activation.ref, reasons)
            column_types.remember(connection, activation.ref, plan.types)
            run, verdicts = self._begin(connection, models, ledger, lease, activation, plan, started_at, override, reasons)
            valid_for = self._valid_for(connection, activation, started_at)
        memory.give_back()
        if check:
            try:
                check(plan, verdicts)
            except BaseException:
                ledger.abandon_run(lease, run["run_id"])
                raise
        return self._deliver(ledger, lease, activation, run, plan, verdicts, valid_for)

    def remove(self, ledger: Ledger, lease: Lease, activation: Activation, keys: list[str]) -> Settled | None:
        """Take the records of these keys away over there, as the activation's spec says a removal is done. None when there are none."""
        self._close_interrupted(ledger, lease, activation)
        started_at, models = datetime.now(UTC), Models(self.project)
        with opened(self.project) as connection:
            plan = plan_removals(connection, self.project, activation, keys)
            if not plan.planned:
                plan.file.unlink()
                return None
            run, verdicts = self._begin(connection, models, ledger, lease, activation, plan, started_at, kind="e")
        return self._deliver(ledger, lease, activation, run, plan, verdicts)

    def _begin(
        self,
        connection: Any,
        models: Models,
        ledger: Ledger,
        lease: Lease,
        activation: Activation,
        plan: Plan,
        started_at: datetime,
        override: Override | None = None,
        reasons: Sequence[str] = (),
        kind: str = "r",
    ) -> tuple[dict[str, Any], Path]:
        """Ask the gate and note the run. Its columns of `runs`, and the file of the verdicts."""
        run_id = f"{kind}{self.now:%Y%m%dT%H%M%S}-{plan.plan_hash[:8]}-{lease.token}"
        verdicts = self._verdicts(run_id)
        self._ask(connection, models, ledger, activation, plan.file, verdicts, run_id)
        run: dict[str, Any] = {
            "run_id": run_id,
            "ref": activation.ref,
            "kind": activation.kind,
            "destination": activation.destination.name,
            "channel": activation.channel,
            "plan_hash": plan.plan_hash,
            "as_of": self.now.isoformat(),
            "started_at": started_at.isoformat(),
            "overridden_by": override.who if override and reasons else None,
            "override_reason": "; ".join([override.why, *reasons]) if override and reasons else None,
        }
        # Before the warehouse is let go: whoever asks the gate next counts what this run may send.
        ledger.begin_run(lease, run)
        return run, verdicts

    def _deliver(
        self,
        ledger: Ledger,
        lease: Lease,
        activation: Activation,
        run: dict[str, Any],
        plan: Plan,
        verdicts: Path,
        valid_for: float | None = None,
    ) -> Settled:
        """Deliver and settle. When that takes longer than the verdicts hold, the gate is asked anew about the rest."""
        total = outgoing.leaving(plan.file, verdicts)
        result, stop, file, lots = "outlasted" if total else "complete", Stop(within=self.stop), plan.file, 0
        rest = self.project.plans / f"{run['run_id']}.rest.parquet"
        progress = self.progress(activation.ref, total) if self.progress and total else None
        with _stops_on_signals(self.stop), asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
            while result == "outlasted":
                delivery = Delivery(
                    ledger,
                    lease,
                    {**run, "purpose": activation.spec.purpose},
                    activation,
                    self._renderer(activation),
                    stop,
                    progress,
                    total,
                    valid_for,
                )
                result = loop.run(delivery.execute(outgoing.lots(file, verdicts, delivery.batch_size, lots)))
                lots = max(lots, delivery.lots)
                if result == "outlasted":
                    file, valid_for = rest, self._ask_anew(ledger, lease, activation, run, plan, verdicts, rest)
        rest.unlink(missing_ok=True)
        settled = self._settle(ledger, lease, activation, run, plan.file, verdicts, result, stop.why)
        return replace(settled, warnings=plan.warnings)

    def _ask_anew(
        self, ledger: Ledger, lease: Lease, activation: Activation, run: Mapping[str, Any], plan: Plan, verdicts: Path, rest: Path
    ) -> float | None:
        """Ask the gate about the rows that have no answer yet, and write them to `rest`. Returns for how long the new verdicts hold."""
        asked_at = datetime.now(UTC)
        now = self.now + (asked_at - datetime.fromisoformat(run["started_at"]))
        outgoing.write_rest(plan.file, verdicts, ledger.begun(run["run_id"]), rest)
        more = rest.with_suffix(".gate.parquet")
        with opened(self.project) as connection:
            ledger.renew(lease)  # the warehouse may have been long in coming
            self._ask(connection, Models(self.project), ledger, activation, rest, more, run["run_id"], now)
            valid_for = self._valid_for(connection, activation, asked_at)
        outgoing.add_verdicts(verdicts, more)
        more.unlink()
        return valid_for

    def _valid_for(self, connection: Any, activation: Activation, asked_at: datetime) -> float | None:
        if not activation.object.message:
            return None
        elapsed = (datetime.now(UTC) - asked_at).total_seconds()
        return gate.valid_for(connection, self.declarations.policies, activation, elapsed, self.verdicts_hold)

    def _settle(
        self,
        ledger: Ledger,
        lease: Lease,
        activation: Activation,
        run: Mapping[str, Any],
        plan_file: Path,
        verdicts: Path,
        result: str,
        stop: tuple[str, str],
    ) -> Settled:
        finished_at = datetime.now(UTC)
        ledger.end_delivery(lease, run["run_id"], result, finished_at)
        memory.give_back()
        with opened(self.project) as connection:
            ledger.renew(lease)  # the warehouse may have been long in coming, and who lost the lease settles nothing
            settled = settle(connection, ledger, activation, run, plan_file, verdicts, result, stop, finished_at)
            retention.prune(connection, self.project, ledger, self.declarations.policies, self.now)
        ledger.end_run(lease, run["run_id"])
        return settled

    def _close_interrupted(self, ledger: Ledger, lease: Lease, activation: Activation) -> list[Settled]:
        """Runs that ended without settling: what was in flight is unknown, what was never tried is skipped and planned again."""
        closed = []
        for row in ledger.unsettled(activation.ref):
            run = dict(row)
            ledger.close_interrupted(lease, run["run_id"])
            result = run["result"] if run["status"] == "delivered" else "interrupted"
            stop = ("INTERRUPTED", "The process ended before this row's turn; it is planned again.")
            closed.append(self._settle(ledger, lease, activation, run, self._plan_file(run), self._verdicts(run["run_id"]), result, stop))
        return closed

    def _warnings(self, connection: Any, ledger: Ledger, activation: Activation) -> list[str]:
        warning = guards.lost_state(connection, ledger, activation.ref)
        return [warning] if warning else []

    def _note(self, ledger: Ledger, plan: Plan) -> None:
        ledger.note_plan(plan.plan_hash, plan.ref, plan.file.name, self.now, plan.counts)

    def _ask(
        self,
        connection: Any,
        models: Models,
        ledger: Ledger,
        activation: Activation,
        plan_file: Path,
        verdicts: Path,
        run_id: str | None = None,
        now: datetime | None = None,
    ) -> dict[str, int]:
        unsettled, leaving = on_their_way(ledger, activation.ref, self.declarations.activations, self._files)
        policies = self.declarations.policies
        return gate.ask(connection, models, policies, activation, plan_file, now or self.now, verdicts, unsettled, leaving, run_id)

    def _files(self, run: Mapping[str, Any]) -> tuple[Path, Path]:
        return self._plan_file(run), self._verdicts(run["run_id"])

    def _plan_file(self, run: Mapping[str, Any]) -> Path:
        return self.project.plans / f"{run['ref'].replace('/', '__')}-{run['plan_hash']}.parquet"

    def _verdicts(self, run_id: str) -> Path:
        return self.project.plans / f"{run_id}.gate.parquet"

    def _renderer(self, activation: Activation) -> Renderer | None:
        if activation.kind != "send":
            return None
        address = os.environ.get("SLUICE_COLLECTOR_URL", "http://127.0.0.1:4020")
        links = None if activation.send.to else Links(project_key(self.project.state), address, self.now)
        folder, experiment = self.project.declarations / "content", activation.send.experiment

        def renderer(name: str, arms: Mapping[str, Renderer] | None = None) -> Renderer:
            content, send = self.declarations.contents[name], activation.send
            return Renderer(folder, name, content, activation.variant, send.purpose, links, arms, send.confirms)

        others = {arm: renderer(name) for arm, name in experiment.content.items()} if experiment else None
        return renderer(activation.send.content, others)


@contextmanager
def held(ledger: Ledger, ref: str) -> Iterator[Lease]:
    """The lease of `ref`, kept as long as this process lives, whatever it waits for. Raises Held."""
    lease = ledger.acquire(ref, f"pid {os.getpid()}")
    over = threading.Event()

    def keep() -> None:
        while not over.wait(LEASE_SECONDS / 3):
            # Busy or full for the moment: it is tried again, or the lease runs out.
            with suppress(SluiceError), ledger.again() as own:
                try:
                    own.renew(lease)
                except LeaseLost:
                    return

    keeper = threading.Thread(target=keep, name="lease", daemon=True)
    keeper.start()
    try:
        yield lease
    finally:
        over.set()
        keeper.join()
        ledger.release(lease)


@contextmanager
def _stops_on_signals(stop: Stop) -> Iterator[None]:
    """SIGTERM and Ctrl-C finish what is in flight and end cleanly. Only the main thread may listen to signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, _: Any) -> None:
        stop.ask("STOPPED", f"The run was asked to stop ({signal.Signals(number).name}); what was in flight was finished.")

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
