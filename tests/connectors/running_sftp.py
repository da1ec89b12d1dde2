"""An SFTP server on a free port of this machine, for as long as the tests run: asyncssh's, in a thread, over a real folder."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import asyncssh

PASSWORD = "sandbox-sftp-password"


@dataclass(frozen=True)
class RunningSftp:
    """Where it is, the folder people see as `/`, the key it shows, and a private key that it takes from `sluice`."""

    address: str
    root: Path
    host_key: str
    private_key: str


class _Door(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("sluice", PASSWORD)


class Serving(asyncssh.SFTPServer):
    """The folder, with whatever a test wants to go wrong."""

    before_rename: Callable[[], None] | None = None

    def __init__(self, channel: Any, root: Path) -> None:
        super().__init__(channel, chroot=str(root).encode())

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> Any:
        if Serving.before_rename:
            Serving.before_rename()
        return super().posix_rename(oldpath, newpath)


@cache
def running_sftp() -> RunningSftp:
    """The server, started when it is first asked for."""
    root = Path(tempfile.mkdtemp(prefix="sftp-root-"))
    host, user = asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-ed25519")
    ready: dict[str, int] = {}
    up = threading.Event()

    async def serve() -> None:
        server = await asyncssh.listen(
            "127.0.0.1", 0, server_factory=_Door, server_host_keys=[host], sftp_factory=lambda channel: Serving(channel, root),
            authorized_client_keys=asyncssh.import_authorized_keys(user.export_public_key().decode()),
        )  # fmt: skip
        ready["port"] = server.get_port()
        up.set()
        await server.wait_closed()

    threading.Thread(target=asyncio.run, args=(serve(),), daemon=True).start()
    assert up.wait(60)
    public = host.export_public_key().decode().strip()
    return RunningSftp(f"sftp://127.0.0.1:{ready['port']}", root, public, user.export_private_key().decode())
