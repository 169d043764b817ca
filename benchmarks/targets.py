"""The targets for this project's figures, and whether they are met. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.figures import Cell, Row, Target


@dataclass(frozen=True)
class Verdict:
    """Whether one part of a row meets its target.

    met   None: unknown, since ours was not measured or the peer has no figure
    """

    target: Target
    met: bool | None


def verdicts(row: Row, ours: str, cells: Mapping[str, Cell]) -> list[Verdict]:
    """The verdicts on those parts of the row that have a target, in order. If ours has failed, the target is missed.

    cells   by peer, `ours` included
    """
    cell = cells.get(ours)
    return [
        Verdict(target, _met(row, cell, part, _bound(target, part, cells)))
        for part, target in enumerate(row.targets)
        if target
    ]


def _bound(target: Target, part: int, cells: Mapping[str, Cell]) -> float | None:
    if not target.of:
        return target.bound
    medians = cells.get(target.of, Cell()).medians
    return target.bound * medians[part] if medians else None


def _met(row: Row, cell: Cell | None, part: int, bound: float | None) -> bool | None:
    if bound is None or cell is None or cell.missing:
        return None
    if not cell.medians:
        return False
    return cell.medians[part] >= bound if row.higher else cell.medians[part] <= bound


def said(row: Row) -> str:
    """The targets of a row in words; "" without any."""
    sign = "≥" if row.higher else "≤"
    texts = [
        (part, f"{sign} {target.bound:,g}{f'x {target.of}' if target.of else f' {row.unit}'}")
        for part, target in zip(row.parts, row.targets, strict=False)
        if target
    ]
    if len(texts) == len(row.parts) and len({text for _, text in texts}) == 1:
        return texts[0][1]
    return ", ".join(f"{part} {text}" for part, text in texts)


def met(found: list[Verdict]) -> str:
    """The verdicts in words, in the order of said(); one word if all are the same."""
    words = [{True: "yes", False: "**no**", None: "-"}[verdict.met] for verdict in found]
    return words[0] if len(set(words)) == 1 else " / ".join(words)
