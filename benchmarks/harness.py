"""One interleaved run: page by page and round by round, with each peer started anew in turn."""

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from benchmarks import materials, programs
from benchmarks.errors import Unavailable, Wrong
from benchmarks.figures import Cell, Figures, Row
from benchmarks.peers.peer import Peer
from benchmarks.scale import Scale


class Page(Protocol):
    """A module bench_NAME, which asks one question.

    TOPIC     its section of the report
    PEERS     the peers that it measures, ours first
    FILES     the materials that it needs; default: none
    ROUNDS    the most rounds; default: as many as the scale says
    STARTS    a round starts each peer several times, since the cores that the kernel chooses matter; default: once
    WARM_UP   whether a round that does not count comes first; default: what the scale says
    """

    __name__: str
    __doc__: str | None
    TOPIC: str
    ROWS: tuple[Row, ...]
    PEERS: tuple[Peer[Any], ...]

    @staticmethod
    def measure(subject: Any, scale: Scale) -> Figures:  # Any: what the page's own peers start
        """One round on a server or engine just started. Rows that do not apply to it are left out."""


@dataclass
class Results:
    """(row key, peer name) -> cell. A row that does not apply to a peer has no cell."""

    cells: dict[tuple[str, str], Cell] = field(default_factory=dict)

    def add(self, peer: str, figures: Figures) -> None:
        for key, values in figures.items():
            cell = self.cells.setdefault((key, peer), Cell())
            if isinstance(values, str):
                cell.said = values
            else:
                cell.rounds.append(values)

    def fail(self, peer: str, page: Page, reason: str) -> None:
        for row in page.ROWS:
            self.cells[row.key, peer] = Cell(failure=reason)

    def miss(self, peer: str, page: Page, reason: str) -> None:
        """The peer could not be measured on this machine."""
        for row in page.ROWS:
            self.cells[row.key, peer] = Cell(missing=reason)


def run(
    pages: Sequence[Page],
    peers: Sequence[Peer[Any]],
    scale: Scale,
    progress: Callable[[str], None],
    *,
    settled: Callable[[], None] = lambda: None,
    results: Results | None = None,
) -> Results:
    """Measure everything. A peer that fails a page leaves that page, and takes part in the next.

    settled   called after each peer; returns when nothing that the peer has started still runs
    results   where the results are added
    """
    results = Results() if results is None else results
    with _Folder() as shared:
        wanted = dict.fromkeys(file for page in pages for file in getattr(page, "FILES", ()))
        files = materials.make(wanted, scale, shared)
        texts = programs.named(files)
        for page in pages:
            left = [peer for peer in page.PEERS if peer in peers]
            rounds = min(scale.rounds, getattr(page, "ROUNDS", scale.rounds)) * (
                scale.starts if getattr(page, "STARTS", False) else 1
            )
            warm_up = scale.warm_up and getattr(page, "WARM_UP", True)
            for number in range(0 if warm_up else 1, rounds + 1):
                # Another peer comes first in each round, so that none always follows the same one.
                turn = number % len(left) if left else 0
                for peer in left[turn:] + left[:turn]:
                    progress(f"{name(page)}: {'round ' + str(number) if number else 'warm-up'}, {peer.name}")
                    try:
                        figures = _round(page, peer, scale, texts, files, settled)
                    except Unavailable as error:
                        results.miss(peer.name, page, str(error))
                        left.remove(peer)
                        continue
                    except Exception as error:  # the other peers are measured whatever happened
                        reason = str(error) if isinstance(error, Wrong) else f"{type(error).__name__}: {error}"
                        results.fail(peer.name, page, reason)
                        left.remove(peer)
                        continue
                    if number:
                        results.add(peer.name, figures)
    return results


def name(page: Page) -> str:
    return page.__name__.rpartition("bench_")[2]


def _round(
    page: Page,
    peer: Peer[Any],
    scale: Scale,
    texts: Mapping[str, str],
    files: Mapping[str, Path],
    settled: Callable[[], None],
) -> Figures:
    with _Folder() as folder:
        subject = peer.start(texts, files, folder)
        try:
            return page.measure(subject, scale)
        finally:
            subject.stop()
            settled()


class _Folder:
    """A private folder with a path short enough for unix sockets. It is removed afterwards with all it contains."""

    def __enter__(self) -> Path:
        self._path = tempfile.mkdtemp(prefix="vtb-", dir="/tmp")  # macOS has a long TMPDIR
        return Path(self._path)

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._path, ignore_errors=True)
