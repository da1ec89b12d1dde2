from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import psycopg
import pytest
from running_database import PASSWORD, running_database

from connectors.base import Batch, Fatal, Outcome, Refused, Row, Transient, Unanswered
from connectors.data.sql_table import Log, Records, SqlTable

EMAIL = 'E-mail %s "q" '
PEOPLE, BY_EMAIL = Records(table="crm.people", key="id", removed_at="gone_at"), Records(table="by_email", key=EMAIL)


@pytest.fixture
def db() -> Iterator[psycopg.Connection[Any]]:
    """The database, its tables empty."""
    with psycopg.connect(f"postgresql://sluice:{PASSWORD}@{running_database().split('//')[1]}", autocommit=True) as db:
        db.execute("truncate crm.people, by_email, no_key, changes, typed")
        yield db


def batch(*rows: dict[str, Any], settings: Any = PEOPLE, match: str | None = None, before: str | None = None, **changes: Any) -> Batch:
    key = settings.key if isinstance(settings, Records) else "id"
    made = [Row(n, f"k{n}", orjson.dumps(row), match or str(row.get(key, n)), None, before) for n, row in enumerate(rows)]
    return Batch(**{"object": "rows", "operation": "add", "rows": made, "run_id": "r1", "number": 1, "settings": settings, **changes})


def connector(**options: Any) -> SqlTable:
    return SqlTable(SqlTable.Options(**{"username": "sluice", "password": PASSWORD, **options}), None, running_database())


async def delivered(what: Batch) -> list[Outcome]:
    async with connector() as table:
        return await table.deliver(what)


def statuses(outcomes: list[Outcome]) -> list[str]:
    return [outcome.status for outcome in outcomes]


async def test_a_record_is_written_and_written_over_by_its_key(db: psycopg.Connection[Any]) -> None:
    await delivered(batch({"id": 1, "name": "李雷 🎉", "vip": True, "tags": ["a", {"b": "乙"}], "score": 0.1}))
    await delivered(batch({"id": 1, "name": "'; drop table crm.people; --", "note": None, "score": None}, operation="change"))
    assert db.execute("select id, name, vip, tags, score from crm.people").fetchall() == [
        (1, "'; drop table crm.people; --", True, ["a", {"b": "乙"}], None)
    ]


async def test_a_field_that_is_not_there_keeps_what_the_table_has(db: psycopg.Connection[Any]) -> None:
    await delivered(batch({"id": 1, "name": "a", "note": "kept"}, {"id": 2, "name": "b", "note": "lost"}))
    await delivered(batch({"id": 1, "name": "c"}, {"id": 2, "name": "d", "note": None}))
    assert db.execute("select name, note from crm.people order by id").fetchall() == [("c", "kept"), ("d", None)]


async def test_names_are_quoted_whatever_they_are(db: psycopg.Connection[Any]) -> None:
    await delivered(batch({EMAIL: "a@b.example", "first_name": "100 %s"}, settings=BY_EMAIL))
    await delivered(batch({"first_name": "from the match value"}, settings=BY_EMAIL, match="c@d.example"))
    assert db.execute("select * from by_email order by 1").fetchall() == [
        ("a@b.example", "100 %s", None),
        ("c@d.example", "from the match value", None),
    ]
    with pytest.raises(Fatal, match="the table has no such column"):
        await delivered(batch({EMAIL: "x", 'x" = 1; --': "y"}, settings=BY_EMAIL))
    with pytest.raises(Fatal, match="there is no such table"):
        await delivered(batch({"id": 1}, settings=Records(table='people"; drop table by_email; --', key="id")))


async def test_the_database_reads_a_value_as_what_its_column_is(db: psycopg.Connection[Any]) -> None:
    row = {"id": "7", "at": "2026-10-31 02:00:00", "day": "2026-10-31", "amount": 12.345, "flag": False, "label": 7, "doc": {"a": None}}
    await delivered(batch(row, settings=Records(table="typed", key="id")))
    found = db.execute("select id, at = '2026-10-31T02:00:00Z', day::text, amount::text, flag, label, doc from typed").fetchall()
    assert found == [(7, True, "2026-10-31", "12.35", False, "7", {"a": None})]


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ({"id": 2, "name": None}, "SQL_23502"),
        ({"id": 2, "name": "nobody"}, "SQL_23514"),
        ({"id": "Han Meimei", "name": "x"}, "SQL_22P02"),
        ({"id": 2, "name": "x", "nothing": "31.31.2026"}, "SQL_22008"),
        ({"id": 2, "name": "a\0b"}, "BAD_VALUE"),
    ],
)
async def test_a_row_that_does_not_fit_refuses_the_batch_and_nothing_of_it_is_there(
    db: psycopg.Connection[Any], bad: dict[str, Any], code: str
) -> None:
    async with connector() as table:
        with pytest.raises(Refused) as caught:
            await table.deliver(batch({"id": 1, "name": "good"}, bad))
        assert caught.value.code == code
        assert not [value for value in bad.values() if isinstance(value, str) and len(value) > 1 and value in str(caught.value)]
        assert db.execute("select * from crm.people").fetchall() == []
        assert statuses(await table.deliver(batch({"id": 1, "name": "good"}))) == ["sent"]  # over the same connection


