"""`sluice` on a machine that is not as it should be: the sentence says which file, and what to do."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest
from command_line import NOON, Sluice, process

from activation.engine.ledger import Ledger
from activation.engine.project import REPOSITORY
from tests.activation.engine.small_project import SmallProject


@pytest.mark.parametrize(
    ("file", "content", "sentence", "code"),
    [
        ("warehouse.duckdb", b"not a warehouse" * 1000, "sluice: .sluice/warehouse.duckdb is not a DuckDB file. Move it away, then land and build again.", 1),
        ("ledger.db", b"not a ledger" * 1000, "sluice: ledger.db cannot be used as the ledger: file is not a database.", 1),
        ("target/manifest.json", b"{", "sluice: manifest.json, which dbt writes, is damaged. Run `sluice build`, which writes it anew.", 1),
    ],
)  # fmt: skip
def test_a_file_that_is_something_else_is_said(
    shop: SmallProject, sluice: Sluice, file: str, content: bytes, sentence: str, code: int
) -> None:
    ref = shop.sync("files/people", match_on="profile_id", object="rows")
    for path in shop.project.state.glob(f"{file}*"):
        path.unlink()
    (shop.project.state / file).write_bytes(content)
    for words in (["plan", ref], ["run", ref]):
        said = sluice("--as-of", NOON, *words)
        assert said.code == code
        assert said.err.startswith(sentence)


def test_a_warehouse_that_another_tool_made_gets_its_tables(shop: SmallProject, sluice: Sluice) -> None:
    shop.project.warehouse.unlink()
    with duckdb.connect(str(shop.project.warehouse)) as connection:
        connection.execute("create table theirs (a int)")
    assert sluice("status").code == 0
    assert shop.rows("select count(*) from theirs") == [(0,)]


def test_a_state_folder_that_is_a_file_is_said(shop: SmallProject, sluice: Sluice) -> None:
    shop.project.state.rename(shop.project.root / "elsewhere")
    (shop.project.root / ".sluice").touch()
    for words in (["land"], ["status"], ["doctor"]):
        said = sluice(*words)
        assert (said.code, said.err) == (2, f"sluice: {shop.project.root / '.sluice'}: File exists.\n")


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may write anywhere; nobody may not."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that everybody may look into; a test's own is its user's alone."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder).resolve()


def test_a_project_that_may_not_be_written_is_said(sluice: Sluice, public: Path) -> None:
    shop = SmallProject(public / "shop")
    sluice("land")  # everything is imported while it may be read
    shop.project.state.rename(shop.project.root / "elsewhere")
    shop.project.root.chmod(0o555)
    with as_nobody():
        said = sluice("--project", shop.project.root, "land")
    shop.project.root.chmod(0o755)
    assert (said.code, said.err) == (2, f"sluice: {shop.project.root / '.sluice'}: Permission denied.\n")


def test_a_file_that_may_not_be_read_is_said(sluice: Sluice, public: Path) -> None:
    shop = SmallProject(public / "shop")
    shop.write("activation/sources/clicks.yml", "files: '*.jsonl'\nformat: jsonl\nkey: [[id]]\n")
    sluice("--project", shop.project.root, "land")
    for path in (shop.project.state, *shop.project.state.rglob("*")):
        path.chmod(0o777)
    (public / "a.jsonl").touch(mode=0o000)
    with as_nobody():
        said = sluice("--project", shop.project.root, "land", public / "a.jsonl")
    assert (said.code, said.err) == (2, f"sluice: {public / 'a.jsonl'}: Permission denied.\n")


def test_a_locked_ledger_is_said(shop: SmallProject, sluice: Sluice, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3

    ref = shop.sync("files/people", match_on="profile_id", object="rows")
    Ledger(shop.project.ledger).close()
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **kwargs: real(*args, **{**kwargs, "timeout": 0.1}))
    other = real(shop.project.ledger, isolation_level=None)
    other.execute("begin exclusive")
    try:
        said = sluice("--as-of", NOON, "run", ref)
    finally:
        other.close()
    assert said.code == 1
    assert said.err.startswith(
        ("sluice: The ledger failed: database is locked.", "sluice: ledger.db cannot be used as the ledger: database is locked.")
    )


@pytest.mark.parametrize("much", [True, False], ids=["while it writes", "when it has written"])
def test_a_reader_that_goes_away_is_no_trouble(shop: SmallProject, much: bool) -> None:
    if much:
        for number in range(100):
            shop.write(f"activation/sources/clicks_{number}.yml", f"files: 'clicks_{number}/*.jsonl'\nformat: jsonl\nkey: [[id]]\n")
    started = subprocess.Popen(
        [sys.executable, "-m", "activation.cli", "--project", str(shop.project.root), "list", "--json"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
    )
    with started:
        assert started.stdout is not None
        assert started.stderr is not None
        started.stdout.close()
        assert started.stderr.read() == b""
    assert started.returncode == 1


def test_a_terminal_that_cannot_show_a_character_still_shows_the_rest(shop: SmallProject) -> None:
    shop.write("activation/sources/clicks.yml", "files: 点击/*.jsonl\nformat: jsonl\nkey: [[id]]\n")
    done = process("--project", str(shop.project.root), "list", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u70b9\\u51fb/*.jsonl" in done.stdout
