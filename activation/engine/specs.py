"""What a declaration may say. Each class is one kind of file (or entry of one) below `activation/`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from activation.engine import cron

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


def _order(value: str) -> str:
    if not re.match(r"^[a-z_][a-z0-9_]* (asc|desc)$", value):
        raise ValueError("write a column and a direction, such as `score desc`")
    return value


Name = Annotated[str, AfterValidator(_name)]
TimeOfDay = Annotated[str, AfterValidator(_time)]
Zone = Annotated[str, AfterValidator(_zone)]
Cron = Annotated[str, AfterValidator(cron.checked)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Encoding = Annotated[str, AfterValidator(_encoding)]
Text = Annotated[str, Field(min_length=1)]
Mode = Literal["upsert", "mirror", "append"]
MatchPolicy = Literal["upsert", "update_only", "create_only"]
NullPolicy = Literal["send_null", "skip_null", "set_if_empty"]
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
    max_merged_pct: float = Field(default=20.0, ge=0, le=100)
    max_changed_pct: float | None = Field(default=None, ge=0, le=100)
    max_changed: int | None = Field(default=None, ge=0)
    max_added_pct: float | None = Field(default=None, ge=0)
    max_added: int | None = Field(default=None, ge=0)
    max_total_pct: float | None = Field(default=None, gt=0)
    max_total: int | None = Field(default=None, ge=1)
    max_rejected_pct: float = Field(default=50.0, ge=0, le=100)


class Retry(Spec):
    """How often, and for how long, a row that fails is tried again by the next runs. Then it is dead, until it changes or a person says so."""

    max_attempts: int = Field(default=10, ge=1)
    max_age_days: float = Field(default=14.0, gt=0)


class Scope(Spec):
    """Removals only below parents that are there: `parent` is a mapped column that names the parent of a row.

    A parent is there when a current row names it, or, with `of`, when it is a key of that sync's model.
    """

    parent: Text
    of: Text | None = None


class Pair(Spec):
    """A column of the sync's model, and one of the model that shows what the destination has."""

    ours: Text
    theirs: Text


class Rule(Spec):
    """Of one field: whether a value of ours leaves where the destination may have its own, in the column `theirs` of the exchange's model.

    `direction`: `out` (the default), `in` (it is theirs; nothing leaves), or `both`, with a `winner`: who has a value at all (`ours`, `theirs`),
    who changed the record last (`newest`), or whose value is longer (`most_complete`). `never_blank`: no value is no reason to empty theirs.
    `create_only`: sent when the record is made, and not again. `append_only`: values are added to a list, none is taken away.
    `never_lifted`: only true leaves, as for an objection. `never_back`: stages, lowest first; one is never set back.
    """

    direction: Literal["out", "in", "both"] = "out"
    winner: Literal["ours", "theirs", "newest", "most_complete"] = "ours"
    theirs: Text | None = None
    never_blank: bool = False
    create_only: bool = False
    append_only: bool = False
    never_lifted: bool = False
    never_back: list[Text] = []

    @model_validator(mode="after")
    def _makes_sense(self) -> Rule:
        if self.winner != "ours" and self.direction != "both":
            raise ValueError(f"a winner other than ours needs `direction: both`, not {self.direction}")
        special = [name for name in ("create_only", "append_only", "never_lifted", "never_back") if getattr(self, name)]
        special += ["winner"] if self.winner != "ours" else []
        special += ["direction"] if self.direction == "in" else []
        if len(special) > 1:
            raise ValueError(f"has {' and '.join(f'`{name}`' for name in special)}, of which one is enough")
        if self.theirs is None and set(special) & {"append_only", "never_back", "winner"}:
            raise ValueError(f"`{special[0]}` compares with their value: name its column in `theirs`")
        return self

    @property
    def policy(self) -> NullPolicy | None:
        """What that means for a field without a value."""
        if self.create_only:
            return "set_if_empty"
        lets = (self.never_blank, self.append_only, self.never_lifted, self.never_back, self.winner != "ours", self.direction == "in")
        return "skip_null" if any(lets) else None


