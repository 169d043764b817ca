"""The keeper's log: one file that never grows past its bound."""

from __future__ import annotations

import os
import time

from vibetunnel.keeper.runtime_dir import open_own

LIMIT = 1024 * 1024  # bytes; then the file is emptied, since only recent lines matter


class Log:
    """Writes lines with a time: never a command, an environment or input. A full disk stops the log, not the keeper."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._open()

    def _open(self) -> None:
        self._descriptor = open_own(self._path, os.O_WRONLY | os.O_APPEND)
        self._size = os.fstat(self._descriptor).st_size

    def reopen(self) -> None:
        """Go on in a new file after the old one was removed. Raises as opening does, and then keeps the old one."""
        old = self._descriptor
        self._open()
        os.close(old)

    def write(self, text: str) -> None:
        line = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}\n".encode("utf-8", "backslashreplace")
        try:
            if self._size + len(line) > LIMIT:
                os.ftruncate(self._descriptor, 0)
                self._size = 0
            self._size += os.write(self._descriptor, line)
        except OSError:
            return
