"""Amazon SNS envelopes: what was published to a topic, signed with a certificate of Amazon's own.

Anybody can publish to a topic of theirs and it is signed just as well: that the topic is ours must be checked too.
Rules: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509 import load_pem_x509_certificate

from connectors.base import BadSignature, Callback, SecretStr

HOST = r"https://sns\.[a-z]{2}(?:-[a-z]+)+-\d\.amazonaws\.com(?:\.cn)?"
CERTIFICATE = re.compile(HOST + r"/SimpleNotificationService-[0-9a-f]{32}\.pem")
CONFIRMATION = re.compile(HOST + r"/\?Action=ConfirmSubscription&[!-~]{1,2000}")
NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
SUBSCRIPTION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
SIGNED = {"Notification": NOTIFICATION, "SubscriptionConfirmation": SUBSCRIPTION, "UnsubscribeConfirmation": SUBSCRIPTION}
HASHES: Mapping[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}


class Topic:
    """Envelopes of one topic. They are verified by `given`, a key in base64, or else by the certificate that they name, once it was fetched."""

    def __init__(self, arn: str | None, given: SecretStr | None, tolerance: timedelta) -> None:
        self._arn, self._tolerance = arn, tolerance
        self._given = public_key(given.get_secret_value().encode()) if given else None
        self._keys: dict[str, rsa.RSAPublicKey] = {}

    def wants(self, callback: Callback) -> str | None:
        """The address of the certificate that is needed first; None when it is at hand, or the envelope is none of this topic's."""
        try:
            address = envelope(callback, self._arn)["SigningCertURL"]
        except BadSignature:
            return None
        return None if self._given or address in self._keys else address

    def learn(self, address: str, certificate: bytes) -> None:
        """Remember the certificate at an address. Raises ValueError when it is none."""
        self._keys[address] = public_key(certificate)

    def believed(self, callback: Callback) -> dict[str, str]:
        """The envelope in a callback, verified. Raises BadSignature."""
        message = envelope(callback, self._arn)
        key = self._given or self._keys.get(message["SigningCertURL"])
        if key is None:
            raise BadSignature("the certificate is not at hand")
        verify(message, key)
        if abs(callback.received_at - published_at(message)) > self._tolerance:
            raise BadSignature("the timestamp is too far from our clock")
        return message


def confirmation(message: Mapping[str, str]) -> str | None:
    """The address to be fetched so that the topic's messages come, if that is what it is about. Raises BadSignature when it is not Amazon's."""
    if message["Type"] != "SubscriptionConfirmation":
        return None
    if not CONFIRMATION.fullmatch(message.get("SubscribeURL", "")):
        raise BadSignature("the subscription is not to be confirmed at an address of SNS")
    return message["SubscribeURL"]


def envelope(callback: Callback, topic: str | None) -> dict[str, str]:
    """The envelope, if it is one of that topic's that names a certificate of Amazon's. It is not verified yet. Raises BadSignature."""
    found = callback.json()
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise BadSignature("the body is not an SNS envelope")
    if found.get("Type") not in SIGNED or found.get("SignatureVersion") not in HASHES:
        raise BadSignature("the type or the version of the signature is unknown")
    if topic is None or found.get("TopicArn") != topic:
        raise BadSignature("the topic is not ours")
    if not CERTIFICATE.fullmatch(found.get("SigningCertURL", "")):
        raise BadSignature("the certificate is not at an address of SNS")
    return found


def verify(message: Mapping[str, str], key: rsa.RSAPublicKey) -> None:
    """Raises BadSignature unless the envelope was signed by that key."""
    text = "".join(f"{name}\n{message[name]}\n" for name in SIGNED[message["Type"]] if name in message)
    try:
        signature = base64.b64decode(message.get("Signature", ""), validate=True)
        key.verify(signature, text.encode(), padding.PKCS1v15(), HASHES[message["SignatureVersion"]])
    except (InvalidSignature, ValueError):
        raise BadSignature("the signature is missing or wrong") from None


def published_at(message: Mapping[str, str]) -> datetime:
    """When it was published. Raises BadSignature."""
    try:
        moment = datetime.fromisoformat(message["Timestamp"])
    except (KeyError, ValueError):
        raise BadSignature("the timestamp is missing or malformed") from None
    if moment.tzinfo is None:
        raise BadSignature("the timestamp is missing or malformed")
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
