"""An engine with a Python interface, in a process of its own: `python -m benchmarks.engines.worker ours|ghostty`.

Requests and answers: engine.py.
"""

import ctypes
import gc
import json
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks.engines.engine import GHOSTTY_SCROLLBACK, SCROLLBACK_LINES

WORK = 400_000  # of one call, as the pump does it (VT_BUDGET in ext/vt/vt.h)
LONG_MS = 50  # not worth another try: noise is shorter
BATCHES = 5  # of a repeated measurement; the best one counts


class Terminal(ABC):
    """The operations that requests need."""

    @abstractmethod
    def feed(self, chunk: bytes) -> None: ...

    def feed_calls(self, chunk: bytes) -> Iterable[Callable[[], None]]:
        """The calls that make up one feed(), to be made in order, one after the other."""
        yield lambda: self.feed(chunk)

    @abstractmethod
    def text(self) -> str:
        """Of the screen, a line each row."""

    @abstractmethod
    def scrollback(self) -> int:
        """Lines."""

    def own(self) -> int | None:
        return None

    @abstractmethod
    def redraw(self) -> int:
        """Make one; its size in bytes."""

    snapshot: Callable[[], object] | None = None

    @abstractmethod
    def close(self) -> None:
        """Free it."""


class Ours(Terminal):
    def __init__(self, rows: int, cols: int) -> None:
        from vibetunnel._ext import vt

        self._terminal = vt.Engine(rows, cols, scrollback_lines=SCROLLBACK_LINES)
        self.snapshot = self._terminal.snapshot

    def feed(self, chunk: bytes) -> None:
        self._terminal.feed(chunk)

    def feed_calls(self, chunk: bytes) -> Iterable[Callable[[], None]]:
        rest = memoryview(chunk)

        def call() -> None:
            nonlocal rest
            rest = rest[self._terminal.feed_some(rest, WORK) :]

        while rest:
            yield call

    def text(self) -> str:
        return self._terminal.text()

    def scrollback(self) -> int:
        return self._terminal.scrollback_count

    def own(self) -> int | None:
        return self._terminal.memory

    def redraw(self) -> int:
        return len(self._terminal.redraw())

    def close(self) -> None:
        pass  # with the object


class Ghostty(Terminal):
    def __init__(self, rows: int, cols: int) -> None:
        from pyghostty import core

        self._core, lib, ffi = core, core.lib, core.ffi
        self._terminal = core.Terminal(cols=cols, rows=rows)
        handle = self._terminal._t[0]
        limit = ffi.new("size_t*", GHOSTTY_SCROLLBACK)
        core.check(lib.ghostty_terminal_set(handle, lib.GHOSTTY_TERMINAL_OPT_SCROLLBACK_MAX_BYTES, limit), "bytes")
        core.check(lib.ghostty_terminal_set(handle, lib.GHOSTTY_TERMINAL_OPT_SCROLLBACK_MAX_LINES, ffi.NULL), "lines")
        options = core.init_sized("GhosttyFormatterTerminalOptions")
        options.emit, options.trim = lib.GHOSTTY_FORMATTER_FORMAT_VT, True
        for name in ("modes", "scrolling_region", "tabstops", "pwd", "keyboard"):
            setattr(options.extra, name, True)
        for name in ("cursor", "style", "hyperlink", "kitty_keyboard", "charsets"):
            setattr(options.extra.screen, name, True)
        self._selection = core.init_sized("GhosttySelection")
        options.selection = self._selection
        self._options, self._size, self._buffer = options, ffi.new("size_t*"), ffi.new("uint8_t[]", 1 << 20)
        self._rows, self._cols = rows, cols

    def feed(self, chunk: bytes) -> None:
        self._terminal.feed(chunk)

    def text(self) -> str:
        return str(self._terminal.text())

    def scrollback(self) -> int:
        return int(self._terminal.get("scrollback_rows", "size_t"))

    def redraw(self) -> int:
        lib = self._core.lib
        self._selection.start = self._terminal.ref(0, 0)[0]
        self._selection.end = self._terminal.ref(self._cols - 1, self._rows - 1)[0]
        formatter = self._core.ffi.new("GhosttyFormatter*")
        handle = self._terminal._t[0]
        made = lib.ghostty_formatter_terminal_new(self._core.ffi.NULL, formatter, handle, self._options[0])
        self._core.check(made, "formatter")
        size = len(self._buffer)
        self._core.check(lib.ghostty_formatter_format_buf(formatter[0], self._buffer, size, self._size), "format")
        lib.ghostty_formatter_free(formatter[0])
        return int(self._size[0])

    def close(self) -> None:
        self._terminal.close()


