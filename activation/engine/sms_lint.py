"""Text messages, looked at before anything is sent: what vendors and carriers refuse, what the law asks for, and what it will cost.

`faults` would surely be refused. `advice` is for a person to weigh: nothing is stopped by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from activation.engine.content_specs import SmsContent
from activation.engine.policies import Policies
from connectors.base import Object
from connectors.parts import BASIC, ESCAPED, parts

# `${name}` and `{1}` are the variables of a template as Aliyun and Tencent write them, `{{1}}` as Twilio does.
VARIABLE = re.compile(r"\$?\{\{?\s*(\w+)\s*\}?\}")
OPT_OUT = re.compile(r"退订|拒收|回复?\s*(T|TD|R|N)\b|\bSTOP\b|opt[ -]?out|unsubscribe", re.IGNORECASE)
ADDRESS = re.compile(r"https?://|www\.|\b[a-z0-9-]+\.(com|cn|net|org|io)\b", re.IGNORECASE)
NIGHT = ("22:00", "08:00")  # when marketing by text message may not go out in China


def faults(name: str, content: SmsContent, target: Object, vendor: str) -> Iterator[str]:
    """What a vendor would surely refuse of content `name`."""
    said = {key: value for key, value in content.model_dump().items() if value}
    for field in sorted(target.required - {"phone"} - said.keys()):
        yield f"content `{name}` has no `{field}`, which {vendor} needs."
    for field, pattern in target.patterns.items():
        value = said.get(field)
        if isinstance(value, str) and not re.search(pattern, value):
            yield f"`{field}` of content `{name}` must look like {pattern} for {vendor}."
    for place in _without_value(content):
        yield f"the wording of content `{name}` has the variable `{place}`, and `params` gives it no value."


def advice(name: str, content: SmsContent, purpose: str, policies: Policies) -> Iterator[str]:
    """What a person should look at before content `name` goes out for a purpose."""
    yield from _about_params(name, content)
    if purpose in policies.purposes and policies.purposes[purpose].basis == "consent":
        yield from _about_marketing(name, content, policies)
    yield from _about_length(name, content)


def _about_params(name: str, content: SmsContent) -> Iterator[str]:
    for key, value in content.params.items():
        if ADDRESS.search(value):
            yield f"`{key}` of content `{name}` holds the address of a page: mainland carriers refuse those in a variable."
    if content.wording:
        for key in sorted(content.params.keys() - set(_variables(content.wording))) if not _by_place(content) else ():
            yield f"the wording of content `{name}` has no variable `{key}`, so its value goes nowhere."
    elif content.template_code:
        yield f"content `{name}` does not say the `wording` of its template, so its variables, its opt-out and its length are not looked at."


def _about_marketing(name: str, content: SmsContent, policies: Policies) -> Iterator[str]:
    said = content.wording or content.text
    if said and not OPT_OUT.search(said):
        yield f"content `{name}` is marketing and does not say how to opt out, such as 拒收请回复R or `Reply STOP to opt out`."
    window = policies.quiet_hours.channels.get("sms")
    if window is None or not (window.start > window.end and window.start <= NIGHT[0] and window.end >= NIGHT[1]):
        yield "marketing by text message goes out from 8 to 22 h in China: let `sms` in policies/quiet_hours.yml be quiet from 22:00 to 08:00."


def _about_length(name: str, content: SmsContent) -> Iterator[str]:
    """How many parts it takes when every variable is as short as can be; carriers in China count the signature too, in its brackets."""
    if content.wording:
        values = _values(content)
        wording = VARIABLE.sub(lambda match: _constant(values.get(match[1], "")), content.wording)
        said = f"【{content.sign_name}】{wording}" if content.sign_name else wording
        counted = parts(said, "ucs2" if content.sign_name else None)
    elif content.text:
        said = _constant(content.text)
        counted = parts(said)
    else:
        return
    if counted.count > 1:
        yield f"content `{name}` takes {counted.count} parts at least ({counted.units} units of {counted.alphabet}), and each is paid for."
    odd = "".join(sorted({character for character in said if character not in BASIC and character not in ESCAPED}))
    if counted.alphabet == "ucs2" and not content.sign_name and 0 < len(odd) <= 3:
        yield f"content `{name}` fits 70 characters a part and not 160 because of {odd}."


def _variables(wording: str) -> list[str]:
    return list(dict.fromkeys(VARIABLE.findall(wording)))


def _by_place(content: SmsContent) -> bool:
    """Whether variables have numbers and `params` has names: then the order of `params` counts."""
    return all(place.isdigit() for place in _variables(content.wording or "")) and not any(key.isdigit() for key in content.params)


def _values(content: SmsContent) -> dict[str, str]:
    """The value that each variable of the wording gets."""
    if _by_place(content):
        return {str(place): value for place, value in enumerate(content.params.values(), 1)}
    return content.params


def _without_value(content: SmsContent) -> list[str]:
    return [place for place in _variables(content.wording or "") if place not in _values(content)]


def _constant(template: str) -> str:
    """What of a template stays the same for everybody. Fields are left empty."""
    try:
        return ImmutableSandboxedEnvironment().from_string(template).render()
    except (TemplateError, ArithmeticError, TypeError, ValueError, AttributeError, LookupError, RecursionError):
        return template  # what is wrong with it is said elsewhere
