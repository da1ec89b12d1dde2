"""A folder of CSV files (RFC 4180, UTF-8), one for each batch: as `file`, but for CSV alone, and without a manifest unless it is asked for."""

from __future__ import annotations

from typing import Literal

from connectors.files.file import File


class CsvFile(File):
    class Options(File.Options):
        """As for `file`."""

        format: Literal["csv"] = "csv"
        manifest: bool = False
