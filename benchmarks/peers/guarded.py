"""This project with all checks on, and one way of logging in."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.peers.ours import Ours, OurServer
from benchmarks.peers.peer import Server

# Every check of a request is on; the rate limits are too high to be reached.
GUARDED = (
    "--allow-ip=127.0.0.0/8",
    "--rate-limit=10000000",
    "--rate-limit-sessions=10000000",
    "--rate-limit-upgrades=10000000",
    "--user-sessions=1000000",
    "--request-log",
)
PASSWORD = "correct horse battery staple"  # for a server that runs for seconds


class Guarded(Ours):
    """A server that asks for a login.

    by   token: the access token of an account; cookie: a browser's login
    """

    def __init__(self, by: str) -> None:
        super().__init__()
        self.name = by

    def about(self) -> str:
        return f"the same, `serve {' '.join(GUARDED)}`, audit and request log written; requests with a {self.name}"

    def start(self, programs: Mapping[str, str], files: Mapping[str, Path], folder: Path) -> Server:
        server = OurServer(programs, folder, GUARDED)
        try:
            secret = (server.state_dir / "secret").read_text().strip()
            server.headers = {"Authorization": f"Bearer {secret}"}
            account = {"name": "ada", "role": "writer", "password": PASSWORD}
            server.ask("POST", "/api/users", account, status=201)
            server.headers = self._log_in(server)
        except BaseException:
            server.stop()
            raise
        return server

    def _log_in(self, server: OurServer) -> dict[str, str]:
        host, port = server.address
        server.headers = {}
        if self.name == "token":
            _, login = server.ask("POST", "/api/auth/password", {"userId": "ada", "password": PASSWORD})
            return {"Authorization": f"Bearer {login['token']}"}
        cookie = server.cookie("/api/auth/password", {"userId": "ada", "password": PASSWORD})
        server.headers = {"Cookie": cookie}
        _, user = server.ask("GET", "/api/auth/current-user")
        return {
            "Cookie": cookie,
            "Origin": f"http://{host}:{port}",
            "Sec-Fetch-Site": "same-origin",
            "X-CSRF-Token": user["csrfToken"],
        }
