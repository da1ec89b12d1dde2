"""What a segment's file may say: each class is one kind of condition."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from activation.engine.specs import Name, Spec, Text, Zone

DURATION = re.compile(r"^(-?)(\d{1,5}) (minute|hour|day|week|month|year)s?$")
CALENDAR = re.compile(r"^(today|yesterday|(this|last)_(week|month|quarter|year))$")
PROPERTY = re.compile(r"^[a-z_][a-z0-9_]*$|^properties(\.[A-Za-z0-9_ -]+)+$")


def _duration(value: str) -> str:
    if not DURATION.match(value) or value.startswith("-"):
        raise ValueError("write a duration such as `30 days` or `24 hours`")
    return value


def _offset(value: str) -> str:
    if not DURATION.match(value):
        raise ValueError("write a distance such as `7 days`, or `-3 days` for before")
    return value


def _calendar(value: str) -> str:
    if not CALENDAR.match(value):
        raise ValueError("write today, yesterday, or this_ or last_ and week, month, quarter or year")
    return value


def _day(value: str) -> str:
    try:
        date.fromisoformat(value)
    except ValueError:
        raise ValueError("write a date such as 2026-10-31") from None
    return value


def _moment(value: str) -> str:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("write a date or moment (UTC) such as 2026-10-31 or 2026-10-31T10:00:00") from None
    return value


def _order(value: str) -> str:
    if not re.match(r"^[a-z_][a-z0-9_]* (asc|desc)$", value):
        raise ValueError("write a column and a direction, such as `score desc`")
    return value


Duration = Annotated[str, AfterValidator(_duration)]
Offset = Annotated[str, AfterValidator(_offset)]
Calendar = Annotated[str, AfterValidator(_calendar)]
Day = Annotated[str, AfterValidator(_day)]
Moment = Annotated[str, AfterValidator(_moment)]
Scalar = str | int | float | bool
Column = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$")]


class Condition(Spec):
    """One condition. Its keys are told apart by the one that every condition of its kind has."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, populate_by_name=True)


class Comparison(Condition):
    """What a value must be. All that is said must hold; a value that is not known fits `is_not`, `not_in` and `known: false` only."""

    is_: Scalar | None = Field(default=None, alias="is")
    is_not: Scalar | None = None
    in_: list[Scalar] | None = Field(default=None, alias="in", min_length=1)
    not_in: list[Scalar] | None = Field(default=None, min_length=1)
    at_least: int | float | None = None
    more_than: int | float | None = None
    at_most: int | float | None = None
    less_than: int | float | None = None
    contains: Text | None = None
    starts_with: Text | None = None
    matches: Text | None = None
    known: bool | None = None
    before: Moment | None = None
    after: Moment | None = None
    in_last: Duration | None = None
    in_next: Duration | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Comparison:
        if not self.model_fields_set:
            raise ValueError("say what the value must be, such as `{at_least: 3}`")
        return self


class Times(Condition):
    """How often. Without `at_least`, never is often enough. With `same`, of one and the same value of that property."""

    at_least: int | None = Field(default=None, ge=1)
    at_most: int | None = Field(default=None, ge=0)
    exactly: int | None = Field(default=None, ge=0)
    same: Text | None = None

    @model_validator(mode="after")
    def _is_a_range(self) -> Times:
        if self.exactly is not None and (self.at_least is not None or self.at_most is not None):
            raise ValueError("`exactly` stands alone")
        if self.exactly is None and self.at_least is None and self.at_most is None:
            raise ValueError("say at_least, at_most or exactly")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError("at_least is more than at_most, so nobody fits")
        if self.same is not None and self.lowest == 0:
            raise ValueError("`same` needs at_least: it counts what was done")
        return self

    @property
    def lowest(self) -> int:
        return self.exactly if self.exactly is not None else self.at_least or 0

    @property
    def highest(self) -> int | None:
        return self.exactly if self.exactly is not None else self.at_most


class RelativeTo(Condition):
    """From so long before (`-3 days`) or after the date in a field of the person, until so long before or after it."""

    field: Column
    from_: Offset = Field(alias="from")
    until: Offset


class Window(Condition):
    """When: one of these, or ever. Never later than the moment the build speaks about."""

    within: Duration | None = None
    during: Calendar | None = None
    between: Annotated[list[Day], Field(min_length=2, max_length=2)] | None = None
    relative_to: RelativeTo | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Window:
        if sum(value is not None for value in (self.within, self.during, self.between, self.relative_to)) > 1:
            raise ValueError("give one of within, during, between and relative_to")
        if self.between and self.between[0] > self.between[1]:
            raise ValueError("`between` ends before it begins")
        return self


class Did(Window):
    """Did something: so often, in a window; or whose first or last time of it was so."""

    did: Text
    where: dict[str, Any] = Field(default={})
    times: Times | None = None
    occurrence: Literal["first", "last"] | None = None

    @model_validator(mode="after")
    def _is_counted_or_picked(self) -> Did:
        if self.times and self.occurrence:
            raise ValueError("`times` counts and `occurrence` picks one: give one of them")
        return self


