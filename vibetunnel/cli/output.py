"""What the command line prints: lines, tables that fit the window, times, links and QR codes."""

import contextlib
import io
import os
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from vibetunnel import __version__
from vibetunnel.cli.errors import Unwritable
from vibetunnel.cli.terminal_text import safe

LAST_COLUMN = 20  # columns that the last cell of a table has at least, such as a command to be recognised

# Pure functions: text in, text out.


def plain(text: str) -> str:
    """`text` without control characters: names and commands come from anyone, and a terminal would obey them."""
    return "".join(character if character.isprintable() else "?" for character in text)


def columns_of(text: str) -> int:
    """How many columns `text` takes on a terminal."""
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fit(text: str, width: int) -> str:
    """`text` in exactly `width` columns: padded, or cut with an ellipsis."""
    missing = width - columns_of(text)
    if missing >= 0:
        return text + " " * missing
    kept, used = "", 0
    for character in text:
        if used + _columns(character) > width - 1:
            break
        kept += character
        used += _columns(character)
    return kept + "…" + " " * (width - 1 - used)


def aligned(rows: Sequence[Sequence[str]], *, width: int | None, squeeze: int = 0) -> list[str]:
    """One line a row, in columns; none wider than `width` (None: as wide as they get).

    squeeze  the column that gives way if the last one, which is cut at the margin, has too little room
    """
    widths = [max(columns_of(row[column]) for row in rows) for column in range(len(rows[0]))]
    if width is not None:
        spare = width - sum(widths[:-1]) - 2 * (len(widths) - 1)
        wanted = min(widths[-1], LAST_COLUMN)
        if spare < wanted:
            widths[squeeze] = max(8, widths[squeeze] - (wanted - spare))
    lines = []
    for row in rows:
        cells = [fit(cell, cells_width) for cell, cells_width in zip(row[:-1], widths[:-1], strict=True)]
        text = "  ".join([*cells, row[-1]])
        lines.append((text if width is None else fit(text, width)).rstrip())
    return lines


def age(seconds: float) -> str:
    """A time in its largest unit, rounded down: `3d`, for the cells of tables."""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{int(seconds // length)}{unit}"
    return f"{max(0, int(seconds))}s"


def since(moment: str, now: datetime) -> str:
    """The time since an ISO 8601 moment, as age() has it."""
    return age((now - datetime.fromisoformat(moment)).total_seconds())


def until(moment: str | None, now: datetime) -> str:
    """The time until an ISO 8601 moment; `never` for None."""
    return "never" if moment is None else age((datetime.fromisoformat(moment) - now).total_seconds())


def count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


# Printing.


def say(text: str = "", *, newline: bool = True) -> None:
    """Print `text` to standard output, as a line or (newline=False) as it is. A terminal gets safe text.

    Raises Unwritable, and BrokenPipeError if the reader is gone (click then ends the program).
    """
    try:
        click.echo(safe(text, sys.stdout), nl=newline)
    except OSError as error:
        # The buffer would fail again, with a traceback, when the interpreter ends: send it to /dev/null.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise Unwritable(f"cannot write to standard output: {error.strerror}") from error


def styled(text: str, **style: Any) -> str:
    """Bold or coloured on a terminal, unless NO_COLOR is set (https://no-color.org)."""
    return click.style(text, **style) if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else text


def entry(label: str, text: str) -> None:
    say(f"  {styled(f'{label:<9}', dim=True)} {text}")


def print_table(rows: Sequence[Sequence[str]], *, squeeze: int = 0) -> None:
    """Print aligned rows: cut to the window on a terminal, whole in a pipe."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for text in aligned(rows, width=width, squeeze=squeeze):
        say(text)


def draws() -> bool:
    """Whether standard output is a terminal that can show the half blocks of a QR code."""
    try:
        "▀▄█".encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return False
    return sys.stdout.isatty()


def print_link(address: str, code: str | None, *, qr: bool | None) -> None:
    say(styled(f"vibetunnel {__version__}", bold=True))
    entry("Open", styled(address, fg="cyan", underline=True))
    if code is None:
        entry("Login", "not needed (--no-auth)")
    else:
        entry("Code", f"{styled(code, bold=True)} (works once)")
    if draws() if qr is None else qr:
        print_qr(address)


def print_qr(text: str) -> None:
    import segno

    drawing = io.StringIO()
    segno.make(text, micro=False).terminal(out=drawing, border=2, compact=True)
    say()
    for row in drawing.getvalue().splitlines():
        # White on black, whatever the terminal's own colours are: few cameras read an inverted code.
        say("  " + styled(row, fg=231, bg=16))
    say()


def warn(sentence: str) -> None:
    """Print a sentence to standard error."""
    with contextlib.suppress(OSError):  # standard error is closed
        click.echo(safe(f"vibetunnel: {sentence}", sys.stderr), err=True)
