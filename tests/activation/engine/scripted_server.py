"""An HTTP server on loopback that answers by a script: one line of it for each request, the last one for all that follow."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Answer = tuple[int, dict[str, str], bytes]
OK: Answer = (200, {}, b"{}")
RESET = "reset"  # the connection is reset once the request has come
CLOSE = "close"  # the connection is closed in the middle of the answer
SILENCE = "silence"  # no answer comes
TRICKLE = "trickle"  # an answer comes, a byte at a time, and has no end
DRIP = 0.1  # seconds between its bytes


@dataclass
class Script:
    address: str
    answers: Sequence[Answer | str]
    times: list[float] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def serving(*answers: Answer | str) -> AsyncIterator[Script]:
    """`times` says when each request came, `requests` what its head was."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while await answered(reader, writer):
                    pass
        finally:
            writer.close()

    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        length = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        await reader.readexactly(int(length[0]) if length else 0)
        script.times.append(time.monotonic())
        script.requests.append(head)
        answer = script.answers[min(len(script.times), len(script.answers)) - 1]
        if answer == RESET:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return False
        if answer == SILENCE:
            await asyncio.Event().wait()
        if answer == TRICKLE:
            writer.write(b"HTTP/1.1 200 Said\r\ncontent-length: 100000\r\n\r\n")
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(DRIP)
        status, headers, body = (200, {}, b"{}") if isinstance(answer, str) else answer
        size = len(body) + (10 if answer == CLOSE else 0)
        lines = [f"HTTP/1.1 {status} Said", f"content-length: {size}", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await writer.drain()
        return answer != CLOSE

    tasks: set[asyncio.Task[None] | None] = set()
    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    script = Script(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", answers)
    try:
        yield script
    finally:
        server.close()
        for task in filter(None, tasks):
            task.cancel()
        await asyncio.gather(*filter(None, tasks), return_exceptions=True)
        await server.wait_closed()
