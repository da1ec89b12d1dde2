"""The spool: what is acknowledged is on disk, whatever happens."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from running_collector import NOW, spooled

from activation.collector import spool_file
from activation.collector.spool import Spool, SpoolFull, SpoolUnwritable
from activation.collector.spool_file import SpoolFile, recover


@asynccontextmanager
async def opened(folder: Path, **options: Any) -> AsyncIterator[Spool]:
    spool = Spool(folder, **options)
    await spool.start()
    try:
        yield spool
    finally:
        await spool.close()


def names(folder: Path) -> list[str]:
    return sorted(path.suffix for path in folder.iterdir())


async def test_lines_are_in_an_open_file_when_append_returns_and_in_a_finished_one_after_closing(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.append("web_events", [b'{"n":1}', b'{"n":2}'])
        assert names(tmp_path / "web_events") == [".open"]
        assert spooled(tmp_path, "web_events") == [{"n": 1}, {"n": 2}]
    assert names(tmp_path / "web_events") == [".jsonl"]
    assert spooled(tmp_path, "web_events") == [{"n": 1}, {"n": 2}]


async def test_appends_that_come_together_share_their_syncs(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await asyncio.gather(*(spool.append("web_events", [b'{"n":%d}' % n]) for n in range(500)))
        assert spool.commits < 20
        assert [line["n"] for line in spooled(tmp_path, "web_events")] == list(range(500))


async def test_more_than_may_wait_is_refused_at_once_and_not_kept(tmp_path: Path) -> None:
    async with opened(tmp_path, max_waiting=1000) as spool:
        appends = [spool.append("web_events", [b'{"n":%3d}' % n]) for n in range(300)]
        answers = await asyncio.gather(*appends, return_exceptions=True)
        kept = {n for n, answer in enumerate(answers) if answer is None}
        assert 0 < len(kept) < 300
        assert all(isinstance(answer, SpoolFull) for n, answer in enumerate(answers) if n not in kept)
        assert {line["n"] for line in spooled(tmp_path, "web_events")} == kept
        await spool.append("web_events", [b'{"n":301}'])


async def test_a_file_is_finished_when_it_is_large_enough(tmp_path: Path) -> None:
    async with opened(tmp_path, max_bytes=100) as spool:
        await spool.append("web_events", [b'{"text":"%s"}' % (b"x" * 100)])
        await spool.append("web_events", [b'{"n":2}'])
        assert names(tmp_path / "web_events") == [".jsonl", ".open"]


async def test_a_file_is_finished_when_it_is_old_enough_though_nothing_more_comes(tmp_path: Path) -> None:
    async with opened(tmp_path, max_age=0.01) as spool:
        await spool.append("web_events", [b'{"n":1}'])
        async with asyncio.timeout(120):
            while names(tmp_path / "web_events") != [".jsonl"]:
                await asyncio.sleep(0.01)


async def test_several_collectors_share_a_folder(tmp_path: Path) -> None:
    async with opened(tmp_path) as one, opened(tmp_path) as other:
        await asyncio.gather(*(spool.append("web_events", [b'{"n":%d}' % n]) for n, spool in enumerate([one, other] * 50)))
        assert names(tmp_path / "web_events") == [".open", ".open"]
    assert sorted(line["n"] for line in spooled(tmp_path, "web_events")) == list(range(100))


async def test_a_start_leaves_the_files_of_living_collectors_alone(tmp_path: Path) -> None:
    async with opened(tmp_path) as living:
        await living.append("web_events", [b'{"n":1}'])
        async with opened(tmp_path):
            assert names(tmp_path / "web_events") == [".open"]
        await living.append("web_events", [b'{"n":2}'])
    assert [line["n"] for line in spooled(tmp_path, "web_events")] == [1, 2]


@pytest.mark.parametrize(
    ("left", "kept"),
    [
        (b'{"n":1}\n{"n":2}\n', b'{"n":1}\n{"n":2}\n'),
        (b'{"n":1}\n{"n":', b'{"n":1}\n'),
        (b'{"n":1}\n' + b"x" * 200_000, b'{"n":1}\n'),
        (b'{"n":', None),
        (b"", None),
    ],
)
def test_a_file_of_a_dead_collector_keeps_its_complete_lines(tmp_path: Path, left: bytes, kept: bytes | None) -> None:
    (tmp_path / "20261031T020000Z-1-00000000.jsonl.open").write_bytes(left)
    assert recover(tmp_path) == 1
    files = list(tmp_path.iterdir())
    assert [(path.suffix, path.read_bytes()) for path in files] == ([] if kept is None else [(".jsonl", kept)])


async def test_a_disk_that_refuses_is_said_and_its_return_is_noticed(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        (tmp_path / "web_events").write_text("a file where the folder should be")
        with pytest.raises(SpoolUnwritable):
            await spool.append("web_events", [b"{}"])
        await spool.append("mail_events", [b"{}"])
        with pytest.raises(SpoolUnwritable):
            await spool.append("web_events", [b"{}"])
        assert not spool.healthy
        (tmp_path / "web_events").unlink()
        await spool.append("web_events", [b'{"n":1}'])
        assert spool.healthy
        assert spooled(tmp_path, "web_events") == [{"n": 1}]


async def test_after_closing_nothing_is_taken(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        pass
    with pytest.raises(SpoolUnwritable):
        await spool.append("web_events", [b"{}"])


@pytest.mark.parametrize("source", ["../secret", "", "a/b", "Web"])
async def test_a_source_is_never_a_path(tmp_path: Path, source: str) -> None:
    async with opened(tmp_path) as spool:
        with pytest.raises(ValueError, match="raw source"):
            await spool.append(source, [b"{}"])


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A disk that is full, as far as this process can tell: writing beyond `size` fails half-way."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_write_that_fails_half_way_leaves_no_torn_line(tmp_path: Path) -> None:
    file = SpoolFile.create(tmp_path, NOW)
    file.append(b'{"n":1}\n')
    with files_of_at_most(20), pytest.raises(OSError, match="too large"):
        file.append(b'{"text":"longer than there is room for"}\n')
    assert file.path.read_bytes() == b'{"n":1}\n'
    file.append(b'{"n":2}\n')
    file.finish()
    assert spooled(tmp_path.parent, tmp_path.name) == [{"n": 1}, {"n": 2}]


async def test_a_sync_that_fails_is_never_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as spool:
        await spool.append("web_events", [b'{"n":1}'])
        with monkeypatch.context() as failing:
            failing.setattr(spool_file, "_sync", _failing_sync)
            with pytest.raises(SpoolUnwritable, match="Input/output error"):
                await spool.append("web_events", [b'{"n":2}'])
        await spool.append("web_events", [b'{"n":3}'])
        assert names(tmp_path / "web_events") == [".jsonl", ".open"]
    assert [line["n"] for line in spooled(tmp_path, "web_events")] == [1, 3]


def _failing_sync(descriptor: int) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_the_spool_is_its_owners_alone(tmp_path: Path) -> None:
    file = SpoolFile.create(tmp_path / "web_events", NOW)
    assert os.stat(file.path).st_mode & 0o777 == 0o600
    assert os.stat(tmp_path / "web_events").st_mode & 0o777 == 0o700
    file.finish()
    assert list((tmp_path / "web_events").iterdir()) == []
