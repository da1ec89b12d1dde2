"""One file of the spool, from its first line to its last.

A file that is being written is called `<name>.jsonl.open` and is locked (flock) by the process that writes it; finished, it is
`<name>.jsonl` and never changes again. The lock, not the process id in the name, says whether the writer lives: ids are used
again, and mean nothing between containers.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from datetime import datetime
from pathlib import Path
from typing import Self

OPEN = ".open"

_sync = getattr(os, "fdatasync", os.fsync)  # the size is synced by both; macOS has only the latter
_BLOCK = 1 << 16


class SpoolFile:
    """An open file of complete lines. Everything up to `size` is on disk."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.size = 0
        self._descriptor = descriptor

    @classmethod
    def create(cls, folder: Path, now: datetime) -> Self:
        """A new file in `folder`. Its name is the moment (so names sort by age), the process, and chance (so collectors can share a spool)."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        while True:
            path = folder / f"{now:%Y%m%dT%H%M%S%fZ}-{os.getpid()}-{secrets.token_hex(4)}.jsonl{OPEN}"
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # A collector that starts at this moment may have taken the empty file for an abandoned one, before we had the lock.
            if _is(path, descriptor):
                _sync_folder(folder)
                _sync_folder(folder.parent)
                return cls(path, descriptor)
            os.close(descriptor)

    def append(self, lines: bytes) -> None:
        """Write complete lines, durably. Raises OSError, and then nothing of `lines` is in the file."""
        try:
            view = memoryview(lines)
            while view:
                view = view[os.write(self._descriptor, view) :]
            _sync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, self.size)
            raise
        self.size += len(lines)

    def finish(self) -> None:
        """Give the file its final name. An empty one is removed."""
        _finish(self.path, self._descriptor)


def recover(folder: Path) -> int:
    """Finish the files in `folder` that a dead process left open, and say how many. Those of living processes are left alone.

    A line without its end was never acknowledged, for lines are acknowledged after they are synced whole: it is cut off.
    """
    found = 0
    for path in sorted(folder.glob(f"*.jsonl{OPEN}")):
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            continue  # its owner finished it meanwhile
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        if not _is(path, descriptor):
            os.close(descriptor)
            continue
        os.ftruncate(descriptor, _end_of_last_line(descriptor))
        os.fsync(descriptor)
        _finish(path, descriptor)
        found += 1
    return found


def _finish(path: Path, descriptor: int) -> None:
    try:
        if os.fstat(descriptor).st_size:
            path.rename(path.with_name(path.name.removesuffix(OPEN)))
        else:
            path.unlink()
        _sync_folder(path.parent)
    finally:
        os.close(descriptor)  # and with it the lock: nobody sees the old name unlocked


def _is(path: Path, descriptor: int) -> bool:
    """Whether `path` still names the file that `descriptor` has open."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _end_of_last_line(descriptor: int) -> int:
    end = os.fstat(descriptor).st_size
    while end:
        start = max(0, end - _BLOCK)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
