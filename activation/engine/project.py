"""A project: one directory from which everything the user edits and everything that is written is found."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from activation.engine.errors import UsageError

REPOSITORY = Path(__file__).resolve().parents[2]
VARIABLE = "SLUICE_PROJECT"
COPIED = ("dbt_models", "activation/sources", "activation/segments", "activation/syncs", "activation/sends", "activation/journeys", "activation/content",
          "activation/forms",
          "activation/policies", "activation/destinations.yml", "activation/alerts.yml")  # fmt: skip


@dataclass(frozen=True)
class Project:
    """Paths of one project. Declarations and models are the user's; everything below `.sluice/` is written by Sluice."""

    root: Path

    @classmethod
    def find(cls, given: Path | None = None) -> Project:
        """The project at `given`, else at $SLUICE_PROJECT, else around the current directory, else the installed repository.

        Raises UsageError when the directory holds no project.
        """
        named = given or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
        if named is not None:
            for part, there in (("dbt_models/dbt_project.yml", Path.is_file), ("activation", Path.is_dir)):
                if not there(named / part):
                    raise UsageError(f"{named} is not a Sluice project: it has no {part}. Make one with `sluice init {named}`.")
            return cls(named.resolve())
        here = Path.cwd().resolve()
        for folder in (here, *here.parents, REPOSITORY):
            if (folder / "dbt_models" / "dbt_project.yml").is_file() and (folder / "activation").is_dir():
                return cls(folder)
        raise UsageError("No Sluice project here. Name one with --project DIR, or make one with `sluice init DIR`.")

    @classmethod
    def create(cls, root: Path) -> Project:
        """A new project at `root` with the declarations and models that Sluice ships. Raises UsageError when something is there already."""
        if root.exists() and not root.is_dir():
            raise UsageError(f"{root} is a file. Choose an empty or new directory.")
        if root.exists() and any(path.name != ".sluice" for path in root.iterdir()):
            raise UsageError(f"{root} is not empty. Choose an empty or new directory.")
        for name in COPIED:
            source, target = REPOSITORY / name, root / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("target", "logs", "__pycache__", "dbt_packages", ".user.yml"))
            elif source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)
        return cls(root.resolve())

    @cached_property
    def state(self) -> Path:
        """`.sluice/`, made on first use. It keeps itself out of version control and is its owner's alone: personal data lives in it."""
        folder = self.root / ".sluice"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")
        return folder

    def _folder(self, name: str) -> Path:
        folder = self.state / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def declarations(self) -> Path:
        return self.root / "activation"

    @property
    def models(self) -> Path:
        return self.root / "dbt_models"

    @property
    def warehouse(self) -> Path:
        return self.state / "warehouse.duckdb"

    @property
    def ledger(self) -> Path:
        return self.state / "ledger.db"

    @property
    def spool(self) -> Path:
        return self._folder("spool")

    @property
    def plans(self) -> Path:
        return self._folder("plans")

    @property
    def target(self) -> Path:
        return self._folder("target")

    @property
    def logs(self) -> Path:
        return self._folder("logs")

    @property
    def sandbox(self) -> Path:
        return self._folder("sandbox")

    @property
    def dagster_home(self) -> Path:
        return self._folder("dagster")

    @property
    def generated(self) -> Path:
        return self._folder("models")

    @property
    def manifest(self) -> Path:
        return self.target / "manifest.json"

    def relative(self, path: Path) -> str:
        """How a path is shown and stored: from the project's root where it lies below it; bytes that are no text as `\\xff`."""
        try:
            shown = path.resolve().relative_to(self.root)
        except ValueError:
            shown = path
        return os.fsencode(shown).decode("utf-8", "backslashreplace")
