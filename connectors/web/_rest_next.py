"""How one comes from a page of a REST API to the one after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urljoin

import httpx
from pydantic import Field, model_validator

from connectors.base import Strict

PATH = r"^[^.\s]+(\.[^.\s]+)*$"
Asked = Mapping[str, Any]  # a page: {"url", "query"}


class Next(Strict):
    """One of: `url_in`, `token_in` (with the `parameter` it is sent back in), `link_header`, `number` (the parameter of a page's number, from `first`)."""

    url_in: str | None = Field(default=None, pattern=PATH)
    token_in: str | None = Field(default=None, pattern=PATH)
    parameter: str | None = Field(default=None, min_length=1)
    link_header: bool = False
    number: str | None = Field(default=None, min_length=1)
    first: int = 1

    @model_validator(mode="after")
    def _is_one(self) -> Next:
        if sum([self.url_in is not None, self.token_in is not None, self.link_header, self.number is not None]) != 1:
            raise ValueError("says one of `url_in`, `token_in`, `link_header` and `number`")
        if (self.token_in is None) != (self.parameter is None):
            raise ValueError("`token_in` and `parameter` go together")
        return self

    def after(self, asked: Asked, response: httpx.Response, answer: Any, records: Sequence[Any]) -> Asked | None:
        """The page after the one that was `asked` for and answered; None when it was the last."""
        if self.number:
            number = int(asked["query"][self.number]) + 1
            return {"url": asked["url"], "query": asked["query"] | {self.number: str(number)}} if records else None
        if self.token_in is not None:
            value = at(answer, self.token_in)
            return {"url": asked["url"], "query": asked["query"] | {self.parameter: str(value)}} if value else None
        url = response.links.get("next", {}).get("url") if self.link_header else at(answer, self.url_in or "")
        return {"url": urljoin(asked["url"], str(url)), "query": {}} if url else None


def at(value: Any, path: str) -> Any:
    """What stands in JSON at a dotted path; None where nothing does."""
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
