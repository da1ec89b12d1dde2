"""A stand-in for a MySQL server: the real protocol over real sockets on this machine (mysql-mimic), in front of SQLite. It is not MySQL: what it
is here for are the statements, the parameters, the counts, the numbers of errors, and this server's habit of comparing a number with any text by
the digits that the text begins with.

Where `SLUICE_TEST_MYSQL_URL` says `mysql://user:password@host:port/database`, the tests run on that server instead; they drop and make the tables
they need there.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sqlite3
import threading
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql
import sqlglot
from mysql_mimic import IdentityProvider, MysqlServer, User
from mysql_mimic.auth import NativePasswordAuthPlugin
from mysql_mimic.connection import Connection
from mysql_mimic.errors import MysqlError
from mysql_mimic.session import BaseSession
from mysql_mimic.variables import GlobalVariables, SessionVariables
from sqlglot import exp

PASSWORD = "open-sesame-密码"
EMAIL = "E-mail %s `q`"
TABLES = {
    "people": """(
        id bigint primary key, name varchar(40) not null check (name <> 'nobody'), email varchar(100) unique, note varchar(100), nothing date,
        vip tinyint, tags json, score double, gone_at datetime)""",
    "by_email": f"(`{EMAIL.replace('`', '``')}` varchar(100) primary key, first_name varchar(40), last_name varchar(40))",
    "no_key": "(id bigint, name varchar(40))",
    "mirrored": "(profile_id varchar(40) primary key, name varchar(40) check (name <> 'Name3'), city varchar(40))",
    "changes": "(row_id char(32) primary key, what varchar(10), id bigint, name varchar(40))",
    "typed": "(id int primary key, at datetime, day date, amount decimal(10, 2), flag tinyint, label varchar(40), doc json)",
}
ERRORS = (
    (r"UNIQUE constraint failed", 1062),
    (r"NOT NULL constraint failed", 1048),
    (r"CHECK constraint failed: is_", 1366),
    (r"CHECK constraint failed: day_", 1292),
    (r"CHECK constraint failed: json_", 3140),
    (r"CHECK constraint failed", 3819),
    (r"no such table", 1146),
    (r"no such column|has no column named", 1054),
)


class _Users(IdentityProvider):
    async def get_user(self, username: str) -> User | None:
        # A server does not say whether it is the name that is wrong.
        password = PASSWORD if username == "sluice" else os.urandom(8).hex()
        return User(username, NativePasswordAuthPlugin.create_auth_string(password), NativePasswordAuthPlugin.name)


class _Session(BaseSession):
    """One client. What it asks becomes SQLite's words; SQLite's errors become this server's numbers."""

    open: list[_Session] = []  # noqa: RUF012

    def __init__(self, store: _Store) -> None:
        self.variables = SessionVariables(GlobalVariables())
        self.username = self.database = None
        self.store, self.touched, self.holds = store, 0, False
        self.connection: Connection | None = None
        self.loop = asyncio.get_running_loop()

    async def init(self, connection: Connection) -> None:
        if self.database != "trial":
            raise MysqlError(f"Unknown database '{self.database}'", 1049)  # type: ignore[arg-type]
        self.connection = connection
        plain = connection.ok

        def ok(**keywords: Any) -> bytes:
            touched, self.touched = self.touched, 0
            return plain(**({"affected_rows": touched} | keywords))

        connection.ok = ok  # type: ignore[method-assign]
        self.db = self.store.connect()
        _Session.open.append(self)

    async def close(self) -> None:
        if self in _Session.open:
            _Session.open.remove(self)
            self.db.rollback()
            self._give_way()
            self.db.close()

    def _give_way(self) -> None:
        """One transaction at a time: SQLite would not wait for another's, and refuse."""
        if self.holds and not self.db.in_transaction:
            self.holds = False
            self.store.turn.release()

    async def handle_query(self, sql: str, attrs: dict[str, str]) -> Any:
        if sql.lower().startswith("set "):
            return None
        (tree,) = sqlglot.parse(sql, dialect="mysql")
        assert tree is not None
        if not self.holds:
            await self.store.turn.acquire()
            self.holds = True
        try:
            if isinstance(tree, exp.Create | exp.Drop):
                self.store.define(self.db, tree)
                return None
            cursor = self.db.execute(_as_sqlite(tree, self.store.types))
        except sqlite3.Error as error:
            number = next((number for pattern, number in ERRORS if re.search(pattern, str(error))), 1064)
            raise MysqlError(str(error), number) from None  # type: ignore[arg-type]
        finally:
            self._give_way()
        if cursor.description is None:
            self.touched = max(cursor.rowcount, 0)
            return None
        return cursor.fetchall(), [column[0] for column in cursor.description]


def _as_sqlite(tree: exp.Expression, types: dict[str, str]) -> str:
    """The statement, with comparisons as this server makes them."""
    for comparison in tree.find_all(exp.EQ):
        column, value = comparison.left, comparison.right
        if isinstance(comparison.parent, exp.Update) or not isinstance(column, exp.Column) or not isinstance(value, exp.Literal):
            continue
        is_number = types.get(column.name.lower(), "") in {"bigint", "int", "tinyint", "double", "decimal"}
        if is_number and value.is_string:
            digits = re.match(r"\s*[+-]?\d+", value.this)
            value.replace(exp.Literal.number(digits[0].strip() if digits else "0"))
        elif not is_number and not value.is_string:
            column.replace(exp.cast(column.copy(), "integer"))
    for table in tree.find_all(exp.Table):
        table.set("db", exp.to_identifier("information_schema") if table.name in {"columns", "statistics"} else None)
    return tree.sql(dialect="sqlite")


