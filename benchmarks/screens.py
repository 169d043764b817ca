"""A client's screen. Its terminal is our own engine, which bench_engine.py compares with others."""

from benchmarks.corpus import COLS, ROWS


class Screen:
    """The terminal of a client."""

    def __init__(self, rows: int = ROWS, cols: int = COLS) -> None:
        from vibetunnel._ext import vt  # imported here, so that --list works without the extension

        self._terminal = vt.Engine(rows, cols, scrollback_lines=0)

    def feed(self, output: bytes) -> None:
        self._terminal.feed(output)

    def text(self) -> str:
        return normal(self._terminal.text())


def normal(text: str) -> str:
    """`text` without invisible parts: blanks at the ends of lines, and empty lines at the end."""
    return "\n".join(line.rstrip() for line in text.split("\n")).rstrip("\n")
