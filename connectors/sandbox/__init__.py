"""The vendors, emulated on loopback: they take what connectors send, keep it, fail on demand, and send receipts back.

    sandbox = build(state_dir=Path(".sluice/sandbox"), receipts_to="http://127.0.0.1:4020")
    async with sandbox.serve("127.0.0.1", http_port=4010, smtp_port=4025) as addresses:   # port 0 picks a free port
        addresses.http, addresses.smtp        # "http://127.0.0.1:4010", "smtp://127.0.0.1:4025"

One HTTP root serves every vendor, since their paths do not collide; mail has a port of its own. Over HTTP, for people and tests:

    GET    /                           a page with what arrived, newest first; ?vendor= shows one vendor
    GET    /_sandbox/messages          {"count", "counts": {vendor: n}, "messages": […]} in order of arrival; ?vendor= &after=<id> &limit=
    GET    /_sandbox/state/<vendor>    what the vendor would show in its own console
    GET    /_sandbox/faults            what is still to fail
    POST   /_sandbox/faults            {"vendor", "kind", …}: the next `times` requests go wrong (see `faults.Fault`)
    DELETE /_sandbox/faults            nothing fails any more
    POST   /_sandbox/receipts          sends all receipts now to <receipts_to>/hooks/<destination>; body {"now": ISO} optional;
                                       answers {"sent": {vendor: events}, "pending": {vendor: messages not yet receipted}}

**Adding a vendor** is one file here with the connector's name and one `Emulator` subclass in it (see `emulator.py` for the interface);
it is found by its file name. It never reads anything of its connector, so that the two check one another.

What a vendor takes goes through `sandbox.keep(…)`: one JSON line in `state_dir/received.jsonl`, flushed before the answer leaves, then
`Emulator.apply`. State is built by `apply` alone, so that a sandbox that was killed comes back with the same state and the same counts.
"""

from __future__ import annotations

from pathlib import Path

from connectors.sandbox.emulator import Emulator, Kept, Outgoing, Pending, Shown, fate, find
from connectors.sandbox.faults import Fault
from connectors.sandbox.server import Addresses, Sandbox


def build(state_dir: Path | None = None, receipts_to: str | None = None, receipts_every: float | None = None) -> Sandbox:
    """A sandbox with every vendor that has a file here. Without `state_dir` it keeps what it gets in memory only.

    `receipts_to` is the collector's address; with `receipts_every` seconds receipts leave by themselves, otherwise on request.
    """
    return Sandbox(state_dir, receipts_to, receipts_every)


__all__ = ["Addresses", "Emulator", "Fault", "Kept", "Outgoing", "Pending", "Sandbox", "Shown", "build", "fate", "find"]
