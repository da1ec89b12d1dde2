from __future__ import annotations

import asyncio
import hashlib
import io
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import httpx
import orjson
import pyarrow.parquet as pq
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from running_s3 import BUCKET, running_s3
from running_sftp import PASSWORD, Serving, running_sftp

from connectors._sigv4 import Signer
from connectors.base import Batch, ConnectorError, Fatal, Outcome, Row, SecretStr, Transient, Unanswered
from connectors.files._formats import Rows
from connectors.files.file import File
from connectors.files.s3 import S3
from connectors.files.sftp import Sftp

ODD = [
    {"id": 1, "name": '李 "雷", 🎉\nline two', "score": None, "vip": True, "tags": ["a", {"b": None}], "mixed": 1, "half": 1},
    {"id": 2, "name": None, "score": None, "vip": None, "tags": None, "mixed": "一", "half": 0.5},
]


def batch(rows: list[dict[str, Any]], types: dict[str, str] | None = None, **changes: Any) -> Batch:
    made = [Row(index, f"k{index}", orjson.dumps(fields)) for index, fields in enumerate(rows)]
    settings = Rows(types=types or {})
    return Batch(**{"object": "rows", "operation": "change", "rows": made, "run_id": "r1", "number": 3, "settings": settings, **changes})


async def written(folder: Path, what: Batch, **options: Any) -> bytes:
    outcomes = await File(File.Options(directory=folder, **options)).deliver(what)
    [name] = {outcome.provider_id for outcome in outcomes if outcome.status == "sent"}
    assert name
    return (folder / name).read_bytes()


# -- formats --------------------------------------------------------------------------------------------------------------------


async def test_json_lines_are_the_rows_with_their_operation(tmp_path: Path) -> None:
    lines = (await written(tmp_path, batch([*ODD, {}]), format="jsonl")).splitlines()
    assert [orjson.loads(line) for line in lines] == [{"_operation": "change"} | row for row in [*ODD, {}]]


async def test_parquet_has_the_types_that_the_values_have(tmp_path: Path) -> None:
    table = pq.read_table(io.BytesIO(await written(tmp_path, batch(ODD), format="parquet")))
    assert {name: str(table.schema.field(name).type) for name in table.column_names} == {
        "_operation": "string",
        "id": "int64",
        "name": "string",
        "score": "string",
        "vip": "bool",
        "tags": "string",
        "mixed": "string",
        "half": "double",
    }
    assert table.to_pylist()[0] | {} == {
        "_operation": "change",
        "id": 1,
        "name": '李 "雷", 🎉\nline two',
        "score": None,
        "vip": True,
        "tags": '["a",{"b":null}]',
        "mixed": "1",
        "half": 1.0,
    }


@pytest.mark.parametrize("value", [2**53 + 1, 2**63, -(2**63) - 1])
async def test_parquet_keeps_large_numbers_whole(tmp_path: Path, value: int) -> None:
    row = [{"n": value if value < 2**64 and value >= -(2**63) else str(value)}, {"n": 0.5}]
    table = pq.read_table(io.BytesIO(await written(tmp_path, batch(row), format="parquet")))
    assert table["n"].to_pylist() == [str(value), "0.5"]