async def test_only_records_that_are_there_are_updated_and_only_new_ones_created(db: psycopg.Connection[Any]) -> None:
    await delivered(batch({"id": 1, "name": "old"}))
    rows = ({"id": 1, "name": "new"}, {"id": 2, "name": "new"})
    updated = await delivered(batch(*rows, match_policy="update_only"))
    assert [(outcome.status, outcome.code) for outcome in updated] == [("sent", ""), ("skipped", "NO_MATCH")]
    created = await delivered(batch(*reversed(rows), match_policy="create_only"))
    assert [(outcome.status, outcome.code) for outcome in created] == [("sent", ""), ("skipped", "EXISTS")]
    assert db.execute("select name from crm.people order by id").fetchall() == [("new",), ("new",)]


async def test_a_record_whose_key_changed_moves(db: psycopg.Connection[Any]) -> None:
    first = await delivered(batch({EMAIL: "old@b.example", "last_name": "李"}, settings=BY_EMAIL))
    await delivered(batch({EMAIL: "new@b.example", "first_name": "雷"}, settings=BY_EMAIL, before=first[0].provider_id, operation="change"))
    assert db.execute("select * from by_email").fetchall() == [("new@b.example", "雷", "李")]


@pytest.mark.parametrize(
    ("on_removed", "left"),
    [
        ("delete", []),
        ("archive", [("李雷", "x", True)]),
        ("clear_fields", [("李雷", None, False)]),
    ],
)
async def test_removing_does_what_was_declared(db: psycopg.Connection[Any], on_removed: str, left: list[Any]) -> None:
    await delivered(batch({"id": 1, "name": "李雷", "note": "x"}, {"id": 2, "name": "stays"}))
    for _ in range(2):  # what is gone already is no trouble
        outcomes = await delivered(batch({"id": 1, "note": "x"}, operation="remove", on_removed=on_removed))
        assert statuses(outcomes) == ["sent"]
    assert db.execute("select name, note, gone_at is not null from crm.people where id = 1").fetchall() == left
    assert db.execute("select count(*) from crm.people where id = 2 and gone_at is null").fetchone() == (1,)


async def test_a_log_has_every_change_once(db: psycopg.Connection[Any]) -> None:
    settings = Log(table="changes", id="row_id", operation="what")
    for run in ("r1", "r1", "r2"):
        outcomes = await delivered(
            batch({"id": 1, "name": "a"}, {"id": 2}, settings=settings, object="log", operation="change", run_id=run)
        )
        assert statuses(outcomes) == ["sent", "sent"]
    assert db.execute("select what, id, count(*), count(distinct row_id) from changes group by what, id order by id").fetchall() == [
        ("change", 1, 2, 2),
        ("change", 2, 2, 2),
    ]


async def test_a_table_without_a_key_stops_the_run(db: psycopg.Connection[Any]) -> None:
    with pytest.raises(Fatal, match="the key column has no unique constraint"):
        await delivered(batch({"id": 1, "name": "a"}, settings=Records(table="no_key", key="id")))


async def test_a_server_that_went_away_is_not_success(db: psycopg.Connection[Any]) -> None:
    async with connector() as table:
        await table.deliver(batch({"id": 1, "name": "a"}))
        db.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sluice'")
        with pytest.raises((Transient, Unanswered)):
            await table.deliver(batch({"id": 1, "name": "b"}))
        assert statuses(await table.deliver(batch({"id": 1, "name": "b"}))) == ["sent"]


@pytest.mark.parametrize(
    ("options", "address", "said"),
    [
        ({"username": "nobody"}, None, "user name or password"),
        ({}, "/nowhere", "There is no such database"),
        ({}, "oracle://127.0.0.1/x", "no database known here"),
    ],
)
async def test_what_is_wrong_with_a_destination_is_said(options: dict[str, Any], address: str | None, said: str) -> None:
    base = running_database()
    at = base if address is None else address if "://" in address else base.rsplit("/", 1)[0] + address
    table = SqlTable(SqlTable.Options(**{"username": "sluice", "password": PASSWORD, **options}), None, at)
    with pytest.raises(Fatal, match=said):
        await table.check()
