"""`python -m benchmarks [PAGE...] [--quick] [--peer NAME] [--write]`: measure, print, and store with --write."""

import argparse
import dataclasses
import resource
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from benchmarks import harness, machine, processes, report
from benchmarks.errors import Unavailable
from benchmarks.pages import PAGES
from benchmarks.peers.ours import Before, Ours
from benchmarks.scale import FULL, QUICK

PEERS = list(dict.fromkeys(peer for page in PAGES for peer in page.PEERS))
HERE = Path(__file__).resolve().parent
PLOTS = HERE / "plots"
DESCRIPTORS = 12_000  # open files of client and servers: bench_audience.py has 10,000 sockets at both ends
LIMIT_S = 3 * 3600  # for a whole run with every peer, which takes less than half of that


def main(arguments: list[str]) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    for page in options.page:
        if page not in [harness.name(each) for each in PAGES]:
            parser.error(f"unknown page: got {page}, expected one that --list names")
    if options.rounds is not None and options.rounds < 1:
        parser.error(f"--rounds: expected 1 or more, got {options.rounds}")
    if options.write and (options.page or options.peer or options.quick or options.rounds or options.before):
        parser.error("--write: expected a whole run, got PAGE, --peer, --quick, --rounds or --before")
    if options.list:
        print(_overview())
        return 0
    chosen = [page for page in PAGES if not options.page or harness.name(page) in options.page]
    if options.before:
        for page in chosen:
            if isinstance(page.PEERS[0], Ours):
                page.PEERS = (page.PEERS[0], page.PEERS[0].before(options.before), *page.PEERS[1:])
    scale = QUICK if options.quick else FULL
    if options.rounds:
        scale = dataclasses.replace(scale, rounds=options.rounds)
    _bound()
    facts = machine.describe()
    about = report.About(judged=not options.quick)
    for peer in dict.fromkeys(peer for page in chosen for peer in page.PEERS):
        if isinstance(peer, Before) or (peer.name in options.peer if options.peer else peer.quick or not options.quick):
            try:
                peer.prepare()
                about.peers[peer] = peer.about()
            except Unavailable as error:
                about.missing[peer] = str(error)
    if not about.peers:
        print("\n".join(f"{peer.name}: {why}" for peer, why in about.missing.items()), file=sys.stderr)
        return 1
    facts["run"] = f"{scale.rounds} rounds{' after a warm-up' if scale.warm_up else ''}, or as many as a page says"
    if options.quick:
        facts["run"] += "; quick: fewer keys, bytes, clients and seconds than the rows say, and no targets"
    began = time.monotonic()

    def progress(line: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {line}", file=sys.stderr, flush=True)

    processes.adopt()
    results = harness.Results()
    for page in chosen:
        harness.run([page], list(about.peers), scale, progress, settled=processes.reap, results=results)
        if options.write:  # after each page, so that a run that ends early keeps its results
            _write(chosen, results, facts, about)
    print(report.markdown(chosen, results, facts, about))
    ours = {page.PEERS[0].name for page in chosen}
    return 1 if any(cell.failure for (_, peer), cell in results.cells.items() if peer in ours) else 0


def _write(
    pages: Sequence[harness.Page], results: harness.Results, facts: Mapping[str, str], about: report.About
) -> None:
    PLOTS.mkdir(exist_ok=True)
    pictures = report.plots(pages, results, about)
    for name, picture in pictures.items():
        (PLOTS / f"{name}.svg").write_text(picture, encoding="utf-8")
    table = report.markdown(pages, results, facts, about, list(pictures))
    (HERE / "RESULTS.md").write_text(table, encoding="utf-8")
    (HERE / "RESULTS.json").write_text(report.as_json(pages, results, facts, about), encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    pages, peers = [harness.name(page) for page in PAGES], list(dict.fromkeys(peer.name for peer in PEERS))
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure this project and its peers.")
    parser.add_argument("page", nargs="*", metavar="PAGE", help=f"{', '.join(pages)}; default: all")
    parser.add_argument(
        "--quick", action="store_true", help="measure less, and fewer peers: under 3 minutes instead of over an hour"
    )
    parser.add_argument("--peer", action="append", choices=peers, help="measure only this peer (may be repeated)")
    parser.add_argument(
        "--before", metavar="PYTHON", help="measure another build of this project too: the Python that has it installed"
    )
    parser.add_argument("--rounds", type=int, help="number of rounds that the medians are taken over")
    parser.add_argument("--write", action="store_true", help="renew benchmarks/RESULTS.md, RESULTS.json and plots/")
    parser.add_argument("--list", action="store_true", help="print pages, rows and peers, and measure nothing")
    return parser


def _overview() -> str:
    lines = []
    for page in PAGES:
        lines.append(f"{harness.name(page):12} {(page.__doc__ or '').splitlines()[0]}")
        lines += [f"{'':12}   {row.label}, {row.unit} ({', '.join(row.parts)})" for row in page.ROWS]
    peers = []
    for peer in PEERS:
        try:
            peers.append(f"{peer.name:14} {peer.about()}")
        except Unavailable as error:
            peers.append(f"{peer.name:14} not measured: {error}")
    return "\n".join([*lines, *dict.fromkeys(peers)])  # a peer that two pages start in the same way is listed once


def _bound() -> None:
    """Allow many descriptors, bound the time, and end the servers too, whatever ends this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

    def end(number: int, _frame: FrameType | None) -> NoReturn:
        sys.exit(f"stopped: {'longer than ' + str(LIMIT_S) + ' s' if number == signal.SIGALRM else 'SIGTERM'}")

    # Under nohup, programs would inherit that SIGHUP is ignored, and never end. They do not inherit handlers.
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGALRM, end)
    signal.alarm(LIMIT_S)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
