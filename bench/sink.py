"""A destination that takes everything at once: an HTTP server on loopback in a process of its own, as fast as Python can read requests."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import cast

import uvloop

RESPONSE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"


class _Requests(asyncio.Protocol):
    """Counts requests by their end, answers each; the content is thrown away."""

    answer = b""

    def __init__(self) -> None:
        self.buffer, self.body_left = b"", 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        while data:
            if self.body_left:
                taken = min(self.body_left, len(data))
                self.body_left -= taken
                data = data[taken:]
                if not self.body_left:
                    self.transport.write(self.answer)
                continue
            self.buffer += data
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head, data, self.buffer = self.buffer[:end].lower(), self.buffer[end + 4 :], b""
            at = head.find(b"content-length:")
            self.body_left = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if not self.body_left:
                self.transport.write(self.answer)


def _serve(port: Connection, answer: bytes) -> None:
    _Requests.answer = RESPONSE % (len(answer), answer)

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(_Requests, "127.0.0.1", 0, backlog=1024)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(main())


@contextmanager
def sink(answer: bytes = b"{}") -> Iterator[str]:
    """The address of a sink that says `answer` to every request."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, answer), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()
