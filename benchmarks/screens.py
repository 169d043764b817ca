"""What a client's screen shows. The client's terminal is our own engine; bench_engine.py compares that with others."""

from benchmarks.corpus import COLS, ROWS


class Screen:
    """The terminal that a client would have."""

    def __init__(self, rows: int = ROWS, cols: int = COLS) -> None:
        from vibetunnel._ext import vt  # not before it is needed: --list works without the extension

        self._terminal = vt.Terminal(rows, cols, scrollback_lines=0)

    def feed(self, output: bytes) -> None:
        self._terminal.feed(output)

    def text(self) -> str:
        return normal(self._terminal.text())


def normal(text: str) -> str:
    """Without what is not to be seen: blanks at the ends of lines, empty lines at the end."""
    return "\n".join(line.rstrip() for line in text.split("\n")).rstrip("\n")
