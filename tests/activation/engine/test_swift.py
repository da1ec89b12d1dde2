"""Which error is which decides whether a message may be sent again."""

from __future__ import annotations

import asyncio
import gzip
import socket
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import httpx
import pytest

from activation.engine.swift import Client, Transport

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await handler(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    tasks = []
    server = await asyncio.start_server(lambda reader, writer: tasks.append(asyncio.create_task(run(reader, writer))), "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    await asyncio.gather(*tasks)


def client() -> httpx.AsyncClient:
    return Client(transport=Transport(10, 0.3), timeout=httpx.Timeout(0.3), trust_env=False)


def saying(answer: bytes) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return handler


async def test_a_server_that_is_not_there_was_sent_nothing() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/"
        async with client() as http:
            with pytest.raises(httpx.ConnectError):
                await http.post(address, content=b"x")


@pytest.mark.parametrize("address", ["http://", "mailto:nobody@mail.example", "http://127.0.0.1:99999/"])
async def test_an_address_that_is_none_was_sent_nothing(address: str) -> None:
    async with client() as http:
        with pytest.raises((httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.ConnectError)):
            await http.post(address, content=b"x")


async def test_an_answer_that_never_comes_is_a_read_time_out_and_no_failure_to_connect() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.wait_for(reader.read(), 5)

    async with serving(silent) as address, client() as http:
        with pytest.raises(httpx.ReadTimeout) as told:
            await http.post(address + "/13800138000", content=b"x")
        assert "13800138000" not in str(told.value)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"])
async def test_a_connection_that_ends_before_the_answer_does_is_no_failure_to_connect(answer: bytes) -> None:
    async with serving(saying(answer)) as address, client() as http:
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await http.post(address, content=b"x")


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    async with serving(saying(b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n")) as address, client() as http:
        response = await http.post(address, content=b"x")
    assert (response.status_code, response.headers["location"]) == (302, "/elsewhere")


async def test_an_answer_is_unpacked_and_repeated_headers_are_kept() -> None:
    body = gzip.compress('{"name":"李"}'.encode())
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nset-cookie: a=1\r\nset-cookie: b=2\r\ncontent-length: {len(body)}\r\n\r\n"
    async with serving(saying(head.encode() + body)) as address, client() as http:
        response = await http.get(address)
        assert response.json() == {"name": "李"}
        assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
        assert not http.cookies


async def test_what_leaves_is_what_was_asked_for() -> None:
    heard = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        heard.append(head + await reader.readexactly(3))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()

    async with serving(listen) as address, client() as http:
        await http.put(address + "/a%2Fb?c=%E6%9D%8E+1", content=b"abc", headers={"x-signature": "s", "content-type": "text/plain"})
    line, *headers = heard[0].decode().split("\r\n")
    assert line == "PUT /a%2Fb?c=%E6%9D%8E+1 HTTP/1.1"
    named = [header.split(":")[0].lower() for header in headers if ":" in header]
    assert len(named) == len(set(named))
    assert {"content-length", "x-signature", "content-type", "host"} <= set(named)


async def test_a_name_and_a_password_leave_as_basic_authentication_and_other_ways_are_refused() -> None:
    heard = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()

    async with serving(listen) as address, client() as http:
        await http.get(address, auth=("api", "钥匙"))
        assert b"authorization: basic " + b64encode("api:钥匙".encode()).lower() in heard[0].lower()
        with pytest.raises(TypeError):
            await http.get(address, auth=httpx.DigestAuth("api", "key"))
