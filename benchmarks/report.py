"""The tables, as Markdown to read and as JSON to compare, and the plots beside them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks import targets
from benchmarks.figures import Cell, Row, number, ratios
from benchmarks.harness import Page, Results, name
from benchmarks.peers.peer import Peer
from benchmarks.plots import PLOTS, svg


@dataclass
class About:
    """What a report says about its peers.

    peers     measured peer -> its version and how it runs
    missing   other peer -> why it was not measured
    judged    the run had the size that the targets are for
    """

    peers: dict[Peer[Any], str] = field(default_factory=dict)
    missing: dict[Peer[Any], str] = field(default_factory=dict)
    judged: bool = True


@dataclass(frozen=True)
class Section:
    """The pages of one topic, and the peers that any of them measures, in the order of the columns.

    ours     the peer that is compared with the others; "": it was not measured
    judged   the targets of its rows count
    """

    topic: str
    pages: Sequence[Page]
    peers: Sequence[str]
    ours: str
    judged: bool

    @property
    def rows(self) -> list[Row]:
        return [row for page in self.pages for row in page.ROWS]

    @property
    def others(self) -> list[str]:
        return [peer for peer in self.peers if peer != self.ours] if self.ours else []


def sections(pages: Sequence[Page], about: About) -> list[Section]:
    """The sections, in the order of their first pages."""
    found = []
    for topic in dict.fromkeys(page.TOPIC for page in pages):
        together = [page for page in pages if topic == page.TOPIC]
        peers = dict.fromkeys(peer.name for page in together for peer in page.PEERS if peer in about.peers)
        ours = together[0].PEERS[0].name
        measured = ours in peers
        found.append(Section(topic, together, list(peers), ours if measured else "", measured and about.judged))
    return found


def plots(pages: Sequence[Page], results: Results, about: About) -> dict[str, str]:
    """Name -> SVG, of each plot with something to show."""
    found = {}
    for section in sections(pages, about):
        for plot in PLOTS:
            if plot.topic == section.topic:
                found[plot.name] = svg(plot, results.cells, section.peers, section.ours)
    return {plot: picture for plot, picture in found.items() if picture}


def markdown(
    pages: Sequence[Page], results: Results, facts: Mapping[str, str], about: About, pictures: Sequence[str] = ()
) -> str:
    """A table for each topic, one with all ratios, and notes on the peers.

    pictures   names of the plots that lie in plots/
    """
    found = sections(pages, about)
    text = [
        "# Benchmarks",
        "",
        "Medians over the rounds of one interleaved run; a lower figure is better, but for rows with ↑.",
        "`-`: it has nothing of the kind. What each row measures stands at the top of `benchmarks/bench_*.py`;",
        "`make bench` measures again, `make bench ARGS=--write` renews this page.",
        "",
        *_summary(found, results),
    ]
    for section in found:
        text += ["", f"## {section.topic}", ""]
        for plot in PLOTS:
            if plot.topic == section.topic and plot.name in pictures:
                text += [f"![{plot.title}, {plot.unit}](plots/{plot.name}.svg)", ""]
        text += _table(section, results)
    text += _ratios(found, results)
    text += ["", "## The run", "", *(f"- {key}: {value}" for key, value in facts.items())]
    notes = [f"- {peer.name}: {said}" for peer, said in about.peers.items()]
    notes += [f"- {peer.name}: not measured: {why}" for peer, why in about.missing.items()]
    text += dict.fromkeys(notes)
    for title, kind in (("Failed", "failure"), ("Not measured", "missing")):
        if reasons := _reasons(found, results, kind):
            text += ["", f"{title}:", "", *reasons]
    return "\n".join(text) + "\n"


def _summary(found: Sequence[Section], results: Results) -> list[str]:
    """The number of targets that are met, and the rows that miss theirs."""
    lines, counts = [], dict.fromkeys((True, False, None), 0)
    for section in found:
        for page in section.pages:
            for row in page.ROWS:
                verdicts = _verdicts(section, row, results)
                for verdict in verdicts:
                    counts[verdict.met] += 1
                if any(verdict.met is False for verdict in verdicts):
                    ours = _cell(results.cells.get((row.key, section.ours)))
                    label = f"{name(page)}: {_label(row).removeprefix('... ')}"
                    lines.append(f"- {label}: {ours}; target {targets.said(row)}")
    if not any(counts.values()):
        return []
    more = (
        f"; of {counts[None]} more it cannot be said, since ours or the peer has no figure here" if counts[None] else ""
    )
    head = f"Targets met: {counts[True]} of {counts[True] + counts[False]}{more}."
    return [head, "Missed:", "", *lines] if lines else [head]


def _verdicts(section: Section, row: Row, results: Results) -> list[targets.Verdict]:
    if not section.judged:
        return []
    cells = {peer: results.cells[row.key, peer] for peer in section.peers if (row.key, peer) in results.cells}
    return targets.verdicts(row, section.ours, cells)


def _table(section: Section, results: Results) -> list[str]:
    judged = section.judged and any(row.targets for row in section.rows)
    lines = _head(["", *section.peers, *(["target", "met"] if judged else [])])
    for row in section.rows:
        shown = [_cell(results.cells.get((row.key, peer))) for peer in section.peers]
        if judged:
            shown += [targets.said(row), targets.met(_verdicts(section, row, results))]
        lines.append(_line([_label(row), *shown]))
    return lines


def _ratios(found: Sequence[Section], results: Results) -> list[str]:
    """One table for the sections with the same peers."""
    text = []
    for others in dict.fromkeys((section.ours, *section.others) for section in found if section.others):
        lines = _head([f"{others[0]} /", *others[1:]])
        for section in found:
            if (section.ours, *section.others) == others:
                for row in section.rows:
                    ours = results.cells.get((row.key, others[0]))
                    shown = [_ratio(ours, results.cells.get((row.key, peer))) for peer in others[1:]]
                    if any(ratio != "-" for ratio in shown):
                        lines.append(_line([_label(row, unit=False), *shown]))
        text += ["", *lines]
    return ["", "## As a multiple of the peer's", *text] if text else []


def _reasons(found: Sequence[Section], results: Results, kind: str) -> list[str]:
    """For each page and peer: why there is no figure."""
    return [
        f"- {name(page)}, {peer}: {getattr(cell, kind)}"
        for section in found
        for page in section.pages
        for peer in section.peers
        if (cell := results.cells.get((page.ROWS[0].key, peer))) and getattr(cell, kind)
    ]


def as_json(pages: Sequence[Page], results: Results, facts: Mapping[str, str], about: About) -> str:
    """Every round of every figure, not only the medians."""
    rows = []
    for section in sections(pages, about):
        for page in section.pages:
            for row in page.ROWS:
                entry: dict[str, object] = {
                    "page": name(page),
                    "key": row.key,
                    "label": row.label,
                    "unit": row.unit,
                    "parts": row.parts,
                    "better": "higher" if row.higher else "lower",
                }
                if row.targets:
                    entry["target"] = targets.said(row)
                    entry["met"] = [verdict.met for verdict in _verdicts(section, row, results)]
                found = {peer.name: results.cells.get((row.key, peer.name)) for peer in page.PEERS}
                entry["peers"] = {peer: _rounds(cell) for peer, cell in found.items() if cell is not None}
                rows.append(entry)
    whole = {
        "facts": dict(facts),
        "peers": [{"name": peer.name, "about": text} for peer, text in about.peers.items()],
        "missing": {peer.name: text for peer, text in about.missing.items()},
        "rows": rows,
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _rounds(cell: Cell) -> dict[str, object]:
    if cell.failure:
        return {"failure": cell.failure}
    if cell.missing:
        return {"missing": cell.missing}
    said = {"said": cell.said} if cell.said else {}
    return {"medians": cell.medians, "rounds": cell.rounds, **said}


def _label(row: Row, *, unit: bool = True) -> str:
    parts = " / ".join(row.parts) + " " if len(row.parts) > 1 else ""
    return f"{row.label}, {parts}{row.unit}{' ↑' if row.higher else ''}" if unit else row.label


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return "-"
    if cell.failure or cell.missing:
        return "failed" if cell.failure else "not measured"
    return cell.said or " / ".join(number(value) for value in cell.medians)


def _ratio(ours: Cell | None, peer: Cell | None) -> str:
    found = ratios(ours, peer) if ours and peer else ()
    return " / ".join(f"{number(value)}x" for value in found) or "-"


def _head(cells: Sequence[str]) -> list[str]:
    return [_line(cells), _line(["---"] * len(cells))]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
