"""The programs of the sessions: the same shell text for every peer. Each prints READY when its terminal is set up."""

import shlex
from collections.abc import Mapping
from pathlib import Path

READY = b"READY"
END = b"THE-END"
_SETUP = "stty raw -echo && printf READY && "

ECHO = _SETUP + "exec cat"  # sends each typed byte back, once
_YES = "yes 'the quick brown fox jumps over the lazy dog, and does it again'"
FLOOD = f"{_SETUP}exec {_YES}"
# Floods, answers each Enter meanwhile without a new process, and ends at any other line.
MARKS = (
    _SETUP
    + "{ "
    + _YES
    + " & n=0; while read -r line && [ -z $line ]; do n=$((n+1)); printf '<mark %d>' $n; done; kill $!; }"
)
ENOUGH = b"x\n"  # such a line
HELLO = "printf READY && read -r _"  # only the shell itself; it ends at Enter


def named(files: Mapping[str, Path]) -> dict[str, str]:
    """Name -> shell text, of every program."""
    return {
        "echo": ECHO,
        "hello": HELLO,
        "flood": FLOOD,
        "marks": MARKS,
        "transfer": transfer(files["transfer"]),
        "fanout": transfer(files["fanout"]),
        "lossless": transfer(files["lossless"]),
        "packed": transfer(files["packed"]),
        "history": transfer(files["history"], END),
        "prompt-yes": prompting("exec yes"),
        "prompt-log": prompting(f"while :; do cat {shlex.quote(str(files['log']))}; done"),
    }


def transfer(file: Path, end: bytes = b"") -> str:
    """Prints `file` once when a key is typed, then `end`, and goes on running."""
    return f"{_SETUP}head -c 1 >/dev/null && cat {shlex.quote(str(file))} && printf '{end.decode()}' && exec cat"


def prompting(command: str) -> str:
    """A shell on a cooked tty that prompts, and at each Enter runs `command` until it is interrupted."""
    # The interrupted output may stop within an escape sequence: ESC ends it, or it would swallow the prompt.
    loop = r"n=$((n+1)); printf '\033[m\r\n<prompt %d>' $n; read -r line || exit"
    return f"stty -echo; trap : INT; printf READY; n=0; while :; do {loop}; sh -c {shlex.quote(command)}; done"


def mark(number: int) -> bytes:
    """The answer of `marks` to the Enter of that number; the first is 1."""
    return b"<mark %d>" % number


def prompt(number: int) -> bytes:
    """The prompt of that number; the first is 1."""
    return b"<prompt %d>" % number
