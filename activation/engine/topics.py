"""What a declaration says of topics and of confirmations, beside the purposes there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from activation.engine.policies import Policies
from activation.engine.yaml_file import Place, did_you_mean

Fault = tuple[Place, str]


def of_send(policies: Policies, said: Mapping[str, Any]) -> Iterator[Fault]:
    """A topic is one of the purpose's; what is confirmed needs consent, and the message that asks for it does not."""
    purpose = policies.purposes.get(said.get("purpose") or "")
    if said.get("topic") is not None:
        yield from _topic(policies, ("topic",), said["topic"], said.get("purpose") or "")
    confirms = said.get("confirms")
    if confirms is None or not policies.purposes:  # their file is at fault, and says so
        return
    asked = {name for name, one in policies.purposes.items() if one.basis == "consent"}
    if confirms not in asked:
        yield ("confirms",), f"`{confirms}` is no purpose that needs consent.{did_you_mean(confirms, asked)}"
    if said.get("to") is not None:
        yield ("confirms",), "a message to a colleague asks nobody to confirm. Take out `confirms`, or `to`."
    if purpose is not None and purpose.basis == "consent":
        yield ("purpose",), f"who has to confirm has not consented to `{said['purpose']}` yet. Name a purpose that needs no consent."


def of_form(policies: Policies, consent: Any) -> Iterator[Fault]:
    """`consent` is what a form says there, whether it could be read or not."""
    said = consent if isinstance(consent, dict) else {name: getattr(consent, name, None) for name in ("purposes", "topic")}
    topic, purposes = said.get("topic"), said.get("purposes")
    if isinstance(topic, str) and isinstance(purposes, list) and len(purposes) == 1 and isinstance(purposes[0], str):
        yield from _topic(policies, ("consent", "topic"), topic, purposes[0])


def _topic(policies: Policies, place: Place, topic: str, name: str) -> Iterator[Fault]:
    purpose = policies.purposes.get(name)
    if purpose is not None and topic not in purpose.topics:
        near = did_you_mean(topic, set(purpose.topics)) if purpose.topics else " It has none."
        yield place, f"`{topic}` is not a topic of `{name}` in activation/policies/purposes.yml.{near}"
