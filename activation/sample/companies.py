"""Companies: names, mail domains, trade and size. Their domains end in `.example`, which is reserved and reaches nobody."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from activation.sample.draws import Bools, Floats, Ints, Stream, below, generator, pick, some
from activation.sample.names import CHINESE_COMPANY_STEMS, TRADES, WESTERN_COMPANY_STEMS, WESTERN_LEGAL_FORMS
from activation.sample.places import IS_CHINESE, PLACES, WEIGHT
from activation.sample.text import digits, joined, take

_SLUGS = pl.Series([place.slug for place in PLACES])
_CITIES = pl.Series([place.chinese for place in PLACES])


@dataclass(frozen=True, eq=False)
class Companies:
    """One entry for each company, in every column; `weight` is the share of business people who work there."""

    account_id: pl.Series
    name: pl.Series
    domain: pl.Series
    place: Ints
    trade: Ints
    employees: Ints
    revenue: Ints
    weight: Floats
    scans_mail: Bools
    pattern: Ints
    created: Floats
    touched: Floats

    def __len__(self) -> int:
        return len(self.place)


def found_companies(people: int, seed: int) -> Companies:
    """About one company for every eleven people: few large, many small."""
    rng = generator(seed, Stream.COMPANIES)
    size = max(3, round(people * 0.09))
    place = pick(rng, size, WEIGHT)
    trade = below(rng, size, len(TRADES))
    chinese = IS_CHINESE[place]
    stem = below(rng, size, np.where(chinese, len(CHINESE_COMPANY_STEMS), len(WESTERN_COMPANY_STEMS)))
    employees = np.clip(np.exp(rng.normal(4.3, 1.3, size)), 3, 50_000).astype(np.int64)
    return Companies(
        account_id=joined("acc-", digits(np.arange(size, dtype=np.int64) + 1, 6)),
        name=_names(chinese, place, stem, trade, below(rng, size, len(WESTERN_LEGAL_FORMS))),
        domain=_domains(chinese, place, stem, trade),
        place=place,
        trade=trade,
        employees=employees,
        revenue=(employees * np.exp(rng.normal(11.5, 0.5, size)) / 10_000).astype(np.int64) * 10_000,
        # Few companies have many people here, most have one or two.
        weight=(1.0 + np.arange(size, dtype=np.float64)) ** -0.6,
        scans_mail=some(rng, size, 0.18),
        pattern=below(rng, size, 3),
        created=-rng.exponential(300.0, size) + 25.0,
        touched=rng.random(size) * 60.0,
    )


def _names(chinese: Bools, place: Ints, stem: Ints, trade: Ints, form: Ints) -> pl.Series:
    here = joined(
        take(_CITIES, place),
        take(pl.Series([name for name, _ in CHINESE_COMPANY_STEMS]), stem % len(CHINESE_COMPANY_STEMS)),
        take(pl.Series([word for _, word, _ in TRADES]), trade),
        "有限公司",
    )
    abroad = joined(
        take(pl.Series(WESTERN_COMPANY_STEMS), stem % len(WESTERN_COMPANY_STEMS)),
        " ",
        take(pl.Series([word for _, _, word in TRADES]), trade),
        " ",
        take(pl.Series(WESTERN_LEGAL_FORMS), form),
    )
    return here.zip_with(pl.Series(chinese), abroad)


def _domains(chinese: Bools, place: Ints, stem: Ints, trade: Ints) -> pl.Series:
    here = joined(take(_SLUGS, place), "-", take(pl.Series([name for _, name in CHINESE_COMPANY_STEMS]), stem % len(CHINESE_COMPANY_STEMS)))
    abroad = joined(
        take(pl.Series([name.lower() for name in WESTERN_COMPANY_STEMS]), stem % len(WESTERN_COMPANY_STEMS)),
        "-",
        take(pl.Series([word.lower() for _, _, word in TRADES]), trade),
    )
    return joined(unique(here.zip_with(pl.Series(chinese), abroad)), ".example")


def unique(names: pl.Series) -> pl.Series:
    """The names, every repetition of one with a number behind it."""
    frame = names.to_frame("name").with_columns(pl.col("name").cum_count().over("name").alias("nth"))
    numbered = pl.when(pl.col("nth") > 1).then(pl.concat_str("name", pl.lit("-"), pl.col("nth").cast(pl.String)))
    return frame.select(numbered.otherwise(pl.col("name")).alias("name")).to_series()
