"""Forms: pages that ask, and what is sent to them. What lands fits the form, and carries the consent in the words that were shown."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from activation.collector.body import Bodies
from activation.collector.counters import Counters
from activation.collector.form_page import CONSENT, HIDDEN, FormPage, policy
from activation.collector.json_text import dump, parse
from activation.collector.rates import Rates
from activation.collector.refusal import Refusal
from activation.collector.spool import Spool
from activation.collector.tracking import ip_prefix
from activation.engine.form_specs import TRAP, Checker, Form, chosen_language, spoken

SOURCE = "forms_submissions"
LARGEST = 64 << 10

_HEADERS = {"cache-control": "no-store", "referrer-policy": "strict-origin-when-cross-origin", "x-content-type-options": "nosniff"}
_LONGEST_HIDDEN = 1000
_SUBMISSION = re.compile(r"f_[0-9a-f]{32}")
_ANONYMOUS = re.compile(r"[\w.:-]{1,128}")
_SENTENCES = {
    "missing": "This is required.",
    "wrong": "This is not of the form that is asked for.",
    "unknown": "The form has no such field.",
    "agree": "The form is only taken with consent.",
}


@dataclass(frozen=True)
class _Served:
    form: Form
    page: FormPage
    checker: Checker


class Forms:
    """/f/{name} (the page), /f/{name}/embed (for a frame), /f/{name}/schema.json. A POST to either page, or of JSON, submits.

    Raises UsageError when a form's page cannot be rendered. `content` is the folder of the pages.
    """

    def __init__(
        self,
        spool: Spool,
        bodies: Bodies,
        counters: Counters,
        clock: Callable[[], datetime],
        forms: Mapping[str, Form],
        content: Path,
        rates: Rates,
        origins: Sequence[str],
    ) -> None:
        self._spool = spool
        self._bodies = bodies
        self._counters = counters
        self._clock = clock
        self._forms = {name: _Served(form, FormPage(name, form, content), Checker(form)) for name, form in forms.items()}
        self._rates = rates
        self._origins = origins

    def routes(self) -> list[Route]:
        """Relative to /f."""
        return [
            Route("/{form}", self._show, methods=["GET"]),
            Route("/{form}", self._submit, methods=["POST"]),
            Route("/{form}/embed", self._show, methods=["GET"]),
            Route("/{form}/embed", self._submit, methods=["POST"]),
            Route("/{form}/schema.json", self._schema, methods=["GET"]),
        ]

    async def _show(self, request: Request) -> Response:
        served = self._served(request)
        asked = {f"_{name}": value for name, value in request.query_params.items() if f"_{name}" in HIDDEN}
        asked["_submission"] = f"f_{secrets.token_hex(16)}"
        return self._page(request, served, 200, {name: value[:_LONGEST_HIDDEN] for name, value in asked.items()}, {})

    async def _schema(self, request: Request) -> Response:
        return JSONResponse(self._served(request).form.json_schema(self._language(request, self._served(request))))

    async def _submit(self, request: Request) -> Response:
        """A form that is filled in as it asks is kept and thanked for; one that is not is shown again, and nothing is kept."""
        served = self._served(request)
        self._rates.take(request)
        said, as_json = await self._read(request)
        trapped = bool(said.pop(TRAP, None))
        agreed = _is_yes(said.pop(CONSENT, None))
        about = {name: self._hidden(name, said.pop(name, None)) for name in HIDDEN}
        values, faults = served.checker.check(said)
        if served.form.consent and served.form.consent.required and not agreed:
            faults[CONSENT] = "agree"
        if faults:
            self._counters.add("refused_total", reason="form")
            if as_json:
                told = {name: _SENTENCES[fault] for name, fault in faults.items() if name in served.form.fields or name == CONSENT}
                answer = {"success": False, "code": "invalid", "message": "The form is not filled in as it asks.", "faults": told}
                return JSONResponse(answer, 422)
            shown = {**said, **{name: value for name, value in about.items() if value}, CONSENT: agreed}
            return self._page(request, served, 422, shown, faults)
        await self._keep(request, served, values, agreed, about, trapped)
        if as_json:
            return JSONResponse({"success": True, "message": spoken(served.form.thanks, self._language(request, served))})
        embedded = self._embedded(request)
        return self._html(served.page.thanks(self._language(request, served), embedded=embedded), 200, embedded)

    async def _keep(
        self, request: Request, served: _Served, values: Mapping[str, Any], agreed: bool, about: Mapping[str, str | None], trapped: bool
    ) -> None:
        language, consent = self._language(request, served), served.form.consent
        said: dict[str, Any] = {
            "submission_id": _submission_id(about["_submission"], values, agreed),
            "form_id": served.page.name,
            "page_url": about["_page_url"],
            "anonymous_id": about["_anonymous_id"],
            "fields": dict(values),
            "utm": {name.removeprefix("_utm_"): about[name] for name in HIDDEN if name.startswith("_utm_") and about[name]},
            "language": language,
            "submitted_at": self._clock().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "ip_prefix": ip_prefix(request.client.host if request.client else ""),
            "user_agent": request.headers.get("user-agent", "")[:512] or None,
        }
        if consent:
            wording = spoken(consent.wording, language)
            said["consent"] = {
                "granted": agreed,
                "purposes": consent.purposes,
                **({"topic": consent.topic} if consent.topic else {}),
                "channels": consent.channels,
                "wording": wording,
                **({"double_opt_in": True} if consent.double_opt_in else {}),
            }
        if trapped:
            # Kept for quarantine: a browser that fills in everything by itself may have caught a person.
            self._counters.add("refused_total", reason="form_trap")
            await self._spool.append(SOURCE, [dump({"_refused": "trap: a field that no person sees was filled in", "content": said})])
            return
        await self._spool.append(SOURCE, [dump(said)])
        self._counters.add("events_total", source=SOURCE)

    async def _read(self, request: Request) -> tuple[dict[str, Any], bool]:
        """What was sent, by field, and whether it came as JSON. A field that came several times is its last."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        body = await self._bodies.read(request, LARGEST)
        if kind in {"", "application/x-www-form-urlencoded"}:
            try:
                return dict(parse_qsl(body.decode("utf-8").strip(), keep_blank_values=True, max_num_fields=200)), False
            except ValueError:
                raise Refusal(400, "malformed_form", "The body is not a form in UTF-8 with at most 200 fields.") from None
        if kind != "application/json":
            raise Refusal(415, "unknown_type", "Send the form urlencoded, or as JSON.")
        try:
            content = parse(body)
        except ValueError:
            raise Refusal(400, "malformed_json", "The body is not JSON.") from None
        if not isinstance(content, dict):
            raise Refusal(400, "not_an_object", "The body is a JSON object.")
        return content, True

    def _hidden(self, name: str, value: Any) -> str | None:
        """What the page around says of itself. What is no such thing is left out: nobody filled it in."""
        if not isinstance(value, str) or not value or len(value) > _LONGEST_HIDDEN:
            return None
        if name == "_submission":
            return value if _SUBMISSION.fullmatch(value) else None
        if name == "_anonymous_id":
            return value if _ANONYMOUS.fullmatch(value) else None
        if name == "_page_url":
            return value if value.startswith(("http://", "https://")) and _is_address(value) else None
        return value

    def _served(self, request: Request) -> _Served:
        served = self._forms.get(request.path_params["form"])
        if served is None:
            raise Refusal(404, "unknown_form", "There is no form of this name.")
        return served

    def _language(self, request: Request, served: _Served) -> str:
        asked = request.query_params.get("language")
        languages = served.form.languages
        return asked if asked in languages else chosen_language(request.headers.get("accept-language", ""), languages)

    def _page(self, request: Request, served: _Served, status: int, said: Mapping[str, Any], faults: Mapping[str, str]) -> Response:
        embedded, language = self._embedded(request), self._language(request, served)
        return self._html(served.page.render(language, said, faults, embedded=embedded), status, embedded)

    def _embedded(self, request: Request) -> bool:
        return request.url.path.endswith(f"/{request.path_params['form']}/embed")

    def _html(self, page: str, status: int, embedded: bool) -> HTMLResponse:
        # Half a character, cut by whoever sent it, cannot be written.
        content = page.encode("utf-8", "replace")
        headers = {**_HEADERS, "content-security-policy": policy(embedded, self._origins), "vary": "accept-language"}
        return HTMLResponse(content, status, headers=headers)


def _is_yes(value: Any) -> bool:
    """Consent is a box that was ticked, or JSON's true; anything else is none."""
    return value is True or (isinstance(value, str) and value in {"on", "true", "1"})


def _submission_id(shown: str | None, values: Mapping[str, Any], agreed: bool) -> str:
    """The same for a form that is sent twice as it is (an impatient click), another once it was changed."""
    if shown is None:
        return f"f_{secrets.token_hex(16)}"
    return f"f_{hashlib.sha256(dump([shown, dict(values), agreed])).hexdigest()[:32]}"


def _is_address(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False
