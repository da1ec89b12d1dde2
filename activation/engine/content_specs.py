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
    """A text message by the provider's template: its code, the signature it carries, and its parameters."""

    sign_name: str
    template_code: str
    params: dict[str, str] = Field(default={})


class WechatContent(Spec):
    """A WeChat template message: the template's id, its fields, and where a tap leads."""

    template_id: str
    data: dict[str, str]
    url: str | None = None


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
