"""What is promised about the written files: the same bytes for the same arguments, and days that continue one another."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from activation.sample import write_sample

Writer = Callable[..., Path]


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_the_same_arguments_give_the_same_bytes(sample: Writer) -> None:
    assert contents(sample("one")) == contents(sample("two"))


def test_another_seed_gives_other_people_and_events(sample: Writer) -> None:
    one, two = contents(sample("one", seed=1)), contents(sample("two", seed=2))
    assert all(one[name] != two[name] for name in one.keys() & two.keys())


@pytest.mark.parametrize("threads", ["1", "4"])
def test_the_number_of_threads_does_not_show(sample: Writer, tmp_path: Path, threads: str) -> None:
    here = sample("here", people=2000, days=2)
    code = "import sys, pathlib; from activation.sample import write_sample; write_sample(2000, 2, 1, pathlib.Path(sys.argv[1]))"
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "there")], env=os.environ | {"POLARS_MAX_THREADS": threads}, check=True, timeout=300
    )
    assert contents(tmp_path / "there") == contents(here)


def test_a_later_call_writes_only_the_new_days_and_the_same_as_one_call_would(sample: Writer) -> None:
    whole = contents(sample("whole", days=4))
    first, rest = contents(sample("first", days=3)), contents(sample("rest", days=4, first_day=3))
    assert all("2026-10-04" in name for name in rest)
    assert not first.keys() & rest.keys()
    # The export that ends the first call is one that a single call does not make.
    exports = {name for name in first if name.startswith("crm/")}
    assert len(exports) == 3
    assert {name: first[name] for name in first.keys() - exports} | rest == whole


def test_the_crm_of_the_next_day_has_the_same_contacts_some_changed_and_some_new(sample: Writer) -> None:
    root = sample("root", people=2000, days=30, first_day=29)
    write_sample(2000, 31, 1, root, first_day=30)
    before = pl.read_csv(root / "crm/contacts-2026-10-30.csv", infer_schema=False)
    after = pl.read_csv(root / "crm/contacts-2026-10-31.csv", infer_schema=False)
    both = before.join(after, on="contact_id", suffix="_after")
    assert len(both) == len(before) < len(after)
    changed = both.filter(pl.col("updated_at") != pl.col("updated_at_after"))
    assert 0 < len(changed) < len(before) / 5
    assert changed["updated_at_after"].str.starts_with("2026-10-31").all()
    assert both.filter(
        pl.col("updated_at") == pl.col("updated_at_after"), pl.col("lifecycle_stage") != pl.col("lifecycle_stage_after")
    ).is_empty()


def test_files_are_returned_with_their_source_and_rows_and_progress_hears_them(tmp_path: Path) -> None:
    heard: list[tuple[str, int]] = []
    files = write_sample(200, 2, 1, tmp_path, progress=lambda source, rows: heard.append((source, rows)))
    assert heard == [(file.source, file.rows) for file in files]
    assert {file.path for file in files} == {path for path in tmp_path.rglob("*") if path.is_file()}
    for file in files:
        assert file.path.read_bytes().count(b"\n") == file.rows + (file.path.suffix == ".csv")


def test_the_start_may_be_another_date(tmp_path: Path) -> None:
    write_sample(50, 1, 1, tmp_path, start=date(2024, 2, 29))
    assert (tmp_path / "web/2024-02-29.jsonl").read_text(encoding="utf-8").count('"receivedAt":"2024-02-29T') > 0


@pytest.mark.parametrize("people", [1, 6])
def test_a_handful_of_people_is_a_sample_too(tmp_path: Path, people: int) -> None:
    assert write_sample(people, 11, 3, tmp_path)


@pytest.mark.parametrize(("people", "days", "seed", "first_day"), [(0, 1, 1, 0), (1, 0, 1, 0), (1, 1, -1, 0), (1, 1, 1, 1), (1, 1, 1, -1)])
def test_numbers_that_make_no_sense_are_refused(tmp_path: Path, people: int, days: int, seed: int, first_day: int) -> None:
    with pytest.raises(ValueError, match="A sample needs people >= 1"):
        write_sample(people, days, seed, tmp_path, first_day=first_day)
    assert not list(tmp_path.iterdir())
