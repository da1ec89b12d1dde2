"""A folder on an SFTP server, at `sftp://host:port` (22 by default): one file for each batch, each with a manifest.

A file is written under a temporary name and renamed, so that who loads it never sees a part. The server proves itself by its host key:
nothing is sent to a server that shows another one. The formats are described in `_formats.py`, the names and the manifest in `_drop.py`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import PurePosixPath
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from connectors.base import Fatal, SecretStr, Transient, Unanswered, secret
from connectors.files._drop import Drop
from connectors.hosts import is_loopback

try:
    import asyncssh
except ImportError:  # comes with the extra `sftp`
    asyncssh = None  # type: ignore[assignment]


class Sftp(Drop):
    base_url = "sftp://localhost:22"

    class Options(Drop.Options):
        """`host_key` is the server's public key as `ssh-keyscan` prints it (`ssh-ed25519 AAAA…`); on this machine it may be left out.

        `private_key` is the text of a key file. `directory` is made if it is not there.
        """

        directory: str = "."
        username: str
        password: SecretStr | None = secret(sandbox="sandbox-sftp-password", default=None)
        private_key: SecretStr | None = None
        host_key: str | None = None

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._connection: Any = None
        self._opening = asyncio.Lock()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._connection is not None:
            self._connection.close()
            with suppress(OSError, asyncssh.Error):
                await self._connection.wait_closed()

    async def put(self, name: str, content: bytes) -> None:
        connection = await self._connected()
        folder = PurePosixPath(self.options.directory)
        final, temporary = str(folder / name), str(folder / f".{name}.{uuid4().hex}")
        try:
            async with connection.start_sftp_client() as sftp:
                await sftp.makedirs(str(folder), exist_ok=True)
                try:
                    await _write(sftp, temporary, content)
                    await _rename(sftp, temporary, final)
                except asyncssh.SFTPError:
                    with suppress(asyncssh.SFTPError):
                        await sftp.remove(temporary)
                    raise
        except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection, asyncssh.DisconnectError, ConnectionError):
            self._connection = None
            raise Unanswered("CONNECTION_LOST", "The connection to the SFTP server broke while a file was written.") from None
        except asyncssh.SFTPError as error:
            raise Fatal("CANNOT_WRITE", f"The SFTP server does not take files in this directory: {type(error).__name__}.") from None
        except asyncssh.Error as error:
            raise Fatal("NO_SFTP", f"The server offers no SFTP to this user: {type(error).__name__}.") from None

    async def check(self) -> str:
        """Looks at the directory, or, where it is not there yet, at the one it would be in. Writes nothing."""
        connection = await self._connected()
        try:
            async with connection.start_sftp_client() as sftp:
                there = await sftp.isdir(self.options.directory)
        except asyncssh.Error as error:
            raise Fatal("NO_SFTP", f"The server offers no SFTP to this user: {type(error).__name__}.") from None
        return "the directory is there" if there else "the server answers; the directory will be made"

    async def _connected(self) -> Any:
        async with self._opening:
            if self._connection is None or self._connection.is_closed():
                self._connection = await self._connect()
            return self._connection

    async def _connect(self) -> Any:
        if asyncssh is None:
            raise Fatal("NOT_INSTALLED", "SFTP needs asyncssh. Install it with `pip install sluice[sftp]`.")
        options, url = self.options, urlsplit(self.address)
        host = url.hostname or "localhost"
        if options.host_key is None and not is_loopback(host):
            raise Fatal(
                "NO_HOST_KEY", f"Set `host_key` of this destination: what `ssh-keyscan {host}` prints, once you have made sure of it."
            )
        try:
            key = asyncssh.import_private_key(options.private_key.get_secret_value()) if options.private_key else None
            known: Any = None if options.host_key is None else ([asyncssh.import_public_key(options.host_key)], [], [])
        except asyncssh.KeyImportError:
            raise Fatal("NOT_A_KEY", "`private_key` or `host_key` of this destination cannot be read as a key.") from None
        try:
            return await asyncssh.connect(
                host, url.port or 22, username=options.username, client_keys=[key] if key else None, agent_path=None, config=None,
                password=options.password.get_secret_value() if options.password else None, known_hosts=known, connect_timeout=30,
            )  # fmt: skip
        except asyncssh.PermissionDenied:
            raise Fatal("UNAUTHORIZED", "The SFTP server refused the credentials of this destination.") from None
        except asyncssh.HostKeyNotVerifiable:
            raise Fatal("WRONG_HOST_KEY", "The SFTP server does not show the key in `host_key`: it may be another server.") from None
        except (OSError, TimeoutError, asyncssh.Error) as error:
            raise Transient("UNREACHABLE", f"The SFTP server cannot be reached ({type(error).__name__}).") from None


async def _write(sftp: Any, name: str, content: bytes) -> None:
    async with sftp.open(name, "xb") as file:
        await file.write(content)
        with suppress(asyncssh.SFTPOpUnsupported):
            await file.fsync()


async def _rename(sftp: Any, old: str, new: str) -> None:
    try:
        await sftp.posix_rename(old, new)
    except asyncssh.SFTPOpUnsupported:
        # The protocol's own rename never replaces. What stood there is the same batch, written before.
        with suppress(asyncssh.SFTPNoSuchFile):
            await sftp.remove(new)
        await sftp.rename(old, new)
