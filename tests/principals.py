"""Clients that log in: programs with a token, browsers with an account or a share link."""

from __future__ import annotations

from typing import Any

from harness import Browser, Client, Running

PASSWORD = "correct horse battery staple"
OTHER = "another horse, another battery"


class Program(Client):
    """A client with a token of its own."""

    def __init__(self, server: Running, token: str) -> None:
        super().__init__(server.url, token)
        self.options = server.options


async def account(server: Running, name: str, role: str = "writer") -> None:
    await server.json("POST", "/api/users", {"name": name, "role": role, "password": PASSWORD}, status=201)


async def logged_in(server: Running, name: str, role: str = "writer") -> Browser:
    """A browser of a new account."""
    await account(server, name, role)
    browser = Browser(server)
    assert (await browser.password(name, PASSWORD)).code == 200
    return browser


async def tokens_of(server: Running, name: str, role: str = "writer") -> dict[str, Any]:
    await account(server, name, role)
    body = {"userId": name, "password": PASSWORD}
    found: dict[str, Any] = await server.json("POST", "/api/auth/password", body, login=False)
    return found


async def share(server: Running, session: str, **order: Any) -> dict[str, Any]:
    made: dict[str, Any] = await server.json("POST", f"/api/sessions/{session}/shares", order, status=201)
    return made


async def guest(server: Running, session: str, **order: Any) -> Browser:
    """A browser that came by a new link."""
    browser = Browser(server)
    assert (await browser.enter((await share(server, session, **order))["code"])).code == 200
    return browser
