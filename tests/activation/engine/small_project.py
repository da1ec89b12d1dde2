"""A small project for tests of the engine: tables filled by hand where dbt would have built models, and declarations as text."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow.parquet as pq

from activation.engine import gate
from activation.engine.declarations import Activation, Declarations
from activation.engine.history import status
from activation.engine.ledger import Ledger, open_ledger
from activation.engine.models import Models
from activation.engine.plan import Plan, make_plan
from activation.engine.project import Project
from activation.engine.run import Runner
from activation.engine.settle import Settled
from activation.engine.warehouse import opened

NOON = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)  # noon in Shanghai
REPOSITORY = Path(__file__).parents[3]

TABLES = {
    "dim_profiles": "profile_id varchar, first_name varchar, email varchar, phone varchar, wechat_openid varchar, time_zone varchar",
    "sync_people": "profile_id varchar, email varchar, first_name varchar, city varchar, visits integer",
    "segment_everyone": "profile_id varchar",
    "segment_excluded": "profile_id varchar",
    "consent_state": "profile_id varchar, channel varchar, purpose varchar, status varchar, since timestamp",
    "suppressions": "profile_id varchar, channel varchar, reason varchar, scope varchar",
    "fct_message_events": "message_id varchar",
}
PERSONAL = {"email", "phone", "first_name"}

DESTINATIONS = """
mail: {connector: smtp, base_url: "${SLUICE_SANDBOX_SMTP:-smtp://127.0.0.1:1}", sender: News <news@sluice.example>, timeout_seconds: 30}
sms: {connector: aliyun_sms, base_url: "${SLUICE_SANDBOX_URL:-http://127.0.0.1:1}"}
wechat: {connector: wechat_official, base_url: "${SLUICE_SANDBOX_URL:-http://127.0.0.1:1}"}
hubspot: {connector: hubspot, base_url: "${SLUICE_SANDBOX_URL:-http://127.0.0.1:1}", limits: {per_second: 1000, batch_size: 10}}
partner: {connector: webhook, base_url: "${SLUICE_SANDBOX_URL:-http://127.0.0.1:1}", limits: {per_second: 1000, batch_size: 10}}
files: {connector: csv_file, directory: .sluice/files}
"""
POLICIES = {
    "purposes": """
purposes:
  newsletter: {basis: consent}
  order_update: {basis: transactional}
  sales_contact: {basis: objection}
