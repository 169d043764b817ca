"""A screen as text with marks of its styles, as the Node server writes it: `[style fg="1" bold]text[/style]`. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

# A run's attributes in the engine's JSON, and their words.
_WORDS = {
    "bold": "bold",
    "dim": "dim",
    "italic": "italic",
    "underline": "underline",
    "inverse": "inverse",
    "invisible": "invisible",
    "strike": "strikethrough",
}


def styled_text(screen: bytes) -> bytes:
    """screen: Engine.json(). Blanks at the end of a line go, as in the text without styles."""
    lines = msgspec.json.decode(screen)["lines"]
    return "\n".join("".join(map(_marked, line["runs"])).rstrip(" ") for line in lines).encode()


def _marked(run: dict[str, Any]) -> str:  # Any: JSON
    marks = [f'{name}="{_colour(run[name])}"' for name in ("fg", "bg") if name in run]
    marks += [word for name, word in _WORDS.items() if name in run]
    text = str(run["text"])
    return f"[style {' '.join(marks)}]{text}[/style]" if marks else text


def _colour(colour: int | str) -> str:
    """A palette index, or `red,green,blue` for `#rrggbb`."""
    if isinstance(colour, int):
        return str(colour)
    return ",".join(str(int(colour[begin : begin + 2], 16)) for begin in (1, 3, 5))
