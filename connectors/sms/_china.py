"""What vendors of text messages in China have in common: the clock that days and marketing hours are counted by, and reports without a signature."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from connectors.base import BadSignature, Callback, SecretStr, same

CHINA = timezone(timedelta(hours=8))


def until(hour: int) -> float:
    """Seconds until that hour strikes next in China."""
    now = datetime.now(CHINA)
    then = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    return ((then if then > now else then + timedelta(days=1)) - now).total_seconds()


def check_token(callback: Callback, expected: SecretStr | None) -> None:
    """The unguessable part of the report address, `?token=…`, which is all that keeps others from sending reports. Raises BadSignature."""
    if expected is None or not same(callback.query.get("token", ""), expected.get_secret_value()):
        raise BadSignature("the token in the address is missing or wrong")
