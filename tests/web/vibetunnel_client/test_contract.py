"""What VibeTunnel's own web client needs from a server, in the order in which a user meets it."""

from __future__ import annotations

import json
import re
import struct
from typing import Any

import pytest
from playwright.sync_api import expect
from served import Served
from their_visitor import INPUT, READY, TheirVisitor

PREVIEWS = "/buffers"


def status(server: Served, session: str) -> dict[str, Any]:
    found: dict[str, Any] = server.ask("GET", f"/api/sessions/{session}")
    return found


def test_the_list_opens_without_an_error_and_asks_no_other_host(client: TheirVisitor) -> None:
    client.open_list()
    client.answer("GET", "/api/sessions", 1)  # it asks each second


def test_the_socket_of_the_previews_begins_with_connected(client: TheirVisitor) -> None:
    client.open_list()
    first = client.until(
        lambda: next((frame for path, sent, frame in client.frames if path == PREVIEWS and not sent), None)
    )
    assert json.loads(first) == {"type": "connected", "version": "1.0"}


def test_the_dialog_creates_one_session_and_opens_it(server: Served, client: TheirVisitor) -> None:
    client.open_list()
    session = client.create("sh -l", server.home, "demo")
    (request,) = client.requests("POST", "/api/sessions")
    assert request.post_data_json["command"] == ["sh", "-l"]
    assert client.answer("POST", "/api/sessions").json()["sessionId"] == session
    client.until_shows(READY)
    expect(client.page.get_by_text("demo").first).to_be_visible()
    assert (status(server, session)["name"], status(server, session)["workingDir"]) == ("demo", str(server.home))


def test_the_stream_shows_the_prompt_before_a_key_is_pressed(client: TheirVisitor) -> None:
    stream = f"/api/sessions/{client.open_shell()}/stream"
    answer = client.answer("GET", stream)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "content-encoding" not in answer.headers
    assert len(client.requests("GET", stream)) == 1
    header = next(data for path, data in client.events if path == stream)
    assert (header["version"], header["width"] > 0, header["height"] > 0) == (2, True, True)
    assert client.typed() == []


def test_each_key_is_a_message_and_its_output_comes_back(client: TheirVisitor) -> None:
    client.open_shell()
    client.type("echo hello-$((40+2))\n")
    client.until_shows(r"^hello-42$")
    assert client.typed() == [*"echo hello-$((40+2))", "\0enter\0"]
    assert client.requests("POST", ".*/input") == []


def test_the_program_has_the_size_of_the_window(server: Served, client: TheirVisitor) -> None:
    session = client.open_shell()
    resize = f"/api/sessions/{session}/resize"
    client.answer("POST", resize)
    before = len(client.requests("POST", resize))
    client.page.set_viewport_size({"width": 1000, "height": 640})
    answer = client.answer("POST", resize, before)
    asked = answer.request.post_data_json
    assert (answer.status, type(asked["cols"]), type(asked["rows"])) == (200, int, int)
    client.until(lambda: status(server, session)["cols"] == asked["cols"])
    client.type("stty size\n")
    client.until_shows(rf"^{asked['rows']} {asked['cols']}$")
    assert len(client.requests("POST", resize)) == before + 1


def test_a_card_shows_what_is_on_the_screen(client: TheirVisitor) -> None:
    session = client.open_shell()
    client.type("echo hello-$((40+2))\n")
    client.until_shows(r"^hello-42$")
    client.open_list()
    expect(client.card(session)).to_contain_text("hello-42")
    frame = next(
        frame for path, sent, frame in client.frames if path == PREVIEWS and not sent and isinstance(frame, bytes)
    )
    name = session.encode()
    assert frame.startswith(b"\xbf" + struct.pack("<I", len(name)) + name + b"TV\x01\x00")


def test_the_kill_button_ends_the_program(server: Served, client: TheirVisitor) -> None:
    session = client.open_shell()
    client.open_list()
    client.card(session).get_by_test_id("kill-session-button").click()
    assert client.answer("DELETE", f"/api/sessions/{session}").status == 200
    client.until(lambda: status(server, session)["status"] == "exited")


def test_exited_sessions_are_shown_and_removed(server: Served, client: TheirVisitor) -> None:
    session = client.open_shell()
    client.type("echo last words; exit\n")
    client.until(lambda: status(server, session)["status"] == "exited")
    client.open_list()
    client.at("show-exited-toggle").click()
    expect(client.card(session)).to_contain_text("last words")
    client.at("clean-exited-button").click()
    assert client.answer("POST", "/api/cleanup-exited").status == 200
    expect(client.card(session)).to_have_count(0)
    assert server.ask("GET", "/api/sessions") == []


@pytest.mark.parametrize("code", [3, 0])
def test_the_exit_code_is_that_of_the_program(server: Served, client: TheirVisitor, code: int) -> None:
    session = client.open_shell()
    client.type(f"exit {code}\n")
    stream = f"/api/sessions/{session}/stream"
    found = client.until_event(stream, lambda data: isinstance(data, list) and data[0] == "exit")
    assert found == ["exit", code, session]
    client.until(lambda: status(server, session)["status"] == "exited")
    assert status(server, session)["exitCode"] == code
    expect(client.page.get_by_text(re.compile("exited", re.IGNORECASE)).first).to_be_visible()


def test_a_reload_shows_the_screen_again(client: TheirVisitor) -> None:
    client.open_shell()
    client.type("echo hello-$((40+2))\n")
    client.until_shows(r"^hello-42\nready\$$")
    before = client.text()
    client.page.reload()
    client.until(lambda: client.text() == before)
    assert client.opened.count(INPUT) >= 1
