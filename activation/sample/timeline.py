"""What becomes of each person and when: sign-up, follow, stages of the sale, consent and its end.

Every moment is drawn once, as days since the start (negative: before it; `NEVER`: not at all). A day's facts are the moments that
fall on it, so a later day never contradicts an earlier one and needs none of its files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from activation.sample.draws import NEVER, Bools, Floats, Stream, after, generator, pick, some
from activation.sample.people import People
from activation.sample.places import HOURS, UTC_OFFSET


@dataclass(frozen=True, eq=False)
class Timeline:
    """One moment for each person, in every column of days."""

    arrived: Floats
    gone: Floats
    signed_up: Floats
    # CRM: the record, a second record of the same person, the stages of the sale, the wish to be left alone.
    recorded: Floats
    recorded_again: Floats
    lead: Floats
    qualified: Floats
    accepted: Floats
    opportunity: Floats
    closed: Floats
    won: Bools
    objected: Floats
    # Mail and SMS: consent, its end and how it ended, when the address stops working.
    newsletter: Floats
    promotion: Floats
    left_mail: Floats
    left_by_mail: Bools
    complains: Bools
    mailbox_gone: Floats
    texts: Floats
    left_texts: Floats
    number_gone: Bools
    # WeChat: follows, gives a phone number, unfollows.
    followed: Floats
    bound: Floats
    unfollowed: Floats
    downloaded: Floats
    # Comes back in waves: the length of a wave's period in days, and where in it the person is at the start.
    period: Floats
    phase: Floats


def draw_timeline(seed: int, people: People) -> Timeline:
    """The moments of everybody, the same whatever days are written."""
    rng = generator(seed, Stream.TIMELINE)
    size = len(people)

    def awake(moments: Floats) -> Floats:
        """The same days, at a local hour at which people do things."""
        hour = pick(rng, size, HOURS) + rng.random(size) - UTC_OFFSET[people.place]
        return np.where(np.isfinite(moments), np.floor(moments) + hour % 24 / 24, NEVER)

    def later(since: Floats, mean: float, share: Floats | float) -> Floats:
        """Some days after `since`, never before it."""
        return np.maximum(awake(after(rng, since, mean, share)), since + 0.01)

    # Most were there before the first day; new people keep coming, ever more slowly.
    arrived = awake(np.where(some(rng, size, 0.7), -rng.exponential(140.0, size), rng.exponential(32.0, size)))
    signed_up = later(arrived, 25.0, 0.2 + 0.5 * people.warmth)
    recorded = later(np.where(people.business, arrived, signed_up), 8.0, np.where(people.business, 0.95, 0.75))
    lead = later(recorded, 20.0, np.where(people.business, 0.45 + 0.5 * people.warmth, 0.1))
    qualified = later(lead, 25.0, 0.35 + 0.5 * people.warmth)
    accepted = later(qualified, 18.0, 0.65)
    opportunity = later(accepted, 12.0, np.where(people.business, 0.75, 0.2))
    newsletter = later(np.minimum(recorded, signed_up), 14.0, 0.66)
    left_mail = later(newsletter, 160.0, 0.6)
    texts = np.where(people.phone.is_not_null().to_numpy(), later(np.minimum(recorded, signed_up), 25.0, 0.55), NEVER)
    followed = np.where(people.chinese, later(arrived, 45.0, 0.5), NEVER)
    unfollowed = later(followed, 170.0, 0.5)
    bound = later(followed, 40.0, np.where(people.phone.is_not_null().to_numpy(), 0.75, 0.0))
    return Timeline(
        arrived=arrived,
        gone=later(arrived, 240.0, 0.7),
        signed_up=signed_up,
        recorded=recorded,
        recorded_again=later(recorded, 50.0, 0.085),
        lead=lead,
        qualified=qualified,
        accepted=accepted,
        opportunity=opportunity,
        closed=later(opportunity + 9.0, 16.0, 0.9),
        won=some(rng, size, 0.3 + 0.3 * people.warmth),
        objected=later(recorded, 200.0, 0.05),
        newsletter=newsletter,
        promotion=np.where(some(rng, size, 0.65), newsletter, NEVER),
        left_mail=left_mail,
        left_by_mail=some(rng, size, 0.6),
        complains=some(rng, size, 0.1),
        mailbox_gone=awake(np.where(some(rng, size, 0.3), rng.random(size) * 400.0, NEVER)),
        texts=texts,
        left_texts=later(texts, 150.0, 0.5),
        number_gone=some(rng, size, 0.03),
        followed=followed,
        bound=np.where(bound < unfollowed, bound, NEVER),
        unfollowed=unfollowed,
        downloaded=later(arrived, 30.0, np.where(people.business, 0.3, 0.05)),
        period=25.0 + rng.random(size) * 50.0,
        phase=rng.random(size) * 75.0,
    )
