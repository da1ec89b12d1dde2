"""Amazon SNS envelopes: what was published to a topic, signed with a certificate of Amazon's own.

Anybody can publish to a topic of theirs and it is signed just as well: that the topic is ours must be checked too.
Rules: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509 import load_pem_x509_certificate

HOST = r"https://sns\.[a-z]{2}(?:-[a-z]+)+-\d\.amazonaws\.com(?:\.cn)?"
CERTIFICATE = re.compile(HOST + r"/SimpleNotificationService-[0-9a-f]{32}\.pem")
CONFIRMATION = re.compile(HOST + r"/\?Action=ConfirmSubscription&[!-~]{1,2000}")
NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
SUBSCRIPTION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
SIGNED = {"Notification": NOTIFICATION, "SubscriptionConfirmation": SUBSCRIPTION, "UnsubscribeConfirmation": SUBSCRIPTION}
HASHES: Mapping[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}


class Unbelievable(Exception):
    """Why an envelope must not be believed."""


def envelope(body: bytes, topic: str | None) -> dict[str, str]:
    """The envelope, if it is one of that topic's that names a certificate of Amazon's. It is not verified yet. Raises Unbelievable."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Unbelievable("the body is not JSON") from None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise Unbelievable("the body is not an SNS envelope")
    if found.get("Type") not in SIGNED or found.get("SignatureVersion") not in HASHES:
        raise Unbelievable("the type or the version of the signature is unknown")
    if topic is None or found.get("TopicArn") != topic:
        raise Unbelievable("the topic is not ours")
    if not CERTIFICATE.fullmatch(found.get("SigningCertURL", "")):
        raise Unbelievable("the certificate is not at an address of SNS")
    return found


def verify(message: Mapping[str, str], key: rsa.RSAPublicKey) -> None:
    """Raises Unbelievable unless the envelope was signed by that key."""
    text = "".join(f"{name}\n{message[name]}\n" for name in SIGNED[message["Type"]] if name in message)
    try:
        signature = base64.b64decode(message.get("Signature", ""), validate=True)
        key.verify(signature, text.encode(), padding.PKCS1v15(), HASHES[message["SignatureVersion"]])
    except (InvalidSignature, ValueError):
        raise Unbelievable("the signature is missing or wrong") from None


def published_at(message: Mapping[str, str]) -> datetime:
    """When it was published. Raises Unbelievable."""
    try:
        moment = datetime.fromisoformat(message["Timestamp"])
    except (KeyError, ValueError):
        raise Unbelievable("the timestamp is missing or malformed") from None
    if moment.tzinfo is None:
        raise Unbelievable("the timestamp is missing or malformed")
    return moment


def public_key(certificate: bytes) -> rsa.RSAPublicKey:
    """The key in a certificate (PEM), or a public key in base64. Raises ValueError."""
    key: Any
    if certificate.lstrip().startswith(b"-----BEGIN CERTIFICATE-----"):
        key = load_pem_x509_certificate(certificate).public_key()
    else:
        key = load_der_public_key(base64.b64decode(certificate, validate=True))
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("is not an RSA key")
    return key
