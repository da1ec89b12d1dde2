"""Moto's S3 on a free port of this machine, for as long as the tests run. It checks signatures and permissions, as the real one does.

It is a process of its own: that keys are checked holds for all of a process that moto runs in.
"""

from __future__ import annotations

import atexit
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
import httpx

BUCKET = "sluice-files"
POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'


@dataclass(frozen=True)
class RunningS3:
    """Its address, an access key that may do everything in S3, and Amazon's own client with that key."""

    address: str
    key_id: str
    secret: str
    client: Any


@cache
def running_s3() -> RunningS3:
    """The server, started when it is first asked for."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    atexit.register(server.kill)
    address = f"http://127.0.0.1:{port}"
    _wait(address, server)
    anyone = {"endpoint_url": address, "region_name": "us-east-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}
    iam = boto3.client("iam", **anyone)
    iam.create_user(UserName="sluice")
    iam.put_user_policy(UserName="sluice", PolicyName="files", PolicyDocument=POLICY)
    key = iam.create_access_key(UserName="sluice")["AccessKey"]
    own = anyone | {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    client = boto3.client("s3", **own)
    client.create_bucket(Bucket=BUCKET)
    httpx.post(f"{address}/moto-api/reset-auth", content=b"0", trust_env=False).raise_for_status()  # from now on every key is checked
    return RunningS3(address, key["AccessKeyId"], key["SecretAccessKey"], client)


def _wait(address: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while True:
        assert server.poll() is None, "moto does not start"
        try:
            httpx.get(f"{address}/moto-api/", trust_env=False)
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return