class Exchange(Spec):
    """What a sync minds of what the destination has already, as the model `theirs` shows it.

    A row's record is looked for by the pairs of `match`, in order; `id` is the column of its id over there, by which a connector that can writes
    to it, though the record does not have the sync's match value yet. `updated_at` are the moments that `newest` compares. `may_create` is a
    column of the sync's model: only rows where it is true make a record; others change one that is there. A record is not made without the
    `required` fields: such rows are invalid.
    """

    theirs: Name
    match: list[Pair] = Field(min_length=1)
    id: Text | None = None
    updated_at: Pair | None = None
    may_create: Text | None = None
    required: list[Text] = []
    fields: dict[str, Rule] = {}

    @model_validator(mode="after")
    def _knows_when(self) -> Exchange:
        if self.updated_at is None and any(rule.winner == "newest" for rule in self.fields.values()):
            raise ValueError("`newest` needs `updated_at`: say which columns hold the moments")
        return self


class Sync(Spec):
    """`syncs/<destination>/<name>.yml`: keeps a destination equal to a model.

    Rows are about people, each of whom is asked for consent, or about accounts, where no person gets anything. `on_merged` says what
    happens over there to the record of a profile that was found to be another's, where that has a record of its own (key profile_id only).

    `nulls` says of a field what to do when it has no value: `send_null` (the default) sends that it has none, `skip_null` keeps what the
    destination has, and `set_if_empty` also keeps it when there is a value, once one was acknowledged.
    """

    description: str = ""
    model: Name
    object: Text
    key: Text
    match_on: Text
    mode: Mode = "upsert"
    match_policy: MatchPolicy = "upsert"
    on_removed: OnRemoved = Field(default="nothing", validate_default=True)
    on_merged: OnRemoved | None = None
    purpose: Text
    fields: dict[str, Text] = Field(min_length=1)
    nulls: dict[str, NullPolicy] = {}
    exchange: Exchange | None = None
    about: Literal["people", "accounts"] = "people"
    scope: Scope | None = None
    settings: dict[str, Any] = {}
    guards: Guards = Guards()
    retry: Retry = Retry()
    schedule: Cron | None = None

    @field_validator("nulls")
    @classmethod
    def _are_of_fields(cls, value: dict[str, str], info: Any) -> dict[str, str]:
        for name in sorted(set(value) - set(info.data.get("fields", value))):
            raise ValueError(f"`{name}` is not one of the fields")
        return value

    @field_validator("exchange")
    @classmethod
    def _is_about_fields(cls, value: Exchange | None, info: Any) -> Exchange | None:
        fields = info.data.get("fields", {})
        for name in sorted({*value.fields, *value.required} - set(fields)) if value and fields else ():
            raise ValueError(f"`{name}` is not one of the fields")
        for name in sorted(set(value.fields) & set(info.data.get("nulls", {}))) if value else ():
            raise ValueError(f"`{name}` has a rule in `nulls` too: say it in one place")
        return value

    @field_validator("on_removed")
    @classmethod
    def _fits_the_mode(cls, value: str, info: Any) -> str:
        mode = info.data.get("mode")
        if mode == "mirror" and value == "nothing":
            raise ValueError("mode mirror needs it: say what happens over there to a row that is gone here")
        if mode in {"upsert", "append"} and value != "nothing":
            raise ValueError(f"acts only with mode mirror; mode {mode} never removes")
        return value

    @field_validator("on_merged")
    @classmethod
    def _fits_key_and_mode(cls, value: str | None, info: Any) -> str | None:
        if value is not None and info.data.get("key", "profile_id") != "profile_id":
            raise ValueError("acts only where `key` is profile_id: other keys are not merged")
        removed = info.data.get("on_removed", value)
        if info.data.get("mode") == "mirror" and value not in {None, "nothing", removed}:
            raise ValueError(f"with mode mirror it is what on_removed says ({removed}), or nothing")
        return value

    @property
    def policies(self) -> dict[str, NullPolicy]:
        """Of each field what to do when it has no value, where that is not to send it."""
        rules = self.exchange.fields if self.exchange else {}
        found = {**self.nulls, **{name: policy for name, rule in rules.items() if (policy := rule.policy)}}
        return {name: policy for name, policy in found.items() if policy != "send_null"}

    @property
    def merged(self) -> str:
        """What happens over there to the record of a profile that was found to be another's."""
        return self.on_merged or (self.on_removed if self.mode == "mirror" else "nothing")

    @property
    def removal(self) -> str:
        """What a planned `remove` does over there."""
        return self.on_removed if self.mode == "mirror" else self.merged


