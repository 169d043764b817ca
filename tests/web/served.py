"""A server process for a browser to visit, with accounts and share links."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

from server_process import ServerProcess

PROMPT = "ready$ "
PASSWORD = "correct horse battery"
ENVIRONMENT = {"LC_ALL": "C.UTF-8", "LESSHISTFILE": "-", "BASH_SILENCE_DEPRECATION_WARNING": "1"}


class Serve(Protocol):
    """`serve("--no-auth")`: a server, with more options."""

    def __call__(self, *options: str) -> Served: ...


class Served(ServerProcess):
    """A server whose shell is /bin/sh with a home folder and a prompt of its own. close() ends all its sessions."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.home = folder / "h"
        self.home.mkdir(mode=0o700)
        (self.home / ".profile").write_text(f"PS1='{PROMPT}'\n")  # read after /etc/profile, which sets PS1 too
        own = ("--shell", "/bin/sh", "--kill-on-exit", "--no-qr")
        super().__init__(folder, *own, *options, HOME=str(self.home), **ENVIRONMENT)

    def text(self, session: str) -> str:
        """The session's screen as the server has it, without the blank rows at its end."""
        return self.request("GET", f"/api/sessions/{session}/text").decode().rstrip()

    def metric(self, name: str) -> float:
        """The value of a metric without labels."""
        found = re.search(rf"^{name} (\S+)$", self.request("GET", "/metrics").decode(), re.MULTILINE)
        assert found, name
        return float(found[1])

    def user(self, name: str, role: str = "writer", password: str = PASSWORD) -> None:
        """A new account."""
        self.ask("POST", "/api/users", {"name": name, "role": role, "password": password})

    def share(self, session: str, role: str = "view", **order: object) -> str:
        """The address of a new link to a session."""
        return str(self.ask("POST", f"/api/sessions/{session}/shares", {"role": role, **order})["url"])
