"""The house stands as it was drawn: who may import whom, what happens at import, what files may be called and hold."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import connectors

REPOSITORY = Path(__file__).parents[1]
HOUSES = ("connectors", "activation", "dagster_project")
OURS = {*HOUSES, "tests", "bench"}
# Whom each house may import of ours, and what it must work without.
MAY_IMPORT = {"connectors": {"connectors"}, "activation": {"activation", "connectors"}, "dagster_project": set(HOUSES)}
MUST_NOT_IMPORT = {
    "connectors": {"dbt", "dagster", "dagster_dbt", "duckdb", "typer"},
    "activation": {"dbt", "dagster", "dagster_dbt", "dagster_shared", "great_expectations"},
    "dagster_project": set(),
}
# The file that is run as dbt's process, and imports it there: whoever imports the file has no dbt imported.
IN_ITS_OWN_PROCESS = {"activation/engine/dbt_command.py": {"dbt"}}
TOO_WIDE = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "core", "misc", "shared", "lib"}


def tracked() -> list[Path]:
    """Every file of the repository: what is under version control, or, where there is no git, what is not written by running it."""
    if shutil.which("git") and (REPOSITORY / ".git").exists():
        listing = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True).stdout
        paths = [REPOSITORY / name.decode() for name in listing.split(b"\0") if name]
    else:
        written = {"__pycache__", "target", "logs", "node_modules"}
        paths = [
            path
            for top in REPOSITORY.iterdir()
            if not top.name.startswith(".") and not top.name.endswith(".egg-info")
            for path in (top, *top.rglob("*"))
            if not written & set(path.parts)
        ]
    return [path for path in paths if path.is_file()]


def texts() -> Iterator[tuple[str, str]]:
    for path in tracked():
        try:
            yield str(path.relative_to(REPOSITORY)), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # an image


def modules(house: str) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((REPOSITORY / house).rglob("*.py")):
        yield str(path.relative_to(REPOSITORY)), ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> set[str]:
    """The top-level packages a module imports, wherever in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide who imports whom"
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.parametrize("house", HOUSES)
def test_imports_go_one_way(house: str) -> None:
    wrong = {
        file: sorted(bad)
        for file, tree in modules(house)
        if (
            bad := (imported(tree) & OURS) - MAY_IMPORT[house]
            | imported(tree) & MUST_NOT_IMPORT[house] - IN_ITS_OWN_PROCESS.get(file, set())
        )
    }
    assert wrong == {}


def happens_at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """What runs when a module is imported: everything but the bodies of functions, and what only a type checker or a script sees."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for part in (*node.decorator_list, *node.args.defaults, *(default for default in node.args.kw_defaults if default)):
                yield part
                yield from happens_at_import(part)
        elif isinstance(node, ast.Lambda) or (
            isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "__name__ == '__main__'"}
        ):
            continue
        else:
            yield node
            yield from happens_at_import(node)


@pytest.mark.parametrize("house", HOUSES)
def test_no_module_reads_the_environment_when_it_is_imported(house: str) -> None:
    readers = {"os.environ", "os.getenv", "environ", "getenv"}
    wrong = []
    for file, tree in modules(house):
        nodes = list(happens_at_import(tree))
        # Setting a variable for a library that reads it is no reading.
        set_here = {id(node.value) for node in nodes if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)}
        for node in nodes:
            if isinstance(node, ast.Attribute | ast.Name) and ast.unparse(node) in readers and id(node) not in set_here:
                wrong.append(f"{file}:{node.lineno}")
    assert wrong == []


IMPORT_ALL = """
import sys
def refuse(event, arguments):
    if event in {"socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto", "subprocess.Popen", "os.system"}:
        raise PermissionError(f"{event} while importing")
