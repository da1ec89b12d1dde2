"""Destinations for data, driven by the engine as a sync drives them: what is there afterwards is what the model says."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pyarrow.parquet as pq
import pytest
from mock_kafka import mock_kafka, records
from mock_mysql import connected, credentials, mysql_address
from running_database import PASSWORD, running_database
from running_s3 import BUCKET, running_s3
from running_sftp import PASSWORD as SFTP_PASSWORD
from running_sftp import running_sftp

from tests.activation.engine.small_project import SmallProject

FIELDS = "fields: {profile_id: profile_id, name: first_name, city: city}"
SYNC = (
    "model: sync_people\nobject: rows\nkey: profile_id\nmatch_on: profile_id\npurpose: sales_contact\nguards: {max_removed_pct: 100}\n"
    + FIELDS
)
MIRROR = "\nmode: mirror\non_removed: delete\n"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallProject:
    shop = SmallProject(tmp_path / "shop")
    shop.people(5)
    for name, value in (
        ("TABLE_PASSWORD", PASSWORD),
        ("MYSQL_PASSWORD", credentials()["password"]),
        ("BUCKET_SECRET", running_s3().secret),
        ("DROP_PASSWORD", SFTP_PASSWORD),
    ):
        monkeypatch.setenv(name, value)
    folder = tmp_path.name.replace("_", "-")
    shop.write(
        "activation/destinations.yml",
        f"""
table: {{connector: sql_table, base_url: "{running_database()}", username: sluice, password: "${{TABLE_PASSWORD}}"}}
mysql: {{connector: sql_table, base_url: "{mysql_address()}", username: {credentials()["username"]}, password: "${{MYSQL_PASSWORD}}"}}
bucket:
  connector: s3
  base_url: "{running_s3().address}"
  bucket: {BUCKET}
  prefix: {folder}/
  format: parquet
  access_key_id: {running_s3().key_id}
  secret_access_key: ${{BUCKET_SECRET}}
drop: {{connector: sftp, base_url: "{running_sftp().address}", directory: /{folder}, username: sluice, password: "${{DROP_PASSWORD}}"}}
stream: {{connector: kafka, base_url: "kafka://{mock_kafka()}", timeout_seconds: 60}}
""",
    )
    shop.write("activation/syncs/table/people.yml", SYNC + MIRROR + "settings: {table: mirrored, key: profile_id}\n")
    shop.write("activation/syncs/mysql/people.yml", SYNC + MIRROR + "settings: {table: mirrored, key: profile_id}\n")
    shop.write("activation/syncs/bucket/people.yml", SYNC + MIRROR + "settings: {types: {profile_id: string, city: string}}\n")
    shop.write("activation/syncs/drop/people.yml", SYNC + MIRROR)
    shop.write("activation/syncs/stream/people.yml", SYNC + MIRROR + "settings: {topic: through-the-engine}\n")
    return shop


def change(shop: SmallProject) -> None:
    """One moves, one goes."""
    shop.sql("update sync_people set city = '上海' where profile_id = 'p_1'", "delete from sync_people where profile_id = 'p_2'")


def test_a_table_is_kept_equal_and_the_one_row_it_does_not_take_is_named(shop: SmallProject) -> None:
    with psycopg.connect(f"postgresql://sluice:{PASSWORD}@{running_database().split('//')[1]}", autocommit=True) as db:
        db.execute("truncate mirrored")
        first = shop.run("table/people")
        assert {key: said for key, said in shop.outcomes(first.run_id).items() if said[0] != "sent"} == {"p_3": ("rejected", "SQL_23514")}
        change(shop)
        second = shop.run("table/people")
        assert shop.books(second.run_id) == {
            "planned": 3,
            "sent": 2,
            "rejected": 1,
            "withheld": 0,
            "unknown": 0,
            "skipped": 0,
            "invalid": 0,
        }
        found = db.execute("select profile_id, name, city from mirrored order by 1").fetchall()
    assert found == [("p_0", "Name0", "Wuhan"), ("p_1", "Name1", "上海"), ("p_4", "Name4", "Wuhan")]


def test_a_table_of_mysql_is_kept_equal_too(shop: SmallProject) -> None:
    with connected() as db, db.cursor() as cursor:
        first = shop.run("mysql/people")
        refused = {key: said for key, said in shop.outcomes(first.run_id).items() if said[0] != "sent"}
        assert refused in ({"p_3": ("rejected", "MYSQL_3819")}, {"p_3": ("rejected", "MYSQL_4025")})  # MySQL, MariaDB
        change(shop)
        second = shop.run("mysql/people")
        assert (shop.books(second.run_id)["sent"], shop.books(second.run_id)["rejected"]) == (2, 1)
        cursor.execute("select profile_id, name, city from mirrored order by 1")
        assert list(cursor.fetchall()) == [("p_0", "Name0", "Wuhan"), ("p_1", "Name1", "上海"), ("p_4", "Name4", "Wuhan")]


def test_files_in_a_bucket_say_what_changed(shop: SmallProject) -> None:
    shop.run("bucket/people")
    change(shop)
    shop.run("bucket/people")
    client, prefix = running_s3().client, f"{shop.project.root.parent.name.replace('_', '-')}/"
    keys = [one["Key"] for one in client.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]]
    files = {key: client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}
    tables = [pq.read_table(io.BytesIO(content)).to_pylist() for key, content in files.items() if key.endswith(".parquet")]
    said: list[Any] = sorted((row["_operation"], row["profile_id"], row["city"]) for table in tables for row in table)
    assert said == [*(("add", f"p_{n}", "Wuhan") for n in range(5)), ("change", "p_1", "上海"), ("remove", "p_2", "Wuhan")]
    counted = sum(orjson.loads(content)["rows"] for key, content in files.items() if key.endswith(".manifest.json"))
    assert counted == len(said)


def test_files_on_a_server_are_there_with_their_manifests(shop: SmallProject) -> None:
    run = shop.run("drop/people")
    assert shop.books(run.run_id)["sent"] == 5
    folder = running_sftp().root / shop.project.root.parent.name.replace("_", "-")
    assert sorted(path.name for path in folder.iterdir()) == [
        f"rows-{run.run_id}-000000.csv",
        f"rows-{run.run_id}-000000.csv.manifest.json",
    ]


def test_a_topic_has_the_last_state_of_everybody(shop: SmallProject) -> None:
    shop.run("stream/people")
    change(shop)
    shop.run("stream/people")
    state: dict[bytes, Any] = {}
    for key, value, *_ in records("through-the-engine", 7):
        state[key] = value and orjson.loads(value)["city"]
    assert state == {b"p_0": "Wuhan", b"p_1": "上海", b"p_2": None, b"p_3": "Wuhan", b"p_4": "Wuhan"}
