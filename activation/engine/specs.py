"""What a declaration may say. Each class is one kind of file (or entry of one) below `activation/`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

NAME = re.compile(r"^[a-z][a-z0-9_]*$")


def _name(value: str) -> str:
    if not NAME.match(value):
        raise ValueError("use lower-case letters, digits and underscores, beginning with a letter")
    return value


def _time(value: str) -> str:
    if not re.match(r"^([01][0-9]|2[0-3]):[0-5][0-9]$", value):
        raise ValueError('write a time of day as "HH:MM", 00:00 to 23:59')
    return value


def _zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("write an IANA time zone, such as Asia/Shanghai")
    return value


CRON = (
    (0, 59, ""),
    (0, 23, ""),
    (1, 31, ""),
    (1, 12, "jan feb mar apr may jun jul aug sep oct nov dec"),
    (0, 7, "sun mon tue wed thu fri sat"),
)


def _cron(value: str) -> str:
    fields = value.lower().split()
    if len(fields) != 5 or not all(_cron_field(text, *rule) for text, rule in zip(fields, CRON, strict=True)):
        raise ValueError('write a cron expression of five fields (minute, hour, day, month, weekday), such as "0 9 * * *"')
    return value


def _cron_field(text: str, lowest: int, highest: int, names: str) -> bool:
    number = rf"(?:\d+{''.join(f'|{name}' for name in names.split())})"
    for part in text.split(","):
        if not re.fullmatch(rf"(?:\*|{number}(?:-{number})?)(?:/[1-9]\d*)?", part):
            return False
        if not all(lowest <= int(digits) <= highest for digits in re.findall(r"\d+", part.split("/")[0])):
            return False
    return True


def _pattern(value: str) -> str:
    if not value.strip("/. ") or value.startswith("/") or ".." in value.split("/"):
        raise ValueError("write a pattern below the folder that is landed, such as web/*.jsonl")
    return value


def _encoding(value: str) -> str:
    # Lines are found by their end byte before they are decoded.
    try:
        readable = b'\n,"{}'.decode(value) == '\n,"{}'
    except (LookupError, UnicodeError):
        readable = False
    if not readable:
        raise ValueError(
            "write an encoding that Python knows and in which a line ends with the byte of a line feed, such as utf-8 or gb18030 (not UTF-16)"
        )
    return value


Name = Annotated[str, AfterValidator(_name)]
TimeOfDay = Annotated[str, AfterValidator(_time)]
Zone = Annotated[str, AfterValidator(_zone)]
Cron = Annotated[str, AfterValidator(_cron)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Encoding = Annotated[str, AfterValidator(_encoding)]
Text = Annotated[str, Field(min_length=1)]
Mode = Literal["upsert", "mirror", "append"]
MatchPolicy = Literal["upsert", "update_only", "create_only"]
OnRemoved = Literal["nothing", "clear_fields", "remove_from_list", "archive", "delete"]


class Spec(BaseModel):
    """Strict: unknown keys are errors; nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class Source(Spec):
    """`sources/<raw table>.yml`: which files land in `raw.<name>`, and what makes an event the same event.

    `key` lists alternatives, each a list of fields; the first whose fields are all present is the event's id, else its content is.
    `events` land once by id. `records` are versions of a row: a version lands when it differs (by `version` and content).
    """

    description: str = ""
    files: Pattern
    format: Literal["jsonl", "csv"]
    kind: Literal["events", "records"] = "events"
    key: list[Annotated[list[Text], Field(min_length=1)]] = Field(min_length=1)
    version: Text | None = None
    required: list[Text] = []
    encoding: Encoding = "utf-8"


class Limits(Spec):
    """Limits of this account, where they are not the vendor's usual ones: rows in a call, calls a second, calls at once."""

    batch_size: int | None = Field(default=None, ge=1)
    per_second: float | None = Field(default=None, gt=0)
    concurrency: int | None = Field(default=None, ge=1)


class Guards(Spec):
    """What a plan may at most do before a person has to look. Percentages are of the rows acknowledged so far."""

    max_removed_pct: float = Field(default=20.0, ge=0, le=100)
    max_removed: int | None = Field(default=None, ge=0)
    max_changed_pct: float | None = Field(default=None, ge=0, le=100)
    max_added: int | None = Field(default=None, ge=0)
    max_total: int | None = Field(default=None, ge=1)
    max_rejected_pct: float = Field(default=50.0, ge=0, le=100)


