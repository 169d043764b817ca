"""The layers of the pump look down only: a file cimports nothing from a file above it."""

import re
from pathlib import Path

EXT = Path(__file__).resolve().parents[2] / "ext"

# The highest first, as docs/pump.md lists them.
ORDER = [
    "pump",
    *("pump_core", "pump_lane", "pump_command", "pump_attach", "pump_receive", "pump_output", "pump_send"),
    *("pump_screen", "pump_pty", "pump_backlog", "pump_text", "pump_frame", "pump_block", "pump_outbox", "pump_state"),
    "pump_system",
    *("backlog", "ring", "lists"),
]
FROM = re.compile(r"^from vibetunnel\._ext(?:\.(\w+))? cimport (?:\(([^)]*)\)|(.*))", re.MULTILINE)


def cimported(text: str) -> set[str]:
    """The files of the pump that a file takes names from."""
    found: set[str] = set()
    for module, many, few in FROM.findall(text):
        found |= {module} if module else set(re.findall(r"\b(\w+)(?: as \w+)?(?:,|$)", many or few))
    return found & set(ORDER)


def upward(name: str, text: str) -> list[str]:
    return [target for target in sorted(cimported(text)) if ORDER.index(target) <= ORDER.index(name)]


def test_every_layer_looks_down_only() -> None:
    files = {file.stem: file for file in [EXT / "pump.pyx", *(EXT / "pump").glob("*.pxd")]}
    assert sorted(files) == sorted(ORDER)
    assert {name: upward(name, file.read_text()) for name, file in files.items()} == {name: [] for name in ORDER}


def test_a_layer_that_looks_up_is_found() -> None:
    text = (
        "from vibetunnel._ext cimport ring as rings\nfrom vibetunnel._ext.pump_send cimport (\n    flush, present,\n)\n"
    )
    assert cimported(text) == {"ring", "pump_send"}
    assert upward("pump_state", text) == ["pump_send"]
    assert upward("pump_lane", text) == []
