"""The terminal of VibeTunnel's own web client: lost connections, long histories and programs that fill the screen."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from conftest import Enter
from relay import Relay
from served import Served
from their_visitor import INPUT, TheirVisitor

COUNT = "i={}; while [ $i -le {} ]; do echo line $i; i=$((i+1)); done\n"


@pytest.fixture
def relay(server: Served) -> Iterator[Relay]:
    relay = Relay(server)
    yield relay
    relay.end()


def lines_of(client: TheirVisitor) -> list[int]:
    """N of each row `line N`, those above the screen too."""
    return [int(found[1]) for each in client.history() if (found := re.fullmatch(r"line (\d+)", each))]


# Connections


def test_a_tab_that_was_cut_off_has_all_output_once_as_the_other_one(
    server: Served, enter: Enter, relay: Relay
) -> None:
    cut, other = enter(relay), enter(server)
    cut.allow_complaint(r"ERR_|Failed to fetch|[Ss]tream|WebSocket|socket|Network|fetch")
    session = cut.open_shell()
    other.open_session(session)
    other.type(COUNT.format(1, 100))
    for client in (cut, other):
        client.until(lambda: lines_of(client) == list(range(1, 101)))  # noqa: B023
    relay.cut()
    other.type(COUNT.format(101, 300))
    other.until(lambda: lines_of(other) == list(range(1, 301)))
    assert lines_of(cut) == list(range(1, 101))
    stream = f"/api/sessions/{session}/stream"
    cut.until(lambda: len(cut.requests("GET", stream)) == 3)  # two tries have failed
    opened = cut.opened.count(INPUT)
    relay.mend()
    cut.until(lambda: lines_of(cut) == list(range(1, 301)))
    cut.until(lambda: cut.opened.count(INPUT) > opened)
    cut.type("echo typed again\n")
    other.until_shows(r"^typed again$")
    cut.until(lambda: cut.text() == other.text())


# Long histories


def test_a_reload_after_a_long_history_shows_its_end_and_gets_little(client: TheirVisitor) -> None:
    stream = f"/api/sessions/{client.open_shell()}/stream"
    client.type(COUNT.format(1, 40_000))
    client.until_shows(r"^line 40000\nready\$")
    before, got = client.text(), client.received[stream]
    assert got > 400_000
    client.page.reload()
    client.until(lambda: client.text() == before)
    assert client.received[stream] - got < 16_384
