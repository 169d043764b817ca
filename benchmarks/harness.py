"""One interleaved run: every round, page by page, each peer in turn on a fresh server."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from benchmarks import programs
from benchmarks.content import blocks
from benchmarks.errors import Unavailable, Wrong
from benchmarks.figures import Cell, Figures, Row
from benchmarks.peers.peer import Peer, Server
from benchmarks.scale import Scale


class Page(Protocol):
    """A module bench_NAME: one question."""

    __name__: str
    __doc__: str | None
    ROWS: tuple[Row, ...]

    @staticmethod
    def measure(server: Server, scale: Scale) -> Figures:
        """One round on a server just started; without the rows that it has nothing for."""


@dataclass
class Results:
    """(row key, peer name) -> cell; a missing one: the peer has nothing of the kind."""

    cells: dict[tuple[str, str], Cell] = field(default_factory=dict)

    def add(self, peer: str, figures: Figures) -> None:
        for key, values in figures.items():
            self.cells.setdefault((key, peer), Cell()).rounds.append(values)

    def fail(self, peer: str, page: Page, reason: str) -> None:
        for row in page.ROWS:
            self.cells[row.key, peer] = Cell(failure=reason)


def run(pages: Sequence[Page], peers: Sequence[Peer], scale: Scale, progress: Callable[[str], None]) -> Results:
    """Measure everything. A peer that fails a page is out of it, and in the next one again."""
    results = Results()
    with _Folder() as shared:
        texts = _programs(shared, scale)
        for page in pages:
            left = list(peers)
            for number in range(scale.rounds + 1):
                # Who comes first changes, so that nobody always follows the same one.
                turn = number % len(left) if left else 0
                for peer in left[turn:] + left[:turn]:
                    progress(f"{name(page)}: {'round ' + str(number) if number else 'warm-up'}, {peer.name}")
                    try:
                        figures = _round(page, peer, scale, texts)
                    except (Wrong, Unavailable, OSError, subprocess.SubprocessError) as error:
                        results.fail(peer.name, page, str(error))
                        left.remove(peer)
                        continue
                    if number:
                        results.add(peer.name, figures)
    return results


def name(page: Page) -> str:
    return page.__name__.rpartition("bench_")[2]


def _round(page: Page, peer: Peer, scale: Scale, texts: Mapping[str, str]) -> Figures:
    with _Folder() as folder:
        server = peer.start(texts, folder)
        try:
            return page.measure(server, scale)
        finally:
            server.stop()


def _programs(folder: Path, scale: Scale) -> dict[str, str]:
    file = folder / "transfer"
    with file.open("wb") as out:
        out.writelines(blocks(scale.transfer))
    return {"echo": programs.ECHO, "flood": programs.FLOOD, "transfer": programs.transfer(file)}


class _Folder:
    """A private folder with a short path, since unix sockets live in it; gone afterwards, whatever is in it."""

    def __enter__(self) -> Path:
        self._path = tempfile.mkdtemp(prefix="vtb-", dir="/tmp")  # macOS has a long TMPDIR
        return Path(self._path)

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._path, ignore_errors=True)
