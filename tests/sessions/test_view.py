"""The current folder of a shell, as clients see it."""

from __future__ import annotations

import pytest
from harness import Running, until

from vibetunnel.sessions.view import url_path


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ("file://host/tmp", "/tmp"),
        ("file:///tmp/a%20b/%C3%A4", "/tmp/a b/ä"),
        ("file:/tmp", "/tmp"),
        ("FILE://host/tmp/50%", "/tmp/50%"),
        ("file://host/c#/what?", "/c#/what?"),
        ("kitty-shell-cwd://host/tmp", ""),
        ("/tmp", ""),
        ("file://host", "/"),
        ("file://host/a%1b]0;b", ""),
        ("", ""),
    ],
)
def test_the_folder_that_a_shell_says_is_shown_as_a_path(said: str, path: str) -> None:
    assert url_path(said) == path


async def test_a_session_shows_the_folder_that_its_shell_has_said(server: Running) -> None:
    session = await server.session(r"printf '\033]7;file://somewhere/tmp/a%%20b\007'; cat", spawn="now")

    async def folder() -> str | None:
        found: str | None = (await server.json("GET", f"/api/sessions/{session}")).get("folder")
        return found

    assert await until(folder) == "/tmp/a b"