async def test_a_declared_column_is_in_every_file_in_its_type_and_order(tmp_path: Path) -> None:
    types = {"at": "timestamp", "day": "date", "score": "integer", "half": "number", "vip": "boolean", "code": "string"}
    row = {"score": 3.0, "day": "2026-10-31", "at": "2026-10-31 10:00:00+08:00", "half": 1, "vip": False, "code": 7, "more": "x"}
    await written(tmp_path, batch([row], types), format="parquet")
    await written(tmp_path, batch([{"more": "y"}], types, number=4), format="parquet")
    found = duckdb.sql(f"select * from read_parquet('{tmp_path}/*.parquet') order by more").fetchall()  # without union_by_name
    assert found == [
        ("change", datetime(2026, 10, 31, 2, tzinfo=UTC), date(2026, 10, 31), 3, 1.0, False, "7", "x"),
        ("change", None, None, None, None, None, None, "y"),
    ]


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("integer", "7"),
        ("integer", True),
        ("integer", 1.5),
        ("integer", 2**63),
        ("number", "1"),
        ("boolean", 1),
        ("date", "31.10.2026"),
        ("timestamp", 5),
    ],
)
async def test_a_value_of_another_type_costs_its_row_alone(tmp_path: Path, format: str, kind: str, value: Any) -> None:
    connector = File(File.Options(directory=tmp_path, format=format))
    outcomes = await connector.deliver(batch([{"n": None}, {"n": value}], {"n": kind}))
    assert [(outcome.status, outcome.code) for outcome in outcomes] == [("sent", ""), ("rejected", "WRONG_TYPE")]
    assert str(value) not in outcomes[1].reason
    assert orjson.loads((tmp_path / f"rows-r1-000003.{format}.manifest.json").read_bytes())["rows"] == 1
    assert {o.status for o in await connector.deliver(batch([{"n": value}], {"n": kind}, number=9))} == {"rejected"}
    assert not list(tmp_path.glob("*000009*"))


async def test_a_field_with_the_name_of_our_column_stops_the_run(tmp_path: Path) -> None:
    for format in ("csv", "parquet"):
        with pytest.raises(Fatal, match="Rename it"):
            await File(File.Options(directory=tmp_path, format=format)).deliver(batch([{"_operation": 1}]))
    with pytest.raises(ValueError, match="every file has"):
        Rows(types={"_operation": "string"})


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
async def test_the_same_rows_are_the_same_bytes_and_the_manifest_says_so(tmp_path: Path, format: str) -> None:
    first, again = [await written(tmp_path / folder, batch(ODD), format=format) for folder in "ab"]
    assert first == again
    assert orjson.loads((tmp_path / "a" / f"rows-r1-000003.{format}.manifest.json").read_bytes()) == {
        "file": f"rows-r1-000003.{format}",
        "format": format,
        "rows": 2,
        "bytes": len(first),
        "sha256": hashlib.sha256(first).hexdigest(),
        "object": "rows",
        "operation": "change",
        "run": "r1",
        "batch": 3,
    }


# -- S3 -------------------------------------------------------------------------------------------------------------------------


def s3(http: httpx.AsyncClient, **options: Any) -> S3:
    server = running_s3()
    given = {"bucket": BUCKET, "access_key_id": server.key_id, "secret_access_key": server.secret, **options}
    return S3(S3.Options(**given), http, server.address)


async def test_amazon_s_own_client_finds_what_was_put(http: httpx.AsyncClient) -> None:
    prefix = "客户 & co/=a+b/"
    outcomes = await s3(http, prefix=prefix, format="parquet").deliver(batch(ODD))
    client = running_s3().client
    keys = {found["Key"] for found in client.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]}
    assert keys == {f"{prefix}rows-r1-000003.parquet", f"{prefix}rows-r1-000003.parquet.manifest.json"}
    content = client.get_object(Bucket=BUCKET, Key=prefix + str(outcomes[0].provider_id))
    assert content["ContentType"] == "application/vnd.apache.parquet"
    manifest = orjson.loads(client.get_object(Bucket=BUCKET, Key=f"{prefix}rows-r1-000003.parquet.manifest.json")["Body"].read())
    assert manifest["sha256"] == hashlib.sha256(content["Body"].read()).hexdigest()


