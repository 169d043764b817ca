"""terminado from PyPI, on Tornado, as its documentation shows (benchmarks/peers/terminado_app.py)."""

import importlib.metadata
import itertools
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks import deflate
from benchmarks.client import MASK, Terminal, upgrade
from benchmarks.errors import Unavailable
from benchmarks.link import FAST, Link
from benchmarks.peers.child import Child
from benchmarks.peers.peer import ChildServer, Peer, Server, if_compressed
from benchmarks.wires import JsonWire


class TerminadoServer(ChildServer):
    """Its sessions are names in a path: the first attach creates one, later ones share it."""

    health = "/health"

    def __init__(self, programs: Mapping[str, str], folder: Path) -> None:
        argv = [sys.executable, "-m", "benchmarks.peers.terminado_app", json.dumps(dict(programs))]
        self._names = itertools.count()
        self.launch(argv, folder, os.environ, Child.announced_port)

    def open(self, program: str) -> str:
        return f"{program}/{next(self._names)}"

    def attach(self, session: str, link: Link = FAST) -> Terminal:
        return self._attach(session, link, {})

    def compressed(self, session: str, link: Link = FAST) -> Terminal | None:
        return if_compressed(self._attach(session, link, {deflate.HEADER: deflate.OFFER}))

    def _attach(self, session: str, link: Link, headers: Mapping[str, str]) -> Terminal:
        upgraded = upgrade(self.address, f"/terminals/{session}", link, headers=headers)
        wire = JsonWire(MASK, inflater=deflate.agreed(upgraded.headers))
        return Terminal(upgraded.connection, wire, upgraded.received, link)


class Terminado(Peer[Server]):
    name = "terminado"

    def about(self) -> str:
        try:
            versions = " ".join(f"{name} {importlib.metadata.version(name)}" for name in ("terminado", "tornado"))
        except importlib.metadata.PackageNotFoundError as error:
            raise Unavailable(f"{error.name} is not installed: pip install -e '.[bench]'") from None
        return f"{versions}, asyncio's own loop; TermSocket (with TCP_NODELAY) and NamedTermManager"

    def start(self, programs: Mapping[str, str], files: Mapping[str, Path], folder: Path) -> Server:
        return TerminadoServer(programs, folder)
