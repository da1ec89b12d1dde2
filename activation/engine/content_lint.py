"""Messages, looked at as their readers will see them: nothing here stops a send, and each sentence says what to do.

Lengths are counted as they are shown: a Chinese character takes the place of two others.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from activation.engine import mjml
from activation.engine.content import as_text
from activation.engine.content_specs import Content, EmailContent
from activation.engine.declarations import Activation, Declarations

LONGEST_SUBJECT = 60  # a phone shows fewer, a desktop not many more
SHORTEST_SUBJECT = 8
LARGEST_PAGE = 102_000  # bytes; Gmail cuts what is longer, and with it the way out
PUT = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
IMAGE = re.compile(r"<(?:img|mj-image)\b(?![^>]*\balt\s*=)[^>]*>", re.IGNORECASE)
DEAD = re.compile(r"<(script|form|iframe|object|embed|video)\b", re.IGNORECASE)
PLAIN_HTTP = re.compile(r"""\bhref\s*=\s*["']http://""", re.IGNORECASE)
NOWHERE = re.compile(r"""\bhref\s*=\s*["'](#|)["']""", re.IGNORECASE)


def lint(declarations: Declarations) -> Iterator[tuple[str, str]]:
    """(file, sentence) for everything about the contents that their writers may want to change."""
    folder = declarations.project.declarations / "content"
    for name, content in declarations.contents.items():
        file = f"{declarations.project.relative(folder)}/{name}.yml"
        for language, spoken in content.spoken("email"):
            assert spoken.email is not None
            if spoken.email.template is not None:
                continue  # what it looks like is seen over there
            for sentence in _mail(folder, spoken.email):
                yield file, f"{f'in {language}, ' if language else ''}{sentence}"
    for activation in declarations.activations.values():
        if activation.kind == "send" and activation.send.content in declarations.contents:
            content = declarations.contents[activation.send.content]
            for sentence in _send(folder, content, activation, declarations):
                yield activation.file, sentence


def _send(folder: Path, content: Content, activation: Activation, declarations: Declarations) -> Iterator[str]:
    channel, send = activation.variant, activation.send
    languages = [language for language, _ in content.spoken(channel) if language]
    if languages and "language" not in send.fields:
        yield f"its content speaks {', '.join(languages)} too: give `language` in `fields`, or nobody gets it."
    if channel == "email" and send.purpose in declarations.policies.topics and not send.to:
        for language, spoken in content.spoken("email"):
            assert spoken.email is not None
            page = _page(folder, spoken.email)
            if "unsubscribe_url" not in page and "preferences_url" not in page:
                where = "`params`" if spoken.email.template else "a link"
                yield f"its mail{f' in {language}' if language else ''} shows no way out: put {{{{ unsubscribe_url }}}} in {where}."


def _page(folder: Path, email: EmailContent) -> str:
    """What is written here of a mail's page: all of it, or what the vendor's template is filled with."""
    return "\n".join(email.params.values()) if email.template else (folder / email.page).read_text(encoding="utf-8")


def _mail(folder: Path, email: EmailContent) -> Iterator[str]:
    written = email.subject or ""
    subject = PUT.sub("", written)
    shown = width(subject)
    if shown > LONGEST_SUBJECT:
        yield f"the subject is {shown} characters wide without its fields: phones cut it at about {LONGEST_SUBJECT}."
    elif shown < SHORTEST_SUBJECT and not PUT.search(written):
        yield "the subject says little: it is all that most people read."
    letters = [character for character in subject if character.isalpha()]
    if len(letters) > 6 and all(character.isupper() for character in letters):
        yield "the subject is all capitals, which filters take for spam."
    if len(re.findall(r"[!！]", subject)) > 1:
        yield "the subject has several exclamation marks, which filters take for spam."
    source = (folder / email.page).read_text(encoding="utf-8")
    page = mjml.to_html(source) if email.mjml else source
    size = len(page.encode())
    if size > LARGEST_PAGE:
        yield f"{email.page} makes a page of {size // 1000} KB: Gmail cuts what is longer than {LARGEST_PAGE // 1000}."
    if missing := len(IMAGE.findall(source)):
        yield f"{email.page} has {missing} image(s) without `alt`: many programs show no images, and then there is nothing."
    for name in sorted({match[1].lower() for match in DEAD.finditer(source)}):
        yield f"{email.page} holds <{name}>, which mail programs take out."
    if PLAIN_HTTP.search(source):
        yield f"{email.page} links to http://: write https://."
    if NOWHERE.search(source):
        yield f"{email.page} has a link that leads nowhere."
    if not email.text and len(re.sub(r"\([^)]*\)", "", as_text(page)).strip()) < 10:
        yield f"{email.page} has hardly any text, so its text part says nothing: write `text`."


def width(text: str) -> int:
    """How wide a text is shown, in halves of a Chinese character."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in " ".join(text.split()))
