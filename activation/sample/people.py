"""People: who they are and under which identifiers they can be met, whether or not they ever tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from activation.sample.companies import Companies
from activation.sample.draws import Bools, Floats, Ints, Stream, below, generator, pick, pick_rows, some
from activation.sample.names import (
    CHINESE_GIVEN_NAMES,
    CHINESE_SURNAMES,
    FREE_MAIL_DOMAINS,
    TITLES,
    WESTERN_FIRST_NAMES,
    WESTERN_LAST_NAMES,
    words,
)
from activation.sample.places import IS_AMERICAN, IS_CHINESE, WEIGHT
from activation.sample.products import BUSINESS_INTEREST, CONSUMER_INTEREST
from activation.sample.text import digits, joined, take, tokens, where

# Ranges that numbering plans give to mobile phones in China; in America only numbers reserved for fiction (555-01xx).
_CHINESE_PREFIXES = pl.Series(
    words("130 131 132 135 136 137 138 139 150 151 152 155 156 158 159 176 177 178 180 182 185 186 187 188 189 191 198 199")
)
# By title, then Chinese or English.
TITLE_NAMES = pl.Series([name for pair in TITLES for name in pair[:2]])
_AREA_CODES = pl.Series(words("212 213 305 312 404 415 503 512 602 617 646 702 713 718 773 808 818 832 917 949"))


@dataclass(frozen=True, eq=False)
class People:
    """One entry for each person, in every column. `company` is -1 for those who come for themselves; `warmth` runs from 0 to 1."""

    place: Ints
    chinese: Bools
    business: Bools
    company: Ints
    first_name: pl.Series
    last_name: pl.Series
    full_name: pl.Series
    latin_name: pl.Series
    email: pl.Series
    private_email: pl.Series
    phone: pl.Series
    user_id: pl.Series
    openid: pl.Series
    unionid: pl.Series
    title: Ints
    interest: Ints
    pace: Floats
    warmth: Floats
    opens: Floats

    def __len__(self) -> int:
        return len(self.place)


def gather_people(people: int, seed: int, companies: Companies) -> People:
    """The people of a seed, the same whatever days are written."""
    rng = generator(seed, Stream.PEOPLE)
    business = some(rng, people, 0.55)
    company = np.where(business, pick(rng, people, companies.weight), -1)
    home = pick(rng, people, WEIGHT)
    colleague = business & some(rng, people, 0.9)
    place = np.where(colleague, companies.place[company], home)
    here = IS_CHINESE[place]
    name = _names(rng, here)
    pace = rng.normal(0.0, 1.0, people)
    followed = tokens(rng, people, 23)
    united = tokens(rng, people, 25)
    return People(
        place=place,
        chinese=here,
        business=business,
        company=company,
        first_name=name["first"],
        last_name=name["last"],
        full_name=name["full"],
        latin_name=joined(name["latin_first"], " ", name["latin_last"]),
        email=_emails(rng, name, companies, company),
        private_email=where(business & some(rng, people, 0.25), _free_mail(rng, name)),
        phone=_phones(rng, place),
        user_id=joined("u_", digits(np.arange(people, dtype=np.int64) + 1, 8)),
        openid=where(here, joined("oSlce", followed)),
        unionid=where(here & some(rng, people, 0.7), joined("oUn", united)),
        title=below(rng, people, len(TITLES)),
        interest=pick_rows(rng, business.astype(np.int64), np.array([CONSUMER_INTEREST, BUSINESS_INTEREST])),
        # Lognormal: most come rarely, a few all the time.
        pace=np.exp(-1.0 + 1.05 * pace),
        warmth=_rank(pace + 0.8 * rng.normal(0.0, 1.0, people)),
        opens=rng.beta(2.0, 3.5, people),
    )


def _rank(values: Floats) -> Floats:
    rank = np.empty(len(values))
    rank[np.argsort(values, kind="stable")] = (np.arange(len(values)) + 0.5) / len(values)
    return rank


def _names(rng: np.random.Generator, here: Bools) -> pl.DataFrame:
    """Chinese and Western names: by place, with a few who live elsewhere than where their name comes from."""
    size = len(here)
    chinese = here ^ some(rng, size, np.where(here, 0.02, 0.12))
    surname, given = below(rng, size, len(CHINESE_SURNAMES)), below(rng, size, len(CHINESE_GIVEN_NAMES))
    first, last = below(rng, size, len(WESTERN_FIRST_NAMES)), below(rng, size, len(WESTERN_LAST_NAMES))
    written = pl.Series(chinese & here)
    latin_first = take(pl.Series([pinyin.title() for _, pinyin in CHINESE_GIVEN_NAMES]), given).zip_with(
        pl.Series(chinese), take(pl.Series(WESTERN_FIRST_NAMES), first)
    )
    latin_last = take(pl.Series([pinyin.title() for _, pinyin in CHINESE_SURNAMES]), surname).zip_with(
        pl.Series(chinese), take(pl.Series(WESTERN_LAST_NAMES), last)
    )
    given_name = take(pl.Series([name for name, _ in CHINESE_GIVEN_NAMES]), given)
    family_name = take(pl.Series([name for name, _ in CHINESE_SURNAMES]), surname)
    return pl.DataFrame(
        {
            "first": given_name.zip_with(written, latin_first),
            "last": family_name.zip_with(written, latin_last),
            "full": joined(family_name, given_name).zip_with(written, joined(latin_first, " ", latin_last)),
            "latin_first": latin_first,
            "latin_last": latin_last,
        }
    )


def _emails(rng: np.random.Generator, name: pl.DataFrame, companies: Companies, company: Ints) -> pl.Series:
    """At work by the company's pattern, otherwise at a free-mail host; nobody shares one."""
    first, last = name["latin_first"].str.to_lowercase(), name["latin_last"].str.to_lowercase()
    pattern = companies.pattern[company]
    local = joined(last, ".", first).zip_with(
        pl.Series(pattern == 0), joined(first, ".", last).zip_with(pl.Series(pattern == 1), joined(first.str.slice(0, 1), ".", last))
    )
    work = _addresses(local, take(companies.domain, np.maximum(company, 0)))
    return work.zip_with(pl.Series(company >= 0), _free_mail(rng, name))


