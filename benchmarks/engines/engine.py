"""The interface of engines to the pages: a process that holds terminals and follows requests in JSON.

Each request is a line with an object that has `do`, each answer a line with an object. Output to feed is in files. The
process measures its own CPU time, so that neither a pipe nor other processes are in the figures.

feed     file, rows, cols, chunk      a new terminal takes the file twice, in pieces of `chunk` bytes -> s of the second
                                      time, when its memory no longer grows; text of its screen
hold     file, rows, cols, count      `count` new terminals take the file and stay -> lines of scrollback in each, own
                                      (bytes of each by the engine's own account; null: it has none)
redraw   file, rows, cols, repeat     -> redraw_us, snapshot_us, size in bytes of the redraw; null: it has none
hostile  file, fill, rows, cols, chunk, repeat
                                      each chunk of the file goes to a new terminal that has taken `fill` ->
                                      calls_ms, the longest uninterrupted call of each chunk; chunks_ms, each whole
                                      chunk; the shortest of `repeat` tries, unless a try is long
"""

import json
import os
import subprocess
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import processes
from benchmarks.errors import Wrong
from benchmarks.peers.child import Child
from benchmarks.peers.peer import Peer

SCROLLBACK_LINES = 10_000
# libghostty-vt has a bound in bytes that costs nothing, and one in lines that costs most of its speed on short lines.
# It gets a bound in bytes, about what 10,000 lines of log take: the row `lines of log kept` shows the result.
GHOSTTY_SCROLLBACK = 8 * 1024 * 1024  # bytes


class Engine:
    """One process with one engine.

    files   name -> path, of the files that requests may name
    """

    def __init__(self, argv: Sequence[str], folder: Path, files: Mapping[str, Path]) -> None:
        self.files = files
        self._child = Child(argv, folder, os.environ)

    def ask(self, do: str, **what: Any) -> Any:  # Any: what JSON holds
        """Send a request, and return the answer. A `file` is given by name. Raises Wrong."""
        for key in ("file", "fill"):
            if key in what:
                what[key] = str(self.files[what[key]])
        line = self._child.ask(json.dumps({"do": do, **what}))
        try:
            return json.loads(line)
        except ValueError:
            raise Wrong(f"{do}: expected an answer, got {line[:300]!r}; it wrote: {self._child.log()}") from None

    def rss(self) -> int:
        """Resident bytes of the process."""
        return processes.rss([self._child.pid])

    def stop(self) -> None:
        """End the process, in any state. Safe twice."""
        self._child.stop()


class EnginePeer(Peer[Engine]):
    """An engine to measure."""

    @abstractmethod
    def argv(self) -> Sequence[str]:
        """The command of its process."""

    def start(self, programs: Mapping[str, str], files: Mapping[str, Path], folder: Path) -> Engine:
        return Engine(self.argv(), folder, files)


def output(*argv: str) -> str:
    """What a command prints; "" if it cannot run."""
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=20, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
