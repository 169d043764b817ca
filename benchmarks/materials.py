"""The files that programs print and engines take, made before a run, in the size that its scale says."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from benchmarks import corpus
from benchmarks.content import blocks
from benchmarks.scale import Scale

LOG = 8 * 1024 * 1024  # bytes of log; a longer file repeats them
LINES = corpus.ROWS + 12_000  # more than the 10,000 that an engine keeps
STATUS = b"\x1b[2J\x1b[24;1H\x1b[7m== a line that stays ==\x1b[m\x1b[1;23r\x1b[1;1H"

CUT = b"\x1b[m\r\n"  # after a line that may end within an escape sequence


def make(names: Iterable[str], scale: Scale, folder: Path) -> dict[str, Path]:
    """Name -> file. Only those in `names` are made."""
    files = {name: folder / name for name in MAKERS}
    for name in names:
        with files[name].open("wb") as out:
            out.writelines(MAKERS[name](scale))
    return files


def history(size: int) -> Iterator[bytes]:
    """A line that stays, as in a package manager, and log that scrolls above it: its end alone is not the screen."""
    yield STATUS
    yield from log(size - len(STATUS) - len(CUT))
    yield CUT


def history_tail(size: int) -> bytes:
    """Output that gives the same screen as history(size)."""
    printed = size - len(STATUS) - len(CUT)
    kept = min(printed, LOG)
    start = (printed - kept) % LOG
    lines = corpus.kind("log", LOG)[:LOG]
    return STATUS + (lines + lines)[start : start + kept] + CUT


def log(size: int) -> Iterator[bytes]:
    """`size` bytes of log. Its last line, and the last one of every LOG bytes, may be cut anywhere."""
    lines = corpus.kind("log", LOG)[:LOG]
    for left in range(size, 0, -len(lines)):
        yield lines[:left]


def _kind(name: str) -> Callable[[Scale], Iterator[bytes]]:
    return lambda scale: iter([corpus.kind(name, scale.corpus)])


MAKERS: Mapping[str, Callable[[Scale], Iterable[bytes]]] = {
    "transfer": lambda scale: blocks(scale.transfer),
    "fanout": lambda scale: blocks(scale.fanout),
    "lossless": lambda scale: blocks(scale.lossless),
    "log": lambda scale: log(scale.log),
    "packed": lambda scale: log(scale.packed),
    "history": lambda scale: history(scale.history),
    "mixed": lambda scale: [corpus.mixed(scale.corpus)],
    "lines": lambda _: [corpus.log_lines(LINES)],
    "screen-24x80": lambda _: [corpus.log_lines(2 * 24)],
    "screen-50x200": lambda _: [corpus.log_lines(2 * 50)],
    "hostile": lambda scale: itertools.islice(corpus.hostile().values(), None, None, scale.hostile_step),
    **{f"kind-{name}": _kind(name) for name in corpus.KINDS},
}
