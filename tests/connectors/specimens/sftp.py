"""Rows for files on a real SFTP server."""

from running_sftp import PASSWORD, running_sftp
from specimens.csv_file import EMULATOR, marker, payload, personal

OPTIONS = {"directory": "/in/合同", "username": "sluice", "password": PASSWORD}
WRONG = OPTIONS | {"password": "not the password of this user"}


def ADDRESS() -> str:
    return running_sftp().address


__all__ = ["ADDRESS", "EMULATOR", "OPTIONS", "WRONG", "marker", "payload", "personal"]
