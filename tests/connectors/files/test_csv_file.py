from __future__ import annotations

import csv
import io
import stat
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.base import Batch, Fatal, Row
from connectors.files.csv_file import CsvFile


def batch(*rows: dict[str, Any], **changes: Any) -> Batch:
    made = [Row(index, f"k{index}", orjson.dumps(fields)) for index, fields in enumerate(rows)]
    return Batch(**{"object": "rows", "operation": "add", "rows": made, "run_id": "r1", "number": 3, **changes})


async def written(directory: Path, what: Batch, **options: Any) -> str:
    outcomes = await CsvFile(CsvFile.Options(directory=directory, **options)).deliver(what)
    assert [outcome.status for outcome in outcomes] == ["sent"] * len(what.rows)
    assert outcomes[0].provider_id
    return (directory / outcomes[0].provider_id).read_bytes().decode()


async def test_a_file_has_the_operation_and_every_column(tmp_path: Path) -> None:
    text = await written(
        tmp_path / "new", batch({"id": 1, "name": '李 "雷", 🎉'}, {"id": 2, "vip": True, "tags": ["a"]}, operation="change")
    )
    assert text == '_operation,id,name,vip,tags\r\nchange,1,"李 ""雷"", 🎉",,\r\nchange,2,,true,"[""a""]"\r\n'
    assert next(csv.DictReader(io.StringIO(text)))["name"] == '李 "雷", 🎉'


async def test_a_batch_sent_again_is_the_same_file_again(tmp_path: Path) -> None:
    for _ in range(2):
        await written(tmp_path, batch({"id": 1}))
    await written(tmp_path, batch({"id": 1}, number=4))
    await written(tmp_path, batch({"id": 1}, run_id="../../r2"))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "rows-.._.._r2-000003.csv",
        "rows-r1-000003.csv",
        "rows-r1-000004.csv",
    ]


async def test_a_file_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await written(tmp_path, batch({"id": 1}))

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(Fatal, match="No space left on device"):
        await CsvFile(CsvFile.Options(directory=tmp_path)).deliver(batch({"id": 2}))
    assert [path.read_bytes().decode() for path in tmp_path.iterdir()] == [before]


async def test_a_directory_that_cannot_be_written_stops_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    connector = CsvFile(CsvFile.Options(directory=tmp_path / "file" / "below"))
    with pytest.raises(Fatal):
        await connector.deliver(batch({"id": 1}))
    with pytest.raises(Fatal):
        await connector.check()


async def test_cells_that_a_spreadsheet_would_run_get_an_apostrophe_if_asked(tmp_path: Path) -> None:
    values = ["=1+1", "+8613800138000", "-1", "@x", "\t=1", "fine = yes", ""]
    row = {f"c{index}": value for index, value in enumerate(values)} | {"n": -5, "=head": "x"}
    as_it_is = next(csv.reader(io.StringIO((await written(tmp_path, batch(row))).split("\r\n", 1)[1])))
    assert as_it_is[1:8] == values
    lines = list(csv.reader(io.StringIO(await written(tmp_path, batch(row), escape_formulas=True))))
    assert lines[1][1:8] == ["'=1+1", "'+8613800138000", "'-1", "'@x", "'\t=1", "fine = yes", ""]
    assert lines[1][8] == "-5"
    assert lines[0][9] == "'=head"


async def test_excel_sees_the_encoding_and_europe_its_delimiter(tmp_path: Path) -> None:
    text = await written(tmp_path, batch({"a": "1;2", "b": "你"}), byte_order_mark=True, delimiter=";")
    assert text == '\ufeff_operation;a;b\r\nadd;"1;2";你\r\n'


async def test_others_may_read_the_files(tmp_path: Path) -> None:
    await written(tmp_path, batch({"id": 1}))
    other = tmp_path / "other"
    other.write_text("")
    [made] = tmp_path.glob("*.csv")
    assert stat.S_IMODE(made.stat().st_mode) == stat.S_IMODE(other.stat().st_mode)
