"""The gate's rules, in their order, as SQL conditions over `gate_rows`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from activation.engine.declarations import Activation
from activation.engine.draws import draws
from activation.engine.errors import PlanRefused
from activation.engine.gate.quiet_hours import inside
from activation.engine.gate.quotas import applying, of_one_person
from activation.engine.policies import Cap, Policies
from activation.engine.warehouse import literal

VALID = {
    "email": r"^[^@\s,;<>\"]{1,64}@[^@\s.]+(\.[^@\s.]+)+$",
    "phone": r"^\+[1-9][0-9]{6,14}$",
    "wechat_openid": r"^[A-Za-z0-9_-]{6,64}$",
    "wecom_external_userid": r"^w[mo][A-Za-z0-9_-]{6,62}$",
}


@dataclass(frozen=True)
class Rule:
    """One reason to withhold a row: an SQL condition over `r`, its code, and SQL that says why. `draw` names what is drawn there."""

    code: str
    condition: str
    says: str
    not_before: str | None = None
    draw: str | None = None


def rules(policies: Policies, activation: Activation) -> list[Rule]:
    """All rules for this sync or send. Raises PlanRefused when its purpose is in no policy."""
    purpose = policies.purposes.get(activation.spec.purpose)
    if purpose is None:
        raise PlanRefused(f"{activation.file}: purpose `{activation.spec.purpose}` is in no policy, so nothing may leave for it.")
    found = [*_waterfall(activation)]
    if activation.kind == "send" or activation.sync.about == "people":
        found += [*_person(activation, purpose.basis)]
    found += [*_contact(activation), *_draws(policies, activation)]
    if activation.object.message and purpose.basis != "transactional":
        found += [*_caps(policies, activation), *_quiet_hours(policies, activation)]
    if activation.object.message:
        found += [*_quotas(policies, activation)]
    return found


def _rule(code: str, condition: str, sentence: str) -> Rule:
    return Rule(code, condition, literal(sentence))


def _waterfall(activation: Activation) -> Iterator[Rule]:
    if activation.ahead:
        says = "'The person belongs to ' || r.taken_by || ', which stands before this send in its waterfall.'"
        yield Rule("WATERFALL", "r.taken_by is not null", says)


def _person(activation: Activation, basis: str) -> Iterator[Rule]:
    topic = activation.send.topic if activation.kind == "send" else None
    what = f"{activation.spec.purpose}{f' ({topic})' if topic else ''} by {activation.channel}"
    nobody = "It belongs to no known profile, so nobody can be asked for consent."
    yield _rule("NO_PROFILE", "r.profile_id is null or not r.is_known", nobody)
    if basis == "consent":
        yield _rule("CONSENT_WITHDRAWN", "r.consent = 'withdrawn'", f"The person withdrew consent to {what}.")
        yield _rule("CONSENT_PENDING", "r.consent = 'pending'", f"The person has not confirmed the consent to {what} yet.")
        yield _rule("CONSENT_EXPIRED", "r.consent = 'expired'", f"The person's consent to {what} has ended.")
        yield _rule("NO_CONSENT", "r.consent is distinct from 'granted'", f"The person never consented to {what}.")
    elif basis == "objection":
        yield _rule("OBJECTED", "r.consent = 'withdrawn'", f"The person objected to {what}.")
    suppressed = "r.blocked_always" if basis == "transactional" else "r.blocked_any"
    yield _rule("HARD_BOUNCE", f"{suppressed} = 'hard_bounce'", "The address takes no messages any more (hard bounce).")
    yield _rule("COMPLAINT", f"{suppressed} = 'complaint'", "The person complained about a message.")
    yield _rule("DO_NOT_CONTACT", f"{suppressed} = 'do_not_contact'", "The person is marked do-not-contact.")
    yield _rule("SUPPRESSED", f"{suppressed} is not null", "The person is on the suppression list of this channel.")


def _contact(activation: Activation) -> Iterator[Rule]:
    contact = activation.object.contact
    if activation.kind == "send" and (to := activation.send.to):
        yield _rule("NO_COLLEAGUE", "r.match_value is null or r.match_value = ''", f"Nobody is to be told of the person: `{to}` is empty.")
        if contact:
            yield _rule(
                "BAD_COLLEAGUE", f"not regexp_full_match(r.match_value, {literal(VALID[contact])})", f"`{to}` is no valid {contact}."
            )
    elif contact:
        name, valid = contact.upper(), literal(VALID[contact])
        yield _rule(f"NO_{name}", "r.match_value is null or r.match_value = ''", f"The profile has no {contact}.")
        yield _rule(f"BAD_{name}", f"not regexp_full_match(r.match_value, {valid})", f"The {contact} is not a valid one.")


def _draws(policies: Policies, activation: Activation) -> Iterator[Rule]:
    codes = {
        "holdout:universal": ("HOLDOUT_UNIVERSAL", "The person is held out of all messages, so that their effect can be measured."),
        f"holdout:{activation.ref}": ("HOLDOUT", "The person is held out of this send, so that its effect can be measured."),
    }
    control = ("EXPERIMENT_CONTROL", "The person is in the arm of the experiment that gets nothing.")
    for index, draw in enumerate(draws(policies, activation)):
        code, sentence = codes.get(draw.name, control)
        yield Rule(code, f"r.draw_{index} = {literal(draw.withheld)}", literal(sentence), draw=draw.name)


def _caps(policies: Policies, activation: Activation) -> Iterator[Rule]:
    for index, cap in enumerate(applying(policies.caps, activation)):
        kept = _kept(cap, activation)
        room = cap.messages - kept
        sentence = f"Had {room} {_over(cap)} {f'in {cap.days:g} days' if cap.days is not None else f'this {cap.per}'}."
        if kept and cap.reserve:
            sentence = f"{sentence[:-1]}; the last {kept} of {cap.messages} are kept for sends of priority {cap.reserve.priority} or more."
        code = "_".join(["CAP", (cap.channel or "all").upper(), *([cap.purpose.upper()] if cap.purpose else [])])
        yield _rule(code, f"r.cap_{index} >= {room}", sentence)


def _over(cap: Cap) -> str:
    what = f"{cap.purpose} messages" if cap.purpose else "messages"
    return f"{cap.channel} {what}" if cap.channel else f"{what} over all channels"


def _kept(cap: Cap, activation: Activation) -> int:
    """How many places of the cap this send may not use."""
    return cap.reserve.messages if cap.reserve and activation.send.priority < cap.reserve.priority else 0


def _quiet_hours(policies: Policies, activation: Activation) -> Iterator[Rule]:
    window = policies.quiet_hours.channels.get(activation.channel)
    if window is None:
        return
    where = f"It is quiet time for {activation.channel} where the person is ({window.start} to {window.end}); "
    if activation.send.quiet_hours == "drop":
        yield _rule("QUIET_HOURS_DROPPED", inside(window, "r.local_now"), f"{where}it is dropped.")
    else:
        says = f"{literal(f'{where}it is planned again, and may leave from ')} || strftime(r.loud_at, '%Y-%m-%d %H:%M') || ' UTC.'"
        yield Rule("QUIET_HOURS", inside(window, "r.local_now"), says, not_before="r.loud_at")


def _quotas(policies: Policies, activation: Activation) -> Iterator[Rule]:
    for index, quota in enumerate(of_one_person(policies.quotas.quotas, activation)):
        where = quota.channel or quota.destination
        sentence = f"Had {quota.messages} messages by {where} this {quota.per}, which is all that the provider allows for one person."
        yield _rule("QUOTA_PERSON", f"r.quota_{index} >= {quota.messages}", sentence)
