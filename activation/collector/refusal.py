"""A request that is refused: which status, a stable code for programs, a sentence for people."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse


class Refusal(Exception):
    """Ends a request. Neither code nor message ever repeats what was sent."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers

    def as_json(self) -> JSONResponse:
        """The answer in the shape Segment's clients read."""
        content = {"success": False, "code": self.code, "message": self.message}
        return JSONResponse(content, self.status, headers=self.headers)


def too_busy(retry_after: int) -> Refusal:
    """More is under way than memory is set aside for."""
    return Refusal(429, "too_busy", "Too much is waiting to be written. Try again later.", {"retry-after": str(retry_after)})


def unwritable(retry_after: int) -> Refusal:
    """The disk refuses."""
    return Refusal(503, "unwritable", "This cannot be stored now. Try again later.", {"retry-after": str(retry_after)})
