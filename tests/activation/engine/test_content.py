"""A message is made for one person, strictly and in a sandbox: what a template may not do, it cannot; what it lacks, it says."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from activation.engine.content import CannotRender, Renderer
from activation.engine.content_specs import Content
from activation.engine.links import Links

NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
LINKS = Links(b"k" * 32, "https://c.example", NOW)
MESSAGE = "m_" + "0" * 32


def renderer(folder: Path, channel: str = "email", html: str = "<p>Hi {{ name }}</p>", **content: Any) -> Renderer:
    (folder / "hello.html").write_text(html, encoding="utf-8")
    variants = {
        "email": {"subject": "Hello {{ name }}", "html": "hello.html"},
        "sms": {"sign_name": "云起", "template_code": "SMS_1", "params": {"name": "{{ name }}"}},
        "wechat": {"template_id": "T1", "data": {"first": "{{ name }}"}, "url": "https://shop.example/x?a={{ name }}"},
    }
    spec = Content.model_validate({channel: variants[channel], **content})
    return Renderer(folder, "hello", spec, channel, "newsletter", LINKS)


def mail(folder: Path, fields: dict[str, Any] | None = None, **content: Any) -> dict[str, Any]:
    made = renderer(folder, **content).render(MESSAGE, "mei@mail.example", {"name": "Mei"} if fields is None else fields)
    return orjson.loads(made)  # type: ignore[no-any-return]


def refusal(folder: Path, fields: dict[str, Any], **content: Any) -> str:
    with pytest.raises(CannotRender) as refused:
        mail(folder, fields, **content)
    return str(refused.value)


def clicked(html: str) -> list[str]:
    """Where the links of a mail lead, as the collector reads them."""
    tokens = re.findall(r'href="https://c\.example/c/([^"]+)"', html)
    return [str(LINKS.read(token, "click", NOW).url) for token in tokens]


# -- what a message holds -------------------------------------------------------------------------------------------------


def test_a_confirmation_leads_to_its_own_page_and_not_through_a_redirect(tmp_path: Path) -> None:
    made = renderer(tmp_path, html='<a href="{{ confirm_url }}">yes</a> <a href="https://shop.example/">shop</a>')
    made.confirms = "promotion"
    html = orjson.loads(made.render(MESSAGE, "mei@mail.example", {"name": "Mei"}))["html"]
    assert clicked(html) == ["https://shop.example/"]
    (token,) = re.findall(r'href="https://c\.example/y/([^"]+)"', html)
    link = LINKS.read(token, "confirm", NOW)
    assert (link.message_id, link.channel, link.purpose) == (MESSAGE, "email", "promotion")


def test_a_mail_has_a_subject_a_body_a_text_and_a_way_out(tmp_path: Path) -> None:
    made = mail(tmp_path, html='<body><h1>Hi {{ name }}</h1><p>Come <a href="https://shop.example/a">in</a></p></body>')
    assert (made["to"], made["subject"]) == ("mei@mail.example", "Hello Mei")
    assert made["text"].startswith("Hi Mei\nCome in (https://shop.example/a)")
    link = LINKS.read(made["unsubscribe_url"].rsplit("/", 1)[1], "unsubscribe", NOW)
    assert (link.message_id, link.channel, link.purpose) == (MESSAGE, "email", "newsletter")


def test_the_same_person_gets_the_same_bytes(tmp_path: Path) -> None:
    one = renderer(tmp_path, html='<a href="https://shop.example">x</a>')
    assert one.render(MESSAGE, "a@b.co", {"name": "Mei"}) == one.render(MESSAGE, "a@b.co", {"name": "Mei"})


def test_a_text_message_fills_the_providers_parameters(tmp_path: Path) -> None:
    made = orjson.loads(renderer(tmp_path, "sms").render(MESSAGE, "+8613800000000", {"name": "美"}))
    assert made == {"phone": "+8613800000000", "sign_name": "云起", "template_code": "SMS_1", "params": {"name": "美"}}


def test_a_text_message_may_be_its_text(tmp_path: Path) -> None:
    text = renderer(tmp_path, sms={"text": "Hello {{ name }} & co", "wording": "nothing is sent of it"}, channel="sms")
    made = orjson.loads(text.render(MESSAGE, "+8613800000000", {"name": "美"}))
    assert made == {"phone": "+8613800000000", "sign_name": None, "text": "Hello 美 & co"}


def test_a_wechat_message_leads_through_a_signed_link(tmp_path: Path) -> None:
    made = orjson.loads(renderer(tmp_path, "wechat").render(MESSAGE, "o123456", {"name": "Mei"}))
    assert made["data"] == {"first": {"value": "Mei"}}
    assert LINKS.read(made["url"].rsplit("/", 1)[1], "click", NOW).url == "https://shop.example/x?a=Mei"


def test_a_notice_on_wechat_leads_by_its_page_and_text_is_text(tmp_path: Path) -> None:
    notice = {"template_id": "T1", "data": {"thing1": "{{ name }}"}, "page": "https://shop.example/x"}
    made = orjson.loads(renderer(tmp_path, "wechat", wechat=notice).render(MESSAGE, "o123456", {"name": "Mei"}))
    assert (made["openid"], made["template_id"], made["data"], "url" in made) == ("o123456", "T1", {"thing1": {"value": "Mei"}}, False)
    assert LINKS.read(made["page"].rsplit("/", 1)[1], "click", NOW).url == "https://shop.example/x"
    said = renderer(tmp_path, "wechat", wechat={"text": "您好，{{ name }} 🎉"}).render(MESSAGE, "o123456", {"name": "Mei"})
    assert orjson.loads(said) == {"openid": "o123456", "text": "您好，Mei 🎉"}
    with pytest.raises(CannotRender, match="empty"):
        renderer(tmp_path, "wechat", wechat={"text": "{{ name }}"}).render(MESSAGE, "o123456", {"name": " "})


def test_links_become_signed_redirects_that_carry_the_campaign(tmp_path: Path) -> None:
    html = """<a href="https://shop.example/a?b=1&amp;c=2">x</a> <a class=y href='http://shop.example/#top'>y</a>"""
    targets = clicked(mail(tmp_path, html=html, utm={"source": "sluice", "campaign": "spring"})["html"].replace("'", '"'))
    assert [parse_qs(urlsplit(url).query) for url in targets] == [
        {"b": ["1"], "c": ["2"], "utm_source": ["sluice"], "utm_campaign": ["spring"]},
        {"utm_source": ["sluice"], "utm_campaign": ["spring"]},
    ]
    assert urlsplit(targets[1]).fragment == "top"


def test_a_campaign_that_a_link_names_itself_stays(tmp_path: Path) -> None:
    html = '<a href="https://shop.example/?utm_source=own">x</a>'
    (target,) = clicked(mail(tmp_path, html=html, utm={"source": "sluice"})["html"])
    assert parse_qs(urlsplit(target).query) == {"utm_source": ["own"]}


def test_links_to_mail_phones_and_the_way_out_are_left_alone(tmp_path: Path) -> None:
    html = '<a href="mailto:a@b.co">m</a> <a href="tel:+86">t</a> <a href="#x">x</a> <a href="{{ unsubscribe_url }}">bye</a>'
    made = mail(tmp_path, html=html)
    assert clicked(made["html"]) == []
    assert f'href="{made["unsubscribe_url"]}"' in made["html"]


def test_an_open_pixel_stands_once_at_the_end_of_the_body(tmp_path: Path) -> None:
    made = mail(tmp_path, html="<html><body>Hi {{ name }}</body></html>")["html"]
    assert made.count("<img") == 1
    assert made.endswith('width="1" height="1" alt=""></body></html>')


# -- what fields may hold -------------------------------------------------------------------------------------------------


def test_a_value_from_outside_is_text_in_a_mail_and_nothing_else(tmp_path: Path) -> None:
    made = mail(tmp_path, {"name": '<a href="https://evil.example">{{ 7 * 7 }}</a><script>x</script>'})
    assert "<script" not in made["html"]
    assert clicked(made["html"]) == []
    assert "{{ 7 * 7 }}" in made["html"]


def test_a_value_from_outside_adds_no_header(tmp_path: Path) -> None:
    assert mail(tmp_path, {"name": "Mei\r\nBcc: all@mail.example"})["subject"] == "Hello Mei Bcc: all@mail.example"


def test_a_value_that_is_missing_takes_its_default(tmp_path: Path) -> None:
    for fields in ({"name": None}, {}):
        assert mail(tmp_path, fields, defaults={"name": "friend"})["subject"] == "Hello friend"


def test_a_value_that_is_missing_and_has_no_default_makes_no_message(tmp_path: Path) -> None:
    for fields in ({"name": None}, {}):
        assert refusal(tmp_path, fields) == "content `hello`: 'name' is undefined"


def test_an_empty_subject_or_one_too_long_makes_no_message(tmp_path: Path) -> None:
    email = {"subject": "{{ name }}", "html": "hello.html"}
    assert refusal(tmp_path, {"name": " \n "}, email=email) == "content `hello`: the subject is empty"
    assert refusal(tmp_path, {"name": "x" * 300}, email=email) == "content `hello`: the subject is too long"


# -- what a template may not do -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__ }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ name['__class__'] }}",
        "{{ name|attr('__class__') }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ ''.join.__self__.__class__ }}",
        "{{ '%s'.format.__func__ }}",
        "{{ '{0.__class__}'.format(name) }}",
        "{{ [].append(1) }}",
        "{% for i in range(1000000000) %}x{% endfor %}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{{ undefined_name }}",
        "{{ name.missing }}",
        "{{ 1 / 0 }}",
        "{{ name + 1 }}",
        "{{ open('/etc/passwd') }}",
        "{{ broken",
        "{% if %}",
    ],
)
def test_a_template_that_tries_what_it_may_not_makes_no_message(tmp_path: Path, template: str) -> None:
    for place in ({"html": template}, {"email": {"subject": template, "html": "hello.html"}}):
        assert "Mei" not in refusal(tmp_path, {"name": "Mei"}, **place)


def test_a_refusal_names_the_field_and_never_a_value(tmp_path: Path) -> None:
    secret = {"name": "Mei", "note": "diabetes"}
    for template in ("{{ note.size }}", "{{ note.__class__ }}", "{{ note + 1 }}", "{{ note|int / 0 }}", "{{ [note][3] }}"):
        assert "diabetes" not in refusal(tmp_path, secret, html=template)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://user:pass@evil.example", "https://", "https://a b.example"])
def test_a_link_that_cannot_be_signed_makes_no_message(tmp_path: Path, url: str) -> None:
    spec = {"template_id": "T1", "data": {"first": "x"}, "url": "{{ url }}"}
    with pytest.raises(CannotRender):
        renderer(tmp_path, "wechat", wechat=spec).render(MESSAGE, "o123456", {"url": url})


# -- languages, MJML, the text part ---------------------------------------------------------------------------------------

MJML = (
    "<mjml><mj-body><mj-section><mj-column><mj-text>Hi {{ name }} <a href='{{ unsubscribe_url }}'>bye</a></mj-text>"
    '<mj-button href="https://shop.example/?a=1&amp;b={{ name }}">Go</mj-button></mj-column></mj-section></mj-body></mjml>'
)


@pytest.mark.parametrize(
    ("language", "subject"),
    [
        ("zh", "您好 Mei"), ("zh-CN", "您好 Mei"), ("ZH_cn", "您好 Mei"), ("zh-TW", "妳好 Mei"), ("zh_tw", "妳好 Mei"), ("de", "Hello Mei"),
        ("", "Hello Mei"), (None, "Hello Mei"), (7, "Hello Mei"), ("zhx", "Hello Mei"),
    ],
)  # fmt: skip
def test_everybody_gets_the_language_they_speak_or_the_first(tmp_path: Path, language: Any, subject: str) -> None:
    said = {
        "zh": {"email": {"subject": "您好 {{ name }}", "html": "hello.html"}},
        "zh-TW": {"email": {"subject": "妳好 {{ name }}", "html": "hello.html"}},
    }
    assert mail(tmp_path, {"name": "Mei", "language": language}, languages=said)["subject"] == subject


def test_a_language_has_defaults_of_its_own_and_falls_back_to_the_others(tmp_path: Path) -> None:
    said = {"zh": {"email": {"subject": "{{ name }}{{ city }}", "html": "hello.html"}, "defaults": {"name": "读者"}}}
    made = mail(tmp_path, {"name": None, "language": "zh"}, defaults={"name": "friend", "city": "!"}, languages=said)
    assert made["subject"] == "读者!"


def test_who_is_reached_by_a_channel_that_a_language_is_not_written_for_gets_the_first(tmp_path: Path) -> None:
    said = {"zh": {"email": {"subject": "您好", "html": "hello.html"}}}
    made = orjson.loads(renderer(tmp_path, "sms", languages=said).render(MESSAGE, "+86", {"name": "Mei", "language": "zh"}))
    assert made["sign_name"] == "云起"


def test_mjml_becomes_a_page_whose_fields_and_links_work_as_in_any_other(tmp_path: Path) -> None:
    (tmp_path / "hello.mjml").write_text(MJML, encoding="utf-8")
    made = mail(tmp_path, {"name": '<b>"Mei'}, email={"subject": "Hello", "mjml": "hello.mjml"}, utm={"source": "sluice"})
    assert "<mj-" not in made["html"]
    assert "Hi &lt;b&gt;&#34;Mei" in made["html"]
    (target,) = clicked(made["html"])
    assert parse_qs(urlsplit(target).query) == {"a": ["1"], "b": ['<b>"Mei'], "utm_source": ["sluice"]}
    assert made["text"].startswith('Hi <b>"Mei bye (https://c.example/u/')
    assert "mso" not in made["text"]


def test_a_mail_may_show_the_way_to_the_preference_centre(tmp_path: Path) -> None:
    made = mail(tmp_path, html='<a href="{{ preferences_url }}">choose</a>')
    (token,) = re.findall(r'href="https://c\.example/p/([^"]+)"', made["html"])
    assert LINKS.read(token, "preferences", NOW).message_id == MESSAGE


def test_the_text_part_reads_like_the_page(tmp_path: Path) -> None:
    html = (
        "<!doctype html><head><title>No</title><style>p {}</style></head><!-- no --><body><h1>Hi</h1><ul><li>one</li><li>two &amp; three</li></ul>"
        '<a href="https://shop.example/"><img src="x.png" alt="Our shop"></a><!--[if mso]><p>Outlook</p><![endif]--></body>'
    )
    assert mail(tmp_path, html=html)["text"] == "Hi\n- one\n- two & three\nOur shop (https://shop.example/)\n"
