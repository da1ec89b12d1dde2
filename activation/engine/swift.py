"""What stands behind httpx's interface: a transport over aiohttp, and a client without the detours a connector never takes.

httpx's own connection pool looks through all its connections for every request, which costs milliseconds with hundreds in flight. Here
connections are aiohttp's, and a request goes straight to the transport: no redirects (a token must not follow one), no cookies, no proxies.

Which error is which decides whether a message may be sent again, so it was tried out: aiohttp tells a connection that was never made from
an answer that never came. (reqwest's bindings for Python call both a connect time-out.)
"""

from __future__ import annotations

import ssl
from functools import cache
from typing import Any

import aiohttp
import httpx
from yarl import URL

# The first that fits. Only those that begin with Connect, and UnsupportedProtocol, say that nothing was sent.
ERRORS: tuple[tuple[type[BaseException], type[httpx.RequestError]], ...] = (
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol),
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (TimeoutError, httpx.ReadTimeout),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ClientError, httpx.ReadError),
    (OSError, httpx.ReadError),
)
WHOLE_ANSWER = 4  # times the longest wait for a piece of it
IDLE_SECONDS = 15.0  # many servers close what has been idle for a minute; a request on a closed connection would go unanswered


class Transport(httpx.AsyncBaseTransport):
    """Requests over aiohttp's connection pool; answers come whole. Errors are httpx's, without addresses in them."""

    def __init__(self, concurrency: int, timeout: float) -> None:
        self._connections = concurrency + 2
        self._timeout = _patience(min(10.0, timeout), timeout)
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        content = await request.aread()
        waits = request.extensions.get("timeout") or {}
        timeout = self._timeout
        if waits.get("read") is not None and waits["read"] != timeout.sock_read:
            timeout = _patience(waits.get("connect"), waits["read"])
        try:
            address = URL(str(request.url), encoded=True)
            address.explicit_port  # noqa: B018  looks at the port, which is otherwise done late
        except ValueError:
            raise httpx.UnsupportedProtocol("The address is none.", request=request) from None
        try:
            async with self._open().request(
                request.method,
                address,
                data=content or None,
                headers=[(name, value) for name, value in request.headers.multi_items() if name != "content-length"],
                timeout=timeout,
                ssl=_trusted() if address.scheme == "https" else True,
                allow_redirects=False,
            ) as answer:
                body = await answer.read()
        except tuple(theirs for theirs, _ in ERRORS) as error:
            raise _as_httpx(error)(type(error).__name__, request=request) from None
        return httpx.Response(answer.status, headers=answer.raw_headers, content=body, request=request)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=IDLE_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                requote_redirect_url=False,
                skip_auto_headers=("user-agent", "accept", "accept-encoding", "content-type"),
            )
        return self._session

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()


def _patience(connect: float | None, read: float) -> aiohttp.ClientTimeout:
    """`read` is for each piece of an answer; one that comes in drops would keep a run for ever, so all of it has its time too."""
    return aiohttp.ClientTimeout(total=WHOLE_ANSWER * read, sock_connect=connect, sock_read=read)


def _as_httpx(error: BaseException) -> type[httpx.RequestError]:
    return next(ours for theirs, ours in ERRORS if isinstance(error, theirs))


@cache
def _trusted() -> ssl.SSLContext:
    """The certificates to trust, read once for a process: reading them takes longer than many a run."""
    return httpx.create_ssl_context(trust_env=False)


class Client(httpx.AsyncClient):
    """An httpx client whose requests go straight to its transport. Of httpx's ways to authenticate it knows a name with a password."""

    async def send(self, request: httpx.Request, *, auth: Any = None, **_: Any) -> httpx.Response:
        if isinstance(auth, tuple):
            auth = httpx.BasicAuth(*auth)
        if isinstance(auth, httpx.BasicAuth):
            request = next(auth.auth_flow(request))
        elif isinstance(auth, httpx.Auth) or callable(auth):
            raise TypeError("This client knows no such way to authenticate: set the header.")
        response = await self._transport.handle_async_request(request)
        response.request = request
        return response
