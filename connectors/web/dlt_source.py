"""Any source of dlt, pulled into raw: dlt asks the vendor (paging, authentication, what is newer), our landing keeps what came as it came.

    shop_api:                                   # without `source`: dlt's declarative REST source, for the API at base_url
      connector: dlt_source
      base_url: https://api.shop.example/v2
      credential: ${SHOP_API_TOKEN}
      paginator: {type: json_link, next_url_path: links.next}
      resources:
        orders:
          lands_in: shop_orders
          endpoint: {path: orders, data_selector: data, params: {since: {type: incremental, cursor_path: updated_at, initial_value: "2020-01-01"}}}

    notes:                                      # or a function that makes a source of dlt, whoever wrote it
      connector: dlt_source
      source: dlt_source_notion:notion_databases
      credential: ${NOTION_KEY}
      resources: {pages: {lands_in: notion_pages}}

Needs the extra `dlt`. What dlt remembers (the greatest values seen) is this pull's cursor, and it moves on when the whole of a resource has come:
rows need not be in order. A pull that was cut off begins anew, and landing recognises what it has. Requests are dlt's own, so that they
keep its pace, not the destination's `limits`; a REST API's credential goes to no other host.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from connectors.base import Connector, Pulled, SecretStr, Strict, secret
from connectors.web import _resources
from connectors.web._dlt_pages import CREDENTIALS, pages

NAME = r"^[a-z][a-z0-9_]*$"


class Resource(Strict):
    """`endpoint` is as dlt's REST source takes it; `primary_key` and the rest of what dlt may be told is for its destinations, not for raw."""

    lands_in: str = Field(pattern=NAME)
    endpoint: dict[str, Any] | None = None
    include_from_parent: list[str] = Field(default_factory=list)


class DltSource(Connector):
    channel = "web"
    base_url = "https://api.example.com"

    class Options(Strict):
        """`credential` is the token, key, password or client secret of `auth`; to a `source` it goes as the argument `credential_as`."""

        credential: SecretStr | None = secret(sandbox="sandbox-rest-token", default=None)
        source: str | None = Field(default=None, pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
        arguments: dict[str, Any] = Field(default_factory=dict)
        credential_as: str = Field(default="api_key", min_length=1)
        auth: dict[str, Any] = Field(default_factory=lambda: {"type": "bearer"})
        headers: dict[str, str] = Field(default_factory=dict)
        paginator: dict[str, Any] | Literal["auto", "single_page", "header_link"] = "auto"
        attempts: int = Field(default=5, ge=1)
        resources: dict[str, Resource] = Field(min_length=1)

        @field_validator("auth")
        @classmethod
        def _is_known(cls, value: dict[str, Any]) -> dict[str, Any]:
            if value.get("type") not in CREDENTIALS:
                raise ValueError(f"`type` of `auth` is one of {', '.join(CREDENTIALS)}")
            if written := set(value) & set(CREDENTIALS.values()):
                raise ValueError(f"`{min(written)}` is a secret: write it as `credential`, beside `auth`")
            return value

        @model_validator(mode="after")
        def _fits(self) -> DltSource.Options:
            if self.source is not None and any(one.endpoint for one in self.resources.values()):
                raise ValueError("a `source` says itself what it asks for: `endpoint` goes with an API at `base_url`")
            return self

    @classmethod
    def declared_pulls(cls, written: Mapping[str, Any]) -> Mapping[str, str]:
        return _resources.declared(written)

    async def pull(self, name: str, cursor: str | None) -> AsyncIterator[Pulled]:
        resource: Resource = _resources.named(name, self.options.resources)
        # dlt keeps what belongs to a pull by the thread that works on it.
        with ThreadPoolExecutor(max_workers=1) as thread:
            loop, found = asyncio.get_running_loop(), pages(self.options, self.address, name, cursor)
            try:
                while (page := await loop.run_in_executor(thread, _next, found)) is not None:
                    records, state = page
                    yield Pulled(resource.lands_in, records, state)
            finally:
                thread.submit(found.close)


def _next(found: Iterator[Any]) -> Any:
    return next(found, None)
