"""Rows for files in a bucket, of a real server."""

from running_s3 import BUCKET, running_s3
from specimens.csv_file import EMULATOR, marker, payload, personal

S3 = running_s3()
OPTIONS = {"bucket": BUCKET, "prefix": "合同/a b/", "format": "jsonl", "access_key_id": S3.key_id, "secret_access_key": S3.secret}
WRONG = OPTIONS | {"secret_access_key": "not the secret of this key"}


def ADDRESS() -> str:
    return S3.address


__all__ = ["ADDRESS", "EMULATOR", "OPTIONS", "WRONG", "marker", "payload", "personal"]