class Limit(Spec):
    """Only the first `top` people (of each value of `per`, where it is given), in the order of a column; ties go by profile id."""

    top: int = Field(ge=1)
    by: Annotated[str, AfterValidator(_order)]
    per: Name | None = None

    @property
    def column(self) -> str:
        return self.by.split()[0]

    @property
    def descending(self) -> bool:
        return self.by.endswith(" desc")


class Audience(Spec):
    """Whom a send addresses: people of any included segment and of no excluded one, as many as `limit` lets through."""

    include: list[Name] = Field(min_length=1)
    exclude: list[Name] = []
    limit: Limit | None = None


class Holdout(Spec):
    """This part of the people never gets it, so that its effect can be measured. Who that is depends on the salt and the person alone."""

    percent: float = Field(gt=0, lt=100)
    salt: Text | None = None


class Experiment(Spec):
    """People are divided among arms by weight, for good. The arm `control` gets nothing; `content` names another content for an arm."""

    name: Name
    arms: dict[str, Annotated[int, Field(ge=1)]] = Field(min_length=2)
    content: dict[str, Name] = {}

    @field_validator("arms")
    @classmethod
    def _are_names(cls, value: dict[str, int]) -> dict[str, int]:
        for arm in value:
            _name(arm)
        return value

    @field_validator("content")
    @classmethod
    def _is_of_arms(cls, value: dict[str, str], info: Any) -> dict[str, str]:
        for arm in value:
            if arm == "control" or arm not in info.data.get("arms", value):
                raise ValueError(f"`{arm}` is not an arm that gets a message")
        return value


class Send(Spec):
    """`sends/<name>.yml`: a message to an audience, once for each person. A higher `priority` may use what a cap reserves.

    `to` makes it a message to a colleague about the person: it is the column of dim_profiles with the colleague's address, such as that of
    who owns the lead. `fields` are columns of dim_profiles, or, as `segment_hot_leads.reason`, of a segment in the audience.
    `topic` is what of the purpose it is about: who left the topic does not get it, and who took only the topic does. `confirms` is the purpose
    that the content's `confirm_url` asks to confirm (double opt-in); the message itself is owed, and goes out for a purpose without consent,
    once for each time that the person asks: whoever left and asks again is asked again.
    """

    description: str = ""
    destination: Name
    object: str = "messages"
    audience: Audience
    purpose: Text
    topic: Name | None = None
    confirms: Name | None = None
    content: Name
    to: Name | None = None
    fields: dict[str, Text] = {}
    priority: int = 0
    holdout: Holdout | None = None
    experiment: Experiment | None = None
    quiet_hours: Literal["defer", "drop"] = "defer"
    settings: dict[str, Any] = {}
    guards: Guards = Guards()
    retry: Retry = Retry()
    schedule: Cron | None = None

    @field_validator("fields")
    @classmethod
    def _are_of_the_audience(cls, value: dict[str, str], info: Any) -> dict[str, str]:
        audience = info.data.get("audience")
        for column in value.values():
            segment = column.partition(".")[0]
            if "." in column and audience is not None and segment not in audience.include:
                raise ValueError(f"`{column}`: `{segment}` is none of the segments that the audience includes")
        return value

    @property
    def of_profiles(self) -> dict[str, str]:
        """The fields that are columns of dim_profiles."""
        return {name: column for name, column in self.fields.items() if "." not in column}

    @property
    def of_segments(self) -> dict[str, tuple[str, str]]:
        """The fields that a segment says of the person: its model and the column."""
        parts = {name: column.partition(".") for name, column in self.fields.items() if "." in column}
        return {name: (segment, column) for name, (segment, _, column) in parts.items()}
