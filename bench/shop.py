"""A project for benchmarks: people that everything may reach, a sync that sends them in batches, and a send of one message a request."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from activation.engine.declarations import Declarations
from activation.engine.plan import Plan
from activation.engine.project import Project
from activation.engine.run import Runner
from activation.engine.settle import Settled
from activation.engine.warehouse import opened
from bench.timing import forget_peak, peak_mb

NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
BATCHES, SINGLES = "partner/people", "sms/hello"
FIELDS = ("profile_id", "email", "phone", "first_name", "last_name", "company", "title", "city", "country", "stage", "score", "visits", "orders", "spent", "seen_at")  # fmt: skip
TABLES = {
    "dim_profiles": "i || '' as profile_id, 'Name' || i as first_name, 'u' || i || '@mail.example' as email, '+86138' || lpad(i::varchar, 8, '0') as phone, "
    "'Asia/Shanghai' as time_zone",
    "segment_everyone": "i || '' as profile_id",
    "consent_state": "i || '' as profile_id, 'all' as channel, 'all' as purpose, 'granted' as status, timestamp '2026-01-01' as since",
    "suppressions": "i || '' as profile_id, 'all' as channel, 'complaint' as reason, 'all' as scope",
    "sync_people": "i || '' as profile_id, 'u' || i || '@mail.example' as email, '+86138' || lpad(i::varchar, 8, '0') as phone, 'Name' || i as first_name, "
    "'Family' || i % 1000 as last_name, 'Company ' || i % 50000 as company, 'Head of ' || i % 100 as title, 'Wuhan' as city, 'CN' as country, 'lead' as stage, "
    "i % 100 as score, i % 37 as visits, i % 11 as orders, (i % 99991) / 100 as spent, timestamp '2026-01-01' + interval (i % 1000000) second as seen_at",
}


def make(folder: Path, address: str, people: int, batch_size: int) -> Project:
    project = Project(folder)
    limits = {"per_second": 10_000_000, "batch_size": batch_size, "concurrency": 4}
    single = {"per_second": 10_000_000, "concurrency": 200}
    destinations = {
        "partner": {"connector": "webhook", "base_url": address, "limits": limits},
        "sms": {"connector": "aliyun_sms", "base_url": address, "limits": single},
    }
    sync = {
        "model": "sync_people",
        "object": "rows",
        "key": "profile_id",
        "match_on": "email",
        "purpose": "service",
        "fields": {f: f for f in FIELDS},
    }
    send = {
        "destination": "sms",
        "audience": {"include": ["segment_everyone"]},
        "purpose": "service",
        "content": "hello",
        "fields": {"first_name": "first_name"},
    }
    content = {"sms": {"sign_name": "云起", "template_code": "SMS_1", "params": {"name": "{{ first_name }}"}}}
    files: dict[str, Any] = {
        "destinations.yml": destinations,
        "policies/purposes.yml": {"purposes": {"service": {"basis": "consent"}}},
        f"syncs/{BATCHES}.yml": sync,
        "sends/hello.yml": send,
        "content/hello.yml": content,
    }
    for name, said in files.items():
        file = folder / "activation" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(said))
    (folder / "dbt_models" / "models").mkdir(parents=True)
    for table in TABLES:
        (folder / "dbt_models" / "models" / f"{table}.sql").write_text("-- made by hand\n")
    (folder / "dbt_models" / "dbt_project.yml").write_text("name: bench\n")
    nodes = {f"model.bench.{table}": {"name": table, "resource_type": "model", "schema": "main", "alias": table} for table in TABLES}
    project.manifest.write_text(json.dumps({"nodes": nodes}))
    with opened(project) as connection:
        for table, row in TABLES.items():
            connection.execute(f"create table {table} as select {row} from range({0 if table == 'suppressions' else people}) t(i)")
    return project


def deliver(folder: str, ref: str) -> tuple[Settled, float, float]:
    """Run a sync or send whole: what came of it, and from the first row that leaves until all is settled the seconds and the peak of memory."""
    project = Project(Path(folder))
    declarations = Declarations.load(project)
    began = [0.0]

    def begins(plan: Plan, verdicts: Path) -> None:
        forget_peak()
        began[0] = time.perf_counter()

    settled = Runner(project, declarations, NOW).run(declarations.find(ref), check=begins)
    return settled, time.perf_counter() - began[0], peak_mb()
