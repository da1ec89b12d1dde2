"""A webhook's body made by a template, for endpoints that want it in a shape of their own. What comes out is JSON, or nothing leaves."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson
from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, Undefined, UndefinedError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from connectors.base import Batch, Fatal, Refused, impersonal

LARGEST = 16 * 1024 * 1024  # bytes of a body


def check(text: str) -> None:
    """Raises ValueError, with the line, for a text that is no template."""
    try:
        _template(text)
    except TemplateSyntaxError as error:
        raise ValueError(f"is not a template (line {error.lineno}): {(error.message or '').rstrip('.')}") from None


def render(text: str, batch: Batch) -> bytes:
    """The body for a batch. Raises Refused for rows that the template cannot make one of: the batch is split, and the row stands alone."""
    rows = [row.fields for row in batch.rows]
    try:
        body = _template(text).render(rows=rows, object=batch.object, operation=batch.operation)
    except UndefinedError as error:
        # It names the field. A name that is itself a row's value is not said.
        said = impersonal(error.message or "", batch.rows[0]) if len(batch.rows) == 1 else "one of them"
        raise Refused("TEMPLATE_ERROR", f"The template asks for something that a row has not: {said}.") from None
    except SecurityError:
        raise Fatal("TEMPLATE_UNSAFE", "The template reaches for something that templates may not touch.") from None
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError) as error:
        raise Refused("TEMPLATE_ERROR", f"The template cannot be carried out: {type(error).__name__}.") from None
    try:
        content = body.encode()
        orjson.loads(content)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        raise Refused("TEMPLATE_NOT_JSON", "What the template makes is not JSON. Put values in with `| tojson`.") from None
    if len(content) > LARGEST:
        raise Refused("TEMPLATE_TOO_LARGE", f"What the template makes is larger than {LARGEST:,} bytes.")
    return content


@lru_cache(maxsize=64)
def _template(text: str) -> Template:
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    environment.policies["json.dumps_function"] = _json
    return environment.from_string(text)


def _json(value: Any, **_: Any) -> str:
    if isinstance(value, Undefined):
        str(value)  # raises, and says what is not there
    return orjson.dumps(value).decode()
