"""What the files in `content/` may say: one message in its channel variants."""

from __future__ import annotations

from pydantic import Field, model_validator

from activation.engine.specs import Spec


class EmailContent(Spec):
    """A mail. `html` names a file beside the YAML; `sender` (an address or `Name <address>`) goes before the destination's own."""

    sender: str | None = None
    subject: str
    html: str
    text: str | None = None


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


class Content(Spec):
    """`content/<name>.yml`: one message in its channel variants. Values are sandboxed Jinja2 over the send's fields."""

    description: str = ""
    defaults: dict[str, str] = Field(default={})
    utm: dict[str, str] = Field(default={})
    email: EmailContent | None = None
    sms: SmsContent | None = None
    wechat: WechatContent | None = None
    chat: ChatContent | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Content:
        if not (self.email or self.sms or self.wechat or self.chat):
            raise ValueError("says nothing yet: write it for `email`, `sms`, `wechat` or `chat`")
        return self