def _free_mail(rng: np.random.Generator, name: pl.DataFrame) -> pl.Series:
    year = digits(below(rng, len(name), 40) + 65, 2)
    local = joined(name["latin_first"].str.to_lowercase(), ".", name["latin_last"].str.to_lowercase(), year.str.slice(-2))
    return _addresses(local, take(pl.Series(FREE_MAIL_DOMAINS), pick(rng, len(name), [5, 3, 2])))


def _addresses(local: pl.Series, domain: pl.Series) -> pl.Series:
    """local@domain, with a number where two people have the same."""
    frame = pl.DataFrame({"local": local, "domain": domain})
    nth = pl.col("local").cum_count().over("local", "domain")
    numbered = pl.when(nth > 1).then(pl.concat_str("local", pl.lit("."), nth.cast(pl.String))).otherwise(pl.col("local"))
    return frame.select(pl.concat_str(numbered, pl.lit("@"), pl.col("domain")).alias("address")).to_series()


def _phones(rng: np.random.Generator, place: Ints) -> pl.Series:
    """Mobile numbers in E.164, each once: for most in China, for some in America, elsewhere nobody gives one."""
    size = len(place)
    # The factor shares no divisor with 10^8, so no two people get the same eight digits.
    scattered = (np.arange(size, dtype=np.int64) * 61_803_399 + 27_182_818) % 100_000_000
    chinese = joined("+86", take(_CHINESE_PREFIXES, below(rng, size, len(_CHINESE_PREFIXES))), digits(scattered, 8))
    nth = np.cumsum(IS_AMERICAN[place]) - 1
    american = joined("+1", take(_AREA_CODES, np.maximum(nth, 0) // 100 % len(_AREA_CODES)), "55501", digits(nth % 100, 2))
    gives = some(rng, size, 0.85)
    reserved = IS_AMERICAN[place] & (nth < 100 * len(_AREA_CODES))
    return where(gives & IS_CHINESE[place], chinese).zip_with(pl.Series(IS_CHINESE[place]), where(gives & reserved, american))
