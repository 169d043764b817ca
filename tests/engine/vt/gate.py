"""The differential fuzz: random output into our terminal and the oracles, what differs minimised and looked up.

python -m vt.gate [COUNT [FIRST]]    in tests/engine/: COUNT sequences for each oracle, from seed FIRST on
Then COUNT streams, cut anywhere, into our terminal and a viewer in xterm.js, which must show the same.
Prints what differs without an explanation, and ends with 1 if something does.
"""

from __future__ import annotations

import random
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vibetunnel._ext.vt import Engine

from .differences import DIFFERENCES, LACKS, Difference
from .grammar import generate
from .oracles import Ghostty, Headless
from .screens import Screen, difference, ours
from .viewers import cut, seen_otherwise, watch

Oracle = Ghostty | Headless
BATCH = 250  # sequences that an oracle gets at once
COUNT = 100_000


class Finding(NamedTuple):
    oracle: str
    seed: int
    rows: int
    cols: int
    data: bytes  # minimised
    words: str  # what differs
    cause: Difference | None

    def __str__(self) -> str:
        return f"{self.oracle} seed {self.seed}, {self.rows} x {self.cols}: {self.data!r}\n    {self.words}"


def screen_of(rows: int, cols: int, data: bytes) -> Screen:
    terminal = Engine(rows, cols)
    terminal.feed(data)
    return ours(terminal)


def compare(oracle: Oracle, rows: int, cols: int, inputs: Sequence[bytes]) -> list[str]:
    """How the screens differ after each of the inputs; empty words where they do not."""
    shown = oracle.run([(rows, cols, [data, None]) for data in inputs])
    return [difference(screen_of(rows, cols, data), screen) for data, (screen,) in zip(inputs, shown, strict=True)]


def kind_of(words: str) -> str:
    """row, wrapped, cursor, ...: without which row and what was there."""
    what = words.split(":")[0]
    return "wrapped" if what.endswith("wrapped") else what.split(" ")[0]


def lacks(oracle: str, data: bytes) -> bool:
    """Whether the oracle lacks something that is in the sequence."""
    return any(lack.oracle == oracle and re.search(lack.pattern, data) for lack in LACKS)


def minimise(oracle: Oracle, rows: int, cols: int, pieces: list[bytes], words: str) -> tuple[bytes, str]:
    """The shortest sequence found that differs in the same way: pieces left out, then characters of text.

    None of what the oracle lacks may come in by leaving out what stood around it.
    """
    kind = kind_of(words)

    def compared(tries: list[list[bytes]]) -> list[str]:
        inputs = [b"".join(each) for each in tries]
        found = compare(oracle, rows, cols, inputs)
        return ["" if lacks(oracle.name, data) else words for data, words in zip(inputs, found, strict=True)]

    size = len(pieces) // 2
    while size:
        tries = [pieces[:at] + pieces[at + size :] for at in range(0, len(pieces), size)]
        for each, difference_now in zip(tries, compared(tries), strict=True):
            if difference_now and kind_of(difference_now) == kind:
                pieces, words = each, difference_now
                break
        else:
            size = size // 2 if size > 1 else 0
        size = min(size, len(pieces))
    at = 0
    while at < len(pieces):
        try:
            text = pieces[at].decode()
        except UnicodeDecodeError:
            text = ""
        if len(text) > 1 and text.isprintable():
            shorter = [text[: len(text) // 2], text[len(text) // 2 :], text[1:], text[:-1]]
            tries = [[*pieces[:at], each.encode(), *pieces[at + 1 :]] for each in shorter]
            for each, difference_now in zip(tries, compared(tries), strict=True):
                if difference_now and kind_of(difference_now) == kind:
                    pieces, words = each, difference_now
                    break
            else:
                at += 1
        else:
            at += 1
    return b"".join(pieces), words


def cause_of(oracle: str, other: Oracle, rows: int, cols: int, words: str, data: bytes) -> Difference | None:
    """The entry that explains it, if the other oracle is with us, or off for a listed cause of its own."""
    cause = next((each for each in DIFFERENCES if each.explains(oracle, words, data)), None)
    if cause is None or lacks(other.name, data):
        return cause
    (theirs,) = compare(other, rows, cols, [data])
    return cause if not theirs or any(each.explains(other.name, theirs, data) for each in DIFFERENCES) else None


def fuzz(oracle: Oracle, other: Oracle, seeds: Sequence[int]) -> Iterator[Finding]:
    """What differs from the oracle in the sequences of these seeds."""
    without = {lack.feature for lack in LACKS if lack.oracle == oracle.name}
    for first in range(0, len(seeds), BATCH):
        batch = [(seed, *generate(seed, without)) for seed in seeds[first : first + BATCH]]
        shown = oracle.run([(rows, cols, [b"".join(pieces), None]) for _, rows, cols, pieces in batch])
        for (seed, rows, cols, pieces), (screen,) in zip(batch, shown, strict=True):
            words = difference(screen_of(rows, cols, b"".join(pieces)), screen)
            if words:
                data, words = minimise(oracle, rows, cols, pieces, words)
                cause = cause_of(oracle.name, other, rows, cols, words, data)
                yield Finding(oracle.name, seed, rows, cols, data, words, cause)


def viewers(oracle: Headless, seeds: Sequence[int]) -> Iterator[str]:
    """What a viewer shows otherwise after a piece of the streams of these seeds, which are cut anywhere."""
    for first in range(0, len(seeds), BATCH):
        batch = []
        for seed in seeds[first : first + BATCH]:
            rows, cols, pieces = generate(seed)
            output = cut(b"".join(pieces), random.Random(seed))
            batch.append((seed, output, *watch(rows, cols, output)))
        seen = oracle.run([script for _, _, script, _ in batch])
        for (seed, output, (rows, cols, _), screens), found in zip(batch, seen, strict=True):
            words = (seen_otherwise(*each) for each in zip(screens, found, strict=True))
            wrong = next(((at, each) for at, each in enumerate(words) if each), None)
            if wrong:
                yield f"viewer, seed {seed}, {rows} x {cols}: {output[: wrong[0] + 1]!r}\n    {wrong[1]}"


def main(count: int = COUNT, first: int = 0) -> int:
    unexplained = 0
    causes: Counter[str] = Counter()
    oracles = (Ghostty(), Headless())
    for oracle, other in (oracles, oracles[::-1]):
        for finding in fuzz(oracle, other, range(first, first + count)):
            if finding.cause is None:
                unexplained += 1
                print(finding, flush=True)
            else:
                causes[f"{finding.oracle}: {finding.cause.why}"] += 1
    for words in viewers(oracles[1], range(first, first + count)):
        unexplained += 1
        print(words, flush=True)
    for oracle in oracles:
        oracle.close()
    for why, number in causes.most_common():
        print(f"{number:7} {why}")
    print(f"{count} sequences for each oracle from seed {first} on: {unexplained} differ without an explanation")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
