"""What a destination that is pulled by `resources` declares: each by its name, with the raw source it lands in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from connectors.base import Fatal

Resource = TypeVar("Resource")


def declared(written: Mapping[str, Any]) -> dict[str, str]:
    """Name of each resource → its raw source, from a declaration that may be wrong in any way."""
    resources = written.get("resources")
    if not isinstance(resources, dict):
        return {}
    return {str(name): str(one["lands_in"]) for name, one in resources.items() if isinstance(one, dict) and "lands_in" in one}


def named(name: str, resources: Mapping[str, Resource]) -> Resource:
    """The resource of that name. Raises Fatal when the destination has none."""
    if name not in resources:
        raise Fatal("CANNOT_PULL", f"This destination has no resource named {name}.")
    return resources[name]
