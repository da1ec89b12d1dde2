"""The templates of a content, looked at before anything is sent: whether each can be read, and which fields it needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import TemplateSyntaxError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from activation.engine import mjml
from activation.engine.content_specs import Content, Variants
from activation.engine.yaml_file import Place
from connectors.wechat import field_fault

GIVEN = {"email": {"unsubscribe_url", "preferences_url"}}  # what the engine itself puts in, by channel


@dataclass(frozen=True)
class Template:
    """One text of a content: where it is declared, and the file it stands in when it is not the YAML itself."""

    channel: str
    place: tuple[str, ...]
    text: str
    file: str = ""


def templates(folder: Path, content: Content) -> Iterator[Template]:
    """Every template of a content, in every language. Raises UnicodeDecodeError when the page of a mail is not UTF-8."""
    yield from _of(folder, content, ())
    for language, variants in content.languages.items():
        yield from _of(folder, variants, ("languages", language))


def _of(folder: Path, content: Variants, place: tuple[str, ...]) -> Iterator[Template]:
    if content.email:
        for name, said in (("subject", content.email.subject), ("text", content.email.text)):
            if said is not None:
                yield Template("email", (*place, "email", name), said)
        for part, texts in (("params", content.email.params), ("links", content.email.links)):
            for name, text in texts.items():
                yield Template("email", (*place, "email", part, name), text)
        if content.email.page:
            page = (folder / content.email.page).read_text(encoding="utf-8")
            yield Template("email", (*place, "email", "html" if content.email.html else "mjml"), page, content.email.page)
    if content.sms:
        for name, text in content.sms.params.items():
            yield Template("sms", (*place, "sms", "params", name), text)
        if content.sms.text is not None:
            yield Template("sms", (*place, "sms", "text"), content.sms.text)
    if content.wechat:
        for name, text in content.wechat.data.items():
            yield Template("wechat", (*place, "wechat", "data", name), text)
        for name, said in (("url", content.wechat.url), ("page", content.wechat.page), ("text", content.wechat.text)):
            if said:
                yield Template("wechat", (*place, "wechat", name), said)
    if content.chat:
        yield Template("chat", (*place, "chat", "text"), content.chat.text)


def faults(folder: Path, content: Content) -> Iterator[tuple[tuple[str, ...], str]]:
    """(place, sentence) for every template that cannot be read."""
    environment = ImmutableSandboxedEnvironment()
    try:
        found = list(templates(folder, content))
    except UnicodeDecodeError:
        for place, file in pages(content):
            try:
                (folder / file).read_text(encoding="utf-8")
            except UnicodeDecodeError as error:
                yield place, f"{file} is not UTF-8 text (byte {error.start + 1}). Save it as UTF-8."
        return
    for template in found:
        try:
            environment.from_string(template.text)
            # What is the same for everybody is known now; what is not, the connector looks at before it calls.
            written = template.place[:2] == ("wechat", "data") and not any(mark in template.text for mark in ("{{", "{%", "{#"))
            if written and (limit := field_fault(template.place[-1], template.text)):
                yield template.place, limit
        except TemplateSyntaxError as error:
            where = f"{template.file}, line {error.lineno}," if template.file else f"`{template.place[-1]}`"
            yield template.place, f"{where} is not a template: {(error.message or '').rstrip('.')}."
            continue
        if template.place[-1] == "mjml" and (wrong := mjml.fault(template.text)):
            yield template.place, f"{template.file} {wrong}"


def pages(content: Content) -> Iterator[tuple[tuple[str, ...], str]]:
    """(place, file) for the page of every mail of a content."""
    for place, variants in ((), content), *((("languages", name), one) for name, one in content.languages.items()):
        if variants.email and variants.email.page:
            yield (*place, "email", "html" if variants.email.html else "mjml"), variants.email.page


def page_faults(page: Path, given: set[str]) -> Iterator[str]:
    """What is wrong with a page around something that is `given`: its `form` has to stand in it, and nothing else may be asked for."""
    environment = ImmutableSandboxedEnvironment()
    try:
        asked = meta.find_undeclared_variables(environment.parse(page.read_text(encoding="utf-8")))
    except UnicodeDecodeError as error:
        yield f"{page.name} is not UTF-8 text (byte {error.start + 1}). Save it as UTF-8."
    except TemplateSyntaxError as error:
        yield f"{page.name}, line {error.lineno}, is not a template: {(error.message or '').rstrip('.')}."
    else:
        if "form" not in asked:
            yield f"{page.name} has no `{{{{ form }}}}`, where the form belongs."
        for name in sorted(asked - given):
            yield f"{page.name} asks for `{name}`. It is given: {', '.join(sorted(given))}."


def named(said: Mapping[str, Any]) -> dict[Place, str]:
    """The contents that a send names, with the place of each: its own, and those of the arms of its experiment."""
    experiment = said.get("experiment")
    arms = experiment.get("content") if isinstance(experiment, dict) else getattr(experiment, "content", None)
    names: dict[Place, Any] = {("content",): said.get("content")}
    names |= {("experiment", "content", arm): name for arm, name in (arms.items() if isinstance(arms, dict) else ())}
    return {place: name for place, name in names.items() if isinstance(name, str)}


def needs(folder: Path, content: Content, channel: str, colleague: bool = False) -> set[str]:
    """The fields that a channel's templates ask for in any language, but for those that are asked whether they are there.

    A colleague is given no way out of messages to somebody else.
    """
    asked: set[str] = set()
    for _, spoken in content.spoken(channel):
        asked |= _needs(folder, spoken, channel) - set(spoken.defaults)
    return asked if colleague else asked - GIVEN.get(channel, set())


def _needs(folder: Path, content: Content, channel: str) -> set[str]:
    environment = ImmutableSandboxedEnvironment()
    asked: set[str] = set()
    for template in _of(folder, content, ()):
        if template.channel == channel:
            tree = environment.parse(template.text)
            optional = {
                node.node.name
                for node in tree.find_all((nodes.Test, nodes.Filter))
                if node.name in {"defined", "undefined", "default", "d"} and isinstance(node.node, nodes.Name)
            }
            asked |= meta.find_undeclared_variables(tree) - optional
    return asked
