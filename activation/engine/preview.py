"""A send's message as one person would get it, in every arm and language, without sending it.

Links lead where they lead, not through the collector: looking at a preview is no click, and no way out of it unsubscribes anybody.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import orjson

from activation.engine import templates
from activation.engine.audience import CONTACTS, said_by_segments
from activation.engine.content import CannotRender, Renderer
from activation.engine.content_specs import Content
from activation.engine.declarations import Activation, Declarations
from activation.engine.errors import SluiceError, UsageError
from activation.engine.explain import profile_of
from activation.engine.links import Links, target
from activation.engine.models import Models
from activation.engine.payload import payload
from activation.engine.project import Project
from activation.engine.warehouse import DIALECT, opened

MESSAGE = f"m_{'0' * 32}"
PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"


@dataclass(frozen=True)
class Variant:
    """One message. `arm` and `language` say which, `theirs` whether the person speaks it; `file` holds it, `payload` is what would leave."""

    content: str
    arm: str
    language: str
    theirs: bool
    file: Path
    payload: Mapping[str, Any]


class _Untracked(Links):
    def __init__(self) -> None:
        super().__init__(b"0" * 32, "https://collector.invalid")

    def click(self, message_id: str, url: str) -> str:
        return target(url)

    def open(self, message_id: str) -> str:
        return PIXEL


def preview(project: Project, declarations: Declarations, send: str, identifier: str | None, folder: Path) -> list[Variant]:
    """Render `send` for whoever has `identifier`, or for nobody in particular (fields show their names), into files in `folder`.

    Raises UsageError when there is no such send or person, SluiceError when the message cannot be made of their fields.
    """
    activation = _find(declarations, send)
    contact, fields = _person(project, activation, identifier) if identifier else ("", {})
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = []
    for arm, name in _arms(activation):
        content = declarations.contents[name]
        given = fields if identifier else {name: f"‹{name}›" for name in _asked(project, content, activation) | set(activation.send.fields)}
        theirs = content.chosen(fields.get("language"), activation.variant)
        for language, spoken in content.spoken(activation.variant):
            renderer = Renderer(
                project.declarations / "content", name, spoken.model_copy(update={"languages": {}}),
                activation.variant, activation.send.purpose, None if activation.send.to else _Untracked(), confirms=activation.send.confirms,
            )  # fmt: skip
            try:
                message = orjson.loads(renderer.render(MESSAGE, contact or "‹contact›", {**given, "arm": arm}))
            except CannotRender as error:
                raise SluiceError(f"{activation.ref}: the message cannot be made: {error}.") from None
            stem = "-".join(part for part in (activation.name, arm, language) if part)
            file = folder / f"{stem}.{'html' if 'html' in message else 'json'}"
            _write(file, message["html"].encode() if "html" in message else orjson.dumps(message, option=orjson.OPT_INDENT_2))
            made.append(Variant(name, arm, language, not identifier or language == theirs, file, message))
    return made


def _find(declarations: Declarations, send: str) -> Activation:
    named = [one for one in declarations.activations.values() if one.kind == "send" and send in {one.name, one.ref}]
    activation = named[0] if len(named) == 1 else declarations.find(send)
    if activation.kind != "send":
        raise UsageError(f"{activation.ref} is a sync; `sluice plan {activation.ref}` shows what it would send.")
    return activation


def _arms(activation: Activation) -> Iterator[tuple[str, str]]:
    experiment = activation.send.experiment
    if experiment is None:
        yield "", activation.send.content
        return
    for arm in experiment.arms:
        if arm != "control":
            yield arm, experiment.content.get(arm, activation.send.content)


def _asked(project: Project, content: Content, activation: Activation) -> set[str]:
    return templates.needs(project.declarations / "content", content, activation.variant, bool(activation.send.to))


def _person(project: Project, activation: Activation, identifier: str) -> tuple[str, dict[str, Any]]:
    """The contact and the fields of a person, as a plan would take them."""
    models = Models(project)
    send = activation.send
    with opened(project, read_only=True) as connection:
        profile_id = profile_of(connection, models, identifier.strip())
        if profile_id is None:
            raise UsageError("Nobody has this identifier. `sluice explain` takes the same ones.")
        types = models.columns(connection, "dim_profiles")
        contact = send.to or CONTACTS[activation.object.contact or "email"]
        columns = {"contact": contact, **{f"field {name}": column for name, column in send.of_profiles.items()}}
        for column in columns.values():
            if column not in types:
                raise SluiceError(f"{activation.ref}: dim_profiles has no column `{column}`.")
        said = {f"field {name}": value for name, value in said_by_segments(connection, models, activation, "p").items()}
        row = _row(connection, models, profile_id, payload(columns, types, "p", said).sql(DIALECT))
    fields = {name.removeprefix("field "): value for name, value in row.items() if name != "contact"}
    return str(row["contact"] or ""), fields


def _row(connection: duckdb.DuckDBPyConnection, models: Models, profile_id: str, made: str) -> dict[str, Any]:
    found = connection.execute(
        f"select {made} from {models.relation('dim_profiles').sql} as p where profile_id = ?", [profile_id]
    ).fetchone()
    result: dict[str, Any] = orjson.loads(found[0]) if found else {}
    return result


def _write(file: Path, content: bytes) -> None:
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened_file:
        opened_file.write(content)
