"""The smallest server with terminado: one address per program and session, and a health answer.

Run by benchmarks/peers/terminado.py with the programs as JSON. Prints {"port": N}, and ends when its stdin closes.
"""

import asyncio
import json
import logging
import os
import sys
import time
from typing import Any

import tornado.httpserver
import tornado.netutil
import tornado.web
from terminado.management import NamedTermManager
from terminado.websocket import TermSocket


class Socket(TermSocket):
    """terminado's socket, with TCP_NODELAY and compression, which Tornado leaves to the application.

    Without TCP_NODELAY an echo waits for the ACK of the one before, which a client that types on a schedule sends with
    its next key. Each echo would be one key late, and the figure would show nothing else.
    """

    def open(self, url_component: str | None = None) -> None:
        self.set_nodelay(True)
        super().open(url_component)

    def get_compression_options(self) -> dict[str, Any]:
        """Tornado's defaults, for clients that offer compression."""
        return {}


class HealthHandler(tornado.web.RequestHandler):
    """The same answer as ours at /api/health, from stock Tornado."""

    def initialize(self, started: float) -> None:
        self.started = started

    def get(self) -> None:
        self.finish(
            {"status": "ok", "version": "0", "uptime": time.time() - self.started, "sessions": 0, "pid": os.getpid()}
        )


async def main(programs: dict[str, str]) -> None:
    logging.getLogger("tornado.access").setLevel(logging.ERROR)
    routes: list[tuple[str, type[tornado.web.RequestHandler], dict[str, object]]] = [
        ("/health", HealthHandler, {"started": time.time()})
    ]
    for name, text in programs.items():
        terminals = NamedTermManager(shell_command=["/bin/sh", "-c", text])
        routes.append((f"/terminals/{name}/(\\w+)", Socket, {"term_manager": terminals}))
    server = tornado.httpserver.HTTPServer(tornado.web.Application(routes))
    sockets = tornado.netutil.bind_sockets(0, "127.0.0.1", backlog=1024)
    server.add_sockets(sockets)
    print(json.dumps({"port": sockets[0].getsockname()[1]}), flush=True)
    gone = asyncio.Event()
    asyncio.get_running_loop().add_reader(0, gone.set)
    await gone.wait()
    # Do not wait for sockets or terminals: the kernel closes both with this process, and hangs up the programs.
    sys.stdout.flush()
    os._exit(0)


asyncio.run(main(json.loads(sys.argv[1])))
