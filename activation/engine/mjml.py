"""MJML: a short language for mails, from which the page is made that every mail program shows as it should."""

from __future__ import annotations

import re

import mrml

# MJML 4. The renderer passes over an element that it does not know, and whoever misspelt one would miss part of the mail.
ELEMENTS = re.compile(
    r"mjml|mj-(head|body|attributes|all|class|breakpoint|font|html-attributes|selector|html-attribute|preview|style|title|accordion"
    r"|accordion-element|accordion-text|accordion-title|button|carousel|carousel-image|column|divider|group|hero|image|navbar|navbar-link"
    r"|raw|section|social|social-element|spacer|table|text|wrapper)"
)
_ELEMENT = re.compile(r"<(mj-?[a-z-]*)", re.IGNORECASE)


class BadMjml(Exception):
    """A source from which no page can be made. The message says why."""


def to_html(source: str) -> str:
    """The page. Templates in it stay as they are. Raises BadMjml."""
    try:
        return str(mrml.to_html(source).content)
    except OSError as error:
        raise BadMjml(str(error)) from None


def fault(source: str) -> str:
    """What is wrong with a source, as the end of a sentence that begins with its name; empty when nothing is."""
    for match in _ELEMENT.finditer(source):
        if match[1] == "mj-include":
            return "includes another file. What a mail says stands in it: write it out."
        if not ELEMENTS.fullmatch(match[1]):
            return f"holds <{match[1]}> (line {source.count(chr(10), 0, match.start()) + 1}), which MJML does not have."
    try:
        to_html(source)
    except BadMjml as error:
        return f"is not MJML: {error}."
    return ""
