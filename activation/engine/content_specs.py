"""What the files in `content/` may say: one message in its channel variants."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import Field, field_validator, model_validator

from activation.engine.specs import Spec, Text

LANGUAGE = re.compile(r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?$")


class EmailContent(Spec):
    """A mail. `html` or `mjml` names a file beside the YAML: a page as it is, or MJML, from which a page for every mail program is made.

    `sender` (an address or `Name <address>`) goes before the destination's own. Without `text` the text part is made from the page.

    Or it is a `template` that the vendor keeps (its name or id, subject and all), which fills in `params` and, as tracked addresses, `links`.
    Such mails leave as `batch_messages`, many in a call.
    """

    sender: str | None = None
    subject: str | None = None
    html: str | None = None
    mjml: str | None = None
    text: str | None = None
    template: Text | None = None
    params: dict[str, str] = Field(default={})
    links: dict[str, str] = Field(default={})

    @model_validator(mode="after")
    def _has_a_page(self) -> EmailContent:
        if [self.html, self.mjml, self.template].count(None) != 2:
            raise ValueError("name the page beside it, either `html` or `mjml`, or a `template` of the vendor's")
        if self.template is None and self.subject is None:
            raise ValueError("needs a `subject`")
        if self.template is None and (self.params or self.links):
            raise ValueError("`params` and `links` fill a `template`: a page takes the fields themselves")
        if self.template is not None and (self.subject is not None or self.text is not None):
            raise ValueError("a `template` has its subject and text over there: give what differs in `params`")
        if twice := sorted(self.params.keys() & self.links.keys()):
            raise ValueError(f"`{twice[0]}` is in both `params` and `links`")
        return self

    @property
    def page(self) -> str:
        """The file of the page."""
        return self.html or self.mjml or ""


class SmsContent(Spec):
    """A text message, by a template of the provider's (its code, the signature it carries, its parameters) or as the `text` itself.

    Providers in China take templates only. `wording` is the template's text as it was filed, variables and all (`尊敬的${name}，…`): nothing is
    sent of it; with it `sluice check` can see what a person will read, and how many parts it takes.
    """

    sign_name: str | None = None
    template_code: str | None = None
    params: dict[str, str] = Field(default={})
    text: str | None = None
    wording: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> SmsContent:
        if (self.template_code is None) == (self.text is None):
            raise ValueError("write either a `template_code` or the `text` itself")
        return self


class WechatContent(Spec):
    """What is said on WeChat: by a template (its id, its fields, where a tap leads: `url`, or `page` for subscription notices), or as `text`.

    Text is for customer-service, mass and group messages; templates for all others.
    """

    template_id: str | None = None
    data: dict[str, str] = Field(default={})
    url: str | None = None
    page: str | None = None
    text: str | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> WechatContent:
        if (self.template_id is None) == (self.text is None):
            raise ValueError("say either `template_id` (with `data`) or `text`")
        if self.text is not None and (self.data or self.url or self.page):
            raise ValueError("`data`, `url` and `page` belong to a template: with `text` leave them out")
        return self


class ChatContent(Spec):
    """A line in a room of colleagues, by its robot: about the person of the audience, not to them."""

    text: str


class Variants(Spec):
    """A message in another language: the channels that are written in it, with defaults of their own."""

    defaults: dict[str, str] = Field(default={})
    email: EmailContent | None = None
    sms: SmsContent | None = None
    wechat: WechatContent | None = None
    chat: ChatContent | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Variants:
        if not (self.email or self.sms or self.wechat or self.chat):
            raise ValueError("says nothing yet: write it for `email`, `sms`, `wechat` or `chat`")
        return self


class Content(Variants):
    """`content/<name>.yml`: one message in its channel variants. Values are sandboxed Jinja2 over the send's fields.

    `languages` are the same message in other languages. Whose field `language` names one gets it (else the language without its region);
    everybody else, and who is reached by a channel that it is not written for, gets what stands at the top.
    """

    description: str = ""
    utm: dict[str, str] = Field(default={})
    languages: dict[str, Variants] = Field(default={})

    @field_validator("languages")
    @classmethod
    def _are_languages(cls, value: dict[str, Variants]) -> dict[str, Variants]:
        for language in value:
            if not LANGUAGE.match(language):
                raise ValueError(f"`{language}` is not a language: write it like en, zh or zh-TW")
        return value

    def chosen(self, language: object, channel: str) -> str:
        """Which of `languages` somebody gets on a channel; empty for what stands at the top."""
        if not isinstance(language, str) or not self.languages:
            return ""
        known = {name.lower(): name for name, variants in self.languages.items() if getattr(variants, channel)}
        tag = language.strip().replace("_", "-").lower()
        return known.get(tag) or known.get(tag.partition("-")[0], "")

    def spoken(self, channel: str) -> Iterator[tuple[str, Content]]:
        """Every language a channel is written in, with the content as whoever gets it sees it. What stands at the top is ``."""
        if getattr(self, channel):
            yield "", self
        for language, variants in self.languages.items():
            if getattr(variants, channel):
                said = {channel: getattr(variants, channel), "defaults": {**self.defaults, **variants.defaults}}
                yield language, self.model_copy(update={**said, "languages": {}})
