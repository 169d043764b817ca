"""What an engine is to the pages: a process that holds terminals, and does what lines of JSON tell it to.

Each request is an object with `do`, each answer one object; what is fed stands in files. The process takes the time
itself, as CPU time: no pipe is in it, and nobody else's work.

feed     file, rows, cols, chunk      a new terminal takes the file twice, in pieces of `chunk` bytes -> s of the second
                                      time, when all that grows has grown; text of its screen
hold     file, rows, cols, count      `count` new terminals take the file, and are kept -> lines of scrollback each has,
                                      own (bytes that the engine says each has; null: it does not say)
redraw   file, rows, cols, repeat     -> redraw_us, snapshot_us, size in bytes of the redraw; null for what it has not
hostile  file, fill, rows, cols, chunk, repeat
                                      each chunk of the file goes to a new terminal that has taken `fill` ->
                                      calls_ms, the longest uninterrupted call of each; chunks_ms, the whole of each;
                                      the shortest of `repeat` tries, unless one is long
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
# It gets bytes, about those that 10,000 lines of log take: the row `lines of log kept` says how many they are.
GHOSTTY_SCROLLBACK = 8 * 1024 * 1024  # bytes


class Engine:
    """One process with one engine in it.

    files   what it can be told to take: name -> path
    """

    def __init__(self, argv: Sequence[str], folder: Path, files: Mapping[str, Path]) -> None:
        self.files = files
        self._child = Child(argv, folder, os.environ)

    def ask(self, do: str, **what: Any) -> Any:  # Any: what JSON holds
        """What a request of this kind answers; a `file` is the name of one. Raises Wrong."""
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
        """End the process; in any state, and safe twice."""
        self._child.stop()


class EnginePeer(Peer[Engine]):
    """An engine to measure."""

    @abstractmethod
    def argv(self) -> Sequence[str]:
        """The command of its process."""

    def start(self, programs: Mapping[str, str], files: Mapping[str, Path], folder: Path) -> Engine:
        return Engine(self.argv(), folder, files)


def output(*argv: str) -> str:
    """What a command prints, or "" when it cannot be run."""
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=20, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
