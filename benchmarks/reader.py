"""A client that reads beside the measured one, as fast as its link allows, and drops what it reads."""

import threading

from benchmarks.client import Terminal
from benchmarks.errors import Wrong


class Reader:
    """Owns and reads `terminal` until stop(), in a thread, which suffices for slow links."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._stopping = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            while not self._stopping.is_set():
                if self._terminal.readable(0.1):
                    self._terminal.read()
        except (Wrong, OSError) as error:
            self._error = error

    def stop(self) -> None:
        """Close the terminal. Raises the error that ended the reading, if any."""
        self._stopping.set()
        self._thread.join()
        self._terminal.close()
        if self._error is not None:
            raise self._error