KINDS: dict[str, Callable[[int, int], Terminal]] = {"ours": Ours, "ghostty": Ghostty}


def main(name: str) -> None:
    worker = Worker(KINDS[name])
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(getattr(worker, request.pop("do"))(**request)), flush=True)


class Worker:
    """One method each request."""

    def __init__(self, make: Callable[[int, int], Terminal]) -> None:
        self._make = make
        self._held: list[Terminal] = []

    def feed(self, file: str, rows: int, cols: int, chunk: int) -> dict[str, Any]:
        chunks = _chunks(file, chunk)
        terminal = self._make(rows, cols)
        feed = terminal.feed
        for _ in range(2):
            began = time.process_time()
            for each in chunks:
                feed(each)
        took_s = time.process_time() - began
        text = terminal.text()
        terminal.close()
        return {"s": took_s, "text": text}

    def hold(self, file: str, rows: int, cols: int, count: int) -> dict[str, Any]:
        for _ in range(count):
            terminal = self._make(rows, cols)
            for each in _chunks(file, 65536):
                terminal.feed(each)
            self._held.append(terminal)
        gc.collect()
        if sys.platform == "linux":
            ctypes.CDLL(None).malloc_trim(0)  # free memory does not belong to the terminals
        return {"lines": self._held[-1].scrollback(), "own": self._held[-1].own()}

    def redraw(self, file: str, rows: int, cols: int, repeat: int) -> dict[str, Any]:
        terminal = self._make(rows, cols)
        terminal.feed(Path(file).read_bytes())
        size = terminal.redraw()
        redraw_us = _best_us(terminal.redraw, repeat)
        snapshot_us = _best_us(terminal.snapshot, repeat) if terminal.snapshot else None
        terminal.close()
        return {"redraw_us": redraw_us, "snapshot_us": snapshot_us, "size": size}

    def hostile(self, file: str, fill: str, rows: int, cols: int, chunk: int, repeat: int) -> dict[str, Any]:
        filling = Path(fill).read_bytes()
        calls_ms, chunks_ms = [], []
        for each in _chunks(file, chunk):
            longest, whole = [], []
            for _ in range(repeat):
                terminal = self._make(rows, cols)
                terminal.feed(filling)
                took = []
                for call in terminal.feed_calls(each):
                    began = time.thread_time_ns()
                    call()
                    took.append((time.thread_time_ns() - began) / 1e6)
                longest.append(max(took))
                whole.append(sum(took))
                terminal.close()
                if whole[-1] > LONG_MS:
                    break
            calls_ms.append(min(longest))
            chunks_ms.append(min(whole))
        return {"calls_ms": calls_ms, "chunks_ms": chunks_ms}


def _chunks(file: str, size: int) -> list[bytes]:
    data = Path(file).read_bytes()
    return [data[at : at + size] for at in range(0, len(data), size)]


def _best_us(call: Callable[[], object], repeat: int) -> float:
    best = float("inf")
    for _ in range(BATCHES):
        began = time.thread_time_ns()
        for _ in range(repeat):
            call()
        best = min(best, (time.thread_time_ns() - began) / repeat / 1000)
    return best


if __name__ == "__main__":
    main(sys.argv[1])
