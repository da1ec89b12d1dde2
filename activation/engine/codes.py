"""Every code by which a row does not leave, or does not arrive, and what to do about it. Connectors add codes of their vendors."""

from __future__ import annotations

OUTCOMES = ("sent", "rejected", "withheld", "unknown", "skipped", "invalid")  # of a row of a plan: exactly one
REMEDIES = {
    # invalid: the row cannot be planned, or its message cannot be made
    "NULL_KEY": "Fill the key in the model, or filter such rows out.",
    "DUPLICATE_KEY": "Make the key unique in the model; none of its rows leaves until it is.",
    "NULL_MATCH": "Fill the column of `match_on`, or filter such rows out.",
    "MISSING_FIELD": "Fill the fields that the sync's `exchange` requires, or let the row wait until they are there.",
    "TEMPLATE_ERROR": "Mend the content, or give a default for what is not always there.",
    # not planned: only the funnel of a preview counts these
    "EXCLUDED": "Nothing: the audience's `exclude` says so.",
    "EXCLUDED_EVERYWHERE": "Nothing: policies/exclusions.yml says so.",
    "LIMIT": "Nothing: the audience's `limit` says so.",
    "HAD_IT": "Nothing: a send reaches a person once.",
    "UNCHANGED": "Nothing: the destination has these rows as they are.",
    "DEAD": "See `sluice ledger`: it failed too often, or a person discarded it. It comes again when it changes, or by `resend`.",
    # withheld: the gate
    "WATERFALL": "Nothing: a send ahead in policies/waterfalls.yml has this person.",
    "NO_PROFILE": "Give the model a profile_id of dim_profiles, or declare `about: accounts` if no person is meant.",
    "CONSENT_WITHDRAWN": "Nothing: the person said no. Only the person can say yes again.",
    "CONSENT_PENDING": "Send the confirmation (a send with `confirms`), and wait for the person's answer.",
    "CONSENT_EXPIRED": "Ask for consent again, by a form or the preference page.",
    "NO_CONSENT": "Ask for consent to this purpose and channel, by a form or the preference page.",
    "OBJECTED": "Nothing: the person objected.",
    "HARD_BOUNCE": "Find another address; this one takes no messages any more.",
    "COMPLAINT": "Nothing: the person complained.",
    "DO_NOT_CONTACT": "Nothing, as long as the CRM says so.",
    "SUPPRESSED": "See `sluice explain` for the suppression and where it comes from.",
    "NO_*": "Collect the identifier, or choose another channel for these people.",
    "BAD_*": "Correct the identifier where it comes from.",
    "HOLDOUT_UNIVERSAL": "Nothing: policies/holdouts.yml keeps these people without messages, for comparison.",
    "HOLDOUT": "Nothing: the send's `holdout` keeps these people without it, for comparison.",
    "EXPERIMENT_CONTROL": "Nothing: the arm `control` gets nothing, for comparison.",
    "CAP_*": "Wait, or change policies/frequency_caps.yml. It is planned again by every run.",
    "QUIET_HOURS": "Run again when the quiet time is over; the reason says when.",
    "QUIET_HOURS_DROPPED": "Nothing: the send says `quiet_hours: drop`.",
    "QUOTA_PERSON": "Wait for the provider's next day, week or month. It is planned again by every run.",
    "QUOTA": "Run again on the provider's next day, week or month, or change policies/channel_quotas.yml.",
    # skipped or unknown: it was not this row's turn, or no answer came
    "ALREADY_SENT": "Nothing: the person has had this message.",
    "HELD": "See `sluice status`: it may have arrived, and a receipt or a person settles it.",
    "INTERRUPTED": "Run again; what was in flight is settled first.",
    "STOPPED": "Run again; the rest is planned again.",
    "CIRCUIT_OPEN": "Wait until the destination answers again, then run again.",
    "UNREACHABLE": "Look at the destination's address with `sluice doctor`.",
    "NO_ANSWER": "Records are planned again. Messages are held until a receipt comes or a person decides.",
    "NO_ANSWERS": "Look at the destination; it was paused after several calls without an answer.",
    "NO_MATCH": "Nothing, or let the sync create records (`match_policy`).",
    "BROKEN_CONNECTOR": "The connector answered for fewer or more rows than it was given; mend it.",
    "MERGED": "Nothing: two profiles were found to be one person, and the other record goes.",
}


def remedy(code: str) -> str | None:
    """What to do about a code; None for codes of a vendor."""
    if code in REMEDIES:
        return REMEDIES[code]
    family = f"{code.split('_')[0]}_*"
    return REMEDIES.get(family) if family != "NO_*" or code.startswith(("NO_EMAIL", "NO_PHONE", "NO_WECHAT")) else None
