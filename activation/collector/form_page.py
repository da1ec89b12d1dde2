"""A form as HTML: alone (for a frame on somebody's site), and in the page from `content/` that is declared around it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from activation.engine.errors import UsageError
from activation.engine.form_specs import TRAP, Form, FormField, spoken

HIDDEN = ("_submission", "_page_url", "_anonymous_id", "_utm_source", "_utm_medium", "_utm_campaign", "_utm_term", "_utm_content")
CONSENT = "_consent"

_WORDS = {
    "en": {"missing": "Please fill this in.", "wrong": "This does not look right.", "unknown": "", "agree": "Please agree to go on."},
    "zh": {"missing": "请填写此项。", "wrong": "格式不正确。", "unknown": "", "agree": "请先勾选同意。"},
}
_STYLE = """
.sluice-form{font:inherit;max-width:36rem}.sluice-form label{display:block;margin:0 0 1rem}
.sluice-form input:not([type=checkbox]),.sluice-form select,.sluice-form textarea{display:block;box-sizing:border-box;width:100%;font:inherit;padding:.55rem;margin-top:.2rem;border:1px solid #9aa5b1;border-radius:.35rem;background:#fff;color:#1f2933}
.sluice-form textarea{min-height:7rem}.sluice-form .fault{color:#b3261e;font-size:.9em}.sluice-form .box{display:flex;gap:.6rem;align-items:baseline}
.sluice-form button{font:inherit;padding:.6rem 1.6rem;border:0;border-radius:.35rem;background:#1a5fb4;color:#fff}
.sluice-trap{position:absolute;left:-9999px;height:1px;overflow:hidden}
"""
_TYPES = {"email": "email", "phone": "tel", "date": "date", "uri": "url"}
_COMPLETE = {
    "email": "email",
    "phone": "tel",
    "first_name": "given-name",
    "last_name": "family-name",
    "full_name": "name",
    "company": "organization",
}
# Tells the page around the frame how high the form is; it says nothing else, so anyone may hear it.
_HEIGHT = "const t=()=>parent.postMessage({sluiceHeight:document.documentElement.scrollHeight},'*');addEventListener('load',t);new ResizeObserver(t).observe(document.body)"  # fmt: skip
_HEIGHT_HASH = base64.b64encode(hashlib.sha256(_HEIGHT.encode()).digest()).decode()

_ALONE = """<!doctype html>
<html lang="{{ language }}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{ title }}</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;margin:0 auto;padding:1rem;max-width:36rem;color:#1f2933}</style></head>
<body>{% if intro %}<h1>{{ title }}</h1><p>{{ intro }}</p>{% endif %}{{ form }}{{ script }}</body></html>
"""


class FormPage:
    """The pages of one form. Raises UsageError when the declared page cannot be rendered: it is tried before anybody asks for it."""

    def __init__(self, name: str, form: Form, content: Path) -> None:
        self.name, self.form = name, form
        environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=True)
        try:
            self._alone = environment.from_string(_ALONE)
            self._around = environment.from_string((content / form.page).read_text(encoding="utf-8")) if form.page else self._alone
            for language in form.languages:
                self.render(language, {}, {}, embedded=False)
        except (TemplateError, UnicodeDecodeError, OSError, ArithmeticError, TypeError, ValueError, AttributeError, LookupError) as error:
            raise UsageError(f"activation/forms/{name}.yml: its page {form.page} cannot be rendered: {type(error).__name__}.") from None

    def render(self, language: str, said: Mapping[str, Any], faults: Mapping[str, str], *, embedded: bool) -> str:
        """The page with the form, filled with what was `said`, with `faults` beside their fields."""
        return self._page(language, self._form(language, said, faults), embedded)

    def thanks(self, language: str, *, embedded: bool) -> str:
        """The page after sending."""
        return self._page(language, f'<p role="status">{escape(spoken(self.form.thanks, language))}</p>', embedded)

    def _page(self, language: str, form: str, embedded: bool) -> str:
        template = self._alone if embedded else self._around
        return template.render(
            language=language,
            title=spoken(self.form.title, language),
            intro="" if embedded else spoken(self.form.intro, language),
            form=Markup(form),
            **({"script": Markup(f"<script>{_HEIGHT}</script>") if embedded else ""} if template is self._alone else {}),
        )

    def _form(self, language: str, said: Mapping[str, Any], faults: Mapping[str, str]) -> str:
        words = _WORDS["zh" if language.startswith("zh") else "en"]
        fields = "".join(
            self._field(name, field, language, str(said.get(name, "") or ""), words.get(faults.get(name, ""), ""))
            for name, field in self.form.fields.items()
        )
        hidden = "".join(f'<input type="hidden" name="{name}" value="{escape(str(said[name]))}">' for name in HIDDEN if said.get(name))
        trap = f'<div class="sluice-trap" aria-hidden="true"><label>Website<input name="{TRAP}" tabindex="-1" autocomplete="off"></label></div>'
        return (
            f'<style>{_STYLE}</style><form class="sluice-form" method="post" action="?language={language}">{hidden}{trap}{fields}'
            f"{self._consent(language, bool(said.get(CONSENT)), words['agree'] if CONSENT in faults else '')}"
            f'<button type="submit">{escape(spoken(self.form.button, language))}</button></form>'
        )

    def _field(self, name: str, field: FormField, language: str, value: str, fault: str) -> str:
        required = " required" if name in self.form.required else ""
        title = escape(spoken(field.title, language)) + (" *" if required else "")
        about = f"<small>{escape(spoken(field.description, language))}</small>" if field.description else ""
        if fault:
            about += f'<span class="fault" role="alert">{escape(fault)}</span>'
        if field.type == "boolean":
            ticked = " checked" if value in {"true", "True", "on", "1"} else ""
            return f'<label class="box"><input type="checkbox" name="{name}" value="true"{ticked}{required}><span>{title} {about}</span></label>'
        longest = f' maxlength="{field.maxLength}"' if field.maxLength else ""
        if field.enum:
            return f'<label>{title}<select name="{name}"{required}>{_options(field.enum, value)}</select>{about}</label>'
        if field.format == "multiline":
            return f'<label>{title}<textarea name="{name}"{longest}{required}>{escape(value)}</textarea>{about}</label>'
        kind = "number" if field.type in {"integer", "number"} else _TYPES.get(field.format or "", "text")
        step = ' step="any"' if field.type == "number" else ""
        complete = f' autocomplete="{_COMPLETE[name]}"' if name in _COMPLETE else ""
        return (
            f'<label>{title}<input type="{kind}" name="{name}" value="{escape(value)}"{longest}{step}{complete}{required}>{about}</label>'
        )

    def _consent(self, language: str, ticked: bool, fault: str) -> str:
        consent = self.form.consent
        if consent is None:
            return ""
        required, checked = " required" if consent.required else "", " checked" if ticked else ""
        alert = f' <span class="fault" role="alert">{escape(fault)}</span>' if fault else ""
        wording = escape(spoken(consent.wording, language))
        return f'<label class="box"><input type="checkbox" name="{CONSENT}" value="on"{checked}{required}><span>{wording}{alert}</span></label>'


def policy(embedded: bool, origins: Sequence[str]) -> str:
    """The Content-Security-Policy of a page with a form. Only the one for frames may be framed, by the sites that may send events."""
    scripts = f"script-src 'sha256-{_HEIGHT_HASH}'" if embedded else "script-src 'none'"
    framed = " ".join(origins) if embedded else "'none'"
    return (
        "default-src 'none'; style-src 'unsafe-inline'; img-src https: data:; font-src https: data:; "
        f"{scripts}; form-action 'self'; frame-ancestors {framed}; base-uri 'none'"
    )


def _options(values: Sequence[str], chosen: str) -> str:
    return '<option value=""></option>' + "".join(
        f"<option{' selected' if value == chosen else ''}>{escape(value)}</option>" for value in values
    )
