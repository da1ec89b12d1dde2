"""Uploads of lists: who is on them, who is not and why, and that nothing of a person is in the report."""

from __future__ import annotations

import csv
import json
import stat
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from small_project import NOON, SmallProject

from activation.engine.declarations import Declarations
from activation.engine.errors import DeclarationErrors, UsageError
from activation.engine.list_upload import UploadReport, upload
from activation.engine.project import REPOSITORY

MAPPING = "columns: {email: 邮箱, phone: 手机, full_name: 姓名}\nkeep: [展位]\n"


@pytest.fixture
def shop(tmp_path: Path) -> SmallProject:
    shop = SmallProject(tmp_path / "shop")
    shop.write("activation/sources/list_members.yml", (REPOSITORY / "activation" / "sources" / "list_members.yml").read_text())
    return shop


def uploaded(
    shop: SmallProject, content: str | bytes | Path, mapping: str | None = None, name: str = "fair", **options: Any
) -> UploadReport:
    file = content if isinstance(content, Path) else shop.project.root / "people.csv"
    if not isinstance(content, Path):
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    if mapping is not None:
        shop.write("fair.yml", mapping)
        options["mapping"] = shop.project.root / "fair.yml"
    report = upload(shop.project, Declarations.load(shop.project), file, name, NOON, **options)
    assert report.lines == report.members + report.refused + report.repeated
    return report


def landed(shop: SmallProject) -> list[dict[str, Any]]:
    return [json.loads(row[0]) for row in shop.rows("select payload::varchar from raw.list_members order by _landed_at, _line")]


def workbook(path: Path, *rows: tuple[Any, ...], sheet: str = "名单") -> Path:
    book = openpyxl.Workbook()
    page = book.active
    page.title = sheet
    for row in rows:
        page.append(row)
    book.save(path)
    return path


def test_people_land_with_what_the_mapping_says_and_what_is_kept(shop: SmallProject) -> None:
    report = uploaded(
        shop, "邮箱,手机,姓名,展位,备注\n Li@Example.com ,138 0013 8000,李雷,A1,VIP\n,,,,\n,021-5555 6666,韩梅梅,,\n", MAPPING
    )
    assert (report.members, report.refused, report.ignored_columns) == (2, 0, ["备注"])
    assert landed(shop) == [
        {"list": "fair", "member": "email:li@example.com", "email": "li@example.com", "phone": "+8613800138000", "full_name": "李雷", "kept": {"展位": "A1"}},
        {"list": "fair", "member": "phone:+862155556666", "phone": "+862155556666", "full_name": "韩梅梅"},
    ]  # fmt: skip


def test_without_a_mapping_columns_are_known_by_their_names(shop: SmallProject) -> None:
    assert uploaded(shop, "Email,City,consent\na@b.example,上海,yes\n").ignored_columns == ["consent"]
    assert landed(shop) == [{"list": "fair", "member": "email:a@b.example", "email": "a@b.example", "city": "上海"}]


def test_every_line_that_is_not_on_the_list_is_told_with_its_reason(shop: SmallProject) -> None:
    lines = ["email,phone", "a@b.example,", "nobody,12", "b@b.example,12", ",", "A@B.example,", "x@y.example,1,2", '"open,', "c@b.example,"]
    report = uploaded(shop, "\n".join(lines) + "\n")
    said = [(one.line, one.column, one.code) for one in report.refusals]
    assert said == [
        (3, "email", "BAD_EMAIL"),
        (3, "phone", "BAD_PHONE"),
        (3, "", "NO_IDENTIFIER"),
        (4, "phone", "BAD_PHONE"),
        (6, "", "REPEATED"),
        (7, "", "UNREADABLE"),
        (8, "", "UNREADABLE"),
    ]
    assert (report.members, report.refused, report.repeated, report.dropped) == (3, 3, 1, 1)
    assert [member["email"] for member in landed(shop)] == ["a@b.example", "b@b.example", "c@b.example"]
    assert "phone" not in landed(shop)[1]


def test_a_birthday_is_a_date_or_told(shop: SmallProject) -> None:
    report = uploaded(shop, "email,birthday\na@b.example,1990/05/17\nb@b.example,1990-05-17 00:00:00\nc@b.example,17 May\n")
    assert [(one.line, one.column, one.code) for one in report.refusals] == [(4, "birthday", "BAD_DATE")]
    assert [member.get("birthday") for member in landed(shop)] == ["1990-05-17", "1990-05-17", None]


def test_the_report_names_lines_and_columns_but_nobody(shop: SmallProject) -> None:
    report = uploaded(shop, "email,phone\nLiLei@secret,99999\nhan@b.example,\nhan@b.example,\n")
    said = json.dumps(asdict(report), default=str)
    assert not [personal for personal in ("LiLei", "secret", "99999", "han@") if personal in said]


def test_the_refused_lines_themselves_go_to_a_file_of_the_owner_s_alone(shop: SmallProject) -> None:
    to = shop.project.root / "refused.csv"
    uploaded(shop, "email,名\nnobody,李雷\na@b.example,b\n", refused_to=to)
    assert stat.S_IMODE(to.stat().st_mode) == 0o600
    with to.open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file)) == [
            ["_line", "_reason", "email", "名"],
            ["2", "No identifier of the line can be one.", "nobody", "李雷"],
        ]


