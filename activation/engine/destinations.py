"""A destination: one configured account of a connector.

Values may hold `${VARIABLE}` or `${VARIABLE:-default}`. They are resolved when the destination is opened, so that a project loads
with an empty environment. Secrets must be variables; on a loopback address a missing secret takes the sandbox's value.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr, ValidationError

import connectors
from activation.engine.errors import UsageError
from activation.engine.specs import NAME, Limits
from activation.engine.yaml_file import YamlFile, did_you_mean, sentences
from connectors import hosts
from connectors.base import Connector

RESERVED = frozenset({"connector", "base_url", "limits", "pulls"})
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


@dataclass(frozen=True, repr=False)
class Destination:
    """A declared destination. Its repr names it and nothing else."""

    name: str
    connector_name: str
    connector: type[Connector]
    written: Mapping[str, Any]
    base_url: str | None
    limits: Limits
    file: str
    line: int
    root: Path
    pulls: tuple[str, ...] = ()  # what is pulled by itself, by name

    def __repr__(self) -> str:
        return f"Destination({self.name})"

    @property
    def pullable(self) -> dict[str, str]:
        """Everything that can be pulled here, by name, and the raw source it lands in."""
        return {**self.connector.pulls, **self.connector.declared_pulls(self.written)}

    @classmethod
    def declared(cls, file: YamlFile, name: str) -> Destination | None:
        """The entry `name` of destinations.yml, or None after noting its faults in `file`."""
        entry = file.data[name]
        if not NAME.match(name):
            file.fault((name,), f"`{name}`: use lower-case letters, digits and underscores.")
            return None
        if not isinstance(entry, dict) or "connector" not in entry:
            file.fault((name,), f"`{name}` needs a `connector`.{did_you_mean('', set(connectors.names()))}")
            return None
        kind = entry["connector"]
        if not isinstance(kind, str) or kind not in connectors.names():
            shown = f"`{kind}`" if isinstance(kind, str) else "like this"
            file.fault((name, "connector"), f"there is no connector {shown}.{did_you_mean(str(kind), set(connectors.names()))}")
            return None
        connector = connectors.find(kind)
        before = len(file.faults)
        limits = file.validate(Limits, entry.get("limits", {}), (name, "limits"))
        pulls = _pulls(file, name, entry.get("pulls", []), {**connector.pulls, **connector.declared_pulls(entry)})
        if "base_url" in entry and (wrong := _address_fault(entry["base_url"])):
            file.fault((name, "base_url"), wrong)
        options = {key: value for key, value in entry.items() if key not in RESERVED}
        known = connector.Options.model_fields
        plain = set()
        for key, value in options.items():
            if key not in known:
                file.fault((name, key), f"`{key}` is not an option of {kind}.{did_you_mean(key, set(known) | (RESERVED - {'connector'}))}")
            elif _is_secret(known[key].annotation):
                if not (isinstance(value, str) and (match := VARIABLE.fullmatch(value)) and match[2] is None):
                    file.fault((name, key), f"`{key}` is a secret. Write it as ${{{name.upper()}_{key.upper()}}} and set that variable.")
            elif not (isinstance(value, str) and VARIABLE.search(value)):
                plain.add(key)
        file.validate(connector.Options, {key: options[key] for key in plain}, (name,), only=plain)
        for key, info in known.items():
            if info.is_required() and key not in options and not _sandbox_value(info):
                file.fault((name,), f"`{name}` needs `{key}`.")
        if len(file.faults) > before or file.broken:
            return None
        place = (file.shown, file.line((name,)), file.path.parents[1])
        return cls(name, kind, connector, options, entry.get("base_url"), limits, *place, pulls)

    def address(self, environment: Mapping[str, str] | None = None) -> str:
        """The base address with its variables resolved; the vendor's own when none was declared. Raises UsageError when it is none."""
        written = self.base_url if self.base_url is not None else self.connector.base_url
        address = str(self._resolve("base_url", written, os.environ if environment is None else environment)).rstrip("/")
        if address and (wrong := _address_fault(address)):
            raise UsageError(f"{self.file}:{self.line}: destination `{self.name}`: {wrong}")
        return address

    def open_options(self, environment: Mapping[str, str] | None = None) -> Any:
        """The connector's options with variables resolved and validated. Raises UsageError naming what is missing, never a value."""
        env = os.environ if environment is None else environment
        local = is_loopback(self.address(env))
        values: dict[str, Any] = {}
        for key, info in self.connector.Options.model_fields.items():
            written = self.written.get(key)
            substitute = _sandbox_value(info) if local else None
            if written is None and info.is_required() and substitute is None and _is_secret(info.annotation):
                variable = f"{self.name}_{key}".upper()
                raise UsageError(
                    f"{self.file}:{self.line}: destination `{self.name}` is not on this machine, so it needs `{key}`. "
                    f"Write `{key}: ${{{variable}}}` and set that variable."
                )
            if written is None:
                if substitute is not None:
                    values[key] = substitute
                continue
            # On this machine nothing needs to be set: the sandbox knows its own values, and what is optional may stay out.
            match = VARIABLE.fullmatch(written) if isinstance(written, str) else None
            if local and match and match[2] is None and not env.get(match[1]) and (substitute is not None or not info.is_required()):
                if substitute is not None:
                    values[key] = substitute
                continue
            values[key] = self._resolve(key, written, env)
        for key, value in values.items():
            # A folder is found from the project, wherever the command is run.
            if _is_path(self.connector.Options.model_fields[key].annotation):
                values[key] = self.root / value
        try:
            return self.connector.Options.model_validate(values)
        except ValidationError as error:
            problems = " ".join(message for _, message in sentences(error, self.connector.Options))
            raise UsageError(f"{self.file}:{self.line}: destination `{self.name}`: {problems}") from None

    def _resolve(self, key: str, value: Any, environment: Mapping[str, str]) -> Any:
        if not isinstance(value, str):
            return value

        def put(match: re.Match[str]) -> str:
            found = environment.get(match[1]) or match[2]
            if found is None:
                raise UsageError(
                    f"{self.file}:{self.line}: destination `{self.name}` needs the environment variable {match[1]} (for `{key}`). "
                    f"Set it, or give the destination a loopback base_url to use the sandbox."
                )
            return found

        return VARIABLE.sub(put, value)


