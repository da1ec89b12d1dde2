"""Files that no example in text can show: bytes, bombs, sizes, and what a person sees of them."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activation.engine.specs import Source
from activation.engine.yaml_file import LARGEST, YamlFile, did_you_mean

GOOD = b"files: clicks/*.jsonl\nformat: jsonl\nkey: [[id]]\n"


def said(tmp_path: Path, content: bytes) -> list[str]:
    path = tmp_path / "clicks.yml"
    path.write_bytes(content)
    file = YamlFile.read(path, "clicks.yml")
    file.validate(Source)
    return [str(fault) for fault in sorted(file.faults)]


@pytest.mark.parametrize("content", [GOOD, b"\xef\xbb\xbf" + GOOD, GOOD.replace(b"\n", b"\r\n"), GOOD.rstrip(), "# 名\n".encode() + GOOD])
def test_what_editors_do_to_a_file_is_no_fault(tmp_path: Path, content: bytes) -> None:
    assert said(tmp_path, content) == []


def test_a_file_in_another_encoding_is_told_with_the_line(tmp_path: Path) -> None:
    assert said(tmp_path, GOOD + "description: 点击\n".encode("gb18030")) == [
        "clicks.yml:4: is not UTF-8 text (byte 62). Save it as UTF-8."
    ]
    assert said(tmp_path, GOOD.decode().encode("utf-16")) == ["clicks.yml:1: is not UTF-8 text (byte 1). Save it as UTF-8."]


def test_a_tab_is_told_as_a_tab(tmp_path: Path) -> None:
    sentence = "is not valid YAML: a tab stands where spaces belong. Indent with spaces."
    assert said(tmp_path, b"files: a\n\tformat: csv\n") == [f"clicks.yml:2: {sentence}"]
    assert said(tmp_path, b"key:\n\t- id\n") == [f"clicks.yml:2: {sentence}"]


def test_a_control_character_is_told_with_its_line(tmp_path: Path) -> None:
    assert said(tmp_path, GOOD + b"description: a\x07b\n") == [
        "clicks.yml:4: is not valid YAML: it holds a control character. Take it out."
    ]


def test_aliases_are_never_expanded(tmp_path: Path) -> None:
    bomb = b"a: &a [x, x]\n" + b"".join(
        b"%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n" % ((c, c) + (c - 1,) * 9) for c in b"bcdefghij"
    )
    faults = said(tmp_path, bomb)
    assert len(faults) == 10 + 9  # every anchor, and the alias of every line once
    assert faults[0].startswith("clicks.yml:1: `&a` marks something for use elsewhere.")


def test_an_alias_of_itself_ends(tmp_path: Path) -> None:
    assert len(said(tmp_path, b"files: &a [*a]\n")) == 2


@pytest.mark.parametrize("content", [b"[" * 50_000, b"- " * 50_000, b"{a: " * 50_000], ids=["lists", "dashes", "mappings"])
def test_a_file_nested_without_end_is_refused(tmp_path: Path, content: bytes) -> None:
    (fault,) = said(tmp_path, content)
    assert fault == "clicks.yml:1: is nested too deeply."


def test_a_file_that_is_no_declaration_by_its_size_is_refused(tmp_path: Path) -> None:
    assert said(tmp_path, b"#" * (LARGEST + 1)) == [f"clicks.yml:1: is larger than {LARGEST:,} bytes. A declaration fits on a screen."]


def test_a_number_of_thousands_of_digits_is_refused(tmp_path: Path) -> None:
    assert said(tmp_path, GOOD + b"version: " + b"9" * 10_000) == ["clicks.yml:4: `!!int` is not allowed here. Write a plain value."]


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        path = os.path.relpath(tmp_path / "x.yml")
        listener.bind(path)
        file = YamlFile.read(Path(path), "x.yml")
    assert [str(fault) for fault in file.faults] == ["x.yml:1: cannot be read: No such device or address."]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60) | st.text("ab:-[]{}&*!#|>'\"%@`,? \n\t\0\x85\u2028~<", max_size=40).map(str.encode))
def test_whatever_a_file_holds_ends_in_sentences(tmp_path: Path, content: bytes) -> None:
    for fault in said(tmp_path, content):
        assert fault.startswith("clicks.yml:")
        assert fault.endswith((".", "?"))
        assert "\n" not in fault


def test_of_many_unlike_names_none_is_suggested() -> None:
    assert did_you_mean("zzz", {f"name_{i}" for i in range(30)}) == ""
    assert did_you_mean("zzz", ["b", "a"]) == " Known: a, b."
    assert did_you_mean("zzz", []) == ""
