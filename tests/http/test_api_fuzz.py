"""Schemathesis asks a real server for every operation of the OpenAPI document, well and badly.

Its checks: no answer is a server error; status, content type and body are those that the document declares; what the
document allows is accepted, and what it does not allow is refused; other methods are answered with 405; a request
without a login is refused.

The requests are the same in each run. `API_EXAMPLES=1000`, or `make fuzz-api`, makes random ones, and so many of them
for each operation.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.core.parameters import ParameterLocation
from server_process import ServerProcess

from vibetunnel.handlers.file_routes import FILE_ROUTES
from vibetunnel.handlers.git_routes import GIT_ROUTES
from vibetunnel.handlers.multiplexer_routes import MULTIPLEXER_ROUTES
from vibetunnel.handlers.openapi import document
from vibetunnel.handlers.routes import ROUTES

EXAMPLES = int(os.environ.get("API_EXAMPLES", "0"))
USUAL = 10  # examples of each operation, besides those of the phase "coverage"

# Statuses that say nothing about the fields of the request: Schemathesis knows these, and some operations have more.
NEUTRAL = ["401", "403", "404", "409", "429", "431"]
MORE_STATUSES = {
    "POST /api/sessions/{session_id}/wait": ["408"],  # nothing has happened in time
    "PUT /api/config": ["400"],  # one field at least
    "GET /api/sessions/{session_id}/text": ["400"],  # styles are of the whole screen
    "POST /api/push/subscribe": ["400"],  # whether an address and a key are some
    # Whether a path is one depends on the file system.
    **{f"{method} {route.shown}": ["400"] for route in GIT_ROUTES for method in route.operations},
    # Whether a name is one depends on the multiplexer.
    **{f"{method} {route.shown}": ["400"] for route in MULTIPLEXER_ROUTES for method in route.operations},
    "GET /ws": ["426"],  # this is no WebSocket handshake
    "GET /buffers": ["426"],
    "GET /ws/input": ["426"],
    # Whether a path or a name is one, and how large a file may be, depends on the file system and the settings.
    **{f"{method} {route.shown}": ["400", "413", "415", "416"] for route in FILE_ROUTES for method in route.operations},
}
# Operations that are not asked, and why.
LEFT_OUT = {
    "GET /api/events": "a stream that does not end",
    "GET /api/control/stream": "a stream that does not end",
    "GET /api/sessions/{session_id}/stream": "a stream that does not end",
}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"

SCHEMA = schemathesis.openapi.from_dict(
    json.loads(document(ROUTES, "vibetunnel")),
    config=SchemathesisConfig.from_dict(
        {
            "generation": {"with-security-parameters": False},  # the test logs in
            "operations": [
                {
                    "include-name": name,
                    "checks": {
                        "positive_data_acceptance": {"expected-statuses": ["2xx", *NEUTRAL, *statuses]},
                        "negative_data_rejection": {"expected-statuses": ["400", *NEUTRAL, *statuses]},
                    },
                }
                for name, statuses in MORE_STATUSES.items()
            ],
        }
    ),
)
for left_out in LEFT_OUT:
    SCHEMA = SCHEMA.exclude(name=left_out)


class Api:
    """A server of its own, and what the requests need to be about."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self._lasting = ""

    def session(self) -> str:
        """A session that runs, the same as long as it does."""
        found = {each["id"]: each["status"] for each in self.server.ask("GET", "/api/sessions")}
        if found.get(self._lasting) != "running":
            self._lasting = self.new(spawn="now")
        return self._lasting

    def new(self, **fields: Any) -> str:
        return str(self.server.ask("POST", "/api/sessions", {"command": ["/bin/cat"], **fields})["id"])


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with tempfile.TemporaryDirectory(prefix="vt") as name:
        folder = Path(name)
        (folder / "home").mkdir()
        refusing = folder / "refusing"  # what is asked here makes and ends nothing on this machine
        refusing.mkdir()
        for program in ("tmux", "screen", "zellij"):
            (refusing / program).symlink_to("/bin/false")
        limits = [f"--rate-limit{each}=0" for each in ("", "-anonymous", "-sessions", "-upgrades")]
        environment = {"HOME": str(folder / "home"), "PATH": f"{refusing}:{os.environ['PATH']}"}
        on = ["--enable-ssh-keys", "--push", "--push-contact=mailto:ada@example.org"]
        server = ServerProcess(folder, "--kill-on-exit", "--shell", "/bin/true", *on, *limits, **environment)
        try:
            yield Api(server)
        finally:
            server.close()


@SCHEMA.parametrize()
@hypothesis.settings(
    max_examples=EXAMPLES or USUAL,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
def test_the_server_does_what_its_document_says(case: schemathesis.Case, api: Api) -> None:
    about(case, api)
    case.call_and_validate(base_url=api.server.url, headers=api.server.bearer, timeout=60)


def about(case: schemathesis.Case, api: Api) -> None:
    """Put what no schema can express into a valid request: things that exist, and waits that end soon."""
    name = f"{case.method} {case.path}"
    if _valid(case, ParameterLocation.PATH) and "session_id" in case.path_parameters:
        lasts = case.method != "DELETE" and not case.path.endswith("/signal")
        case.path_parameters["session_id"] = api.session() if lasts else api.new()
    if not _valid(case, ParameterLocation.BODY) or not isinstance(case.body, dict):
        return
    body = case.body
    if name == "POST /api/sessions":
        body |= {"workingDir": "/", "env": {}}
        if body.get("command"):
            body["command"] = "true" if isinstance(body["command"], str) else ["/bin/true"]
    elif name.endswith("/wait"):
        body["timeoutMs"] = 1
        if body.get("regex"):
            body["regex"] = "x+"
    elif name.endswith("/keys"):
        body["key"] = f"{KEY} {secrets.token_hex(4)}"


def _valid(case: schemathesis.Case, where: ParameterLocation) -> bool:
    found = case.meta.components.get(where) if case.meta is not None else None
    return found is not None and found.mode.is_positive