@pytest.mark.parametrize(
    "path", ["/bucket/a/rows-r1-000003.csv", "/bucket/%E5%AE%A2%E6%88%B7%20%26%20co/%3Da%2Bb/x.json", "/", "/b/-_.~/%25/x"]
)
@pytest.mark.parametrize("token", [None, "a/session+token=="])
def test_the_signature_is_the_sdk_s(path: str, token: str | None) -> None:
    at = datetime(2026, 10, 31, 2, 3, 4, tzinfo=UTC)
    body = "内容 🎉".encode()
    url, kind, key = f"https://s3.eu-west-1.amazonaws.com{path}", "text/csv;   charset=utf-8", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    signing = Signer("s3", "eu-west-1", "AKIDEXAMPLE", SecretStr(key), SecretStr(token) if token else None)
    ours = signing.signed("PUT", url, {"content-type": kind}, body, at)
    theirs = AWSRequest("PUT", url, {"Content-Type": kind}, body)
    theirs.context["timestamp"] = "20261031T020304Z"
    signer = S3SigV4Auth(Credentials("AKIDEXAMPLE", key, token), "s3", "eu-west-1")
    theirs.headers["X-Amz-Date"] = theirs.context["timestamp"]
    theirs.headers["X-Amz-Content-SHA256"] = signer.payload(theirs)
    if token:
        theirs.headers["X-Amz-Security-Token"] = token
    signer._inject_signature_to_request(theirs, signer.signature(signer.string_to_sign(theirs, signer.canonical_request(theirs)), theirs))
    assert ours["authorization"] == theirs.headers["Authorization"]
    assert ours["x-amz-content-sha256"] == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bucket": "nobodys-bucket"}, "NoSuchBucket"),
        ({"access_key_id": "AKIANOBODY"}, "InvalidAccessKeyId"),
        ({"secret_access_key": "wrong"}, "SignatureDoesNotMatch"),
    ],
)
async def test_what_s3_says_is_wrong_is_said_to_a_person(http: httpx.AsyncClient, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(Fatal) as caught:
        await s3(http, **changes).deliver(batch(ODD))
    assert caught.value.code == said
    with pytest.raises(Fatal):
        await s3(http, **changes).check()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (503, b"<Error><Code>SlowDown</Code></Error>", Transient),
        (500, b"", Transient),
        (409, b"<Error><Code>OperationAborted</Code></Error>", Transient),
        (400, b"<Error><Code>RequestTimeout</Code></Error>", Transient),
        (429, b"", Transient),
        (400, b"<Error><Code>ExpiredToken</Code></Error>", Fatal),
        (301, b"<Error><Code>PermanentRedirect</Code><Endpoint>x</Endpoint></Error>", Fatal),
        (403, b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]><Error><Code>&a;</Code></Error>", Fatal),
        (403, b"<Error><Code>key AKIA of 13800138000</Code></Error>", Fatal),
    ],
)
async def test_answers_of_s3_are_sorted(status: int, body: bytes, error: type[ConnectorError]) -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(status, content=body))) as client:
        with pytest.raises(error) as caught:
            await S3(S3.Options(bucket="a-b", access_key_id="k", secret_access_key="s"), client, "http://127.0.0.1:9").deliver(batch(ODD))
    assert "13800138000" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "address", "url"),
    [
        ({}, None, "https://s3.amazonaws.com/a-b/p/rows"),
        ({"region": "eu-west-1"}, None, "https://s3.eu-west-1.amazonaws.com/a-b/p/rows"),
        ({"region": "cn-north-1"}, None, "https://s3.cn-north-1.amazonaws.com.cn/a-b/p/rows"),
        ({"addressing": "host"}, "https://oss-cn-hangzhou.aliyuncs.com", "https://a-b.oss-cn-hangzhou.aliyuncs.com/p/rows"),
        ({"region": "eu-west-1"}, "http://127.0.0.1:9000", "http://127.0.0.1:9000/a-b/p/rows"),
    ],
)
async def test_a_bucket_is_found_at_its_endpoint(options: dict[str, Any], address: str | None, url: str) -> None:
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    given = S3.Options(bucket="a-b", prefix="p/", access_key_id="k", secret_access_key="s", session_token="t", **options)
    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client:
        await S3(given, client, address).deliver(batch(ODD))
    assert str(seen[0].url).startswith(url)
    assert seen[0].headers["x-amz-security-token"] == "t"


# -- SFTP -----------------------------------------------------------------------------------------------------------------------


def sftp(**options: Any) -> Sftp:
    given = {"directory": "/drop/客户", "username": "sluice", "password": PASSWORD, **options}
    return Sftp(Sftp.Options(**given), None, running_sftp().address)


