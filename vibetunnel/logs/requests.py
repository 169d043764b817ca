"""The log of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vibetunnel.logs.file import LogFile


class RequestLog:
    """Writes every request: {"time", "method", "path", "status", "ms", "address", "user"}.

    file  None: nothing is written
    """

    def __init__(self, file: LogFile | None) -> None:
        self._file = file

    def record(self, method: str, path: str, status: int, ms: float, address: str, user: str | None = None) -> None:
        """Write one line. Costs about a microsecond; the file's thread does the rest.

        path  is written without its query, which may have a token in it
        ms    from the first byte of the request to the end of the answer
        """
        if self._file is not None:
            self._file.write(
                lambda: {
                    "method": method,
                    "path": path.partition("?")[0],
                    "status": status,
                    "ms": round(ms, 3),
                    "address": address,
                    "user": user,
                }
            )