""",
    "quiet_hours": "channels: {}\n",
    "frequency_caps": "caps: []\n",
}
CONTENT = """
email: {subject: "Hello {{ first_name }}", html: hello.html}
sms: {sign_name: 云起, template_code: SMS_1, params: {name: "{{ first_name }}"}}
wechat: {template_id: T1, data: {first: "{{ first_name }}"}}
"""


class SmallProject:
    """`shop.people(3)` are three profiles p_0 … p_2 whom everything may reach, all of them in `sync_people` and `segment_everyone`."""

    def __init__(self, root: Path) -> None:
        self.project = Project(root.resolve())
        self.write("dbt_models/dbt_project.yml", "name: small\n")
        self.write("activation/destinations.yml", DESTINATIONS)
        for name, text in POLICIES.items():
            self.policy(name, text)
        self.content(CONTENT)
        for table, columns in TABLES.items():
            self.write(f"dbt_models/models/{table}.sql", f"-- {columns}\n")
        self._manifest(TABLES)
        self.sql(*(f"create table {table} ({columns})" for table, columns in TABLES.items()))

    # -- what a user edits --------------------------------------------------------------------------------------------

    def write(self, path: str, text: str) -> None:
        file = self.project.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def policy(self, name: str, text: str) -> None:
        self.write(f"activation/policies/{name}.yml", text)

    def content(self, text: str, html: str = "<p>Hi {{ first_name }}</p>") -> None:
        self.write("activation/content/hello.yml", text)
        self.write("activation/content/hello.html", html)

    def sync(self, ref: str = "hubspot/people", **changes: Any) -> str:
        """Declare a sync of `sync_people`; keywords change its settings, None leaves one out."""
        objects = {"hubspot": "contacts", "partner": "rows", "files": "rows", "wechat": "tags"}
        spec = {
            "model": "sync_people",
            "object": objects.get(ref.split("/")[0]),
            "key": "profile_id",
            "match_on": "email",
            "purpose": "sales_contact",
            "fields": {"email": "email", "firstname": "first_name"},
            **changes,
        }
        self._declare(f"syncs/{ref}", spec)
        return ref

    def send(self, ref: str = "mail/hello", **changes: Any) -> str:
        """Declare a send to `segment_everyone`."""
        destination, name = ref.split("/")
        spec = {
            "destination": destination,
            "object": "template_messages" if destination == "wechat" else "messages",
            "audience": {"include": ["segment_everyone"]},
            "purpose": "newsletter",
            "content": "hello",
            "fields": {"first_name": "first_name"},
            **changes,
        }
        self._declare(f"sends/{name}", spec)
        return ref

    def merges(self, *pairs: tuple[str, str]) -> None:
        """Identity says: the profile named first in a pair is the one named second."""
        self.sql("create or replace table profile_merges (previous_id varchar, profile_id varchar)")
        if pairs:
            self.fill("profile_merges", pairs)
        self._manifest({*TABLES, "profile_merges"})

    def segment(self, name: str, *people: str) -> None:
        """Another segment, of these people."""
        self.write(f"dbt_models/models/{name}.sql", "-- profile_id varchar\n")
        self.sql(f"create or replace table {name} (profile_id varchar)")
        self.fill(name, [(who,) for who in people])
        self._manifest({path.stem for path in (self.project.models / "models").glob("*.sql")})

    def _declare(self, name: str, spec: dict[str, Any]) -> None:
        # JSON is YAML, and needs no quoting rules here.
        self.write(f"activation/{name}.yml", json.dumps({key: value for key, value in spec.items() if value is not None}))

    def _manifest(self, tables: Iterable[str]) -> None:
        nodes = {}
        for table in tables:
            columns = {name: {"meta": {"pii": True}} for name in PERSONAL}
            node = {"name": table, "resource_type": "model", "schema": "main", "alias": table, "columns": columns, "description": ""}
            nodes[f"model.small.{table}"] = node
        self.project.manifest.write_text(json.dumps({"nodes": nodes}))

    def forget_model(self, name: str) -> None:
        """As if dbt did not know this model."""
        self._manifest(set(TABLES) - {name})

    # -- what dbt would build -----------------------------------------------------------------------------------------

    def sql(self, *statements: str) -> None:
        with opened(self.project) as connection:
            for statement in statements:
                connection.execute(statement)

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with opened(self.project) as connection:
            return connection.execute(sql, parameters).fetchall()

    def fill(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """The table holds exactly these rows."""
        with opened(self.project) as connection:
            connection.execute(f"delete from {table}")
            if rows:
                connection.executemany(f"insert into {table} values ({', '.join('?' * len(rows[0]))})", rows)

    def change(self, key: str, column: str, value: str | None) -> None:
        """One value of one row of `sync_people` is another."""
        self.sql(f"update sync_people set {column} = {'null' if value is None else repr(value)} where profile_id = '{key}'")

    def people(self, count: int) -> None:
        self.sql(
            "delete from dim_profiles", "delete from sync_people", "delete from segment_everyone", "delete from consent_state",
            f"insert into dim_profiles select 'p_' || i, 'Name' || i, 'u' || i || '@mail.example', '+8613800' || lpad(i::varchar, 6, '0'), "
            f"'o' || lpad(i::varchar, 27, '0'), 'Asia/Shanghai' from range({count}) t(i)",
            f"insert into sync_people select 'p_' || i, 'u' || i || '@mail.example', 'Name' || i, 'Wuhan', 1 from range({count}) t(i)",
            "insert into segment_everyone select profile_id from dim_profiles",
            "insert into consent_state select profile_id, 'all', 'all', 'granted', timestamp '2026-01-01' from dim_profiles",
        )  # fmt: skip

    # -- what the engine makes of it ----------------------------------------------------------------------------------

    @property
    def declarations(self) -> Declarations:
        return Declarations.load(self.project)

    def find(self, ref: str) -> Activation:
        return self.declarations.find(ref)

    def runner(self, now: datetime = NOON, **options: Any) -> Runner:
        return Runner(self.project, self.declarations, now, **options)

    def run(self, ref: str, now: datetime = NOON, **options: Any) -> Settled:
        runner = self.runner(now)
        return runner.run(runner.declarations.find(ref), **options)

    def plan(self, ref: str, only_keys: list[str] | None = None) -> Plan:
        with opened(self.project) as connection:
            return make_plan(connection, self.project, Models(self.project), self.find(ref), only_keys)

    def planned(self, ref: str) -> list[tuple[str, str, str | None]]:
        """(operation, key, invalid code) of each row that a run would plan now."""
        return [(row["operation"], row["key"], row["invalid_code"]) for row in plan_rows(self.plan(ref))]

    def withheld(
        self,
        ref: str,
        now: datetime = NOON,
        unsettled: Sequence[gate.UnsettledMessage] = (),
        leaving: Sequence[gate.Leaving] = (),
    ) -> dict[str, str]:
        """The gate's code for each profile that it withholds."""
        activation, verdicts = self.find(ref), self.project.plans / "asked.parquet"
        with opened(self.project) as connection:
            models = Models(self.project)
            plan = make_plan(connection, self.project, models, activation)
            counts = gate.ask(connection, models, self.declarations.policies, activation, plan.file, now, verdicts, unsettled, leaving)
        people = {row["row_number"]: row["profile_id"] for row in plan_rows(plan)}
        found = [(people[row["row_number"]], row["code"]) for row in pq.read_table(verdicts).to_pylist()]
        assert sum(counts.values()) == len(found)
        return dict(found)

    def outcomes(self, run_id: str) -> dict[str, tuple[str, str | None]]:
        """Outcome and code by key, of one run."""
        rows = self.rows("select key, outcome, reason_code from activation.sync_changelog where run_id = ?", run_id)
        return {key: (outcome, code) for key, outcome, code in rows}

    def state(self, ref: str) -> dict[str, tuple[str, Any]]:
        """What the snapshot holds: state and payload by key."""
        rows = self.rows("select key, state, payload::varchar from activation.sync_snapshot where ref = ?", ref)
        return {key: (state, orjson.loads(payload)) for key, state, payload in rows}

    def books(self, run_id: str) -> dict[str, int]:
        """The run's own row of counts; the test of the balance that must always hold."""
        names = ("planned", "sent", "rejected", "withheld", "unknown", "skipped", "invalid")
        (row,) = self.rows(f"select {', '.join(names)} from activation.sync_runs where run_id = ?", run_id)
        counts = dict(zip(names, row, strict=True))
        logged = self.rows("select count(*), count(distinct row_number) from activation.sync_changelog where run_id = ?", run_id)
        assert logged == [(counts["planned"], counts["planned"])]
        assert counts["planned"] == sum(counts[name] for name in names[1:])
        return counts

    def ledger(self) -> Ledger:
        return open_ledger(self.project)

    def end_pauses(self) -> None:
        """As if the pause of every destination had run its time."""
        with self.ledger() as ledger:
            for row in ledger.rows("select destination from circuits"):
                ledger.close_circuit(row["destination"])

    def held(self) -> list[str]:
        """Keys of the messages that wait for a person."""
        return [row["key"] for row in status(self.project, self.declarations).held]

    def dump(self) -> list[list[tuple[Any, ...]]]:
        """All that settling writes, row for row."""
        tables = ("sync_runs", "sync_changelog", "sync_snapshot")
        return [self.rows(f"select * from activation.{table} order by all") for table in tables]

    def run_here(self, sandbox: Any, ref: str, now: datetime = NOON) -> Settled:
        """A run in this process against a sandbox that the environment does not name."""
        before = {name: os.environ.get(name) for name in sandbox.environment}
        os.environ.update(sandbox.environment)
        try:
            return self.run(ref, now)
        finally:
            for name, value in before.items():
                os.environ.pop(name, None) if value is None else os.environ.update({name: value})

    # -- real processes -----------------------------------------------------------------------------------------------

    def start(self, *arguments: str, now: datetime | None = NOON, **environment: str) -> subprocess.Popen[str]:
        """`sluice` as a process of its own."""
        moment = ["--as-of", now.isoformat()] if now else []
        return subprocess.Popen(
            [sys.executable, "-m", "activation.cli", "--project", str(self.project.root), *moment, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            env={**os.environ, **environment},
        )


def plan_rows(plan: Plan) -> list[dict[str, Any]]:
    return pq.read_table(plan.file).to_pylist()


def fetch(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return connection.execute(sql).fetchall()
