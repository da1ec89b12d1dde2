"""The pages people see: unsubscribe, unsubscribed, confirm, preferences, check-in, and a link that does not work. In Chinese or English, as the browser asks.

They need no script, no cookie and nothing from elsewhere, and cannot be framed.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse

from activation.engine.links import Link

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex",
}

_WORDS = {
    "en": {
        "ask": "Unsubscribe?", "button": "Unsubscribe", "done": "You are unsubscribed.",
        "what": "You will no longer receive {purpose} by {channel}.", "bad": "This link does not work.",
        "bad_why": "It is incomplete or has expired. Please open it again from the message you received.",
        "busy": "Please try again in a moment.", "busy_why": "We could not record your request just now. Nothing was changed.",
        "email": "e-mail", "sms": "text message", "wechat": "WeChat", "newsletter": "the newsletter", "promotion": "offers",
        "sales_contact": "messages from our sales team", "order_update": "order updates", "all": "any messages",
        "preferences": "What may we send you?", "preferences_why": "Only what you choose here changes; everything else stays as it is.",
        "as_it_is": "no change", "yes": "yes, please", "no": "no, thanks", "save": "Save", "nothing_at_all": "Unsubscribe from all of these",
        "choice": "{topic} by {channel}: {answer}", "kept": "Your choice is saved.", "unchanged": "Nothing was changed.",
        "choose": "Choose what you receive", "confirm_ask": "Please confirm", "confirm": "Yes, I asked for it", "confirmed": "Thank you, it is confirmed.",
        "confirm_what": "You asked to receive {purpose} by {channel}.", "check_in": "Check in", "checked_in": "You are checked in.", "full_name": "Name",
        "phone": "Phone", "check_in_wrong": "Please give a phone number or an e-mail address that is right.",
    },
    "zh": {
        "ask": "确定退订吗？", "button": "退订", "done": "您已退订。",
        "what": "您将不再通过{channel}收到{purpose}。", "bad": "链接无法使用。",
        "bad_why": "链接不完整或已过期，请从您收到的消息中重新打开。",
        "busy": "请稍后再试。", "busy_why": "暂时无法记录您的请求，未做任何更改。",
        "email": "电子邮件", "sms": "短信", "wechat": "微信", "newsletter": "资讯", "promotion": "优惠信息",
        "sales_contact": "销售人员的消息", "order_update": "订单通知", "all": "任何消息",
        "preferences": "您希望收到哪些消息？", "preferences_why": "只有您在此选择的内容会改变，其余保持不变。",
        "as_it_is": "不变", "yes": "接收", "no": "不接收", "save": "保存", "nothing_at_all": "全部退订",
        "choice": "通过{channel}接收{topic}：{answer}", "kept": "您的选择已保存。", "unchanged": "未做任何更改。",
        "choose": "选择接收的内容", "confirm_ask": "请确认订阅", "confirm": "是的，我要订阅", "confirmed": "已确认，感谢您的订阅。",
        "confirm_what": "您申请通过{channel}接收{purpose}。", "check_in": "签到", "checked_in": "签到成功。", "full_name": "姓名",
        "phone": "手机", "check_in_wrong": "请填写正确的手机号或邮箱。",
    },
}  # fmt: skip

_PAGE = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 15vh auto; padding: 0 1.5rem; color: #222; background: #fff }}
h1 {{ font-size: 1.5rem }} fieldset {{ border: 1px solid #8886; border-radius: .4rem; margin: 0 0 1rem; padding: .6rem 1rem }}
label {{ display: flex; justify-content: space-between; gap: 1rem; margin: .4rem 0 }} select, input {{ font: inherit; max-width: 65% }} small {{ opacity: .7 }}
button.plain {{ background: none; color: inherit; text-decoration: underline; padding: .6rem }} button {{ font: inherit; padding: .6rem 1.6rem; border: 0; border-radius: .4rem; background: #1a5fb4; color: #fff }}
@media (prefers-color-scheme: dark) {{ body {{ color: #eee; background: #1c1c1c }} }}
</style></head>
<body><main><h1>{title}</h1><p>{text}</p>{form}</main></body></html>
"""
_FORM = '<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click"><button type="submit">{button}</button></form>'


def unsubscribe(request: Request, link: Link) -> HTMLResponse:
    """The question. Its button sends what a mail program's one click sends (RFC 8058)."""
    spoken = words(request)
    return page(request, 200, spoken["ask"], _what(spoken, link), _FORM.format(button=spoken["button"]))


def unsubscribed(request: Request, link: Link, preferences: str) -> HTMLResponse:
    """Done; whoever wanted less instead of nothing finds the way to `preferences`."""
    spoken = words(request)
    more = f'<p><a href="{escape(preferences)}">{escape(spoken["choose"])}</a></p>'
    return page(request, 200, spoken["done"], _what(spoken, link), more)


def confirm(request: Request, link: Link) -> HTMLResponse:
    """The question whether the receiver asked to be written to. Only its button says yes: a scanner that follows the link says nothing."""
    spoken = words(request)
    form = f'<form method="post"><button type="submit" name="confirm" value="yes">{escape(spoken["confirm"])}</button></form>'
    return page(request, 200, spoken["confirm_ask"], confirmable(spoken, link), form)


def confirmable(words: dict[str, str], link: Link) -> str:
    """What is confirmed, in the words that are kept with it."""
    return _named(words, "confirm_what", link)


def told(request: Request, title: str, sentences: Sequence[str] = ()) -> HTMLResponse:
    """What was done, a sentence a line."""
    return page(request, 200, title, "", "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences))


def bad_link(request: Request) -> HTMLResponse:
    spoken = words(request)
    return page(request, 404, spoken["bad"], spoken["bad_why"])


def busy(request: Request, status: int, retry_after: int) -> HTMLResponse:
    spoken = words(request)
    answer = page(request, status, spoken["busy"], spoken["busy_why"])
    answer.headers["retry-after"] = str(retry_after)
    return answer


def _what(words: dict[str, str], link: Link) -> str:
    """What is left, in words; a name without words of its own stands as it is."""
    return _named(words, "what", link)


def _named(words: dict[str, str], sentence: str, link: Link) -> str:
    channel, purpose = link.channel or "", link.purpose or ""
    return words[sentence].format(channel=words.get(channel, channel), purpose=words.get(purpose, purpose.replace("_", " ")))


def words(request: Request) -> dict[str, str]:
    """The words of the language that a browser asks for."""
    return _WORDS[language(request)]


def language(request: Request) -> str:
    return "zh" if request.headers.get("accept-language", "").strip().lower().startswith("zh") else "en"


def page(request: Request, status: int, title: str, text: str, form: str = "") -> HTMLResponse:
    """A page of ours. Title and text are escaped here; `form` is HTML."""
    content = _PAGE.format(language=language(request), title=escape(title), text=escape(text), form=form)
    return HTMLResponse(content, status, headers={**HEADERS, "vary": "accept-language"})
