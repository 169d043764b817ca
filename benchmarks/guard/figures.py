"""The committed counts for each kind of machine, and the verdict on new ones. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SLACK = 0.10  # share of the committed figure, either way: a compiler may choose differently
FILE = Path(__file__).resolve().parent / "FIGURES.json"


@dataclass
class Figures:
    """The counts of one kind of machine.

    built    what they depend on besides the source
    counts   path -> instructions or system calls a step
    """

    built: dict[str, str] = field(default_factory=dict)
    counts: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """passes: whether the count is within its limit. text: one line; empty if there is nothing to say."""

    passes: bool
    text: str = ""


def read(machine: str, file: Path = FILE) -> Figures | None:
    """The figures of one kind of machine; None if there are none yet."""
    found = json.loads(file.read_text(encoding="utf-8")).get(machine) if file.exists() else None
    return found and Figures(**found)


def write(machine: str, figures: Figures, file: Path = FILE) -> None:
    """Store the figures of one kind of machine, and leave those of other kinds."""
    all_of_them = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    all_of_them[machine] = {"built": figures.built, "counts": figures.counts}
    file.write_text(json.dumps(all_of_them, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def judge(name: str, expected: float | None, got: float | None) -> Verdict:
    if expected is None:
        return Verdict(False, f"{name}: no committed figure, got {got:,.10g}")
    if got is None:
        return Verdict(False, f"{name}: expected {expected:,.10g}, but there is no such path")
    change = f"{name}: expected {expected:,.10g}, got {got:,.10g} ({got / expected - 1:+.1%})"
    if got > expected * (1 + SLACK):
        return Verdict(False, f"{change}: more than {SLACK:.0%} above")
    if got < expected * (1 - SLACK):
        return Verdict(True, f"{change}: better; the committed figure should be renewed")
    return Verdict(True)


def judge_all(expected: Mapping[str, float], got: Mapping[str, float]) -> list[Verdict]:
    return [judge(name, expected.get(name), got.get(name)) for name in dict.fromkeys([*got, *expected])]


def differences(expected: Mapping[str, str], got: Mapping[str, str]) -> list[str]:
    """How the two builds differ."""
    return [
        f"{name}: the figures are of {expected.get(name, 'unknown')}, this is {got.get(name, 'unknown')}"
        for name in dict.fromkeys([*got, *expected])
        if expected.get(name) != got.get(name)
    ]
