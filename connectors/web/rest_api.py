"""Any REST API that answers JSON, as a source: each of its `resources` is a pull of its own.

    shop_api:
      connector: rest_api
      base_url: https://api.shop.example/v2
      token: ${SHOP_API_TOKEN}
      resources:
        orders: {path: /orders, lands_in: shop_orders, records: data, next: {url_in: links.next}, newer: {field: updated_at, parameter: since}}

`records` says where the objects are in an answer. `next` says how one comes to the next page: its address or its token stands in the answer, or
in the `Link` header, or pages are numbered. `newer` asks only for what changed since the greatest value seen; what has just that value comes
again, and landing recognises it. A page's address is followed at the API's own host alone: a token goes to nobody else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson
from pydantic import Field, field_validator

from connectors.base import Answer, Connector, Fatal, Pulled, SecretStr, Strict, secret
from connectors.web import _resources
from connectors.web._rest_next import PATH, Asked, Next, at

ANSWER = Answer("The API", idempotent=True)
NAME = r"^[a-z][a-z0-9_]*$"


class Newer(Strict):
    """`field` of a record (dotted), whose greatest value is sent as `parameter` the next time. Values are compared as text, numbers as numbers."""

    field: str = Field(pattern=PATH)
    parameter: str = Field(min_length=1)


class Resource(Strict):
    """One kind of record. `query` is sent with every first page."""

    path: str = Field(pattern=r"^/[^\s?#]*$")
    lands_in: str = Field(pattern=NAME)
    records: str | None = Field(default=None, pattern=PATH)
    query: dict[str, str] = Field(default_factory=dict)
    next: Next | None = None
    newer: Newer | None = None


class RestApi(Connector):
    channel = "web"
    base_url = "https://api.example.com"

    class Options(Strict):
        """`token` goes in the header `header`, behind `scheme`; with an empty `scheme` it goes alone."""

        token: SecretStr | None = secret(sandbox="sandbox-rest-token", default=None)
        header: str = Field(default="Authorization", pattern=r"^[A-Za-z0-9-]+$")
        scheme: str = "Bearer"
        resources: dict[str, Resource] = Field(min_length=1)

        @field_validator("resources")
        @classmethod
        def _have_names(cls, value: dict[str, Resource]) -> dict[str, Resource]:
            for name in value:
                if not name.isascii() or not name.replace("_", "a").isalnum() or not name.islower():
                    raise ValueError(f"`{name}`: use lower-case letters, digits and underscores")
            return value

    @classmethod
    def declared_pulls(cls, written: Mapping[str, Any]) -> Mapping[str, str]:
        return _resources.declared(written)

    async def pull(self, name: str, cursor: str | None) -> AsyncIterator[Pulled]:
        resource: Resource = _resources.named(name, self.options.resources)
        state = orjson.loads(cursor) if cursor else {}
        greatest, asked = state.get("greatest"), state.get("next")
        if asked is None:
            asked = {"url": self.address + resource.path, "query": dict(resource.query)}
            if resource.newer and greatest is not None:
                asked["query"][resource.newer.parameter] = str(greatest)
            if resource.next and resource.next.number:
                asked["query"][resource.next.number] = str(resource.next.first)
        while asked is not None:
            records, following = await self._page(resource, asked)
            if resource.newer:
                greatest = _greatest(resource.newer.field, records, greatest)
            if following == asked:
                raise Fatal("SAME_PAGE", "The API says of a page that it is the one after itself: check `next` of the resource.")
            asked = following
            yield Pulled(resource.lands_in, records, orjson.dumps({"greatest": greatest, "next": asked}).decode())

    async def _page(self, resource: Resource, asked: Asked) -> tuple[list[Any], Asked | None]:
        """The records of a page, and where the next one is."""
        if urlsplit(asked["url"])[:2] != urlsplit(self.address)[:2]:
            raise Fatal("OTHER_HOST", "The API names another host for the next page: nothing is sent there.")
        token = self.options.token
        said = f"{self.options.scheme} {token.get_secret_value()}".strip() if token else ""
        headers = {"accept": "application/json"} | ({self.options.header: said} if said else {})
        response = await self.http.get(asked["url"], params=asked["query"] or None, headers=headers)
        ANSWER.raise_for(response)
        if not response.is_success:
            raise Fatal(f"HTTP_{response.status_code}", f"The API answered {response.status_code}: check path and query of the resource.")
        answer = ANSWER.json(response)
        records = at(answer, resource.records) if resource.records else answer
        records = [] if records is None else records if isinstance(records, list) else [records]
        if not all(isinstance(record, dict) for record in records):
            raise Fatal("NO_RECORDS", "What stands at `records` in the API's answer are no objects.")
        return records, resource.next.after(asked, response, answer, records) if resource.next else None


def _greatest(field: str, records: list[Any], so_far: Any) -> Any:
    found = [value for record in records if isinstance(value := at(record, field), str | int | float) and not isinstance(value, bool)]
    alike = [value for value in [*found, so_far] if value is not None]
    if len({isinstance(value, str) for value in alike}) > 1:
        raise Fatal("MIXED_VALUES", "The field that says what is newer is text in some records and a number in others.")
    return max(alike, default=None)