def test_the_same_file_again_lands_nothing_and_a_changed_member_lands_again(shop: SmallProject) -> None:
    first = uploaded(shop, "email,city\na@b.example,上海\nb@b.example,北京\n")
    again = uploaded(shop, "email,city\na@b.example,上海\nb@b.example,北京\n")
    moved = uploaded(shop, "email,city\na@b.example,上海\nb@b.example,广州\n")
    other = uploaded(shop, "email,city\na@b.example,上海\n", name="other")
    assert [report.landing.landed for report in (first, again, moved, other)] == [2, 0, 1, 1]


def test_a_dry_run_puts_nobody_on_the_list(shop: SmallProject) -> None:
    assert uploaded(shop, "email\na@b.example\n", dry_run=True).members == 1
    assert not list((shop.project.spool).rglob("*.jsonl*"))


def test_a_workbook_is_read_as_a_person_sees_it(shop: SmallProject, tmp_path: Path) -> None:
    rows = [
        ("email", "phone", "title", "city", None),
        ("a@b.example", 13800138000, "#N/A", date(2026, 10, 31), None),
        (None, None, None, None, None),
        ("b@b.example", 13800138001.0, datetime(2026, 10, 31, 9, 30), True, None),
        ("c@b.example", None, None, None, "beyond"),
    ]
    report = uploaded(shop, workbook(tmp_path / "people.xlsx", *rows))
    assert [(one.line, one.code) for one in report.refusals] == [(5, "UNREADABLE")]
    assert landed(shop) == [
        {"list": "fair", "member": "email:a@b.example", "email": "a@b.example", "phone": "+8613800138000", "city": "2026-10-31"},
        {"list": "fair", "member": "email:b@b.example", "email": "b@b.example", "phone": "+8613800138001", "title": "2026-10-31 09:30:00", "city": "true"},
    ]  # fmt: skip


def test_a_sheet_is_named(shop: SmallProject, tmp_path: Path) -> None:
    book = workbook(tmp_path / "people.xlsx", ("email",), ("a@b.example",))
    assert uploaded(shop, book, sheet="名单").members == 1
    with pytest.raises(UsageError, match=r"has no sheet `Sheet2`\. It has: 名单"):
        uploaded(shop, book, sheet="Sheet2")


def test_a_file_in_another_encoding_is_read_or_told(shop: SmallProject) -> None:
    content = "email,姓名\na@b.example,李雷\n".encode("gb18030")
    assert uploaded(shop, content, "columns: {email: email, full_name: 姓名}\n", encoding="gb18030").members == 1
    with pytest.raises(UsageError, match="--encoding gb18030"):
        uploaded(shop, content)


@pytest.mark.parametrize(
    ("content", "mapping", "options", "said"),
    [
        ("email\n", None, {}, "holds nobody"),
        ("", None, {}, "holds nobody"),
        ("邮箱\na@b.example\n", None, {}, "Say with --mapping FILE"),
        ("email;phone\na@b.example;1\n", None, {}, "seem to be separated by ';'"),
        ("email\na@b.example\n", "columns: {email: E-mail}", {}, "has no column `E-mail`. Did you mean `email`?"),
        ("email\na@b.example\n", "columns: {email: email}\nkeep: [booth]", {}, "has no column `booth`"),
        ("email\na@b.example\n", None, {"name": "Fair 2026"}, "is no name for a list"),
        (Path("/nowhere.csv"), None, {}, "does not exist"),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_lands(
    shop: SmallProject, content: Any, mapping: str | None, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        uploaded(shop, content, mapping, **options)
    assert not list(shop.project.spool.rglob("*.jsonl*"))


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ("columns: {emial: email}", "`emial` is nothing a member has. Did you mean `email`?"),
        ("columns: {city: email}", "names no column that identifies a person"),
        ("columns: {email: email}\nconsent: [x]", "`consent` is not a key here"),
        ("- email", "must be a mapping"),
    ],
)
def test_a_mapping_that_is_none_is_told_by_line(shop: SmallProject, mapping: str, said: str) -> None:
    with pytest.raises(DeclarationErrors, match=said):
        uploaded(shop, "email\na@b.example\n", mapping)


def test_what_is_no_workbook_is_told(shop: SmallProject, tmp_path: Path) -> None:
    for name, said in (("a.xlsx", "is not an Excel workbook"), ("a.xls", "before 2007")):
        (tmp_path / name).write_bytes(b"\xd0\xcf\x11\xe0")
        with pytest.raises(UsageError, match=said):
            uploaded(shop, tmp_path / name)


def test_a_mapping_file_that_is_not_there_is_told(shop: SmallProject, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("email\na@b.example\n")
    with pytest.raises(UsageError, match="says which column holds what"):
        upload(shop.project, Declarations.load(shop.project), tmp_path / "people.csv", "fair", NOON, tmp_path / "nowhere.yml")
