"""What a run says about itself and its destination: that it fails, with why and what to do, or that it is well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from activation.engine.declarations import Activation
from activation.engine.errors import GuardStop, Held, InputsMoved, PlanRefused, SluiceError, UsageError, WarehouseBusy
from activation.engine.ledger import LeaseLost
from activation.engine.settle import Settled
from connectors.base import impersonal

# Nothing is wrong with the sync: another run is at work, or a person asked for what cannot be.
NOBODY_S_FAULT = (Held, InputsMoved, LeaseLost)
# Codes of a connector that say that the destination as a whole takes nothing.
OF_THE_DESTINATION = {"UNAUTHORIZED", "NOT_FOUND"}
STOPPED = "STOPPED"  # a person or the machine ended it
LONGEST = 1000  # characters of a sentence


@dataclass(frozen=True)
class Trouble:
    """Why something fails: a stable code, a sentence, and what to do, with the command. No personal data in it."""

    code: str
    sentence: str
    advice: str


@dataclass(frozen=True)
class Found:
    """How it is with a destination (`hubspot`), or with a sync or send (`hubspot/contacts`): failing with a trouble, or well."""

    subject: str
    trouble: Trouble | None


def of_error(activation: Activation, error: SluiceError) -> list[Found]:
    """What an error that ended a run before its first call says."""
    if isinstance(error, NOBODY_S_FAULT):
        return []
    ref = activation.ref
    if isinstance(error, GuardStop):
        advice = f"Look with `sluice plan {ref}`. If it is as meant: `sluice run {ref} --override-guards WHY`."
        return [_failing(ref, "GUARD", "A guard stopped the run before the first call. " + " ".join(error.reasons), advice)]
    if isinstance(error, PlanRefused):
        return [
            _failing(ref, "PLAN_REFUSED", str(error), "See what no longer fits with `sluice check`; put it right, then `sluice build`.")
        ]
    if isinstance(error, UsageError):
        return [_failing(ref, "CONFIGURATION", str(error), "See what is missing with `sluice doctor`.")]
    if isinstance(error, WarehouseBusy):
        return [_failing(ref, "WAREHOUSE_BUSY", str(error), f"Then `sluice run {ref}`.")]
    return [_failing(ref, "FAILED", str(error), f"See `sluice doctor`, then `sluice run {ref}`.")]


def of_run(activation: Activation, settled: Settled) -> list[Found]:
    """What a run that ended says. Of two subjects the one at fault is named: a dead destination is not told once for each of its syncs."""
    ref, destination = activation.ref, activation.destination.name
    code, sentence = _why(settled)
    if settled.status == "interrupted" or code == STOPPED:
        return []
    if settled.status == "incomplete" or (settled.status == "stopped" and code in OF_THE_DESTINATION):
        advice = f"Try its address and credentials with `sluice doctor`. What has not left is sent by the next run: `sluice run {ref}`."
        return [_failing(destination, code, sentence, advice)]
    if settled.status == "stopped":
        return [_failing(ref, code, sentence, f"Put it right, then `sluice run {ref}`.")]
    found = list(_reached(destination, settled))
    tried = settled.outcomes["sent"] + settled.outcomes["rejected"] + settled.outcomes["unknown"]
    rejected, limit = settled.outcomes["rejected"], activation.spec.guards.max_rejected_pct
    if rejected * 100 > limit * tried:
        most = next((f"{kind}: {impersonal(reason)}" for outcome, kind, reason, _ in settled.reasons if outcome == "rejected"), "")
        sentence = (
            f"{rejected} of {tried} rows were rejected ({rejected * 100 / tried:.1f}%); at most {limit:g}% may (max_rejected_pct). {most}"
        )
        return [*found, _failing(ref, "REJECTED", sentence, f"See `sluice status`; when it is put right, `sluice retry {ref}`.")]
    return [*found, Found(ref, None)]


def _reached(destination: str, settled: Settled) -> Iterator[Found]:
    if any(counts["attempted"] for counts in settled.operations.values()):
        yield Found(destination, None)


def _why(settled: Settled) -> tuple[str, str]:
    """Code and sentence of what kept the rest from being tried."""
    skipped = [(code, reason) for outcome, code, reason, _ in settled.reasons if outcome == "skipped"]
    paused = [(code, reason) for code, reason in skipped if code == "CIRCUIT_OPEN"]
    anything = [(code, reason) for outcome, code, reason, _ in settled.reasons if outcome in {"unknown", "rejected"}]
    code, reason = (paused or skipped or anything or [("FAILED", "Delivery did not get through.")])[0]
    return code, impersonal(reason)


def _failing(subject: str, code: str, sentence: str, advice: str) -> Found:
    return Found(subject, Trouble(code, sentence.strip()[:LONGEST], advice))
