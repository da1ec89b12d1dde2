"""What the files in `forms/` may say: a form that the collector serves, its fields in the words of JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from jsonschema import Draft202012Validator, FormatChecker
from phonenumbers import NumberParseException, is_possible_number
from phonenumbers import parse as parse_number
from pydantic import Field, field_validator, model_validator

from activation.engine.specs import Name, Spec, Text

LANGUAGE = re.compile(r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?$")
TRAP = "website"  # no person sees this field; programs fill it in
LONGEST = 2000  # characters of a text that says no `maxLength`
HOME = "CN"  # where a phone number is from that names no country, as in dbt's `phone_number`

_MAIL = re.compile(r"[^\s@<>()\[\]\",:;\\]{1,64}@([^\s@<>()\[\]\",:;\\.]{1,63}\.)+[^\s@<>()\[\]\",:;\\.]{2,63}")
_WEB = re.compile(r"https?://[^\s/]+\S*", re.IGNORECASE)

Texts = Annotated[Text | dict[str, Text], "one text, or a text for each language"]


class FormField(Spec):
    """One field, in words of JSON Schema 2020-12 (and the formats `phone` and `multiline`)."""

    type: Literal["string", "integer", "number", "boolean"] = "string"
    title: Texts
    description: Texts | None = None
    format: Literal["email", "phone", "date", "uri", "multiline"] | None = None
    enum: list[str] | None = Field(default=None, min_length=1)
    minLength: int | None = Field(default=None, ge=0)
    maxLength: int | None = Field(default=None, ge=1, le=20_000)
    pattern: str | None = None
    minimum: float | None = None
    maximum: float | None = None

    @field_validator("pattern")
    @classmethod
    def _is_a_pattern(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from None
        return value

    @model_validator(mode="after")
    def _fits_its_type(self) -> FormField:
        of_text = {"format", "enum", "minLength", "maxLength", "pattern"}
        of_numbers = {"minimum", "maximum"}
        foreign = self.model_fields_set & (
            (set() if self.type == "string" else of_text) | (set() if self.type in {"integer", "number"} else of_numbers)
        )
        if foreign:
            raise ValueError(f"a field of type {self.type} has no {' or '.join(f'`{name}`' for name in sorted(foreign))}")
        return self


class FormConsent(Spec):
    """What a box under the form agrees to, in exactly the words that are kept with the agreement. `required`: no sending without it.

    `topic`: to this topic of the one purpose, not to all of it. `double_opt_in`: it holds once it is confirmed from the address itself, by the
    link in a send that `confirms` the purpose.
    """

    wording: Texts
    purposes: list[Name] = Field(min_length=1)
    topic: Name | None = None
    channels: list[Literal["email", "sms", "wechat"]] = Field(min_length=1)
    required: bool = False
    double_opt_in: bool = False

    @model_validator(mode="after")
    def _is_of_one_purpose(self) -> FormConsent:
        if self.topic is not None and len(self.purposes) > 1:
            raise ValueError("a `topic` belongs to one purpose: name only that in `purposes`")
        return self


class Form(Spec):
    """`forms/<name>.yml`: fields, consent, and the page around it. `page` names an HTML file in `content/` that holds `{{ form }}`."""

    description: str = ""
    title: Texts
    intro: Texts | None = None
    fields: dict[str, FormField] = Field(min_length=1)
    required: list[str] = Field(default=[])
    consent: FormConsent | None = None
    button: Texts = "Send"
    thanks: Texts = "Thank you."
    page: str | None = None

    @field_validator("fields")
    @classmethod
    def _are_names(cls, value: dict[str, FormField]) -> dict[str, FormField]:
        for name in value:
            if not re.match(r"^[a-z][a-z0-9_]*$", name):
                raise ValueError(f"`{name}`: use lower-case letters, digits and underscores, beginning with a letter")
            if name == TRAP:
                raise ValueError(f"`{TRAP}` is the name of the field that catches programs: call yours something else")
        return value

    @field_validator("required")
    @classmethod
    def _are_fields(cls, value: list[str], info: Any) -> list[str]:
        for name in value:
            if name not in info.data.get("fields", value):
                raise ValueError(f"`{name}` is not one of the fields")
        return value

    @model_validator(mode="after")
    def _speaks_languages(self) -> Form:
        for texts in _texts(self):
            for language in texts if isinstance(texts, dict) else ():
                if not LANGUAGE.match(language):
                    raise ValueError(f"`{language}` is not a language: write it like en, zh or zh-TW")
        return self

    @property
    def languages(self) -> list[str]:
        """The languages it has words in, in the order written; English alone where it does not say."""
        found = dict.fromkeys(language for texts in _texts(self) if isinstance(texts, dict) for language in texts)
        return list(found) or ["en"]

    def json_schema(self, language: str = "en") -> dict[str, Any]:
        """The JSON Schema of what may be sent."""
        properties = {}
        for name, field in self.fields.items():
            said = field.model_dump(exclude_none=True, exclude={"title", "description"})
            if field.type == "string":
                said.setdefault("maxLength", LONGEST)
            if said.get("format") == "multiline":
                del said["format"]
            properties[name] = {**said, "title": spoken(field.title, language)}
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": properties,
            "required": self.required,
            "additionalProperties": False,
        }


def _texts(form: Form) -> Iterator[Any]:
    yield from (form.title, form.intro, form.button, form.thanks, form.consent and form.consent.wording)
    for field in form.fields.values():
        yield from (field.title, field.description)


def spoken(texts: str | Mapping[str, str] | None, language: str) -> str:
    """A text in a language; else in the language without its region, else in English, else in the first there is."""
    if not isinstance(texts, Mapping):
        return texts or ""
    return next(texts[one] for one in (language, language.partition("-")[0], "en", *texts) if one in texts)


def chosen_language(accepted: str, known: list[str]) -> str:
    """The first language of an Accept-Language header that is known, else the first known one."""
    for part in accepted.split(","):
        tag = part.partition(";")[0].strip()
        base = tag.partition("-")[0].lower()
        for one in known:
            if one.lower() == tag.lower() or one.partition("-")[0] == base:
                return one
    return known[0]


class Checker:
    """Whether what somebody filled in fits a form."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._validator = Draft202012Validator(form.json_schema(), format_checker=FORMATS)

    def check(self, said: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """The fields with their types, and what is wrong by field: `missing`, `unknown`, or `wrong`. Blank is not filled in."""
        values = {name: value for name, text in said.items() if (value := self._typed(name, text)) is not None}
        faults: dict[str, str] = {}
        for error in self._validator.iter_errors(values):
            if error.validator == "required":
                faults.update({name: "missing" for name in self._form.required if name not in values})
            elif error.validator == "additionalProperties":
                faults.update({name: "unknown" for name in values if name not in self._form.fields})
            else:
                faults.setdefault(str(error.path[0]), "wrong")
        return values, faults

    def _typed(self, name: str, value: Any) -> Any:
        """Pages send text; what it stands for is the field's type. What stands for nothing is left to be refused."""
        kind = self._form.fields[name].type if name in self._form.fields else "string"
        if isinstance(value, str):
            value = value.strip()
            if not value:
                return None
            if kind in {"integer", "number"} and re.fullmatch(r"-?\d{1,15}(\.\d{1,9})?", value):
                return float(value) if "." in value else int(value)
            if kind == "boolean":
                return {"true": True, "on": True, "1": True, "false": False, "0": False}.get(value.lower(), value)
        return value


FORMATS = FormatChecker(formats=())


@FORMATS.checks("email")
def _is_mail(value: object) -> bool:
    return not isinstance(value, str) or (len(value) <= 254 and _MAIL.fullmatch(value) is not None)


@FORMATS.checks("phone")
def _is_phone(value: object) -> bool:
    try:
        return not isinstance(value, str) or (len(value) <= 40 and is_possible_number(parse_number(value, HOME)))
    except NumberParseException:
        return False


@FORMATS.checks("date")
def _is_date(value: object) -> bool:
    from datetime import date

    try:
        return not isinstance(value, str) or (len(value) == 10 and bool(date.fromisoformat(value)))
    except ValueError:
        return False


@FORMATS.checks("uri")
def _is_uri(value: object) -> bool:
    return not isinstance(value, str) or _WEB.fullmatch(value) is not None
