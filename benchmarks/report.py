"""The table, as Markdown to read and as JSON to compare."""

import json
from collections.abc import Mapping, Sequence

from benchmarks.figures import Cell, Row, ratios
from benchmarks.harness import Page, Results, name

OURS = "vibetunnel"


def markdown(
    pages: Sequence[Page],
    peers: Mapping[str, str],
    missing: Mapping[str, str],
    results: Results,
    facts: Mapping[str, str],
) -> str:
    """
    peers     name -> about, of those measured, in the order of the columns
    missing   name -> why, of those that are not
    """
    others = [peer for peer in peers if peer != OURS] if OURS in peers else []
    header = ["", *peers, *(f"ours / {peer}" for peer in others)]
    lines = [_line(header), _line(["---"] * len(header))]
    failures = []
    for page in pages:
        for row in page.ROWS:
            cells = {peer: results.cells.get((row.key, peer)) for peer in peers}
            shown = [_cell(cells[peer]) for peer in peers]
            shown += [_ratio(cells[OURS], cells[peer]) for peer in others]
            lines.append(_line([_label(row), *shown]))
        for peer in peers:
            cell = results.cells.get((page.ROWS[0].key, peer))
            if cell is not None and cell.failure:
                failures.append(f"- {name(page)}, {peer}: {cell.failure}")
    notes = [f"- {key}: {value}" for key, value in facts.items()]
    notes += [f"- {peer}: {about}" for peer, about in peers.items()]
    notes += [f"- {peer}: not measured: {why}" for peer, why in missing.items()]
    text = [
        "# Benchmarks",
        "",
        "Medians over the rounds of one interleaved run; a lower figure is better, but for rows with ↑.",
        "`-`: it has nothing of the kind. What each row measures stands at the top of `benchmarks/bench_*.py`;",
        "`make bench` measures again, `make bench ARGS=--write` renews this page.",
        "",
        *lines,
        "",
        *notes,
    ]
    if failures:
        text += ["", "Failed:", "", *failures]
    return "\n".join(text) + "\n"


def as_json(
    pages: Sequence[Page],
    peers: Mapping[str, str],
    missing: Mapping[str, str],
    results: Results,
    facts: Mapping[str, str],
) -> str:
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
            found = {peer: results.cells[row.key, peer] for peer in peers if (row.key, peer) in results.cells}
            entry["peers"] = {
                peer: {"failure": cell.failure} if cell.failure else {"medians": cell.medians, "rounds": cell.rounds}
                for peer, cell in found.items()
            }
            rows.append(entry)
    whole = {"facts": dict(facts), "peers": dict(peers), "missing": dict(missing), "rows": rows}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _label(row: Row) -> str:
    parts = " / ".join(row.parts) + " " if len(row.parts) > 1 else ""
    return f"{row.label}, {parts}{row.unit}{' ↑' if row.higher else ''}"


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return "-"
    return "failed" if cell.failure else " / ".join(_number(value) for value in cell.medians)


def _ratio(ours: Cell | None, peer: Cell | None) -> str:
    found = ratios(ours, peer) if ours and peer else ()
    return " / ".join(f"{value:.2f}x" for value in found) or "-"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