sys.addaudithook(refuse)
import importlib, pathlib
for house in sys.argv[1:]:
    for path in sorted(pathlib.Path(house).rglob("*.py")):
        if path.name != "__main__.py":
            importlib.import_module(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
"""


def test_everything_but_dagster_imports_with_an_empty_environment_and_no_network() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, "connectors", "activation"], cwd=REPOSITORY, env={}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_activation_runs_where_dagster_is_not_installed() -> None:
    blocked = "import sys; sys.modules.update(dict.fromkeys(('dagster', 'dagster_dbt', 'great_expectations')))\n"
    done = subprocess.run(
        [sys.executable, "-c", blocked + IMPORT_ALL, "activation"], cwd=REPOSITORY, env={}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", sorted(connectors.names()))
def test_a_connector_file_has_exactly_one_connector(name: str) -> None:
    assert connectors.find(name).__module__ == connectors.names()[name]


def test_names_of_files_say_what_they_are_about() -> None:
    assert [
        path for path in tracked() if TOO_WIDE & {path.stem.lower(), *(part.lower() for part in path.relative_to(REPOSITORY).parts)}
    ] == []


def test_files_stay_small() -> None:
    lines = {file: text.count("\n") for file, text in texts() if file.endswith(".py") and file.split("/")[0] in HOUSES}
    assert {file: count for file, count in lines.items() if count > 400} == {}


def test_a_connector_fits_in_150_lines_and_so_does_each_part_of_it() -> None:
    """What takes more is missing in the base, or has two subjects. The sandbox plays all sides of a vendor, and may take more."""
    lines = {file: text.count("\n") for file, text in texts() if re.fullmatch(r"connectors/(?!sandbox/)\w+/\w+\.py", file)}
    assert {file: count for file, count in lines.items() if count > 150} == {}
    assert len(lines) > 50


def test_no_handler_swallows_everything() -> None:
    wrong = [
        f"{file}:{node.lineno}"
        for house in HOUSES
        for file, tree in modules(house)
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and (node.type is None or ast.unparse(node.type) == "Exception")
    ]
    assert wrong == []


# -- dependencies -----------------------------------------------------------------------------------------------------------


def requirements(file: str) -> list[str]:
    """The requirements of a pinned file, each on one line."""
    text = (REPOSITORY / file).read_text(encoding="utf-8").replace("\\\n", " ")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_is_pinned_with_a_hash(file: str) -> None:
    pinned = re.compile(r"^[A-Za-z0-9._-]+(\[[a-z0-9,._ -]+\])?==[^\s;]+(\s*;[^#]*?)?(\s+--hash=sha256:[0-9a-f]{64})+$")
    assert [line for line in requirements(file) if not pinned.match(line)] == []


def test_what_runs_in_tests_is_what_is_installed() -> None:
    def pins(file: str) -> dict[str, str]:
        return dict(re.split(r"==|\s+(?=[;-])", line)[:2] for line in requirements(file))

    tested = pins("requirements-dev.txt")
    assert {name: version for name, version in pins("requirements.txt").items() if tested.get(name) != version} == {}


def test_every_declared_dependency_is_pinned() -> None:
    declared = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*declared["dependencies"], *declared["optional-dependencies"]["dev"]]
    names = {re.split(r"[\[<>=;\s]", name)[0].lower().replace("_", "-") for name in wanted}
    pinned = {re.split(r"[\[=]", line)[0].lower().replace("_", "-") for line in requirements("requirements-dev.txt")}
    assert names - pinned == set()


def test_no_file_of_dependencies_carries_an_address() -> None:
    kinds = re.compile(
        r"(requirements[^/]*\.(txt|in)|\.lock|package-lock\.json|yarn\.lock|\.toml|\.cfg|Pipfile|\.npmrc|pip\.conf|packages\.yml)$"
    )
    # Put together here, so that this file does not hold what it looks for.
    address = re.compile("|".join(["https?:" + "//", r"git\+", "--(extra-)?index" + "-url", "--find" + "-links", r"\bregi" + r"stry\s*="]))
    assert [file for file, text in texts() if kinds.search(file) and address.search(text)] == []


def test_no_file_names_a_folder_of_somebody_s_machine() -> None:
    # Put together here, so that this file does not hold what it looks for.
    somebody = re.compile(
        "(?<![\\w.])/(" + "|".join(["work/" + "main", "work/" + "shared", "home/" + r"\w", "Users/" + r"\w", "root/" + r"\w"]) + ")"
    )
    assert [f"{file}: {found[0]}" for file, text in texts() if (found := somebody.search(text))] == []


def test_the_licence_is_apache_2() -> None:
    text = (REPOSITORY / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "APPENDIX: How to apply the Apache License to your work." in text
    assert tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]["license"] == "Apache-2.0"


# -- the README in two languages ---------------------------------------------------------------------------------------------


def commands(text: str) -> list[str]:
    """What a reader may type: `sluice …`, `make …` and options in code, without comments and without words to be replaced."""
    blocks = re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)
    code = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()] + re.findall(r"`([^`\n]+)`", text)
    return sorted({re.sub(r"[<=].*", "", piece).strip() for piece in code if re.match(r"(sluice|make|dbt|dagster)\b", piece)})


def readmes() -> tuple[str, str]:
    return tuple((REPOSITORY / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md"))  # type: ignore[return-value]


def test_both_readmes_have_the_same_sections_and_examples() -> None:
    shapes = []
    for text in readmes():
        fences = re.findall(r"^```(\w*)$", text, re.MULTILINE)
        outside = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        shapes.append(
            ([len(level) for level in re.findall(r"^(#+) ", outside, re.MULTILINE)], fences, outside.count("\n|"), outside.count("\n- "))
        )
    assert shapes[0] == shapes[1]


def test_both_readmes_name_the_same_commands_and_every_command_exists() -> None:
    english, chinese = map(commands, readmes())
    assert english == chinese
    from activation.cli import app

    known = {command.name or (command.callback.__name__ if command.callback else "") for command in app.registered_commands}
    known |= {group.typer_instance.info.name for group in app.registered_groups if group.typer_instance}
    targets = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for command in english:
        words = command.split()
        if words[0] == "sluice" and len(words) > 1 and not words[1].startswith("-"):
            assert words[1] in known, command
        if words[0] == "make" and len(words) > 1:
            assert words[1] in targets, command


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_every_file_that_a_readme_names_is_there(name: str) -> None:
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    links = [target for target in re.findall(r"\]\(([^)]+)\)", text) if "://" not in target]
    paths = re.findall(r"`((?:activation|connectors|dagster_project|dbt_models|tests)/[\w./-]*)`", text)
    assert [path for path in (*links, *paths) if not (REPOSITORY / path).exists()] == []
