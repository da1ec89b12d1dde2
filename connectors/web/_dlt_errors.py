"""What an error of dlt, or of somebody's source for it, means. No text of it is repeated: it may hold anything."""

from __future__ import annotations

from connectors.base import ConnectorError, Fatal, Transient


def sorted_trouble(error: Exception) -> ConnectorError:
    """What is to be done about it: by the HTTP answer behind it, where there is one."""
    causes, one = [], error
    while one is not None and one not in causes:
        causes.append(one)
        one = one.__cause__ or one.__context__  # type: ignore[assignment]
    for cause in causes:
        if isinstance(cause, ConnectorError):
            return cause
        answer = getattr(cause, "response", None)
        if answer is not None and hasattr(answer, "close"):
            answer.close()
        status = getattr(answer, "status_code", None)
        if status in {401, 403}:
            return Fatal("UNAUTHORIZED", f"The API answered {status}: check the credential of this destination.")
        if status == 429 or (isinstance(status, int) and status >= 500):
            return Transient("UNAVAILABLE", f"The API answered {status}.")
        if isinstance(status, int):
            return Fatal(f"HTTP_{status}", f"The API answered {status}: check path and parameters of the resource.")
        if isinstance(cause, OSError) and type(cause).__module__.startswith("requests"):
            return Transient("UNREACHABLE", f"The API did not answer ({type(cause).__name__}).")
    return Fatal("DLT_FAILED", f"dlt could not read the resource ({', '.join(dict.fromkeys(type(cause).__name__ for cause in causes))}).")
