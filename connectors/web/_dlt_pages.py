"""A resource of dlt, page by page, with what dlt remembers of it from pull to pull. Blocks; all of it must run in one thread."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import orjson

from connectors.base import ConnectorError, Fatal
from connectors.web._dlt_errors import sorted_trouble

PAGE = 1_000
# What somebody's source may raise besides dlt's own: a person must hear of it in one sentence.
WRONG = (ArithmeticError, AssertionError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)
# What dlt calls the secret of each kind of authentication.
CREDENTIALS: Mapping[str, str] = {
    "bearer": "token",
    "api_key": "api_key",
    "http_basic": "password",
    "oauth2_client_credentials": "client_secret",
}


def pages(options: Any, address: str, name: str, cursor: str | None) -> Generator[tuple[list[dict[str, Any]], str | None]]:
    """Records, and the cursor from which the next pull goes on: the one given, until everything has come. Raises ConnectorError."""
    try:
        from dlt.common.configuration.container import Container
        from dlt.common.exceptions import DltException
        from dlt.common.pipeline import StateInjectableContext
        from dlt.common.versioned_state import json_decode_state, json_encode_state
    except ImportError:
        raise Fatal("NO_DRIVER", 'The library `dlt` is not installed: pip install "sluice[dlt]".') from None
    try:
        state: Any = json_decode_state(cursor) if cursor else {}
    except ValueError:
        raise Fatal("BAD_CURSOR", "This cursor is not one of this destination: pull anew without it.") from None
    try:
        records: list[dict[str, Any]] = []
        with _resource(options, address, name) as resource, Container().injectable_context(StateInjectableContext(state=state)):
            for item in resource:
                records += _objects(item)
                if len(records) >= PAGE:
                    yield records, cursor
                    records = []
        yield records, json_encode_state(state)
    except ConnectorError:
        raise
    except (DltException, *WRONG) as error:
        raise sorted_trouble(error) from None


@contextmanager
def _resource(options: Any, address: str, name: str) -> Iterator[Any]:
    """The resource, not asked for anything yet."""
    if options.source is not None:
        yield _of_source(options, name)
        return
    from dlt.sources.rest_api import rest_api_resources

    with _session(address, options.attempts) as session:
        yield {one.name: one for one in rest_api_resources(_rest(options, address, session))}[name]


def _of_source(options: Any, name: str) -> Any:
    module, _, function = options.source.partition(":")
    given = {options.credential_as: options.credential.get_secret_value()} if options.credential else {}
    try:
        made = getattr(import_module(module), function)
    except (ImportError, AttributeError):
        raise Fatal("NO_SOURCE", f"There is no `{options.source}` to import where Sluice runs. Install the package that has it.") from None
    source = made(**options.arguments, **given)
    found = dict(getattr(source, "resources", None) or {getattr(source, "name", name): source})
    if name not in found:
        raise Fatal("NO_RESOURCE", f"`{options.source}` has no resource `{name}`. There are {', '.join(sorted(found))}.")
    return found[name]


def _rest(options: Any, address: str, session: Any) -> Any:
    """The declaration, as dlt's REST source takes it."""
    client: dict[str, Any] = {"base_url": address + "/", "session": session, "headers": dict(options.headers)}
    if options.paginator != "auto":
        client["paginator"] = options.paginator
    if options.credential is not None:
        client["auth"] = options.auth | {CREDENTIALS[options.auth["type"]]: options.credential.get_secret_value()}
    resources = [
        {
            "name": name,
            "endpoint": one.endpoint or {"path": name},
            **({"include_from_parent": one.include_from_parent} if one.include_from_parent else {}),
        }
        for name, one in options.resources.items()
    ]
    return {"client": client, "resources": resources}


def _session(address: str, attempts: int) -> Any:
    """dlt's own session, which asks nobody but the host of that address."""
    from dlt.sources.helpers.requests import Client

    session: Any = Client(raise_for_status=False, request_max_attempts=attempts, request_max_retry_delay=60).session
    plain, here = session.send, urlsplit(address)[:2]

    def send(request: Any, **keywords: Any) -> Any:
        if urlsplit(request.url)[:2] != here:
            raise Fatal("OTHER_HOST", "The API names another host for the next page: nothing is sent there.")
        answer = plain(request, **{**keywords, "allow_redirects": False})
        if 300 <= answer.status_code < 400:
            raise Fatal(f"HTTP_{answer.status_code}", f"The API answered {answer.status_code}: check the base address of this destination.")
        return answer

    session.send = send
    return session


def _objects(item: Any) -> list[dict[str, Any]]:
    """An item of a resource as JSON objects: a dict, a list of them, or a table."""
    from dlt.common.json import json

    if hasattr(item, "to_pylist"):  # Arrow
        item = item.to_pylist()
    elif hasattr(item, "to_dict"):  # pandas
        item = item.to_dict("records")
    records = orjson.loads(json.dumpb(item if isinstance(item, list) else [item]))
    if not all(isinstance(record, dict) for record in records):
        raise Fatal("NO_RECORDS", "What the source gave are no objects.")
    return list(records)
