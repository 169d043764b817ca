"""`python -m benchmarks [PAGE...] [--quick] [--peer NAME] [--write]`: measure, print, and keep if asked."""

import argparse
import dataclasses
import resource
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn, cast

from benchmarks import (
    bench_crowd,
    bench_deaf,
    bench_echo,
    bench_engine,
    bench_flood,
    bench_hostile,
    bench_interrupt,
    bench_late,
    bench_lossless,
    bench_memory,
    bench_rest,
    bench_screen,
    bench_security,
    bench_slow,
    harness,
    machine,
    report,
)
from benchmarks.errors import Unavailable
from benchmarks.scale import FULL, QUICK

PAGES = [
    cast(harness.Page, page)
    for page in (
        bench_echo,
        bench_crowd,
        bench_flood,
        bench_rest,
        bench_security,
        bench_memory,
        bench_interrupt,
        bench_slow,
        bench_deaf,
        bench_late,
        bench_lossless,
        bench_engine,
        bench_screen,
        bench_hostile,
    )
]
PEERS = list(dict.fromkeys(peer for page in PAGES for peer in page.PEERS))
HERE = Path(__file__).resolve().parent
LIMIT_S = 7200  # of a whole run; with every peer it takes a good half hour


def main(arguments: list[str]) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    for page in options.page:
        if page not in [harness.name(each) for each in PAGES]:
            parser.error(f"expected a page that --list names, got {page}")
    if options.rounds is not None and options.rounds < 1:
        parser.error(f"--rounds: expected 1 or more, got {options.rounds}")
    if options.write and (options.page or options.peer):
        parser.error("--write: expected a whole run, got PAGE or --peer")
    if options.list:
        print(_overview())
        return 0
    chosen = [page for page in PAGES if not options.page or harness.name(page) in options.page]
    scale = QUICK if options.quick else FULL
    if options.rounds:
        scale = dataclasses.replace(scale, rounds=options.rounds)
    _bound()
    facts = machine.describe()
    about = report.About()
    for peer in dict.fromkeys(peer for page in chosen for peer in page.PEERS):
        if not options.peer or peer.name in options.peer:
            try:
                peer.prepare()
                about.peers[peer] = peer.about()
            except Unavailable as error:
                about.missing[peer] = str(error)
    if not about.peers:
        print("\n".join(f"{peer.name}: {why}" for peer, why in about.missing.items()), file=sys.stderr)
        return 1
    facts["run"] = f"{'quick, ' if options.quick else ''}{scale.rounds} rounds after a warm-up"
    results = harness.run(chosen, list(about.peers), scale, lambda line: print(line, file=sys.stderr, flush=True))
    table = report.markdown(chosen, results, facts, about)
    print(table)
    if options.write:
        (HERE / "RESULTS.md").write_text(table, encoding="utf-8")
        (HERE / "RESULTS.json").write_text(report.as_json(chosen, results, facts, about), encoding="utf-8")
    return 1 if any(cell.failure for cell in results.cells.values()) else 0


def _parser() -> argparse.ArgumentParser:
    pages, peers = [harness.name(page) for page in PAGES], [peer.name for peer in PEERS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure this project and its peers.")
    parser.add_argument("page", nargs="*", metavar="PAGE", help=f"{', '.join(pages)}; all of them when none is named")
    parser.add_argument("--quick", action="store_true", help="minutes instead of half an hour; figures are rougher")
    parser.add_argument("--peer", action="append", choices=peers, help="only this one, and others named so")
    parser.add_argument("--rounds", type=int, help="that count; medians are taken over them")
    parser.add_argument("--write", action="store_true", help="renew benchmarks/RESULTS.md and RESULTS.json")
    parser.add_argument("--list", action="store_true", help="say what is measured, and of whom; measure nothing")
    return parser


def _overview() -> str:
    lines = []
    for page in PAGES:
        lines.append(f"{harness.name(page):9} {(page.__doc__ or '').splitlines()[0]}")
        lines += [f"{'':9}   {row.label}, {row.unit} ({', '.join(row.parts)})" for row in page.ROWS]
    for peer in PEERS:
        try:
            lines.append(f"{peer.name:14} {peer.about()}")
        except Unavailable as error:
            lines.append(f"{peer.name:14} not measured: {error}")
    return "\n".join(lines)


def _bound() -> None:
    """Many descriptors, little time; and whatever ends us, the servers end too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4096 if hard == resource.RLIM_INFINITY else min(4096, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

    def end(number: int, _frame: FrameType | None) -> NoReturn:
        sys.exit(f"stopped: {'longer than ' + str(LIMIT_S) + ' s' if number == signal.SIGALRM else 'SIGTERM'}")

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGALRM, end)
    signal.alarm(LIMIT_S)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
