"""The table, as Markdown to read and as JSON to compare."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.figures import Cell, Row, ratios
from benchmarks.harness import Page, Results, name
from benchmarks.peers.peer import Peer


@dataclass
class About:
    """
    peers     those that are measured: versions, and how they are run
    missing   those that are not: why
    """

    peers: dict[Peer[Any], str] = field(default_factory=dict)
    missing: dict[Peer[Any], str] = field(default_factory=dict)


def markdown(pages: Sequence[Page], results: Results, facts: Mapping[str, str], about: About) -> str:
    """One table for all pages that measure the same peers."""
    text = [
        "# Benchmarks",
        "",
        "Medians over the rounds of one interleaved run; a lower figure is better, but for rows with ↑.",
        "`-`: it has nothing of the kind. What each row measures stands at the top of `benchmarks/bench_*.py`;",
        "`make bench` measures again, `make bench ARGS=--write` renews this page.",
    ]
    notes = [f"- {key}: {value}" for key, value in facts.items()]
    failures: list[str] = []
    for competitors in dict.fromkeys(page.PEERS for page in pages):
        together = [page for page in pages if competitors == page.PEERS]
        peers = [peer for peer in competitors if peer in about.peers]
        text += ["", *_table(together, [peer.name for peer in peers], competitors[0].name, results)]
        notes += [f"- {peer.name}: {about.peers[peer]}" for peer in peers]
        notes += [
            f"- {peer.name}: not measured: {about.missing[peer]}" for peer in competitors if peer in about.missing
        ]
        for page in together:
            for peer in peers:
                cell = results.cells.get((page.ROWS[0].key, peer.name))
                if cell is not None and cell.failure:
                    failures.append(f"- {name(page)}, {peer.name}: {cell.failure}")
    text += ["", *notes]
    if failures:
        text += ["", "Failed:", "", *failures]
    return "\n".join(text) + "\n"


def _table(pages: Sequence[Page], peers: Sequence[str], ours: str, results: Results) -> list[str]:
    others = [peer for peer in peers if peer != ours] if ours in peers else []
    header = ["", *peers, *(f"ours / {peer}" for peer in others)]
    lines = [_line(header), _line(["---"] * len(header))]
    for page in pages:
        for row in page.ROWS:
            cells = {peer: results.cells.get((row.key, peer)) for peer in peers}
            shown = [_cell(cells[peer]) for peer in peers]
            shown += [_ratio(cells[ours], cells[peer]) for peer in others]
            lines.append(_line([_label(row), *shown]))
    return lines


def as_json(pages: Sequence[Page], results: Results, facts: Mapping[str, str], about: About) -> str:
    """Every round of every figure, not only the medians."""
    rows = []
    for page in pages:
        for row in page.ROWS:
            entry: dict[str, object] = {
                "page": name(page),
                "key": row.key,
                "label": row.label,
                "unit": row.unit,
                "parts": row.parts,
                "better": "higher" if row.higher else "lower",
            }
            found = {peer.name: results.cells.get((row.key, peer.name)) for peer in page.PEERS}
            entry["peers"] = {peer: _rounds(cell) for peer, cell in found.items() if cell is not None}
            rows.append(entry)
    whole = {
        "facts": dict(facts),
        "peers": {peer.name: text for peer, text in about.peers.items()},
        "missing": {peer.name: text for peer, text in about.missing.items()},
        "rows": rows,
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _rounds(cell: Cell) -> dict[str, object]:
    if cell.failure:
        return {"failure": cell.failure}
    said = {"said": cell.said} if cell.said else {}
    return {"medians": cell.medians, "rounds": cell.rounds, **said}


def _label(row: Row) -> str:
    parts = " / ".join(row.parts) + " " if len(row.parts) > 1 else ""
    return f"{row.label}, {parts}{row.unit}{' ↑' if row.higher else ''}"


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return "-"
    return "failed" if cell.failure else cell.said or " / ".join(_number(value) for value in cell.medians)


def _ratio(ours: Cell | None, peer: Cell | None) -> str:
    found = ratios(ours, peer) if ours and peer else ()
    return " / ".join(f"{value:.2f}x" for value in found) or "-"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
