"""Rows for a folder of files. No vendor is behind it, so nothing can be refused."""

from specimens.csv_file import ADDRESS, EMULATOR, WRONG, marker, payload, personal

OPTIONS = {"directory": "out", "format": "parquet"}

__all__ = ["ADDRESS", "EMULATOR", "OPTIONS", "WRONG", "marker", "payload", "personal"]
