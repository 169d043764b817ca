"""One interleaved run: every round, page by page, each peer in turn, started anew."""

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
    """A module bench_NAME: one question.

    TOPIC     the section of the report that it belongs to
    PEERS     who is measured, ours first
    FILES     the materials that it needs; default: none
    ROUNDS    at most so many; default: what the scale says
    STARTS    a round is several starts of each peer, since where the kernel puts it decides much; default: one
    WARM_UP   whether there is another round before, which does not count; default: what the scale says
    """

    __name__: str
    __doc__: str | None
    TOPIC: str
    ROWS: tuple[Row, ...]
    PEERS: tuple[Peer[Any], ...]

    @staticmethod
    def measure(subject: Any, scale: Scale) -> Figures:  # Any: what the page's own peers start
        """One round on a server or engine just started; without the rows that it has nothing for."""


@dataclass
class Results:
    """(row key, peer name) -> cell; a missing one: the peer has nothing of the kind."""

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
        """It could not be measured here."""
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
    """Measure everything. A peer that fails a page is out of it, and in the next one again.

    settled   returns when nothing that a peer has started is at it any more; called after each
    results   they are added to these
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
                # Who comes first changes, so that nobody always follows the same one.
                turn = number % len(left) if left else 0
                for peer in left[turn:] + left[:turn]:
                    progress(f"{name(page)}: {'round ' + str(number) if number else 'warm-up'}, {peer.name}")
                    try:
                        figures = _round(page, peer, scale, texts, files, settled)
                    except Unavailable as error:
                        results.miss(peer.name, page, str(error))
                        left.remove(peer)
                        continue
                    except Exception as error:  # whatever it was: the others are measured all the same
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
    """A private folder with a short path, since unix sockets live in it; gone afterwards, whatever is in it."""

    def __enter__(self) -> Path:
        self._path = tempfile.mkdtemp(prefix="vtb-", dir="/tmp")  # macOS has a long TMPDIR
        return Path(self._path)

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._path, ignore_errors=True)
