"""What errors of MySQL and MariaDB mean: trouble of the rows, trouble that passes, or something that a person must do."""

from __future__ import annotations

import ssl

import pymysql

from connectors.base import ConnectorError, Fatal, Refused, Transient

# By number: https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html, and MariaDB's 4025. Data and constraints:
THE_ROWS = frozenset({
    1048, 1062, 1138, 1153, 1216, 1217, 1263, 1264, 1265, 1292, 1364, 1366, 1367, 1406, 1411, 1441, 1451, 1452, 1525, 1526, 1557, 1586, 1644, 1690,
    1761, 1762, 3140, 3141, 3156, 3157, 3819, 3903, 4025, 4078,
})  # fmt: skip
# Connections, resources, locks, a server that shuts down or only reads:
FOR_A_WHILE = frozenset(
    {1020, 1021, 1037, 1038, 1040, 1041, 1053, 1105, 1114, 1203, 1205, 1206, 1213, 1226, 1290, 1317, 1637, 1836, 1969, 3024, 3572, 4031}
)
UNAUTHORIZED = frozenset({1045, 1251, 1698, 1862, 1820, 2049, 2059, 3118, 3162})
SETTLE = {
    1044: "this user may not use that database",
    1046: "the address names no database",
    1049: "there is no such database",
    1054: "the table has no such column",
    1142: "this user may not do that",
    1143: "this user may not do that",
    1103: "there is no such table",
    1146: "there is no such table",
    1227: "this user may not do that",
    1665: "its binary log is kept by statement, which takes no changes that are read as committed",
}


def _number(error: Exception) -> int:
    return error.args[0] if error.args and isinstance(error.args[0], int) else -1


def cannot_connect(error: Exception) -> ConnectorError:
    """Why there is no connection."""
    number = _number(error) if isinstance(error, pymysql.Error) else -1
    if number in UNAUTHORIZED:
        return Fatal("UNAUTHORIZED", "The database refused the user name or password of this destination.")
    if number in {1044, 1049}:
        return Fatal("NO_DATABASE", "There is no such database for this user: the address of this destination ends with its name.")
    if isinstance(error, ssl.SSLError) or number in {2026, 3159} or isinstance(getattr(error, "original_exception", None), ssl.SSLError):
        return Fatal("TLS_FAILED", "No encrypted connection to the database could be made: check `tls` and `ca_file` of this destination.")
    return Transient("UNREACHABLE", "The database cannot be reached.")


def sorted_trouble(error: Exception) -> ConnectorError:
    """Why a batch was not carried out."""
    number = _number(error)
    if number in THE_ROWS:
        return Refused(f"MYSQL_{number}", f"The database does not take it: {type(error).__name__} {number}.")
    if number in FOR_A_WHILE:
        return Transient(f"MYSQL_{number}", f"The database did not carry it out: {type(error).__name__} {number}.")
    return Fatal(
        f"MYSQL_{number}",
        f"The database refused: {SETTLE.get(number, f'{type(error).__name__} {number}')}. Check the sync's settings and fields.",
    )
