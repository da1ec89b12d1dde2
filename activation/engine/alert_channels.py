"""`activation/alerts.yml`: who is told when a sync, a send or a destination begins to fail, and when it works again."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Annotated

from pydantic import Field

from activation.engine.destinations import Destination
from activation.engine.specs import Name, Spec, Text
from activation.engine.yaml_file import YamlFile, did_you_mean

OBJECTS = {"email": "messages", "chat": "messages", "web": "rows"}  # what an alert leaves as, by channel
Address = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]


class Channel(Spec):
    """One who is told: a room's robot, a webhook (signed, as JSON), or by mail the addresses in `to`.

    `about` narrows it down to destinations (`hubspot`: it, and all that goes there) and to single syncs and sends (`hubspot/contacts`).
    """

    destination: Name
    to: list[Address] = Field(default_factory=list)
    about: list[Text] = Field(default_factory=list)

    @property
    def key(self) -> str:
        """What the ledger calls it. Addresses are not in it."""
        return self.destination + (f"-{hashlib.sha256(','.join(self.to).encode()).hexdigest()[:8]}" if self.to else "")

    def wants(self, subject: str) -> bool:
        """Whether it is told of this destination, sync or send."""
        return not self.about or subject in self.about or subject.split("/")[0] in self.about


class Alerts(Spec):
    """All that are told. Nobody, where there is no such file."""

    channels: list[Channel] = Field(default_factory=list)


def load(file: YamlFile, destinations: Mapping[str, Destination], declared: Collection[str], refs: Collection[str]) -> Alerts:
    """What the file says; what is wrong in it is noted in it. `declared` are the destinations that are declared, right or wrong."""
    alerts = file.validate(Alerts)
    channels = file.data.get("channels") if isinstance(file.data, dict) else None
    for index, channel in enumerate(channels if isinstance(channels, list) else []):
        if isinstance(channel, dict):
            _check(file, index, channel, destinations, declared, refs)
    return alerts if alerts is not None and not file.faults else Alerts()


def _check(
    file: YamlFile,
    index: int,
    said: Mapping[str, object],
    destinations: Mapping[str, Destination],
    declared: Collection[str],
    refs: Collection[str],
) -> None:
    place = ("channels", index)
    name = said.get("destination")
    if isinstance(name, str) and name not in declared:
        file.fault(
            (*place, "destination"),
            f"there is no destination `{name}` in activation/destinations.yml.{did_you_mean(name, set(destinations))}",
        )
    elif isinstance(name, str) and name in destinations:
        connector = destinations[name].connector
        if OBJECTS.get(connector.channel) not in connector.objects:
            file.fault(
                (*place, "destination"), f"{destinations[name].connector_name} cannot carry an alert. A chat robot, mail or a webhook can."
            )
        elif connector.channel == "email" and not said.get("to"):
            file.fault((*place, "destination"), f"`{name}` is mail, so it needs `to`: the addresses that are told.")
        elif connector.channel != "email" and said.get("to"):
            file.fault((*place, "to"), f"`{name}` is not mail: it knows by itself whom it tells. Leave `to` out.")
    about = said.get("about")
    for number, subject in enumerate(about if isinstance(about, list) else []):
        if isinstance(subject, str) and subject not in refs and subject not in declared:
            file.fault(
                (*place, "about", number), f"there is no destination, sync or send `{subject}`.{did_you_mean(subject, {*refs, *declared})}"
            )
