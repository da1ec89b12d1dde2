"""The collector as a running server."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import uvicorn

from activation.collector.app import build
from activation.collector.rates import Rates
from activation.collector.spool import Spool
from activation.engine.form_specs import Form
from activation.engine.links import Links, project_key
from activation.engine.project import Project
from connectors.base import Connector


class PrivateFormatter(logging.Formatter):
    """Shows where an error happened and of which type it is, never its message: that may quote what somebody sent."""

    def formatException(self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]) -> str:
        kind, _, trace = ei
        return "".join(traceback.format_tb(trace)) + (kind.__name__ if kind else "")


def serve(
    project: Project,
    host: str = "127.0.0.1",
    port: int = 4020,
    *,
    receivers: Mapping[str, Connector],
    write_keys: Mapping[str, str] | None = None,
    base_url: str | None = None,
    origins: Sequence[str] = ("*",),
    trusted_proxies: Sequence[str] = ("127.0.0.1", "::1"),
    per_second: float | None = None,
    topics: Mapping[str, str] | None = None,
    forms: Mapping[str, Form] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; then answer what is under way (for up to 10 seconds), finish the spool's files and end.

    `base_url` is the public address, by default `host:port`. X-Forwarded-For and -Proto are believed of `trusted_proxies` only.
    `per_second` limits what one address sends without being signed. `topics` are those of the preference centre, `forms` what is served at /f.
    """
    links = Links(project_key(project.state), base_url or f"http://{host}:{port}")
    app = build(
        Spool(project.spool),
        links,
        receivers,
        write_keys,
        origins=origins,
        rates=Rates(per_second),
        topics=topics,
        forms=forms,
        content=project.declarations / "content",
    )
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_config=_logging(),
        # An access log would keep addresses, and tokens that let their reader act for somebody.
        access_log=False,
        server_header=False,
        ws="none",
        lifespan="on",
        forwarded_allow_ips=list(trusted_proxies),
        timeout_graceful_shutdown=10,
    )


def _logging() -> dict[str, Any]:
    handler = {"handlers": ["stderr"], "level": "INFO", "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"private": {"()": PrivateFormatter, "format": "%(levelname)s %(message)s"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "private", "stream": "ext://sys.stderr"}},
        "loggers": {"uvicorn": handler, "uvicorn.error": {"level": "INFO"}, "sluice": handler},
    }