class DidNot(Window):
    """Did not do it in the window."""

    did_not: Text
    where: dict[str, Any] = Field(default={})


class Step(Condition):
    """One step of a sequence, after the one before it, and `within` so long of that."""

    did: Text
    where: dict[str, Any] = Field(default={})
    within: Duration | None = None


class Sequence(Window):
    """Did these one after the other, all of them in the window."""

    sequence: Annotated[list[Step], Field(min_length=2)]

    @model_validator(mode="after")
    def _begins_somewhere(self) -> Sequence:
        if self.sequence[0].within:
            raise ValueError("the first step comes after nothing: leave its `within` out")
        return self


class Profile(Condition):
    """Columns of dim_profiles and what they must be."""

    profile: dict[Column, Any] = Field(min_length=1)


class Account(Condition):
    """Columns of dim_accounts and what they must be, of the person's company."""

    account: dict[Column, Any] = Field(min_length=1)


class Colleagues(Condition):
    """So many others of the same company fulfil a rule of their own."""

    colleagues: dict[str, Any]
    at_least: int = Field(default=1, ge=1)


class Tag(Condition):
    """Has the tag (`interest:coffee`, or `interest:*` for any of a dimension), for so long."""

    tag: Text
    held_for: Duration | None = None


class Stage(Condition):
    """Is on one of these stages of the lifecycle, for so long."""

    stage: Annotated[list[Text], Field(min_length=1)]
    held_for: Duration | None = None


class Changed(Window):
    """Went from one value to another: the stage of the lifecycle, or a property of the CRM."""

    changed: Text
    from_: Annotated[list[Scalar], Field(min_length=1)] | None = Field(default=None, alias="from")
    to: Annotated[list[Scalar], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _says_what(self) -> Changed:
        if self.from_ is None and self.to is None:
            raise ValueError("say `from`, `to` or both")
        return self


class Score(Condition):
    """Has so many points of a score model. Who has none has 0."""

    score: Name
    at_least: int | float | None = None
    more_than: int | float | None = None
    at_most: int | float | None = None
    less_than: int | float | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Score:
        if len(self.model_fields_set) < 2:
            raise ValueError("say how many points, such as `at_least: 30`")
        return self


class Grade(Condition):
    """Has one of these grades (`A1`), or `A*` for a fit and `*1` for an engagement, of a score model."""

    grade: Annotated[list[Annotated[str, Field(pattern=r"^[A-Z*][0-9*]$")]], Field(min_length=1)]
    model: Name = "engagement"


class InSegment(Condition):
    """Is in another segment, without a break for so long."""

    in_segment: Name
    held_for: Duration | None = None


class NotInSegment(Condition):
    """Is not in another segment."""

    not_in_segment: Name


class Reachable(Condition):
    """Has an address of the channel that nothing suppresses and, where a purpose is named, has agreed to it."""

    reachable: Literal["email", "sms", "wechat"]
    purpose: Text | None = None


class Bucket(Condition):
    """Is among these percent of all people: drawn by the salt and the person alone, so for good."""

    bucket: Text
    from_: float = Field(default=0.0, alias="from", ge=0, lt=100)
    below: float = Field(gt=0, le=100)

    @model_validator(mode="after")
    def _is_a_range(self) -> Bucket:
        if self.from_ >= self.below:
            raise ValueError("`from` must be less than `below`")
        return self


class Listed(Condition):
    """Is on a list: identifiers of any type, or the column `identifier` of a seed."""

    listed: Annotated[list[Text], Field(min_length=1)] | Name


class Sql(Condition):
    """A select of profile_id over models, for what no other condition says."""

    sql: Text


class Top(Condition):
    """Only so many of them (of each value of `per`), in the order of a column of dim_profiles, or of `score` of a model; ties by profile id."""

    count: int = Field(ge=1)
    by: Annotated[str, AfterValidator(_order)]
    model: Name = "engagement"
    per: Column | None = None

    @property
    def column(self) -> str:
        return self.by.split()[0]

    @property
    def descending(self) -> bool:
        return self.by.endswith(" desc")


class Segment(Spec):
    """`segments/<name>.yml`: the people for whom a rule holds. Calendar windows are those of the time zone."""

    description: Text
    rule: dict[str, Any] = Field(min_length=1)
    top: Top | None = None
    time_zone: Zone = "UTC"


KINDS: dict[str, type[Condition]] = {
    "did": Did, "did_not": DidNot, "sequence": Sequence, "profile": Profile, "account": Account, "colleagues": Colleagues, "tag": Tag,
    "stage": Stage, "changed": Changed, "score": Score, "grade": Grade, "in_segment": InSegment, "not_in_segment": NotInSegment,
    "reachable": Reachable, "bucket": Bucket, "listed": Listed, "sql": Sql,
}  # fmt: skip
GROUPS = ("all", "any", "none")
