"""tmux, screen and zellij over REST: what is there is listed, attached as a session, made and ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest
from harness import Browser, Running, Serve, until
from own_multiplexers import tmux
from principals import guest, logged_in

from vibetunnel.handlers.multiplexer_routes import MULTIPLEXER_ROUTES

MULTIPLEXER = "/api/multiplexer"


async def state(server: Running, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = (await server.json("GET", f"{MULTIPLEXER}/status"))[kind]
    return found


async def names(server: Running, kind: str) -> list[str]:
    return [each["name"] for each in (await state(server, kind))["sessions"]]


def audited(server: Running) -> list[dict[str, Any]]:
    lines = (server.server.settings.log_dir / "audit.log").read_text().splitlines()
    return [found for found in map(json.loads, lines) if found["action"] == "multiplexer"]


async def test_each_route_answers_in_its_declared_shape(server: Running) -> None:
    document = await server.json("GET", "/api/openapi.json")
    asked = set()

    async def ask(method: str, path: str, body: object = None, query: str = "", **parts: str) -> Any:
        asked.add((method, path))
        full = path.format(**{name: quote(part, safe="") for name, part in parts.items()}) + query
        found = await server.json(method, full, body)
        answers = document["paths"][path][method.lower()]["responses"]["200"]["content"]["application/json"]
        schema = answers["schema"] | {"components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(found)
        return found

    of, go = f"{MULTIPLEXER}/tmux/sessions/{{name}}", "/api/tmux/sessions"
    assert await ask("GET", "/api/tmux/available") == {"available": True}
    assert await ask("GET", go) == {"sessions": []}  # the Node server answers 500
    assert await ask("GET", "/api/tmux/context") == {"insideTmux": False, "currentSession": None}
    assert await ask("GET", f"{MULTIPLEXER}/context") == {"context": None}
    order = {"type": "tmux", "name": "work", "options": {"command": ["sh", "-c", "exec cat"]}}
    made = await ask("POST", f"{MULTIPLEXER}/sessions", order)
    assert made == {"success": True, "type": "tmux", "name": "work"}
    await ask("POST", go, {"name": "other", "command": ["sh", "-c", "exec cat"]})
    status = await ask("GET", f"{MULTIPLEXER}/status")
    (other, work) = status["tmux"]["sessions"]
    assert work | {"name": "work", "type": "tmux", "windows": 1, "attached": False, "current": False} == work
    assert int(work["created"]) <= int(other["activity"])
    assert (await ask("GET", go))["sessions"] == status["tmux"]["sessions"]
    tmux("split-window", "-t", "=work:", "exec cat")
    tmux("new-window", "-t", "=work:", "-n", "second", "exec cat")
    (first, second) = (await ask("GET", f"{of}/windows", name="work"))["windows"]
    assert first | {"session": "work", "index": 0, "active": False, "panes": 2} == first
    assert second == {"session": "work", "index": 1, "name": "second", "active": True, "panes": 1}
    assert (await ask("GET", f"{go}/{{name}}/windows", name="work"))["windows"] == [first, second]
    assert len((await ask("GET", f"{of}/panes", name="work"))["panes"]) == 3

    async def panes_of_cat() -> Any:
        found = (await ask("GET", f"{go}/{{name}}/panes", query="?window=0", name="work"))["panes"]
        return found if all(each["command"] == "cat" for each in found) else None  # a shell starts it

    panes = await until(panes_of_cat)
    assert [(each["window"], each["index"]) for each in panes] == [(0, 0), (0, 1)]
    assert panes[0]["currentPath"] == server.server.context.home
    sent = {"command": "echo 'a b;' C-c;", "windowIndex": 0, "paneIndex": 1}
    assert await ask("POST", f"{go}/{{name}}/send", sent, name="work") == {"success": True}
    await until(lambda: sent["command"] in tmux("capture-pane", "-p", "-t", "=work:0.1"))
    attached = await ask("POST", f"{MULTIPLEXER}/attach", {"type": "tmux", "sessionName": "work", "windowIndex": 0})
    assert attached["target"] == {"type": "tmux", "session": "work", "window": 0}
    again = await ask("POST", "/api/tmux/attach", {"sessionName": "work", "windowIndex": 0, "paneIndex": 1})
    assert again["target"] == {"type": "tmux", "session": "work", "window": 0, "pane": 1}
    await ask("DELETE", f"{of}/panes/{{pane}}", name="work", pane="work:0.1")
    await ask("DELETE", f"{of}/windows/{{window}}", name="work", window="1")
    assert tmux("list-panes", "-s", "-t", "=work", "-F", "#{window_index}.#{pane_index}") == "0.0\n"
    await ask("DELETE", f"{go}/{{name}}", name="other")
    await ask("DELETE", f"{MULTIPLEXER}/{{kind}}/sessions/{{name}}", kind="tmux", name="work")
    assert await names(server, "tmux") == []
    assert asked == {(method, route.path) for route in MULTIPLEXER_ROUTES for method in route.operations}


async def test_an_attached_session_shows_and_types_into_the_one_of_tmux(server: Running) -> None:
    await server.json("POST", f"{MULTIPLEXER}/sessions", {"type": "tmux", "name": "work"})
    # As VibeTunnel's own client sends it.
    body = {"type": "tmux", "sessionName": "work", "cols": 100, "rows": 30, "titleMode": "dynamic"}
    answer = await server.json("POST", f"{MULTIPLEXER}/attach", body | {"metadata": {"source": "multiplexer-modal"}})
    session = await server.json("GET", f"/api/sessions/{answer['sessionId']}")
    assert (session["name"], session["cols"], session["rows"]) == ("tmux: work", 100, 30)
    assert session["command"] == ["tmux", "-u", "attach-session", "-t", "=work"]
    socket = await server.attach(answer["sessionId"])
    await socket.send("echo $((6*7)) é\n".encode())
    await until(lambda: "42 é" in tmux("capture-pane", "-p", "-t", "=work:"))
    await socket.until("42 é".encode())
    assert (await state(server, "tmux"))["sessions"][0]["attached"]
    await server.json("DELETE", f"{MULTIPLEXER}/tmux/sessions/work")
    assert (await server.ended(answer["sessionId"]))["exitCode"] == 0


ODD = [
    *("a b", "-x", "x;", "\\;", "é:漢.x", "$1", "@1", "=q", "{mouse}", "a*", "#[fg=red]x"),
    'it\'s "q" `id` $(id) #{pid}',
]


@pytest.mark.parametrize("name", ODD)
async def test_a_name_means_itself_whatever_is_in_it(server: Running, name: str) -> None:
    await server.json("POST", "/api/tmux/sessions", {"name": "work"})
    made = (await server.json("POST", "/api/tmux/sessions", {"name": name}))["name"]
    assert sorted(await names(server, "tmux")) == sorted(["work", made])
    answer = await server.json("POST", "/api/tmux/attach", {"sessionName": made})
    await server.attach(answer["sessionId"])

    async def shown() -> list[str]:
        sessions = (await server.json("GET", "/api/tmux/sessions"))["sessions"]
        return [each["name"] for each in sessions if each["attached"]]

    assert await until(shown) == [made]
    await server.json("DELETE", f"/api/tmux/sessions/{quote(made, safe='')}")
    assert await names(server, "tmux") == ["work"]


@pytest.mark.parametrize("kind", ["tmux", "screen"])
async def test_nothing_that_a_client_names_is_run(server: Running, folder: Path, kind: str) -> None:
    mark = folder / "mark"
    for name in (
        f"x #(touch {mark})",
        f"$(touch {mark})",
        f"`touch {mark}`",
        f"x; touch {mark};",
        f"x' -- touch {mark}",
    ):
        response = await server.fetch("POST", f"{MULTIPLEXER}/sessions", {"type": kind, "name": name})
        made = json.loads(response.body).get("name", name)
        for path in ("windows", "panes"):
            await server.fetch("GET", f"{MULTIPLEXER}/tmux/sessions/{quote(made, safe='')}/{path}")
        answer = await server.fetch("POST", f"{MULTIPLEXER}/attach", {"type": kind, "sessionName": made})
        if answer.code == 200:
            await server.attach(json.loads(answer.body)["sessionId"])
        await server.fetch("DELETE", f"{MULTIPLEXER}/{kind}/sessions/{quote(made, safe='')}")
    if kind == "tmux":  # the same attack on tmux itself works, after some time
        control = folder / "control"
        tmux("new-session", "-d", "-s", f"x #(touch {control})")
        await until(control.exists)
    assert not mark.exists()


async def test_a_part_of_a_name_and_what_begins_with_it_are_no_match(server: Running) -> None:
    await server.json("POST", "/api/tmux/sessions", {"name": "workshop"})
    await server.json("POST", f"{MULTIPLEXER}/sessions", {"type": "screen", "name": "workshop"})
    for kind in ("tmux", "screen"):
        answer = await server.json("DELETE", f"{MULTIPLEXER}/{kind}/sessions/work", status=404)
        assert answer == {"error": f"{kind} has no session with the name work"}
        await server.json("POST", f"{MULTIPLEXER}/attach", {"type": kind, "sessionName": "work"}, status=404)
    tmux("rename-window", "-t", "=workshop:0", "7")  # a name that looks like an index
    await server.json("DELETE", f"{MULTIPLEXER}/tmux/sessions/workshop/windows/7", status=404)
    await server.json("DELETE", f"{MULTIPLEXER}/tmux/sessions/workshop/panes/0.7", status=404)
    await server.json("POST", "/api/tmux/attach", {"sessionName": "workshop", "windowIndex": 7}, status=404)
    assert await names(server, "tmux") == ["workshop"]


async def test_titles_and_folders_of_panes_cannot_imitate_other_rows(server: Running, folder: Path) -> None:
    odd = folder / "a\n\tb<0>%0"
    odd.mkdir()
    tmux("new-session", "-d", "-s", "work", "-c", str(odd), "printf '\\033]2;t\\tx\\033\\\\'; exec cat")

    async def pane() -> Any:
        (found,) = (await server.json("GET", "/api/tmux/sessions/work/panes"))["panes"]
        return found if found["command"] == "cat" else None

    found = await until(pane)
    assert found["currentPath"] == str(odd)


async def test_screen_is_listed_attached_and_ended(server: Running) -> None:
    made = await server.json("POST", f"{MULTIPLEXER}/sessions", {"type": "screen", "name": "my wörk.x"})
    number, _, rest = made["name"].partition(".")
    assert (number.isdecimal(), rest) == (True, "my wörk.x")
    (found,) = (await state(server, "screen"))["sessions"]
    assert found | {"name": made["name"], "type": "screen", "attached": False} == found
    # VibeTunnel's own client knows the name that it gave only.
    answer = await server.json("POST", f"{MULTIPLEXER}/attach", {"type": "screen", "sessionName": "my wörk.x"})
    session = await server.json("GET", f"/api/sessions/{answer['sessionId']}")
    assert session["command"] == ["screen", "-U", "-x", made["name"]]
    socket = await server.attach(answer["sessionId"])

    async def attached() -> bool:
        return bool((await state(server, "screen"))["sessions"][0]["attached"])

    await until(attached)  # screen drops what is typed before
    await socket.send(b"echo $((6*7))\n")
    await socket.until(b"42")
    await server.json("DELETE", f"{MULTIPLEXER}/screen/sessions/{quote(made['name'])}")
    await server.ended(answer["sessionId"])
    assert await names(server, "screen") == []


async def test_a_name_that_several_have_is_refused_with_their_numbers(server: Running) -> None:
    made = [
        (await server.json("POST", f"{MULTIPLEXER}/sessions", {"type": "screen", "name": "work"}))["name"] for _ in "ab"
    ]
    refused = await server.json("DELETE", f"{MULTIPLEXER}/screen/sessions/work", status=409)
    assert all(each in refused["error"] for each in made)
    await server.json("DELETE", f"{MULTIPLEXER}/screen/sessions/{made[0]}")
    assert await names(server, "screen") == made[1:]


async def test_zellij_is_listed_attached_and_ended(zellij: Path, serve: Serve) -> None:
    server = await serve()
    assert await state(server, "zellij") == {"available": True, "type": "zellij", "sessions": []}
    order = {"type": "zellij", "name": "a [b] (c)", "options": {"layout": "-compact"}}
    await server.json("POST", f"{MULTIPLEXER}/sessions", order)
    await server.json("POST", f"{MULTIPLEXER}/sessions", order, status=409)
    (zellij / "old").write_text("exited")
    (zellij / "unsaved").write_text("unsaved")
    sessions = (await state(server, "zellij"))["sessions"]
    made = {"type": "zellij", "created": "1m 2s ago", "current": False}
    old = {"name": "old", "exited": True}
    assert sessions == [made | {"name": "a [b] (c)"}, made | old, made | {"name": "unsaved"}]
    # VibeTunnel's own client attaches to a session that is to be created.
    answer = await server.json("POST", f"{MULTIPLEXER}/attach", {"type": "zellij", "sessionName": "-new"})
    socket = await server.attach(answer["sessionId"])
    await socket.until(b"inside -new")
    for name in ("a [b] (c)", "old", "unsaved", "-new"):
        await server.json("DELETE", f"{MULTIPLEXER}/zellij/sessions/{quote(name)}")
    await server.json("DELETE", f"{MULTIPLEXER}/zellij/sessions/old", status=404)
    assert await names(server, "zellij") == []
    calls = [json.loads(line)["words"] for line in (zellij / ".asked").read_text().splitlines()]
    assert ["--layout=-compact", "attach", "--create-background", "--", "a [b] (c)"] in calls
    assert ["attach", "--create", "--", "-new"] in calls


async def test_what_is_not_installed_says_so(sockets: Path, serve: Serve, only: Callable[..., None]) -> None:
    only()
    server = await serve()
    found = await server.json("GET", f"{MULTIPLEXER}/status")
    assert found == {kind: {"available": False, "type": kind, "sessions": []} for kind in ("tmux", "zellij", "screen")}
    assert await server.json("GET", "/api/tmux/available") == {"available": False}
    for method, path, body in (
        ("GET", "/api/tmux/sessions", None),
        ("POST", f"{MULTIPLEXER}/sessions", {"type": "screen", "name": "x"}),
        ("POST", f"{MULTIPLEXER}/attach", {"type": "tmux", "sessionName": "x"}),
        ("DELETE", f"{MULTIPLEXER}/zellij/sessions/x", None),
    ):
        assert "is not installed" in (await server.json(method, path, body, status=503))["error"]
    assert await server.json("GET", "/api/sessions") == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", f"{MULTIPLEXER}/sessions", {"type": "byobu", "name": "x"}),
        ("POST", f"{MULTIPLEXER}/sessions", {"name": "x"}),
        ("POST", f"{MULTIPLEXER}/sessions", {"type": "tmux", "name": ""}),
        ("POST", f"{MULTIPLEXER}/sessions", {"type": "tmux", "name": "a\nb"}),
        ("POST", f"{MULTIPLEXER}/sessions", {"type": "screen", "name": "root/x"}),  # screen: of another account
        ("POST", f"{MULTIPLEXER}/sessions", {"type": "screen", "name": "é" * 50}),
        ("POST", f"{MULTIPLEXER}/sessions", {"type": "tmux", "name": "x", "options": {"command": ["a\0b"]}}),
        ("POST", f"{MULTIPLEXER}/sessions", {"type": "zellij", "name": "x", "options": {"command": ["cat"]}}),
        ("POST", f"{MULTIPLEXER}/attach", {"type": "zellij", "sessionName": "../x"}),
        ("POST", f"{MULTIPLEXER}/attach", {"type": "tmux", "sessionName": "x", "windowIndex": -1}),
        ("POST", "/api/tmux/attach", {"sessionName": "x", "paneIndex": 0}),
        ("POST", "/api/tmux/sessions/x/send", {"command": "a\0b"}),
        ("GET", "/api/tmux/sessions/x/panes?window=a", None),
        ("GET", "/api/tmux/sessions/a%00b/windows", None),
        ("DELETE", f"{MULTIPLEXER}/byobu/sessions/x", None),
        ("DELETE", f"{MULTIPLEXER}/tmux/sessions/x/windows/-1", None),
        ("DELETE", f"{MULTIPLEXER}/tmux/sessions/x/panes/%25%3B", None),
        ("DELETE", f"{MULTIPLEXER}/tmux/sessions/x/panes/other:0.0", None),
    ],
)  # fmt: skip
async def test_a_wrong_request_is_refused_before_anything_is_asked(
    server: Running, method: str, path: str, body: object
) -> None:
    assert "error" in await server.json(method, path, body, status=400)


async def test_viewers_and_guests_reach_no_multiplexer(server: Running) -> None:
    await server.json("POST", "/api/tmux/sessions", {"name": "work"})
    session = await server.session(["cat"])
    writer = await logged_in(server, "walt", "writer")
    assert (await writer.fetch("GET", f"{MULTIPLEXER}/status")).code == 200
    for each in (await logged_in(server, "vic", "viewer"), await guest(server, session, role="type")):
        assert (await each.fetch("GET", f"{MULTIPLEXER}/status")).code == 403
        assert (await each.fetch("GET", "/api/tmux/sessions/work/panes")).code == 403
        assert (await each.fetch("POST", "/api/tmux/sessions/work/send", {"command": "x"})).code == 403
        assert (await each.fetch("POST", "/api/tmux/attach", {"sessionName": "work"})).code == 403
        assert (await each.fetch("DELETE", f"{MULTIPLEXER}/tmux/sessions/work")).code == 403
    assert await names(server, "tmux") == ["work"]


async def test_new_sessions_are_limited_as_those_of_the_server(sockets: Path, serve: Serve) -> None:
    server = await serve(rate_limit_sessions=1)
    writer = await logged_in(server, "walt")
    await writer.json("POST", "/api/tmux/sessions", {"name": "one"})
    for path, body in (
        ("/api/tmux/sessions", {"name": "two"}),
        ("/api/tmux/attach", {"sessionName": "one"}),
        (f"{MULTIPLEXER}/sessions", {"type": "screen", "name": "two"}),
    ):
        assert (await writer.json("POST", path, body, status=429))["code"] == "rate"
    assert await names(server, "tmux") == ["one"]


async def test_requests_of_vibetunnels_own_client_pass_as_it_sends_them(serve: Serve, sockets: Path) -> None:
    """It declares JSON for requests without a body, too."""
    server = await serve(no_auth=True)
    browser, declared = Browser(server), {"Content_Type": "application/json"}
    assert (await browser.fetch("GET", f"{MULTIPLEXER}/status", **declared)).code == 200
    made = await browser.fetch("POST", f"{MULTIPLEXER}/sessions", {"type": "tmux", "name": "work"})
    assert json.loads(made.body)["success"]
    assert (await browser.fetch("GET", f"{MULTIPLEXER}/tmux/sessions/work/panes?window=0", **declared)).code == 200
    assert (await browser.fetch("DELETE", f"{MULTIPLEXER}/tmux/sessions/work", **declared)).code == 200


async def test_a_multiplexer_around_the_server_is_not_around_its_sessions(
    serve: Serve, zellij: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TMUX", "STY", "ZELLIJ"):
        monkeypatch.setenv(name, "/elsewhere,1,0")
    server = await serve()
    for kind in ("tmux", "screen", "zellij"):
        await server.json("POST", f"{MULTIPLEXER}/sessions", {"type": kind, "name": "work"})
        assert len(await names(server, kind)) == 1
    assert all(json.loads(line)["inside"] == [] for line in (zellij / ".asked").read_text().splitlines())


async def test_changes_are_in_the_audit_with_their_results_and_without_what_was_typed(server: Running) -> None:
    await server.json("POST", "/api/tmux/sessions", {"name": "work"})
    await server.json("POST", "/api/tmux/sessions", {"name": "work"}, status=409)
    await server.json("POST", "/api/tmux/sessions/work/send", {"command": "hunter2"})
    await server.json("POST", "/api/tmux/sessions/work/send", {"command": "x", "windowIndex": 0, "paneIndex": 0})
    await server.json("DELETE", f"{MULTIPLEXER}/tmux/sessions/work/panes/0.0")
    assert [(each["change"], each["result"] == "ok", each.get("place")) for each in audited(server)] == [
        ("create", True, None),
        ("create", False, None),
        ("send", True, None),
        ("send", True, "0.0"),
        ("kill pane", True, "0.0"),
    ]
    assert "hunter2" not in json.dumps(audited(server))
