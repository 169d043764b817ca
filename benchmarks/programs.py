"""What runs in the sessions: the same shell text for every peer. Each prints READY when its terminal is set up."""

import shlex
from pathlib import Path

READY = b"READY"
_SETUP = "stty raw -echo && printf READY && "

ECHO = _SETUP + "exec cat"  # what is typed comes back, byte by byte and once
FLOOD = _SETUP + "exec yes 'the quick brown fox jumps over the lazy dog, and does it again'"


def transfer(file: Path) -> str:
    """Prints `file` once, when a key is typed, and stays."""
    return f"{_SETUP}head -c 1 >/dev/null && cat {shlex.quote(str(file))} && exec cat"
