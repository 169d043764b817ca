"""The measured terminal engines, in the order of the columns: ours first."""

from benchmarks.engines.engine import EnginePeer
from benchmarks.engines.ghostty import Ghostty
from benchmarks.engines.ours import OurEngine
from benchmarks.engines.xterm import Xterm

ENGINES: tuple[EnginePeer, ...] = (OurEngine(), Ghostty(), Xterm())
