"""Random draws that depend on nothing but the seed and what they are for.

Every stream of every day has its own generator, so a day can be written without the days before it, in any order.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# Seeds of a generator must not be negative, days before the start are.
_DAY_ZERO = 1_000_000
NEVER = np.inf


class Stream(IntEnum):
    """What a generator is for. The numbers are part of what a seed means: they are never reused or changed."""

    COMPANIES = 1
    PEOPLE = 2
    TIMELINE = 3
    DEVICES = 4
    VISITS = 5
    WEB = 6
    ODD_VISITORS = 7
    ORDERS = 8
    MAIL = 9
    ORDER_MAIL = 10
    SMS = 11
    ORDER_SMS = 12
    WECHAT = 13
    CRM = 14
    FORMS = 15
    WEBINAR = 16
    CHECKINS = 17
    ADS = 18
    CONSENTS = 19
    ENVELOPE = 20


def generator(seed: int, stream: Stream, day: int = 0, part: int = 0) -> np.random.Generator:
    """The generator of one stream, day and part."""
    return np.random.default_rng([seed, int(stream), _DAY_ZERO + day, part])


def pick(rng: np.random.Generator, size: int, weights: npt.ArrayLike) -> Ints:
    """`size` positions, each drawn with the weight of its position."""
    return pick_rows(rng, np.zeros(size, dtype=np.int64), np.asarray([weights], dtype=np.float64))


def pick_rows(rng: np.random.Generator, rows: Ints, weights: Floats) -> Ints:
    """One position for each entry of `rows`, weighed by that row of the table `weights`."""
    ends = np.cumsum(weights, axis=1)
    ends /= ends[:, -1:]
    drawn = rng.random(len(rows))
    position = np.zeros(len(rows), dtype=np.int64)
    for row in range(len(ends)):
        here = rows == row
        position[here] = np.searchsorted(ends[row], drawn[here], side="right")
    # The last end may round to just below one.
    np.minimum(position, weights.shape[1] - 1, out=position)
    return position


def some(rng: np.random.Generator, size: int, share: Floats | float) -> Bools:
    """True for about that share; `share` is one number or one for each."""
    return np.less(rng.random(size), share)


def below(rng: np.random.Generator, size: int, limit: Ints | float) -> Ints:
    """Whole numbers from 0 to below `limit`, which is one number or one for each."""
    return np.multiply(rng.random(size), limit).astype(np.int64)


def after(rng: np.random.Generator, since: Floats, mean: float, share: Floats | float) -> Floats:
    """A moment some days after `since`, exponentially distributed, for about that share; never for the rest."""
    later = since + rng.exponential(mean, len(since))
    return np.where(some(rng, len(since), share), later, NEVER)


def lot(numbers: Ints, salt: int) -> Ints:
    """A number from 0 to 99 for each, always the same for the same number and salt: choices that must hold over days."""
    mixed = (numbers.astype(np.uint64) + np.uint64(salt * 7919 + 1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return ((mixed >> np.uint64(40)) % np.uint64(100)).astype(np.int64)
