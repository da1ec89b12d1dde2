"""What advertising cost: impressions, clicks and money by day and ad group, in proportion to the visits it brought."""

from __future__ import annotations

import numpy as np
import polars as pl

from activation.sample.campaigns import ENTRIES, PAID
from activation.sample.draws import Ints, Stream
from activation.sample.visits import visits
from activation.sample.world import World

_GROUPS = ("core", "broad")
# The share of an ad group in its entry's clicks, and how many look for one that clicks.
_SHARE = np.array([0.7, 0.3])
_LOOKS = np.array([28.0, 75.0])


def ads_table(world: World, day: int) -> pl.DataFrame:
    """One row for each platform, campaign and ad group of the day; the currency is yuan throughout."""
    rng = world.rng(Stream.ADS, day)
    rows = [
        _row(rng, world, day, int(entry), group, brought)
        for entry, brought in zip(np.flatnonzero(PAID), _paid_visits(world, day), strict=True)
        for group in range(len(_GROUPS))
    ]
    return (
        pl.DataFrame(rows, orient="row", schema=["date", "platform", "campaign", "ad_group", "impressions", "clicks", "cost", "currency"])
        .with_columns(pl.col("cost").round(2))
        .sort("platform", "campaign", "ad_group")
    )


def _paid_visits(world: World, day: int) -> list[int]:
    total: Ints = np.zeros(len(ENTRIES), dtype=np.int64)
    for part in world.parts:
        total += np.bincount(visits(world, day, part).entry, minlength=len(ENTRIES))
    return [int(count) for count in total[PAID]]


def _row(rng: np.random.Generator, world: World, day: int, number: int, group: int, brought: int) -> tuple[str | int | float, ...]:
    entry = ENTRIES[number]
    # More clicks are paid for than visits are seen: some leave before the page is there.
    clicks = int(rng.poisson(brought * 1.12 * _SHARE[group]))
    looks = int(rng.poisson(12 + clicks * _LOOKS[group]))
    cost = clicks * entry.cost_per_click * rng.uniform(0.85, 1.15)
    name = f"{entry.term or entry.campaign}-{_GROUPS[group]}"
    return (str(world.date(day)), entry.platform or "", entry.campaign or "", name, looks, clicks, float(cost), "CNY")