class _Store:
    """The tables, in memory, for all clients; with what `information_schema` says of them."""

    def __init__(self) -> None:
        self.types: dict[str, str] = {}
        self.turn = asyncio.Lock()
        self.kept = self.connect()
        self.kept.execute("create table information_schema.columns (table_schema, table_name, column_name, data_type)")
        self.kept.execute("create table information_schema.statistics (table_schema, table_name, index_name, column_name, non_unique)")
        self.kept.execute("create table dual (one)")
        self.kept.execute("insert into dual values (1)")

    def connect(self) -> sqlite3.Connection:
        db = sqlite3.connect("file:mock_mysql?mode=memory&cache=shared", uri=True, isolation_level=None, check_same_thread=False)
        db.execute("attach 'file:mock_mysql_schema?mode=memory&cache=shared' as information_schema")
        db.execute("pragma read_uncommitted = true")
        return db

    def define(self, db: sqlite3.Connection, tree: exp.Create | exp.Drop) -> None:
        name = next(tree.find_all(exp.Table)).name
        for there in ("columns", "statistics"):
            db.execute(f"delete from information_schema.{there} where table_name = ?", [name])
        if isinstance(tree, exp.Drop):
            db.execute(f'drop table if exists "{name}"')
            return
        columns = []
        for column in tree.find_all(exp.ColumnDef):
            kind = column.args["kind"].this.value.lower()
            self.types[column.name.lower()] = kind
            db.execute("insert into information_schema.columns values ('main', ?, ?, ?)", [name, column.name, kind])
            kinds = [type(one.kind) for one in column.constraints]
            if exp.PrimaryKeyColumnConstraint in kinds or exp.UniqueColumnConstraint in kinds:
                db.execute("insert into information_schema.statistics values ('main', ?, ?, ?, 0)", [name, column.name, column.name])
            columns.append(_column(column, kind))
        db.execute(f'create table "{name}" ({", ".join(columns)})')


def _column(column: exp.ColumnDef, kind: str) -> str:
    """A column of SQLite that takes what this one would take."""
    name = exp.to_identifier(column.name, quoted=True).sql(dialect="sqlite")
    checks = {
        "bigint": f"constraint is_number check ({name} is null or typeof({name}) = 'integer')",
        "int": f"constraint is_number check ({name} is null or typeof({name}) = 'integer')",
        "tinyint": f"constraint is_number check ({name} is null or typeof({name}) = 'integer')",
        "date": f"constraint day_is check ({name} is null or date({name}) is {name})",
        "datetime": f"constraint day_is check ({name} is null or ({name} not like '%Z' and {name} not like '%+%' and datetime({name}) is not null))",
        "json": f"constraint json_is check ({name} is null or json_valid({name}))",
    }
    affinity = {"bigint": "integer", "int": "integer", "tinyint": "integer", "double": "real", "decimal": "numeric"}.get(kind, "text")
    return " ".join([name, affinity, *(one.sql(dialect="sqlite") for one in column.constraints), checks.get(kind, "")])


async def _serve(ready: threading.Event, found: list[int]) -> None:
    logging.getLogger("mysql_mimic").setLevel(logging.CRITICAL)  # it would log every refused row
    store = _Store()
    server = MysqlServer(lambda: _Session(store), identity_provider=_Users())
    await server.start_server(host="127.0.0.1", port=0)
    found.append(server.sockets()[0].getsockname()[1])
    ready.set()
    await server.serve_forever()


@cache
def mysql_address() -> str:
    """The server's address, without user and password."""
    given = os.environ.get("SLUICE_TEST_MYSQL_URL")
    if given:
        url = urlsplit(given)
        return f"mysql://{url.hostname}:{url.port or 3306}{url.path}"
    ready, found = threading.Event(), list[int]()
    threading.Thread(target=lambda: asyncio.run(_serve(ready, found)), daemon=True).start()
    assert ready.wait(60)
    return f"mysql://127.0.0.1:{found[0]}/trial"


def credentials() -> dict[str, str]:
    url = urlsplit(os.environ.get("SLUICE_TEST_MYSQL_URL") or "")
    return {"username": unquote(url.username or "sluice"), "password": unquote(url.password or PASSWORD)}


def connected() -> pymysql.Connection[Any]:
    """A connection of the tests' own, its tables new and empty."""
    url, who = urlsplit(mysql_address()), credentials()
    db = pymysql.connect(
        host=url.hostname or "",
        port=url.port or 0,
        user=who["username"],
        password=who["password"].encode(),  # type: ignore[arg-type]
        database=url.path[1:],
        autocommit=True,
    )
    with db.cursor() as cursor:
        for name, columns in TABLES.items():
            cursor.execute(f"drop table if exists {name}")
            cursor.execute(f"create table {name} {columns}")
    return db


def break_connections(db: pymysql.Connection[Any]) -> None:
    """End every other connection to the server, as an operator or a restart would."""
    if os.environ.get("SLUICE_TEST_MYSQL_URL"):
        with db.cursor() as cursor:
            cursor.execute("select id from information_schema.processlist where id <> connection_id() and user = current_user()")
            cursor.execute("select id from information_schema.processlist where id <> connection_id() and db = database()")
            for (one,) in cursor.fetchall():
                cursor.execute(f"kill {int(one)}")
        return
    own = db.thread_id()
    for session in list(_Session.open):
        if session.connection is not None and session.connection.connection_id != own:
            # From another thread the loop hears of it only when it wakes for something else.
            session.loop.call_soon_threadsafe(session.connection.stream.writer.transport.abort)
            ended = threading.Event()
            session.loop.call_soon_threadsafe(ended.set)
            assert ended.wait(60)
