"""The same promises as over PostgreSQL, where MySQL makes them harder to keep."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import orjson
import pymysql
import pytest
from mock_mysql import EMAIL, break_connections, connected, credentials, mysql_address

from connectors.base import Batch, Fatal, Outcome, Refused, Row, Transient, Unanswered
from connectors.data._mysql import _tls
from connectors.data._mysql_table import Table
from connectors.data.sql_table import Log, Records, SqlTable

PEOPLE, BY_EMAIL = Records(table="people", key="id", removed_at="gone_at"), Records(table="by_email", key=EMAIL)
Db = pymysql.Connection


@pytest.fixture
def db() -> Iterator[Db]:
    """The database, its tables empty."""
    with connected() as db:
        yield db


def rows_of(db: Db, sql: str) -> list[tuple[Any, ...]]:
    with db.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def batch(*rows: dict[str, Any], settings: Any = PEOPLE, match: str | None = None, before: str | None = None, **changes: Any) -> Batch:
    key = settings.key if isinstance(settings, Records) else "id"
    made = [Row(n, f"k{n}", orjson.dumps(row), match or str(row.get(key, n)), None, before) for n, row in enumerate(rows)]
    return Batch(**{"object": "rows", "operation": "add", "rows": made, "run_id": "r1", "number": 1, "settings": settings, **changes})


def connector(address: str | None = None, **options: Any) -> SqlTable:
    return SqlTable(SqlTable.Options(**{**credentials(), **options}), None, address or mysql_address())


async def delivered(what: Batch) -> list[Outcome]:
    async with connector() as table:
        return await table.deliver(what)


def said(outcomes: list[Outcome]) -> list[tuple[str, str]]:
    return [(outcome.status, outcome.code) for outcome in outcomes]


@pytest.mark.parametrize("operation", ["add", "change"])
async def test_a_record_is_written_and_written_over_by_its_key(db: Db, operation: Any) -> None:
    await delivered(batch({"id": 1, "name": "李雷 🎉", "vip": True, "tags": ["a", {"b": "乙"}], "score": 0.5}, operation=operation))
    row = {"id": 1, "name": "'; drop table people; -- \\' %s", "note": None, "score": None}
    assert said(await delivered(batch(row, operation=operation))) == [("sent", "")]
    ((name, vip, tags, score),) = rows_of(db, "select name, vip, tags, score from people")
    assert (name, vip, orjson.loads(tags), score) == ("'; drop table people; -- \\' %s", 1, ["a", {"b": "乙"}], None)


async def test_a_row_that_shares_something_unique_with_another_record_never_writes_over_it(db: Db) -> None:
    await delivered(batch({"id": 1, "name": "李雷", "email": "a@b.example"}))
    for operation in ("add", "change"):
        with pytest.raises(Refused) as caught:
            await delivered(batch({"id": 2, "name": "韩梅梅", "email": "a@b.example"}, operation=operation))
        assert (caught.value.code, "a@b.example" in str(caught.value)) == ("MYSQL_1062", False)
    assert rows_of(db, "select id, name, email from people") == [(1, "李雷", "a@b.example")]


@pytest.mark.parametrize("key", ["abc", "0abc", "0.4", "1 or 1=1", ""])
@pytest.mark.parametrize("operation", ["add", "change", "remove"])
async def test_text_is_never_taken_for_the_number_it_begins_with(db: Db, key: str, operation: Any) -> None:
    await delivered(batch({"id": 0, "name": "zero"}, {"id": 1, "name": "one"}))
    with pytest.raises(Refused):
        await delivered(batch({"id": key, "name": "x"}, match=key or "-", operation=operation, on_removed="delete"))
    assert rows_of(db, "select id, name from people order by id") == [(0, "zero"), (1, "one")]


async def test_a_number_is_never_taken_for_the_texts_that_begin_with_it(db: Db) -> None:
    await delivered(batch({EMAIL: "7abc", "first_name": "a"}, settings=BY_EMAIL))
    await delivered(batch({EMAIL: 7, "first_name": "b"}, settings=BY_EMAIL))
    await delivered(batch({EMAIL: 7}, settings=BY_EMAIL, operation="remove", on_removed="delete"))
    assert rows_of(db, "select * from by_email") == [("7abc", "a", None)]


async def test_whole_numbers_are_found_by_their_last_digit(db: Db) -> None:
    big = 9007199254740993  # a floating-point number holds it no more
    await delivered(batch({"id": big - 1, "name": "a"}, {"id": big, "name": "b"}))
    await delivered(batch({"id": str(big), "name": "c"}, operation="change"))
    assert rows_of(db, "select id, name from people order by id") == [(big - 1, "a"), (big, "c")]


async def test_names_are_quoted_whatever_they_are(db: Db) -> None:
    await delivered(batch({EMAIL: "a@b.example", "first_name": "100 %s"}, settings=BY_EMAIL))
    await delivered(batch({"first_name": "from the match value"}, settings=BY_EMAIL, match="c@d.example"))
    assert rows_of(db, "select * from by_email order by 1") == [
        ("a@b.example", "100 %s", None),
        ("c@d.example", "from the match value", None),
    ]
    with pytest.raises(Fatal, match="the table has no such column"):
        await delivered(batch({EMAIL: "x", "x` = 1; -- ": "y"}, settings=BY_EMAIL))
    with pytest.raises(Fatal, match="there is no such table"):
        await delivered(batch({"id": 1}, settings=Records(table="people`; drop table by_email; -- ", key="id")))


async def test_a_value_is_written_as_what_its_column_is(db: Db) -> None:
    row = {"id": "7", "at": "2026-10-31T10:00:00+08:00", "day": "2026-10-31", "amount": 12.5, "flag": False, "label": 7, "doc": {"a": None}}
    await delivered(batch(row, {"id": 8, "at": "2026-10-31T02:00:00Z", "label": True}, settings=Records(table="typed", key="id")))
    first, second = rows_of(db, "select id, at, day, amount, flag, label, doc from typed order by id")
    assert [str(one) for one in first[:3]] == ["7", "2026-10-31 02:00:00", "2026-10-31"] or "2026-10-31 02:00:00" in str(first[1])
    assert (Decimal(str(first[3])), first[4], first[5], orjson.loads(first[6])) == (Decimal("12.5"), 0, "7", {"a": None})
    assert str(second[1])[:19] == "2026-10-31 02:00:00"
    assert second[5] == "true"


@pytest.mark.parametrize(
    ("bad", "codes"),
    [
        ({"id": 2, "name": None}, {"MYSQL_1048"}),
        ({"id": 2, "name": "nobody"}, {"MYSQL_3819", "MYSQL_4025"}),  # of MySQL, of MariaDB
        ({"id": 2, "name": "x", "nothing": "31.31.2026"}, {"MYSQL_1292"}),
        ({"id": 2, "name": "x", "vip": "Han Meimei"}, {"MYSQL_1366"}),
        ({"id": 2, "name": "x", "tags": "{Han"}, {"MYSQL_3140", "MYSQL_4025"}),
    ],
)
async def test_a_row_that_does_not_fit_refuses_the_batch_and_nothing_of_it_is_there(db: Db, bad: dict[str, Any], codes: set[str]) -> None:
    async with connector() as table:
        with pytest.raises(Refused) as caught:
            await table.deliver(batch({"id": 1, "name": "good"}, bad))
        assert caught.value.code in codes
        assert not [value for value in bad.values() if isinstance(value, str) and len(value) > 1 and value in str(caught.value)]
        assert rows_of(db, "select * from people") == []
        assert said(await table.deliver(batch({"id": 1, "name": "good"}))) == [("sent", "")]  # over the same connection


async def test_only_records_that_are_there_are_updated_and_only_new_ones_created(db: Db) -> None:
    await delivered(batch({"id": 1, "name": "old"}))
    rows = ({"id": 1, "name": "new"}, {"id": 2, "name": "new"})
    for _ in range(2):  # what is equal already is found all the same
        assert said(await delivered(batch(*rows, match_policy="update_only"))) == [("sent", ""), ("skipped", "NO_MATCH")]
    assert said(await delivered(batch(*reversed(rows), match_policy="create_only"))) == [("sent", ""), ("skipped", "EXISTS")]
    assert rows_of(db, "select name from people order by id") == [("new",), ("new",)]


async def test_a_record_whose_key_changed_moves(db: Db) -> None:
    first = await delivered(batch({EMAIL: "old@b.example", "last_name": "李"}, settings=BY_EMAIL))
    await delivered(batch({EMAIL: "new@b.example", "first_name": "雷"}, settings=BY_EMAIL, before=first[0].provider_id, operation="change"))
    assert rows_of(db, "select * from by_email") == [("new@b.example", "雷", "李")]


@pytest.mark.parametrize(("on_removed", "left"), [("delete", []), ("archive", [("李雷", "x", 1)]), ("clear_fields", [("李雷", None, 0)])])
async def test_removing_does_what_was_declared(db: Db, on_removed: str, left: list[Any]) -> None:
    await delivered(batch({"id": 1, "name": "李雷", "note": "x"}, {"id": 2, "name": "stays"}))
    for _ in range(2):  # what is gone already is no trouble
        assert said(await delivered(batch({"id": 1, "note": "x"}, operation="remove", on_removed=on_removed))) == [("sent", "")]
    assert rows_of(db, "select name, note, gone_at is not null from people where id = 1") == left
    assert rows_of(db, "select id from people where id = 2 and gone_at is null") == [(2,)]


async def test_a_log_has_every_change_once(db: Db) -> None:
    settings = Log(table="changes", id="row_id", operation="what")
    for run in ("r1", "r1", "r2"):
        outcomes = await delivered(
            batch({"id": 1, "name": "a"}, {"id": 2}, settings=settings, object="log", operation="change", run_id=run)
        )
        assert said(outcomes) == [("sent", "")] * 2
    assert rows_of(db, "select what, id, count(*), count(distinct row_id) from changes group by what, id order by id") == [
        ("change", 1, 2, 2),
        ("change", 2, 2, 2),
    ]


async def test_rows_of_one_key_in_one_batch_leave_one_record(db: Db) -> None:
    assert said(await delivered(batch({"id": 1, "name": "a"}, {"id": 1, "name": "b"}))) == [("sent", "")] * 2
    assert rows_of(db, "select name from people") == [("b",)]


async def test_a_table_without_a_key_stops_the_run(db: Db) -> None:
    with pytest.raises(Fatal, match="the key column has no unique constraint"):
        await delivered(batch({"id": 1, "name": "a"}, settings=Records(table="no_key", key="id")))


async def test_a_server_that_went_away_is_not_success(db: Db) -> None:
    async with connector() as table:
        await table.deliver(batch({"id": 1, "name": "a"}))
        break_connections(db)
        with pytest.raises((Transient, Unanswered)):
            await table.deliver(batch({"id": 1, "name": "b"}))
        assert said(await table.deliver(batch({"id": 1, "name": "b"}))) == [("sent", "")]


@pytest.mark.parametrize(
    ("options", "path", "what"),
    [
        ({"username": "nobody"}, None, "user name or password"),
        ({"password": "not the password"}, None, "user name or password"),
        ({}, "", "ends with the name of a database"),
    ],
)
async def test_what_is_wrong_with_a_destination_is_said(db: Db, options: dict[str, Any], path: str | None, what: str) -> None:
    base = mysql_address()
    with pytest.raises(Fatal, match=what):
        await connector(base if path is None else base.rsplit("/", 1)[0] + path, **options).check()
    assert await connector().check() == "the database answers"


async def test_a_server_that_cannot_be_reached_may_be_asked_again() -> None:
    with pytest.raises(Transient, match="cannot be reached"):
        await connector("mysql://127.0.0.1:9/trial").check()


def test_elsewhere_nothing_is_sent_before_it_is_encrypted() -> None:
    verify, require = (SqlTable.Options(username="u", tls=tls) for tls in ("verify", "require"))
    assert _tls(verify, is_local=False)["ssl"].check_hostname
    assert not _tls(require, is_local=False)["ssl"].check_hostname
    assert _tls(SqlTable.Options(username="u", tls="off"), is_local=False) == {"ssl_disabled": True}


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [
        ("bigint", "+7", 7),
        ("decimal", "1.50", Decimal("1.50")),
        ("date", "2026-10-31", "2026-10-31"),
        ("datetime", "2026-10-31T10:00:00+08:00", "2026-10-31 02:00:00.000000"),
        ("varchar", 7, "7"),
        ("enum", "x", "x"),
        ("int", "7.0", None),
        ("int", "٧", None),
        ("date", "31.10.2026", None),
        ("datetime", "yesterday", None),
        ("decimal", "1e", None),
        ("double", "1.5", None),
        ("json", "{}", None),
    ],
)
def test_what_a_record_is_found_by_is_what_its_column_can_hold(kind: str, value: Any, found: Any) -> None:
    table = Table({"k": kind}, frozenset({"k"}))
    if found is None:
        with pytest.raises(Refused):
            table.sought("K", value)
    else:
        assert table.sought("K", value) == found
        assert type(table.sought("K", value)) is type(found)
