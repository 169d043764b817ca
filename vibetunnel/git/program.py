"""Which program the hooks of follow mode run."""

from __future__ import annotations

import os
import sys


def own_program() -> str:
    """The `vibetunnel` of this installation: the one that runs, or the one beside the interpreter. "": none."""
    beside = os.path.join(os.path.dirname(sys.executable), "vibetunnel")
    for path in (os.path.abspath(sys.argv[0]), beside):
        if os.path.basename(path) == "vibetunnel" and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return ""