class Sync(Spec):
    """`syncs/<destination>/<name>.yml`: keeps a destination equal to a model."""

    description: str = ""
    model: Name
    object: Text
    key: Text
    match_on: Text
    mode: Mode = "upsert"
    match_policy: MatchPolicy = "upsert"
    on_removed: OnRemoved = Field(default="nothing", validate_default=True)
    purpose: Text
    fields: dict[str, Text] = Field(min_length=1)
    settings: dict[str, Any] = {}
    guards: Guards = Guards()
    schedule: Cron | None = None

    @field_validator("on_removed")
    @classmethod
    def _fits_the_mode(cls, value: str, info: Any) -> str:
        mode = info.data.get("mode")
        if mode == "mirror" and value == "nothing":
            raise ValueError("mode mirror needs it: say what happens over there to a row that is gone here")
        if mode in {"upsert", "append"} and value != "nothing":
            raise ValueError(f"acts only with mode mirror; mode {mode} never removes")
        return value


class Audience(Spec):
    """Whom a send addresses: people of any included segment and of no excluded one."""

    include: list[Name] = Field(min_length=1)
    exclude: list[Name] = []


class Send(Spec):
    """`sends/<name>.yml`: a message to an audience, once for each person."""

    description: str = ""
    destination: Name
    object: str = "messages"
    audience: Audience
    purpose: Text
    content: Name
    fields: dict[str, Text] = {}
    quiet_hours: Literal["defer", "drop"] = "defer"
    settings: dict[str, Any] = {}
    guards: Guards = Guards()
    schedule: Cron | None = None


class EmailContent(Spec):
    """A mail. `html` names a file beside the YAML; `sender` (an address or `Name <address>`) goes before the destination's own."""

    sender: str | None = None
    subject: str
    html: str
    text: str | None = None


class SmsContent(Spec):
    """A text message by the provider's template: its code, the signature it carries, and its parameters."""

    sign_name: str
    template_code: str
    params: dict[str, str] = {}


class WechatContent(Spec):
    """A WeChat template message: the template's id, its fields, and where a tap leads."""

    template_id: str
    data: dict[str, str]
    url: str | None = None


class Content(Spec):
    """`content/<name>.yml`: one message in its channel variants. Values are sandboxed Jinja2 over the send's fields."""

    description: str = ""
    defaults: dict[str, str] = {}
    utm: dict[str, str] = {}
    email: EmailContent | None = None
    sms: SmsContent | None = None
    wechat: WechatContent | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Content:
        if not (self.email or self.sms or self.wechat):
            raise ValueError("says nothing yet: write it for `email`, `sms` or `wechat`")
        return self


class Purpose(Spec):
    """Why a row may leave. `consent`: only with consent; `objection`: unless withdrawn; `transactional`: owed to the person, caps do not count."""

    description: str = ""
    basis: Literal["consent", "objection", "transactional"]


class Purposes(Spec):
    """`policies/purposes.yml`. A purpose that is not here is refused by the gate."""

    purposes: dict[str, Purpose]


class Cap(Spec):
    """At most `messages` in the last `days` to one person, over `channel` (all channels when left out)."""

    channel: str | None = None
    messages: int = Field(ge=1)
    days: float = Field(gt=0)


class FrequencyCaps(Spec):
    """`policies/frequency_caps.yml`."""

    caps: list[Cap]


class QuietWindow(Spec):
    """No marketing from `from` to `to` by the person's own clock; may cross midnight."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True, hide_input_in_errors=True)
    start: TimeOfDay = Field(alias="from")
    end: TimeOfDay = Field(alias="to")

    @field_validator("end")
    @classmethod
    def _differs(cls, value: str, info: Any) -> str:
        if value == info.data.get("start"):
            raise ValueError("`from` and `to` are the same: that is either never or always")
        return value


class QuietHours(Spec):
    """`policies/quiet_hours.yml`. `default_time_zone` holds where a person's own is not known."""

    default_time_zone: Zone = "UTC"
    channels: dict[str, QuietWindow] = {}


class Policies(Spec):
    """All policies together. What is not declared is not allowed (purposes) or not limited (caps, quiet hours)."""

    purposes: dict[str, Purpose] = {}
    caps: list[Cap] = []
    quiet_hours: QuietHours = QuietHours()
