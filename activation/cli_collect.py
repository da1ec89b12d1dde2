"""`sluice collect`: the collector, as it is told to run."""

from __future__ import annotations

from typing import Annotated

import typer


def collect(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="SLUICE_COLLECTOR_PORT", help="The port.")] = 4020,
    write_key: Annotated[
        list[str] | None,
        typer.Option(
            "--write-key",
            envvar="SLUICE_WRITE_KEYS",
            metavar="KEY[=SOURCE]",
            help="Accept events with this key only (may be given several times).",
        ),
    ] = None,
    public_url: Annotated[
        str | None, typer.Option("--public-url", envvar="SLUICE_COLLECTOR_URL", help="The address that vendors and people reach it by.")
    ] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option("--origin", envvar="SLUICE_ORIGINS", help="A site whose pages may send events (several times; default: any)."),
    ] = None,
    rate: Annotated[
        float, typer.Option("--rate-limit", envvar="SLUICE_RATE_LIMIT", min=0, help="Requests a second from one address (0: no limit).")
    ] = 200,
) -> None:
    """Run the collector: events, forms, webhooks, clicks, opens, unsubscribes and preferences come in here."""
    from activation.collector.server import serve
    from activation.engine.destinations import receivers
    from activation.engine.errors import UsageError
    from activation.engine.yaml_file import did_you_mean

    session = context.obj
    keys = {key: source or "web_events" for key, _, source in (one.partition("=") for one in write_key)} if write_key else None
    declarations = session.declarations()
    for source in sorted(set((keys or {}).values()) - set(declarations.sources)):
        raise UsageError(
            f"--write-key: there is no source `{source}` in activation/sources.{did_you_mean(source, set(declarations.sources))}"
        )
    serve(
        session.project,
        host,
        port,
        receivers=receivers(declarations.destinations),
        write_keys=keys,
        base_url=public_url,
        origins=origin or ["*"],
        per_second=rate or None,
        topics=declarations.policies.topics,
        forms=declarations.forms,
    )
