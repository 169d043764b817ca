"""An application that redirects plain HTTP to HTTPS, and does nothing else."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from tornado.web import Application, RequestHandler

from vibetunnel.security.headers import HEADERS
from vibetunnel.security.hosts import DEFAULT_PORTS, HostPolicy, parse_authority

WANTED = "This port speaks HTTPS: use an address that begins with https://"


class Redirect(Application):
    """Redirects every GET and HEAD to the same address with HTTPS, and answers other methods with an error.

    Other methods are not redirected, because they may have carried a password or a token that anyone on the network
    could read. They must fail each time, so that the program is corrected.

    port  of the HTTPS server
    url   the server's public address; "": the name that the client has used
    """

    def __init__(self, host_policy: HostPolicy, port: Callable[[], int], url: str = "") -> None:
        arguments = {"host_policy": host_policy, "port": port, "url": url}
        super().__init__(
            default_handler_class=_RedirectHandler, default_handler_args=arguments, log_function=lambda _handler: None
        )


class _RedirectHandler(RequestHandler):
    def initialize(self, host_policy: HostPolicy, port: Callable[[], int], url: str) -> None:
        self._host_policy = host_policy
        self._port = port
        self._url = url

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        for name, value in HEADERS.items():
            self.set_header(name, value)
        self.set_header("Cache-Control", "no-store")

    def prepare(self) -> None:
        host, path = self.request.headers.get("Host"), self.request.uri or ""
        refusal = self._host_policy.refuse_host(host)  # an attacker's Host header must not choose the target
        if refusal is not None:
            self._say(HTTPStatus.FORBIDDEN, refusal)
        elif self.request.method not in ("GET", "HEAD") or not path.startswith("/"):
            self._say(HTTPStatus.FORBIDDEN, WANTED)
        else:
            self.set_header("Location", self._base(host or "") + path)
            self._say(HTTPStatus.PERMANENT_REDIRECT, WANTED)

    def _base(self, host: str) -> str:
        """`https://name[:port]`."""
        ours, theirs = parse_authority(host), parse_authority(self._url.removeprefix("https://").partition("/")[0])
        assert ours is not None  # refuse_host() has checked it
        if self._url.startswith("https://") and theirs is not None and theirs.host == ours.host:
            return self._url[: len("https://")] + self._url.removeprefix("https://").partition("/")[0]
        name = f"[{ours.host}]" if ":" in ours.host else ours.host
        port = self._port()
        return f"https://{name}" if port == DEFAULT_PORTS["https"] else f"https://{name}:{port}"

    def _say(self, status: HTTPStatus, message: str) -> None:
        self.set_status(status)
        self.finish({"error": message})

    def write_error(self, status_code: int, **_: Any) -> None:  # Any: Tornado's signature
        self.finish({"error": HTTPStatus(status_code).phrase})

    def compute_etag(self) -> None:
        """No tag: these answers are not cached."""
