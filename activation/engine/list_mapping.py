"""What a file of people calls its columns, and what a list calls them: the mapping of an upload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, field_validator

from activation.engine.errors import DeclarationErrors, UsageError
from activation.engine.specs import Spec, Text
from activation.engine.yaml_file import YamlFile, did_you_mean

IDENTIFIERS = ("email", "phone", "wechat_openid", "wechat_unionid", "user_id")
ATTRIBUTES = ("first_name", "last_name", "full_name", "company", "title", "city", "country", "birthday")
KNOWN = (*IDENTIFIERS, *ATTRIBUTES)


class ListMapping(Spec):
    """A mapping file: `columns` says which header holds what; `keep` are further columns that stay with the member, by their own names.

    `country` is whose telephone numbers those without a country code are (ISO 3166, CN unless said).
    """

    columns: dict[str, Text] = Field(min_length=1)
    keep: list[Text] = Field(default_factory=list)
    country: str = Field(default="CN", pattern="^[A-Z]{2}$")

    @field_validator("columns")
    @classmethod
    def _are_known(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if name not in KNOWN:
                raise ValueError(f"`{name}` is nothing a member has.{did_you_mean(name, set(KNOWN))}")
        if not set(value) & set(IDENTIFIERS):
            raise ValueError(f"names no column that identifies a person: one of {', '.join(IDENTIFIERS)}")
        return value


@dataclass(frozen=True)
class Columns:
    """The columns of one file by what they hold; `ignored` are those that nobody asked for."""

    named: Mapping[str, str]
    keep: Sequence[str]
    ignored: Sequence[str]
    country: str


def read(path: Path | None, headers: Sequence[str], file: str) -> Columns:
    """The mapping of a file with these headers. Without a mapping file, headers that are called like a member's fields are taken.

    Raises DeclarationErrors for what is wrong in the mapping file, UsageError when it and the file do not fit.
    """
    if path is None:
        named = {name: header for header in headers if (name := header.strip().lower()) in KNOWN}
        if not set(named) & set(IDENTIFIERS):
            raise UsageError(
                f"{file}: no column is called {', '.join(IDENTIFIERS[:-1])} or {IDENTIFIERS[-1]}. Say with --mapping FILE what the "
                f"columns hold, such as `columns: {{email: {headers[0] if headers else 'E-mail'}}}`.{_other_delimiter(headers)}"
            )
        spec = ListMapping(columns=named)
    else:
        if not path.is_file():
            raise UsageError(f"{path} does not exist. It is the file that says which column holds what.")
        read = YamlFile.read(path, str(path))
        found = read.validate(ListMapping)
        if found is None or read.faults:
            raise DeclarationErrors(read.faults)
        spec = found
    for header in [*spec.columns.values(), *spec.keep]:
        if header not in headers:
            raise UsageError(f"{file} has no column `{header}`.{did_you_mean(header, set(headers))}{_other_delimiter(headers)}")
    taken = {*spec.columns.values(), *spec.keep}
    return Columns(spec.columns, spec.keep, [header for header in headers if header not in taken], spec.country)


def _other_delimiter(headers: Sequence[str]) -> str:
    found = next((mark for mark in ";\t|" if len(headers) == 1 and mark in headers[0]), None)
    return f" Its columns seem to be separated by {found!r}: save it separated by commas." if found else ""
