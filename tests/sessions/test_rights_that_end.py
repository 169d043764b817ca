"""A right that ends while a request waits, for the start of the program or for its screen, is not used any more."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest
from harness import Browser, Running, until
from principals import logged_in

from vibetunnel._ext.pump import Terminal
from vibetunnel.sessions.session import Session

ENDINGS = pytest.mark.parametrize(("ending", "status"), [("logout", 401), ("demotion", 403)])


async def end(ending: str, server: Running, ada: Browser) -> None:
    if ending == "logout":
        assert (await ada.fetch("POST", "/api/auth/logout")).code == 200
    else:
        await server.json("PATCH", "/api/users/ada", {"role": "viewer"})


class StoppedKeeper:
    """The keeper of a server; it reads nothing until go() is called.

    waiting  how many requests wait for the start of a session
    """

    def __init__(self, server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
        keeper = server.server.context.registry.keeper.live
        assert keeper is not None
        self.pid = keeper.pid
        self.waiting = 0
        started = Session.started

        async def counted(session: Session, rows: int = 0, cols: int = 0, *, awaits_client: bool = False) -> Terminal:
            self.waiting += 1
            return await started(session, rows, cols, awaits_client=awaits_client)

        monkeypatch.setattr(Session, "started", counted)
        os.kill(self.pid, signal.SIGSTOP)

    def go(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


@pytest.fixture
def keeper(server: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoppedKeeper]:
    made = StoppedKeeper(server, monkeypatch)
    yield made
    made.go()


@ENDINGS
async def test_no_request_uses_a_right_that_ended_while_the_program_was_started(
    server: Running, keeper: StoppedKeeper, ending: str, status: int
) -> None:
    ada = await logged_in(server, "ada")
    session = await server.session(["cat"])
    path = f"/api/sessions/{session}"
    first = asyncio.create_task(server.fetch("POST", f"{path}/input", {"text": "first\n"}))
    await until(lambda: keeper.waiting == 1)
    asked = [
        asyncio.create_task(ada.fetch("POST", f"{path}/{what}", body))
        for what, body in (
            ("input", {"text": "late\n"}),
            ("resize", {"rows": 9, "cols": 99}),
            ("signal", {"signal": "INT"}),
        )
    ]
    await until(lambda: keeper.waiting == 1 + len(asked))
    await end(ending, server, ada)
    keeper.go()
    assert [(await each).code for each in asked] == [status] * len(asked)
    assert (await first).code == 200
    await server.json("POST", f"{path}/input", {"text": "last\n"})
    assert b"late" not in await server.output(session, b"last")
    seen = await server.json("GET", path)
    assert (seen["status"], seen["rows"], seen["cols"]) == ("running", 24, 80)


async def test_output_is_not_sent_to_a_client_that_logged_out_while_the_program_was_started(
    server: Running, keeper: StoppedKeeper
) -> None:
    ada = await logged_in(server, "ada")
    session = await server.session(["cat"])
    reading = asyncio.create_task(ada.fetch("GET", f"/api/sessions/{session}/output"))
    await until(lambda: keeper.waiting == 1)
    await end("logout", server, ada)
    keeper.go()
    assert (await reading).code == 401


@ENDINGS
async def test_no_paste_uses_a_right_that_ended_while_the_screen_was_read(
    server: Running, monkeypatch: pytest.MonkeyPatch, ending: str, status: int
) -> None:
    ada = await logged_in(server, "ada")
    session = await server.session(["cat"], spawn="now")
    asked, go = asyncio.Event(), asyncio.Event()
    takes_brackets = Session.takes_brackets

    async def held(session: Session) -> bool:
        asked.set()
        await go.wait()
        return await takes_brackets(session)

    monkeypatch.setattr(Session, "takes_brackets", held)
    pasting = asyncio.create_task(ada.fetch("POST", f"/api/sessions/{session}/input", {"paste": "late"}))
    await until(asked.is_set)
    await end(ending, server, ada)
    go.set()
    assert (await pasting).code == status
    await server.json("POST", f"/api/sessions/{session}/input", {"text": "last\n"})
    assert b"late" not in await server.output(session, b"last")
