"""Request bodies, read within bounds: of size (packed and unpacked), of time, and of the memory of all being read together."""

from __future__ import annotations

import asyncio
import zlib

from starlette.requests import Request

from activation.collector.refusal import Refusal, too_busy

MEGABYTE = 1 << 20
_CLOSE = {"connection": "close"}  # nobody wants the rest of a body that is refused


class Bodies:
    """Reads bodies. Together they hold at most `max_reading` bytes, each takes at most `timeout` seconds."""

    def __init__(self, max_reading: int = 64 * MEGABYTE, timeout: float = 30.0) -> None:
        self.max_reading = max_reading
        self.timeout = timeout
        self._reading = 0

    async def read(self, request: Request, limit: int, *, unpack: bool = False) -> bytes:
        """The body, of at most `limit` bytes, and with `unpack` as the sender had it before Content-Encoding. Raises Refusal."""
        encoding = request.headers.get("content-encoding", "").strip().lower() if unpack else ""
        if encoding not in {"", "identity", "gzip", "x-gzip"}:
            raise Refusal(415, "unknown_encoding", "Send the body plain or with Content-Encoding: gzip.", _CLOSE)
        unpacker = zlib.decompressobj(wbits=31) if encoding.endswith("gzip") else None
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length[:19]) > limit:
            raise _too_large(limit)
        held, packed = bytearray(), 0
        try:
            async with asyncio.timeout(self.timeout):
                async for chunk in request.stream():
                    packed += len(chunk)
                    if packed > limit:
                        raise _too_large(limit)
                    # One byte over the limit is enough to know, and all that is ever unpacked of a bomb.
                    part = unpacker.decompress(chunk, limit + 1 - len(held)) if unpacker else chunk
                    held += part
                    self._reading += len(part)
                    if len(held) > limit:
                        raise _too_large(limit)
                    if self._reading > self.max_reading:
                        raise too_busy(1)
        except zlib.error:
            raise Refusal(400, "malformed_gzip", "The body is not the gzip it says it is.", _CLOSE) from None
        except TimeoutError:
            raise Refusal(408, "too_slow", f"The body did not arrive within {self.timeout:g} seconds.", _CLOSE) from None
        finally:
            self._reading -= len(held)
        if unpacker and (not unpacker.eof or unpacker.unused_data):
            raise Refusal(400, "malformed_gzip", "The body is not one whole gzip stream.")
        return bytes(held)


def _too_large(limit: int) -> Refusal:
    return Refusal(413, "too_large", f"The body is larger than {limit // 1024} KB.", _CLOSE)