async def test_a_file_is_at_the_server_whole_with_its_manifest() -> None:
    async with sftp(directory="/whole/deep") as connector:
        outcomes = await connector.deliver(batch(ODD))
        assert outcomes == await connector.deliver(batch(ODD))  # over the one that is there
        assert await connector.check() == "the directory is there"
    folder = running_sftp().root / "whole" / "deep"
    assert sorted(path.name for path in folder.iterdir()) == ["rows-r1-000003.csv", "rows-r1-000003.csv.manifest.json"]
    manifest = orjson.loads((folder / "rows-r1-000003.csv.manifest.json").read_bytes())
    assert manifest["sha256"] == hashlib.sha256((folder / "rows-r1-000003.csv").read_bytes()).hexdigest()


async def test_nobody_sees_a_part_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = running_sftp().root / "atomic"
    seen: list[list[str]] = []
    monkeypatch.setattr(Serving, "before_rename", lambda: seen.append([p.name for p in folder.iterdir() if not p.name.startswith(".")]))
    async with sftp(directory="/atomic", manifest=False) as connector:
        await connector.deliver(batch(ODD))
    assert seen == [[]]


async def test_a_file_that_cannot_be_put_in_place_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise PermissionError(13, "no")

    monkeypatch.setattr(Serving, "before_rename", refuse)
    async with sftp(directory="/refused") as connector:
        with pytest.raises(Fatal) as caught:
            await connector.deliver(batch(ODD))
    assert caught.value.code == "CANNOT_WRITE"
    assert list((running_sftp().root / "refused").iterdir()) == []


async def test_many_files_at_once_go_over_one_connection() -> None:
    async with sftp(directory="/many") as connector:
        await asyncio.gather(*(connector.deliver(batch(ODD, number=number)) for number in range(5)))
    assert len(list((running_sftp().root / "many").glob("*.csv"))) == 5


async def test_a_server_with_another_host_key_gets_nothing() -> None:
    stranger = running_sftp().host_key[:-8] + "AAAAAAAA"
    async with sftp(host_key=running_sftp().host_key) as connector:
        assert await connector.check()
    async with sftp(host_key=stranger, directory="/stranger") as connector:
        with pytest.raises(Fatal) as caught:
            await connector.deliver(batch(ODD))
    assert caught.value.code == "WRONG_HOST_KEY"
    assert not (running_sftp().root / "stranger").exists()


async def test_a_server_elsewhere_needs_its_host_key() -> None:
    connector = Sftp(Sftp.Options(username="sluice"), None, "sftp://files.example")
    with pytest.raises(Fatal, match=r"ssh-keyscan files\.example"):
        await connector.check()


async def test_a_private_key_opens_the_door_too() -> None:
    async with sftp(password=None, private_key=running_sftp().private_key) as connector:
        assert await connector.check()
    async with sftp(password=None, private_key="-----BEGIN NONSENSE-----") as connector:
        with pytest.raises(Fatal, match="cannot be read as a key"):
            await connector.check()


async def test_a_connection_that_broke_is_opened_again() -> None:
    async with sftp(directory="/again") as connector:
        await connector.deliver(batch(ODD))
        connector._connection.abort()
        await connector._connection.wait_closed()
        assert {outcome.status for outcome in await connector.deliver(batch(ODD, number=4))} == {"sent"}


async def test_a_connection_that_breaks_in_between_is_unanswered(monkeypatch: pytest.MonkeyPatch) -> None:
    async with sftp(directory="/broken") as connector:
        await connector.check()
        monkeypatch.setattr(Serving, "before_rename", connector._connection.abort)
        with pytest.raises(Unanswered):
            await connector.deliver(batch(ODD))
        monkeypatch.undo()
        assert (await connector.deliver(batch(ODD)))[0] == Outcome("sent", provider_id="rows-r1-000003.csv")


async def test_without_its_library_sftp_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.files.sftp.asyncssh", None)
    async with sftp() as connector:
        with pytest.raises(Fatal, match=r"pip install sluice\[sftp\]"):
            await connector.deliver(batch(ODD))
