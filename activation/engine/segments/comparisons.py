"""A value beside what it must be, as a condition that is never null."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from activation.engine.segments.references import as_of
from activation.engine.segments.specs import Comparison, Scalar
from activation.engine.segments.windows import moment

NUMERIC = {"at_least": exp.GTE, "more_than": exp.GT, "at_most": exp.LTE, "less_than": exp.LT}


def compared(value: exp.Expr, comparison: Comparison) -> exp.Expr:
    """True when everything that is said holds. A value that is not known fits what says `not`, and `known: false`."""
    truths: list[exp.Expr] = []
    for name in comparison.model_fields_set:
        wanted = getattr(comparison, name)
        if wanted is not None:
            truths.append(_one(name, wanted, value.copy()))
    # The order of a set is none; that of the file says nothing either.
    truths.sort(key=lambda truth: truth.sql())
    return exp.paren(exp.and_(*truths, copy=False), copy=False)


def _one(name: str, wanted: Any, value: exp.Expr) -> exp.Expr:
    unknown = value.copy().is_(exp.null())
    if name == "known":
        return unknown.not_() if wanted else unknown
    if name in {"is_", "in_"}:
        return _never_null(_any(wanted if isinstance(wanted, list) else [wanted], value))
    if name in {"is_not", "not_in"}:
        return exp.or_(unknown, exp.not_(exp.paren(_any(wanted if isinstance(wanted, list) else [wanted], value))))
    if name in NUMERIC:
        return _never_null(NUMERIC[name](this=_number(value), expression=exp.Literal.number(wanted)))
    if name == "contains":
        return _never_null(exp.func("contains", _lower(value), exp.Literal.string(str(wanted).lower()), dialect="duckdb"))
    if name == "starts_with":
        return _never_null(exp.func("starts_with", _lower(value), exp.Literal.string(str(wanted).lower()), dialect="duckdb"))
    if name == "matches":
        return _never_null(exp.RegexpLike(this=_text(value), expression=exp.Literal.string(wanted)))
    return _never_null(_dated(name, wanted, value))


def _dated(name: str, wanted: str, value: exp.Expr) -> exp.Expr:
    at = exp.TryCast(this=value, to=exp.DataType.build("timestamp"))
    if name == "before":
        return exp.LT(this=at, expression=_moment(wanted))
    if name == "after":
        return exp.GT(this=at, expression=_moment(wanted))
    if name == "in_last":
        return exp.and_(exp.GT(this=at, expression=moment(as_of(), wanted, back=True)), exp.LTE(this=at.copy(), expression=as_of()))
    return exp.and_(exp.GTE(this=at, expression=as_of()), exp.LT(this=at.copy(), expression=moment(as_of(), wanted)))


def _any(wanted: list[Scalar], value: exp.Expr) -> exp.Expr:
    """Equal to one of them: texts as texts, numbers as numbers, truths as truths."""
    texts = [exp.Literal.string(one) for one in wanted if isinstance(one, str)]
    truths = [exp.Literal.string(str(one).lower()) for one in wanted if isinstance(one, bool)]
    numbers = [exp.Literal.number(one) for one in wanted if isinstance(one, int | float) and not isinstance(one, bool)]
    found: list[exp.Expr] = []
    if texts or truths:
        found.append(_text(value).isin(*texts, *truths))
    if numbers:
        found.append(_number(value).isin(*numbers))
    return exp.or_(*found)


def _text(value: exp.Expr) -> exp.Expr:
    return exp.cast(value.copy(), "varchar")


def _lower(value: exp.Expr) -> exp.Expr:
    return exp.func("lower", _text(value))


def _number(value: exp.Expr) -> exp.Expr:
    return exp.TryCast(this=value.copy(), to=exp.DataType.build("double"))


def _moment(text: str) -> exp.Expr:
    return exp.cast(exp.Literal.string(text), "timestamp")


def _never_null(truth: exp.Expr) -> exp.Expr:
    return exp.func("coalesce", exp.paren(truth, copy=False), exp.false())
