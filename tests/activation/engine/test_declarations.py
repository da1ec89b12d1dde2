"""What may be declared and what is said when it may not: the examples in `declarations/`, and what no text file can show.

In an example `## path` begins a file, `# ✗ sentence` at the end of a line is a fault of that line, `# ✗ 3: sentence` on a line of its own
one of line 3.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from activation.engine.declarations import Declarations
from activation.engine.errors import DeclarationErrors, UsageError
from activation.engine.project import REPOSITORY, Project

EXAMPLES = Path(__file__).with_name("declarations")


@dataclass
class Example:
    title: str
    valid: bool = True
    files: dict[str, str] = field(default_factory=dict)
    faults: list[tuple[str, int, str]] = field(default_factory=list)


def read(path: Path) -> list[Example]:
    found = [Example("what is there already")]
    file = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        example = found[-1]
        if heading := re.fullmatch(r"### (valid|invalid): (.+)", line):
            found.append(Example(heading[2], heading[1] == "valid"))
            file = ""
        elif line.startswith("## "):
            file = line.removeprefix("## ")
            example.files[file] = ""
        elif apart := re.fullmatch(r"# ✗ (\d+): (.+)", line):
            example.faults.append((file, int(apart[1]), apart[2]))
        elif file:
            written, *sentences = re.split(r" +# ✗ ", line)
            example.files[file] += written + "\n"
            example.faults += [(file, example.files[file].count("\n"), sentence) for sentence in sentences]
    return found


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.fixture
def small(tmp_path: Path) -> Project:
    write(tmp_path, read(EXAMPLES / "base.yml")[0].files)
    return Project(tmp_path.resolve())


def faults(project: Project) -> list[tuple[str, int, str]]:
    return sorted((fault.file, fault.line, fault.message) for fault in Declarations.collect(project).faults)


def test_the_examples_begin_without_a_fault(small: Project) -> None:
    assert faults(small) == []


@pytest.mark.parametrize(
    "example",
    [pytest.param(example, id=f"{path.stem}: {example.title}") for path in sorted(EXAMPLES.glob("*.yml")) for example in read(path)[1:]],
)
def test_an_example_is_taken_or_refused_as_it_says(small: Project, example: Example) -> None:
    assert example.valid == (not example.faults)
    write(small.root, example.files)
    assert faults(small) == sorted(example.faults)


def test_what_the_project_ships_has_no_fault() -> None:
    assert faults(Project(REPOSITORY)) == []


def test_all_faults_of_all_files_come_at_once_in_order(small: Project) -> None:
    write(small.root, {"activation/sources/b.yml": "files: 1\nformat: csv\n", "activation/sources/a.yml": "fils: x\n"})
    with pytest.raises(DeclarationErrors) as refusal:
        Declarations.load(small)
    assert [(fault.file, fault.line) for fault in refusal.value.faults] == [
        ("activation/sources/a.yml", 1),
        ("activation/sources/a.yml", 1),
        ("activation/sources/a.yml", 1),
        ("activation/sources/b.yml", 1),
        ("activation/sources/b.yml", 1),
    ]
    assert str(refusal.value).splitlines()[0] == "activation/sources/a.yml:1: `fils` is not a key here. Did you mean `files`?"


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_readme_shows_what_is_said(tmp_path: Path, name: str) -> None:
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    send = re.search(r"```yaml\n# (activation/sends/\w+\.yml)\n(.*?)```", text, re.DOTALL)
    shown = re.search(r"```\n2 things are wrong in the declarations:\n(.*?)```", text, re.DOTALL)
    assert send
    assert shown
    project = Project.create(tmp_path / "project")
    (project.root / send[1]).write_text(send[2], encoding="utf-8")
    assert faults(project) == []
    wrong = send[2].replace("segment_newsletter_subscribers", "segment_newsletter_subscriber").replace("purpose:", "purpos:")
    (project.root / send[1]).write_text(wrong, encoding="utf-8")
    said = {re.sub(r":\d+:", ":", f"{file}:{line}: {message}") for file, line, message in faults(project)}
    assert said == {re.sub(r":\d+:", ":", line.strip()) for line in shown[1].splitlines()}


def test_a_ref_that_is_not_declared_is_refused_with_the_nearest(small: Project) -> None:
    write(small.root, read(EXAMPLES / "sends.yml")[1].files)
    declarations = Declarations.load(small)
    assert declarations.find("mail/hello").send.content == "hello"
    with pytest.raises(
        UsageError, match=r"There is no sync or send `mail/helo`\. Did you mean `mail/hello`\? `sluice list` shows them all\."
    ):
        declarations.find("mail/helo")


def test_what_is_loaded_knows_nothing_of_what_is_at_fault(small: Project) -> None:
    write(small.root, {"activation/sends/hello.yml": "destination: mail\n", "activation/sources/a.yml": "x: 1\n"})
    declarations = Declarations.collect(small)
    assert (set(declarations.sources), set(declarations.activations)) == ({"clicks"}, set())


def test_the_repr_of_declarations_shows_no_values(small: Project) -> None:
    assert "4010" not in repr(Declarations.load(small).destinations)
