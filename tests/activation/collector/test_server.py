"""What the server writes to its log."""

from __future__ import annotations

import logging
import sys

from activation.collector.server import PrivateFormatter


def test_a_fault_is_logged_by_place_and_type_and_never_quotes_what_was_sent() -> None:
    sent = "@".join(["ann", "example.com"])
    try:
        try:
            {}[sent]
        except KeyError as error:
            raise ValueError(f"{sent} is not a number") from error
    except ValueError:
        record = logging.LogRecord("uvicorn.error", logging.ERROR, "x.py", 1, "Exception in ASGI application", None, sys.exc_info())
    text = PrivateFormatter("%(levelname)s %(message)s").format(record)
    assert "ValueError" in text
    assert "test_server.py" in text
    assert sent not in text
