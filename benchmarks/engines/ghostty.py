"""libghostty-vt, through its binding on PyPI (pyghostty)."""

import importlib.metadata
import sys
from collections.abc import Sequence

from benchmarks.engines.engine import GHOSTTY_SCROLLBACK, EnginePeer
from benchmarks.errors import Unavailable


class Ghostty(EnginePeer):
    name = "libghostty-vt"

    def about(self) -> str:
        try:
            version = importlib.metadata.version("pyghostty")
        except importlib.metadata.PackageNotFoundError:
            raise Unavailable("pyghostty is not installed: pip install pyghostty") from None
        return f"pyghostty {version}; scrollback bounded by {GHOSTTY_SCROLLBACK // 2**20} MiB alone, its faster way"

    def argv(self) -> Sequence[str]:
        return [sys.executable, "-m", "benchmarks.engines.worker", "ghostty"]
