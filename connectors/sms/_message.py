"""A text message: the fields of a row are the same with every vendor, so that a send can change its destination.

`phone`, `sign_name` (who it says that it is from), `template_code` and `params`, which fill the template.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.base import Object

CHINESE_SIGNATURE = r"^[^【】\[\]]{2,12}$"  # the brackets are the carrier's


def messages(*required: str, patterns: Mapping[str, str], **limits: Any) -> Object:
    """Messages as one vendor takes them. They are never kept "in sync": no mode."""
    return Object(message=True, contact="phone", modes=frozenset(), required=frozenset({"phone", *required}), patterns=patterns, **limits)


def variables(fields: Mapping[str, Any]) -> dict[str, str]:
    """What fills the template. Only strings are allowed; a missing value is an empty one."""
    return {name: "" if value is None else str(value) for name, value in (fields.get("params") or {}).items()}
