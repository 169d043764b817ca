"""This project's engine, vibetunnel._ext.vt, as the pump uses it, through its Python class."""

import sys
from collections.abc import Sequence

from benchmarks.engines.engine import EnginePeer
from benchmarks.errors import Unavailable


class OurEngine(EnginePeer):
    name = "vt"

    def about(self) -> str:
        try:
            from vibetunnel import __version__
            from vibetunnel._ext import vt
        except ImportError as error:
            raise Unavailable(f"{error}; the extension is built by `make bench`, or `pip install -e .`") from None
        assert vt
        return f"vibetunnel._ext.vt {__version__} of this work tree; scrollback as it comes, 10,000 lines"

    def argv(self) -> Sequence[str]:
        return [sys.executable, "-m", "benchmarks.engines.worker", "ours"]
