"""When something happened: rolling, calendar and absolute windows, and those around a date of the person, as conditions."""

from __future__ import annotations

import re
from datetime import date, timedelta

from sqlglot import exp

from activation.engine.segments.references import as_of
from activation.engine.segments.specs import DURATION, Window
from activation.engine.warehouse import DIALECT


def distance(text: str) -> exp.Interval:
    """`30 days`, `-3 days` as an interval."""
    found = DURATION.match(text)
    assert found is not None
    return exp.Interval(this=exp.Literal.string(found[1] + found[2]), unit=exp.Var(this=found[3].upper()))


def moment(value: exp.Expr, text: str, back: bool = False) -> exp.Expr:
    """So long after a moment, or before it."""
    return exp.paren(exp.Sub(this=value, expression=distance(text)) if back else exp.Add(this=value, expression=distance(text)), copy=False)


def conditions(window: Window, happened: exp.Expr, time_zone: str, person: str) -> list[exp.Expr]:
    """What the moment `happened` must fulfil. `person` is the row of dim_profiles that a relative window looks at."""
    found: list[exp.Expr] = [exp.LTE(this=happened, expression=as_of())]
    if window.within:
        found.append(exp.GT(this=happened, expression=moment(as_of(), window.within, back=True)))
    elif window.during:
        start, end = _calendar(window.during, time_zone)
        found += [exp.GTE(this=happened, expression=start), exp.LT(this=happened, expression=end)]
    elif window.between:
        first, last = (date.fromisoformat(day) for day in window.between)
        found += [
            exp.GTE(this=happened, expression=_utc(_timestamp(first), time_zone)),
            exp.LT(this=happened, expression=_utc(_timestamp(last + timedelta(days=1)), time_zone)),
        ]
    elif window.relative_to:
        field = exp.cast(exp.column(window.relative_to.field, table=person, quoted=True), "timestamp")
        found += [
            exp.GTE(this=happened, expression=moment(field.copy(), window.relative_to.from_)),
            exp.LTE(this=happened, expression=moment(field.copy(), window.relative_to.until)),
        ]
    return [condition.copy() for condition in found]


def _calendar(name: str, time_zone: str) -> tuple[exp.Expr, exp.Expr]:
    """The first moment of the day, week (from Monday), month, quarter or year, and the first one after it, in UTC."""
    which, unit = {"today": ("this", "day"), "yesterday": ("last", "day")}.get(name) or tuple(name.split("_"))
    length = "3 month" if unit == "quarter" else f"1 {unit}"
    start = exp.func("date_trunc", exp.Literal.string(unit), _local(as_of(), time_zone), dialect=DIALECT)
    ends = (start, moment(start.copy(), length)) if which == "this" else (moment(start.copy(), length, back=True), start.copy())
    return _utc(ends[0], time_zone), _utc(ends[1], time_zone)


def _timestamp(day: date) -> exp.Expr:
    return exp.cast(exp.Literal.string(f"{day.isoformat()} 00:00:00"), "timestamp")


def _local(utc: exp.Expr, time_zone: str) -> exp.Expr:
    return _in_zone(_in_zone(utc, "UTC"), time_zone) if time_zone != "UTC" else utc


def _utc(local: exp.Expr, time_zone: str) -> exp.Expr:
    return _in_zone(_in_zone(local, time_zone), "UTC") if time_zone != "UTC" else local


def _in_zone(value: exp.Expr, time_zone: str) -> exp.Expr:
    return exp.AtTimeZone(this=exp.paren(value, copy=False), zone=exp.Literal.string(time_zone))


def words(window: Window) -> str:
    """The window as the end of a sentence, with a space before it."""
    if window.within:
        return f" within {window.within}"
    if window.during:
        return f" {re.sub('_', ' ', window.during)}"
    if window.between:
        return f" between {window.between[0]} and {window.between[1]}"
    if window.relative_to:
        around = window.relative_to
        return f" from {around.from_} until {around.until} of {around.field}"
    return ""
