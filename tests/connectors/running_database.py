"""A PostgreSQL server for as long as the tests run, with tables to write to."""

from __future__ import annotations

import atexit
from functools import cache

import psycopg

from tests.activation.engine.ledger.running_postgres import PASSWORD, running_postgres

__all__ = ["PASSWORD", "running_database"]

TABLES = """
create schema crm;
create table crm.people (
    id bigint primary key, name text not null check (name <> 'nobody'), note text, nothing date, vip boolean, tags jsonb, score numeric, gone_at timestamptz
);
create table by_email ("E-mail %s ""q"" " text primary key, first_name text, last_name text);
create table no_key (id bigint, name text);
create table mirrored (profile_id text primary key, name text check (name <> 'Name3'), city text);
create table changes (row_id char(32) primary key, what text, id bigint, name text, note text, nothing text, vip text, tags text);
create table typed (id integer primary key, at timestamptz, day date, amount numeric(10, 2), flag boolean, label text, doc jsonb);
"""


@cache
def running_database() -> str:
    """The address of the database, without user and password."""
    running = running_postgres()
    url = running.__enter__()
    atexit.register(running.__exit__, None, None, None)
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(TABLES)
    return "postgresql://" + url.split("@")[1]
