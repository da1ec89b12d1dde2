"""Members of Google's customer lists, by the Data Manager API."""

import hashlib
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

PEM = generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
ANOTHER = {"client_email": "sluice@sandbox.iam.gserviceaccount.com", "token_uri": "https://oauth2.googleapis.com/token", "private_key": PEM}
OPTIONS: dict[str, Any] = {"account_id": "1234567890"}
ADDRESS = "http"
WRONG = {"account_id": "1234567890", "service_account_key": orjson.dumps(ANOTHER).decode()}
PARTIAL = {"members": "batch"}
SETTINGS = {"members": {"audience_id": "8888"}}


def payload(kind: str, number: int) -> dict[str, Any]:
    return {"email": f" Person{number}@Example.com ", "phone": f"+86 138{number:08}", "first_name": "小明 🎉", "last_name": None}


def marker(kind: str, row: dict[str, Any]) -> str:
    return hashlib.sha256(row["email"].strip().lower().encode()).hexdigest()


def personal(kind: str, row: dict[str, Any]) -> list[str]:
    return [row["email"].strip(), row["phone"].removeprefix("+86 ")]
