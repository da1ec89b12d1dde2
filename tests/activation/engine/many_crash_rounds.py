"""`make crash`: the rounds of test_crash.py in thousands. A project after the other, each looked through at its end; every fifth has its
ledger in PostgreSQL. Arguments: how many rounds, and the seed of the moments that are drawn.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import psycopg
from crash_rounds import Rounds
from deadly_sandbox import deadly
from forked_processes import Mother
from ledger.running_postgres import running_postgres

A_PROJECT = 50  # rounds
URL = "SLUICE_LEDGER_URL"


def main() -> None:
    count = int(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 and sys.argv[2] else secrets.randbelow(10**8)
    began, died = time.monotonic(), Counter[str]()
    print(f"{count:,} rounds of `sluice run` and `kill -9`, seed {seed} (SEED={seed} draws the same moments again)")
    with ExitStack() as stack:
        postgres = stack.enter_context(running_postgres()) if count > 4 * A_PROJECT else None
        for number, first in enumerate(range(0, count, A_PROJECT)):
            in_postgres = postgres is not None and number % 5 == 4
            os.environ.pop(URL, None)
            if in_postgres and postgres:
                with psycopg.connect(postgres, autocommit=True) as connection:
                    connection.execute("set client_min_messages = warning")
                    connection.execute("drop schema if exists sluice cascade")
                os.environ[URL] = postgres
            died += play(min(A_PROJECT, count - first), seed + number, first, count, began)
            where = "PostgreSQL" if in_postgres else "SQLite"
            print(
                f"\r  {min(first + A_PROJECT, count):>6,} of {count:,}  {passed(began)}  every book balances, ledger in {where}{' ' * 20}",
                flush=True,
            )
    print(f"Held against the source and the vendors after {passed(began)}: nothing lost, nothing twice, what nobody can know is held.")
    for state, times in died.most_common():
        print(f"  {times:>6,}  {state}")


def play(count: int, seed: int, first: int, of: int, began: float) -> Counter[str]:
    """So many rounds in one project. Raises AssertionError, and leaves the project's folder, when something is not as it must be."""
    folder = Path(tempfile.mkdtemp(prefix=f"sluice-crash-{seed}-"))
    try:
        with Mother() as mother, deadly(mother, folder / "sandbox") as sandbox:
            rounds = Rounds(folder, mother, sandbox, seed)
            for number in range(count):
                print(f"\r  {first + number:>6,} of {of:,}  {passed(began)}", end="", flush=True)
                rounds.play()
            rounds.finish()
            rounds.verify()
            rounds.ledger.close()
    except BaseException:
        print(f"\nThe project is left in {folder}; SEED={seed} ROUNDS={count} draws its moments again.", file=sys.stderr)
        raise
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()
    return rounds.kills


def passed(began: float) -> str:
    minutes, seconds = divmod(int(time.monotonic() - began), 60)
    return f"{minutes}:{seconds:02d}"


if __name__ == "__main__":
    main()
