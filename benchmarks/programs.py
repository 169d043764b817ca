"""What runs in the sessions: the same shell text for every peer. Each prints READY when its terminal is set up."""

import shlex
from collections.abc import Mapping
from pathlib import Path

READY = b"READY"
END = b"THE-END"
_SETUP = "stty raw -echo && printf READY && "

ECHO = _SETUP + "exec cat"  # what is typed comes back, byte by byte and once
FLOOD = _SETUP + "exec yes 'the quick brown fox jumps over the lazy dog, and does it again'"


def named(files: Mapping[str, Path]) -> dict[str, str]:
    """Name -> shell text of every program there is."""
    return {
        "echo": ECHO,
        "flood": FLOOD,
        "transfer": transfer(files["transfer"]),
        "lossless": transfer(files["lossless"]),
        "history": transfer(files["history"], END),
        "prompt-yes": prompting("exec yes"),
        "prompt-log": prompting(f"while :; do cat {shlex.quote(str(files['log']))}; done"),
    }


def transfer(file: Path, end: bytes = b"") -> str:
    """Prints `file` once, when a key is typed, then `end`, and stays."""
    return f"{_SETUP}head -c 1 >/dev/null && cat {shlex.quote(str(file))} && printf '{end.decode()}' && exec cat"


def prompting(command: str) -> str:
    """A shell on a cooked tty that prompts, and at each Enter runs `command` until it is interrupted."""
    # What was interrupted may have stopped within a sequence: ESC ends it, or the prompt would be swallowed with it.
    loop = r"n=$((n+1)); printf '\033[m\r\n<prompt %d>' $n; read -r line || exit"
    return f"stty -echo; trap : INT; printf READY; n=0; while :; do {loop}; sh -c {shlex.quote(command)}; done"


def prompt(number: int) -> bytes:
    """The prompt of that number; the first is 1."""
    return b"<prompt %d>" % number
