"""How the outside talks, both ways: one vendor, one file, in a folder per channel. Found by file name, listed nowhere."""

from __future__ import annotations

import inspect
from functools import cache
from importlib import import_module
from pathlib import Path

from connectors.base import Connector

ROOM = Path(__file__).parent
CHANNELS = ("email", "sms", "wechat", "crm", "ads", "web", "files", "data", "chat")


@cache
def names() -> dict[str, str]:
    """Every connector by name, with its module: `{"hubspot": "connectors.crm.hubspot", …}`. Nothing is imported."""
    found = {}
    for channel in CHANNELS:
        for path in sorted((ROOM / channel).glob("[a-z]*.py")):
            found[path.stem] = f"connectors.{channel}.{path.stem}"
    return found


@cache
def find(name: str) -> type[Connector]:
    """The connector class of that file name. Raises KeyError when there is no such file, TypeError when the file holds not exactly one."""
    module = import_module(names()[name])
    classes = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Connector) and value.__module__ == module.__name__
    ]
    if len(classes) != 1:
        raise TypeError(f"{module.__name__} must define exactly one Connector, it defines {len(classes)}")
    return classes[0]
