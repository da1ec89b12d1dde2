"""A month of a small sample, read back as columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from activation.sample import SampleFile

PEOPLE, DAYS, SEED = 1000, 30, 7


@dataclass(frozen=True, eq=False)
class Month:
    """A written sample. What has been read once is kept."""

    root: Path
    files: list[SampleFile]
    read: dict[str, pl.Series] = field(default_factory=dict)

    def lines(self, source: str) -> pl.Series:
        """The lines of a source's files, without headers."""
        if source not in self.read:
            texts = [
                line
                for file in self.files
                if file.source == source
                for line in file.path.read_text(encoding="utf-8").splitlines()[file.path.suffix == ".csv" :]
            ]
            self.read[source] = pl.Series("line", texts)
        return self.read[source]

    def json(self, source: str) -> pl.Series:
        """A source's lines that are JSON."""
        lines = self.lines(source)
        return lines.filter(lines.str.ends_with("}"))

    def columns(self, source: str, containing: str = "", **paths: str) -> pl.DataFrame:
        """Members of the JSON lines that contain a text, each by its path and as text."""
        lines = self.json(source)
        chosen = lines.filter(lines.str.contains(containing, literal=True)).to_frame()
        return chosen.select(pl.col("line").str.json_path_match(path).alias(name) for name, path in paths.items())

    def column(self, source: str, path: str, containing: str = "") -> pl.Series:
        """One member of the JSON lines that contain a text, as text."""
        return self.columns(source, containing, value=path)["value"]

    def csv(self, name: str) -> pl.DataFrame:
        """A CSV file, every column as text."""
        return pl.read_csv(self.root / name, infer_schema=False)

    def sources(self) -> list[str]:
        """The sources that have files."""
        return sorted({file.source for file in self.files})
