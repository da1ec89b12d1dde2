"""Messages: content rendered for one person, in a sandbox, strictly. What a template may not do, it cannot."""

from __future__ import annotations

import html as html_text
import re
from collections.abc import Callable, Mapping, Set
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import orjson
from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from activation.engine import mjml
from activation.engine.content_specs import Content
from activation.engine.links import Links

HREF = re.compile(r"""(<a\b[^>]*?\bhref\s*=\s*)(["'])(https?://[^"']+)\2""", re.IGNORECASE)
TAGS = re.compile(r"<(script|style|head)\b.*?</\1>|<!--.*?-->|<[^>]+>", re.IGNORECASE | re.DOTALL)
ALT = re.compile(r"""<img\b[^>]*?\balt\s*=\s*(["'])(.*?)\1[^>]*>""", re.IGNORECASE | re.DOTALL)
LONGEST_SUBJECT = 998 // 4  # RFC 5322 2.1.1 with room for encoded words


class CannotRender(Exception):
    """This person's message cannot be made. The sentence names the field or the fault, never a value."""


class Renderer:
    """Turns the fields of one row into the payload of its message. One renderer serves a whole run.

    `arms` are the renderers of an experiment's arms that have a content of their own, chosen by the field `arm`. The field `language`
    chooses among the languages of the content. Without `links` it is for a colleague: nothing is tracked, and nobody is unsubscribed by it.
    `confirms` is the purpose that the templates' `confirm_url` confirms.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        content: Content,
        channel: str,
        purpose: str,
        links: Links | None,
        arms: Mapping[str, Renderer] | None = None,
        confirms: str | None = None,
    ) -> None:
        self.arms, self.confirms = arms or {}, confirms
        self.folder, self.name, self.content, self.channel, self.purpose, self.links = folder, name, content, channel, purpose, links
        self._plain = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
        self._html = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=True)
        self._templates: dict[tuple[bool, str], Any] = {}
        self._languages = {
            language: Renderer(folder, name, spoken, channel, purpose, links, confirms=confirms)
            for language, spoken in (content.spoken(channel) if content.languages else ())
            if language
        }

    def render(self, message_id: str, contact: str, fields: Mapping[str, Any]) -> bytes:
        """The payload of one message as JSON. Raises CannotRender."""
        arm = self.arms.get(str(fields.get("arm")))
        if arm is not None:
            return arm.render(message_id, contact, fields)
        if self._languages:
            language = self.content.chosen(fields.get("language"), self.channel)
            if language:
                return self._languages[language].render(message_id, contact, fields)
        values = {key: self.content.defaults.get(key) if value is None else value for key, value in fields.items()}
        values = {
            **{k: v for k, v in self.content.defaults.items() if k not in values},
            **{k: v for k, v in values.items() if v is not None},
        }
        if self.confirms and self.links:
            values["confirm_url"] = self.links.confirm(message_id, self.channel, self.confirms)
        makers = {"email": self._email, "sms": self._sms, "wechat": self._wechat, "chat": self._chat}
        make: Callable[[str, str, dict[str, Any]], dict[str, Any]] = makers[self.channel]
        try:
            return orjson.dumps(make(message_id, contact, values))
        except TemplateError as error:
            raise CannotRender(f"content `{self.name}`: {_without_values(error)}") from None
        except (ArithmeticError, TypeError, ValueError, AttributeError, LookupError, RecursionError) as error:
            # Whatever an expression in a template runs into is the template's fault, and only this row's.
            raise CannotRender(f"content `{self.name}`: an expression fails with {type(error).__name__}") from None

    def _put(self, text: str, values: Mapping[str, Any], html: bool = False) -> str:
        template = self._templates.get((html, text))
        if template is None:
            template = self._templates[(html, text)] = (self._html if html else self._plain).from_string(text)
        return str(template.render(**values))

    def _email(self, message_id: str, contact: str, values: dict[str, Any]) -> dict[str, Any]:
        variant = self.content.email
        assert variant is not None
        ways_out: dict[str, str] = {}
        if self.links:
            unsubscribe = self.links.unsubscribe(message_id, "email", self.purpose)
            ways_out = {"unsubscribe_url": unsubscribe, "preferences_url": self.links.preferences(message_id)}
        one_click = {name: url for name, url in ways_out.items() if name == "unsubscribe_url"}
        sender = {"from": variant.sender} if variant.sender else {}
        if variant.template is not None:
            params = {name: self._put(text, {**values, **ways_out}) for name, text in variant.params.items()}
            links = {name: self._link(message_id, self._put(url, values)) for name, url in variant.links.items()}
            return {**sender, "to": contact, "template": variant.template, "params": params | links, **one_click}
        body = self._put(self._source, {**values, **ways_out}, html=True)
        text = self._put(variant.text, {**values, **ways_out}) if variant.text else as_text(body)
        subject = " ".join(self._put(variant.subject or "", values).split())
        if not subject or len(subject) > LONGEST_SUBJECT:
            raise CannotRender(f"content `{self.name}`: the subject is {'empty' if not subject else 'too long'}")
        return {
            **sender,
            "to": contact,
            "subject": subject,
            "html": self._tracked(message_id, body, set(ways_out.values())) if self.links else body,
            "text": text,
            **one_click,
        }

    def _sms(self, message_id: str, contact: str, values: dict[str, Any]) -> dict[str, Any]:
        variant = self.content.sms
        assert variant is not None
        params = {key: self._put(template, values) for key, template in variant.params.items()}
        said: dict[str, Any] = {"template_code": variant.template_code, "params": params}
        if variant.text is not None:
            said = {"text": self._put(variant.text, values)}
        return {"phone": contact, "sign_name": variant.sign_name, **said}

    def _wechat(self, message_id: str, contact: str, values: dict[str, Any]) -> dict[str, Any]:
        variant = self.content.wechat
        assert variant is not None
        if variant.text is not None:
            text = self._put(variant.text, values).strip()
            if not text:
                raise CannotRender(f"content `{self.name}`: the text is empty")
            return {"openid": contact, "text": text}
        payload: dict[str, Any] = {
            "openid": contact,
            "template_id": variant.template_id,
            "data": {key: {"value": self._put(template, values)} for key, template in variant.data.items()},
        }
        if variant.page:
            payload["page"] = self._link(message_id, self._put(variant.page, values))
        if variant.url:
            payload["url"] = self._link(message_id, self._put(variant.url, values))
        return payload

    def _chat(self, message_id: str, contact: str, values: dict[str, Any]) -> dict[str, Any]:
        variant = self.content.chat
        assert variant is not None
        return {"text": self._put(variant.text, values), **({} if self.links else {"userid": contact})}

    @cached_property
    def _source(self) -> str:
        assert self.content.email is not None
        page = (self.folder / self.content.email.page).read_text(encoding="utf-8")
        return mjml.to_html(page) if self.content.email.mjml else page

    def _link(self, message_id: str, url: str) -> str:
        """A signed redirect that carries the campaign."""
        return self.links.click(message_id, self._campaign(url)) if self.links else url

    def _tracked(self, message_id: str, body: str, ways_out: Set[str]) -> str:
        """Links to the web become signed redirects that carry the campaign; an open pixel stands at the end."""
        links = self.links
        assert links is not None

        def put(match: re.Match[str]) -> str:
            target = html_text.unescape(match[3])
            if target in ways_out or target.startswith(f"{links.base_url}/y/"):
                return match[0]
            return f"{match[1]}{match[2]}{html_text.escape(self._link(message_id, target))}{match[2]}"

        tracked = HREF.sub(put, body)
        pixel = f'<img src="{html_text.escape(links.open(message_id))}" width="1" height="1" alt="">'
        return tracked.replace("</body>", f"{pixel}</body>") if "</body>" in tracked else tracked + pixel

    def _campaign(self, url: str) -> str:
        if not self.content.utm:
            return url
        parts = urlsplit(url)
        query = parse_qsl(parts.query, keep_blank_values=True)
        present = {key for key, _ in query}
        query += [(f"utm_{key}", value) for key, value in self.content.utm.items() if f"utm_{key}" not in present]
        return urlunsplit(parts._replace(query=urlencode(query)))


def as_text(body: str) -> str:
    """A page as text: a line for each block, links with their addresses, pictures by what stands for them, lists with dashes."""
    pictured = ALT.sub(r"\2", re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL))
    linked = re.sub(r"""<a\b[^>]*?href\s*=\s*["']([^"']+)["'][^>]*>(.*?)</a>""", r"\2 (\1)", pictured, flags=re.IGNORECASE | re.DOTALL)
    listed = re.sub(r"<li\b[^>]*>", "- ", linked, flags=re.IGNORECASE)
    broken = re.sub(r"</(p|div|h[1-6]|tr|li)>|<br\s*/?>", "\n", listed, flags=re.IGNORECASE)
    lines = [" ".join(line.split()) for line in html_text.unescape(TAGS.sub("", broken)).splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def _without_values(error: TemplateError) -> str:
    """Jinja's own sentence; undefined names and security faults name the variable or attribute, not what it holds."""
    return re.sub(r"'[^']*' object", "the value", str(error.message or type(error).__name__)).rstrip(".")
