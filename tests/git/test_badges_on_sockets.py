"""What a v3 socket without output is told of a session's repository."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import Serve
from repositories import git, repository, write
from v3_client import EVENT, EVENTS, V3Client, v3


async def update(client: V3Client) -> dict[str, object]:
    """The next one of the repository; other events are passed over."""
    while (found := (await client.next(EVENT)).json)["kind"] != "git-status-update":
        pass
    return dict(found)


async def test_a_subscription_to_events_alone_is_told_of_the_repository(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder))
    made = repository(folder / "home" / "proj", a="1")
    write(made, a="2")
    server = await serve()
    session = await server.session(["cat"], cwd=str(made))
    async with v3(server) as client:
        await client.subscribe(session, EVENTS)
        first = await update(client)
        assert (first["sessionId"], first["gitModifiedCount"], first["type"]) == (session, 1, "git-status-update")
        write(made, new="1")
        git(made, "checkout", "-q", "-b", "other")  # its HEAD is watched
        assert (await update(client))["gitAddedCount"] == 1
    assert (await server.json("GET", f"/api/sessions/{session}"))["status"] == "created"
