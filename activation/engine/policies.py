"""What the files in `policies/` may say: what holds for everything that leaves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from activation.engine.specs import Holdout, Name, Spec, Text, TimeOfDay, Zone

Calendar = Literal["day", "week", "month"]


class Purpose(Spec):
    """Why a row may leave. `consent`: only with consent; `objection`: unless withdrawn; `transactional`: owed to the person, caps do not count.

    `topics` are what of it people may take or leave by name, with descriptions; a send names the one it is about.
    """

    description: str = ""
    basis: Literal["consent", "objection", "transactional"]
    topics: dict[Name, str] = Field(default={})

    @field_validator("topics")
    @classmethod
    def _are_chosen(cls, value: dict[str, str], info: Any) -> dict[str, str]:
        if value and info.data.get("basis", "consent") != "consent":
            raise ValueError("acts only with `basis: consent`: nobody chooses among what needs no consent")
        if "all" in value:
            raise ValueError("`all` is the whole purpose: call the topic something else")
        return value


class Purposes(Spec):
    """`policies/purposes.yml`. A purpose that is not here is refused by the gate."""

    purposes: dict[str, Purpose]


class Reserve(Spec):
    """The last `messages` of a cap, kept for sends of this `priority` or a higher one."""

    priority: int
    messages: int = Field(ge=1)


class Cap(Spec):
    """At most `messages` to one person in the last `days`, or in one calendar day, week or month (`per`) by the person's own clock.

    Over one channel and one purpose, or over all of those that are left out.
    """

    channel: str | None = None
    purpose: Text | None = None
    messages: int = Field(ge=1)
    days: float | None = Field(default=None, gt=0)
    per: Calendar | None = None
    reserve: Reserve | None = None

    @model_validator(mode="after")
    def _fits(self) -> Cap:
        if (self.days is None) == (self.per is None):
            raise ValueError("say either `days` (the last so many) or `per` (day, week, month)")
        if self.reserve and self.reserve.messages >= self.messages:
            raise ValueError("`reserve` keeps all of it: leave some for the others")
        return self


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
    channels: dict[str, QuietWindow] = Field(default={})


class Quota(Spec):
    """What a provider takes: at most `messages` in a day, week or month, to one person (`each: person`) or over all people.

    Over a channel or one destination. It holds for every message, whatever its purpose.
    """

    channel: str | None = None
    destination: Name | None = None
    messages: int = Field(ge=1)
    per: Calendar
    each: Literal["person"] | None = None

    @model_validator(mode="after")
    def _is_somewhere(self) -> Quota:
        if (self.channel is None) == (self.destination is None):
            raise ValueError("say either `channel` or `destination`")
        return self


class ChannelQuotas(Spec):
    """`policies/channel_quotas.yml`. Days, weeks (from Monday) and months are those of `time_zone`: the provider's."""

    time_zone: Zone = "UTC"
    quotas: list[Quota] = Field(default=[])


class Holdouts(Spec):
    """`policies/holdouts.yml`. `universal`: people who get no message at all but those that are owed to them."""

    universal: Holdout | None = None


class Exclusions(Spec):
    """`policies/exclusions.yml`: people of these segments are in no send and no sync. A mirror lets them go."""

    segments: list[Name]


class Waterfalls(Spec):
    """`policies/waterfalls.yml`: lists of sends. Who is in the audience of one is withheld from those after it."""

    waterfalls: dict[Name, list[Text]]


class Retention(Spec):
    """`policies/retention.yml`: for how many days history is kept. `changelog_days: null` keeps every row of every run for ever.

    `plans_days` are files of plans, `ledger_days` intents and outcomes of runs that settled. Who got which message is kept for ever.
    """

    changelog_days: float | None = Field(default=730.0, ge=1)
    plans_days: float = Field(default=30.0, ge=1)
    ledger_days: float = Field(default=90.0, ge=1)


class Policies(Spec):
    """All policies together. What is not declared is not allowed (purposes) or not limited (all others)."""

    purposes: dict[str, Purpose] = Field(default={})
    caps: list[Cap] = Field(default=[])
    quiet_hours: QuietHours = QuietHours()
    quotas: ChannelQuotas = ChannelQuotas()
    holdouts: Holdouts = Holdouts()
    exclusions: list[str] = Field(default=[])
    waterfalls: dict[str, list[str]] = Field(default={})
    retention: Retention = Retention()

    @classmethod
    def of(cls, files: Mapping[str, Any]) -> Policies:
        """The policies that these files say, by name; what is not there is not limited."""
        says = {name: file for name, file in files.items() if file is not None}
        return cls(
            purposes=says["purposes"].purposes if "purposes" in says else {},
            caps=says["frequency_caps"].caps if "frequency_caps" in says else [],
            quiet_hours=says.get("quiet_hours", QuietHours()),
            quotas=says.get("channel_quotas", ChannelQuotas()),
            holdouts=says.get("holdouts", Holdouts()),
            exclusions=says["exclusions"].segments if "exclusions" in says else [],
            waterfalls=says["waterfalls"].waterfalls if "waterfalls" in says else {},
            retention=says.get("retention", Retention()),
        )

    @property
    def topics(self) -> dict[str, str]:
        """What people decide about themselves, with descriptions: the purposes that need their consent, and `purpose/topic` below each."""
        found: dict[str, str] = {}
        for name, purpose in self.purposes.items():
            if purpose.basis == "consent":
                found[name] = purpose.description
                found |= {f"{name}/{topic}": description for topic, description in purpose.topics.items()}
        return found


FILES: dict[str, type[Spec]] = {
    "purposes": Purposes,
    "frequency_caps": FrequencyCaps,
    "quiet_hours": QuietHours,
    "channel_quotas": ChannelQuotas,
    "holdouts": Holdouts,
    "exclusions": Exclusions,
    "waterfalls": Waterfalls,
    "retention": Retention,
}