def is_loopback(address: str) -> bool:
    """Whether an address is on this machine. A path without a host (files) is."""
    host = urlsplit(address).hostname
    return not host or hosts.is_loopback(host)


def _address_fault(address: Any) -> str:
    """What is wrong with a base address, as far as it can be seen where variables stand in it. The address is never in the sentence."""
    if not isinstance(address, str) or not address.strip():
        return "`base_url` is empty. Write an address, or remove the line to use the vendor's own."
    shown = VARIABLE.sub("variable", address)
    try:
        parts = urlsplit(shown)
        port = parts.port
        httpx.URL(shown)
    except (ValueError, httpx.InvalidURL):
        return "`base_url` is not an address."
    if any(character.isspace() for character in shown):
        return "`base_url` is not an address."
    if "@" in parts.netloc:
        return "`base_url` holds a user name or password. Take them out; what is secret has options of its own."
    if not VARIABLE.match(address) and not (parts.scheme and parts.hostname):
        return "`base_url` needs its scheme and host, such as https://api.vendor.example."
    return "" if port is None or port > 0 else "`base_url` is not an address."


def _pulls(file: YamlFile, name: str, written: Any, known: Mapping[str, str]) -> tuple[str, ...]:
    """The declared pulls, after noting in `file` what there is not."""
    if not isinstance(written, list) or not all(isinstance(one, str) for one in written):
        file.fault((name, "pulls"), f"`pulls` is a list of names, such as [{next(iter(known), 'contacts')}].")
        return ()
    for index, one in enumerate(written):
        if one not in known:
            near = did_you_mean(one, set(known)) if known else " It is no source."
            file.fault((name, "pulls", index), f"there is nothing named `{one}` to pull here.{near}")
    return tuple(dict.fromkeys(written))


def _is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or SecretStr in get_args(annotation)


def _is_path(annotation: Any) -> bool:
    return annotation is Path or Path in get_args(annotation)


def _sandbox_value(info: Any) -> str | None:
    extra = info.json_schema_extra
    return extra.get("sandbox") if isinstance(extra, dict) else None


def receivers(destinations: Mapping[str, Destination]) -> dict[str, Connector]:
    """Connectors that verify callbacks, by destination name. Raises UsageError when one that receives lacks a variable."""
    return {
        name: destination.connector(destination.open_options(), None, destination.address())
        for name, destination in destinations.items()
        if destination.connector.receives is not None
    }
