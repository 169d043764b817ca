"""Another web client: its files and policy, its tokens, and sessions as it knows them."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import time
from pathlib import Path

import pytest
from harness import Browser, Client, Running, Serve
from msgspec import UNSET
from principals import PASSWORD, Program, account, guest, tokens_of

from vibetunnel.errors import StartFailed
from vibetunnel.handlers.inline_scripts import policy_of
from vibetunnel.handlers.server import go_duration
from vibetunnel.security.clock import ForwardClock
from vibetunnel.settings import SettingsError, load

SCRIPT = 'document.title = "</" + "x>";'
PAGE = f'<!doctype html><title>other</title><script src="/bundle/x.js"></script><script>{SCRIPT}</script>'
OWN_PAGE = "<!doctype html><title>own</title>"


@pytest.fixture
def client(folder: Path) -> Path:
    """The folder of a client."""
    client = folder / "public"
    (client / "bundle").mkdir(parents=True)
    (client / "index.html").write_text(PAGE)
    (client / "logs.html").write_text("<!doctype html><title>logs</title>")
    (client / "bundle" / "x.js").write_text("x = 1;\n" * 1000)
    (client / "link").symlink_to("/etc/passwd")
    return client


@pytest.fixture
def own(folder: Path) -> Path:
    own = folder / "own"
    (own / "assets").mkdir(parents=True)
    (own / "index.html").write_text(OWN_PAGE)
    (own / "assets" / "own.js").write_text("own")
    return own


async def test_its_files_are_served_and_our_pages_for_links_too(serve: Serve, client: Path, own: Path) -> None:
    server = await serve(web_client=client, static=own)
    session = await server.session()
    for path, title in (
        ("/", "other"),
        (f"/session/{session}", "other"),
        ("/worktrees", "other"),
        ("/file-browser", "other"),
        ("/logs", "logs"),
        ("/logs.html", "logs"),
        ("/login", "own"),
        ("/share", "own"),
        ("/files", "own"),
    ):
        response = await server.fetch("GET", path, login=False)
        assert (response.code, response.headers["Cache-Control"]) == (200, "no-cache"), path
        assert f"<title>{title}</title>" in response.body.decode(), path
    assert (await server.fetch("GET", "/assets/own.js", login=False)).body == b"own"
    for path in ("/link", "/bundle/..%2f..%2fs%2fsecret", "/bundle/none.js"):
        assert (await server.fetch("GET", path, login=False)).code == 404, path
    visitor = await guest(server, session)
    assert b"own" in (await visitor.fetch("GET", f"/session/{session}")).body


async def test_its_files_are_compressed_and_not_sent_twice(serve: Serve, client: Path) -> None:
    server = await serve(web_client=client)
    response = await server.fetch(
        "GET", "/bundle/x.js", headers={"Accept-Encoding": "gzip"}, decompress_response=False, login=False
    )
    assert gzip.decompress(response.body) == (client / "bundle" / "x.js").read_bytes()
    again = {"Accept-Encoding": "gzip", "If-None-Match": response.headers["Etag"]}
    assert (await server.fetch("GET", "/bundle/x.js", headers=again, login=False)).code == 304


async def test_its_pages_run_their_own_scripts_and_no_others(serve: Serve, client: Path, own: Path) -> None:
    server = await serve(web_client=client, static=own)
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    policy = (await server.fetch("GET", "/", login=False)).headers["Content-Security-Policy"]
    assert f"script-src 'self' 'wasm-unsafe-eval' 'sha256-{digest}';" in policy
    for word in ("unsafe-eval' ", "http", "script-src 'unsafe-inline'", "*"):
        assert word not in policy.replace("wasm-unsafe-eval", "")
    login = (await server.fetch("GET", "/login", login=False)).headers["Content-Security-Policy"]
    assert "script-src 'self';" in login


def test_only_scripts_without_an_address_have_a_hash() -> None:
    page = "<script type=importmap>{}</script><SCRIPT SRC=x>ignored</SCRIPT><p>no</p><script>a && b</script>"
    hashes = [base64.b64encode(hashlib.sha256(each).digest()).decode() for each in (b"{}", b"a && b")]
    assert "".join(f" 'sha256-{each}'" for each in hashes) + ";" in policy_of(page)
    assert policy_of(page).count("sha256-") == 2


async def test_a_folder_without_a_client_is_refused_at_the_start(serve: Serve, folder: Path) -> None:
    with pytest.raises(StartFailed, match=r"no index\.html is there"):
        await serve(web_client=folder / "nowhere")


def test_a_base_path_is_refused() -> None:
    with pytest.raises(SettingsError, match="--web-client and --base-path exclude each other"):
        load(flags={"web_client": "/x", "base_path": "/y"})


# Tokens


async def test_a_token_lives_as_long_as_its_login(serve: Serve, client: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later_s = 0.0
    monkeypatch.setattr("vibetunnel.server.ForwardClock", lambda: ForwardClock(lambda: time.time() + later_s))
    server = await serve(web_client=client, access_s=5.0, login_idle_s=100.0, login_max_s=1000.0)
    granted = await tokens_of(server, "ada")
    assert 990 <= granted["expiresIn"] <= 1000
    ada = Program(server, granted["token"])
    for later_s in (90.0, 180.0, 270.0):  # each use keeps it alive  # noqa: B007 (the clock reads it)
        assert (await ada.fetch("GET", "/api/sessions")).code == 200
    later_s = 400.0
    assert (await ada.fetch("GET", "/api/sessions")).code == 401


async def test_a_sliding_token_can_be_revoked(serve: Serve, client: Path) -> None:
    server = await serve(web_client=client)
    ada = Program(server, (await tokens_of(server, "ada"))["token"])
    assert (await ada.fetch("GET", "/api/auth/verify")).code == 200
    assert (await ada.fetch("POST", "/api/auth/logout")).code == 200
    assert (await ada.fetch("GET", "/api/auth/verify")).code == 401


async def test_a_code_gives_tokens_only_if_they_are_asked_for(server: Running) -> None:
    async def redeemed(**more: object) -> dict[str, object]:
        code = (await server.json("POST", "/api/auth/link"))["code"]
        found: dict[str, object] = await server.json("POST", "/api/auth/code", {"code": code, **more}, login=False)
        return found

    assert (await redeemed()).keys() == {"success", "userId"}
    program = Client(server.url, str((await redeemed(token=True))["token"]))
    assert (await program.fetch("GET", "/api/sessions")).code == 200


async def test_refused_logins_say_success_false(server: Running) -> None:
    await account(server, "ada")
    for path, body in (
        ("/api/auth/password", {"userId": "ada", "password": "x"}),
        ("/api/auth/login", {"username": "ada", "password": "x"}),
        ("/api/auth/code", {"code": "AAAAA-AAAAA"}),
    ):
        answer = await server.json("POST", path, body, login=False, status=401)
        assert (answer["success"], bool(answer["error"])) == (False, True)


async def test_what_a_page_asks_for_does_not_use_up_the_budget_of_a_login(serve: Serve) -> None:
    server = await serve(rate_limit_anonymous=20)
    await account(server, "ada")
    for _ in range(40):
        for path in ("/api/auth/config", "/api/auth/current-user", "/api/auth/avatar/ada"):
            assert (await server.fetch("GET", path, login=False)).code == 200
    codes = [(await server.fetch("GET", "/api/sessions", login=False)).code for _ in range(40)]
    assert set(codes) == {401, 429}
    assert (await Browser(server).password("ada", PASSWORD)).code == 200


# Sessions


async def test_a_session_that_nobody_has_opened_is_a_running_one_for_its_client(serve: Serve, client: Path) -> None:
    server = await serve(web_client=client)
    session = await server.session(name='"status":"created"')
    (shown,) = await server.json("GET", "/api/sessions")
    assert (shown["status"], shown["lazy"], shown["name"]) == ("running", True, '"status":"created"')
    assert (await server.json("GET", f"/api/sessions/{session}"))["status"] == "running"
    own = {"X-VibeTunnel-View": "own"}
    assert (await server.json("GET", f"/api/sessions/{session}", headers=own))["status"] == "created"
    token = (await server.json("POST", "/api/tokens", {"scope": ["view"], "expires": 60}, status=201))["token"]
    program = Program(server, token)
    assert (await program.json("GET", "/api/sessions"))[0]["status"] == "created"


async def test_others_see_sessions_as_ever_unless_they_ask(server: Running) -> None:
    await server.session(["cat"], name="x")
    assert (await server.json("GET", "/api/sessions"))[0]["status"] == "created"
    (node,) = await server.json("GET", "/api/sessions", headers={"X-VibeTunnel-View": "node"})
    assert (node["status"], node["lastClearOffset"], node["attachedViaVT"]) == ("running", 0, False)
    go = await server.json("GET", "/api/sessions", headers={"X-VibeTunnel-View": "go"})
    assert go["count"] == 1
    (session,) = go["sessions"]
    assert (session["title"], session["command"], session["active"], session["clients"]) == ("x", "cat", False, 0)
    assert session.keys() >= {"id", "cwd", "cols", "rows", "createdAt", "updatedAt"}


async def test_a_session_is_created_in_the_go_servers_words(server: Running) -> None:
    body = {"command": "exec cat", "cwd": "/tmp", "title": "t", "cols": 100, "rows": 30}
    made = await server.json("POST", "/api/sessions", body, headers={"X-VibeTunnel-View": "go"}, status=201)
    assert (made["title"], made["cwd"], made["cols"], made["rows"]) == ("t", "/tmp", 100, 30)


async def test_the_go_servers_login_answers_in_its_shape(server: Running) -> None:
    await account(server, "ada")
    body = {"username": "ada", "password": PASSWORD}
    answer = await server.json("POST", "/api/auth/login", body, login=False)
    assert answer["user"] == {"id": "ada", "username": "ada", "role": "writer"}
    user = await Program(server, answer["token"]).json("GET", "/api/auth/current-user")
    assert (user["success"], user["user"]["username"]) == (True, "ada")


def test_durations_are_written_as_go_writes_them() -> None:
    assert [go_duration(each) for each in (0.25, 59, 62.3, 3723.5)] == ["0.25s", "59s", "1m2.3s", "1h2m3.5s"]


# What a user chooses


async def test_choices_are_kept_for_each_user_and_over_a_restart(serve: Serve) -> None:
    server = await serve()
    token = (await tokens_of(server, "ada"))["token"]
    ada = Program(server, token)
    chosen = {"quickStartCommands": [{"name": "f", "command": "fish"}, {"command": " "}]}
    answer = await ada.json("PUT", "/api/config", chosen)
    assert answer == {"success": True, "quickStartCommands": [{"name": "f", "command": "fish"}]}
    answer = await ada.json("PUT", "/api/config", {"notificationPreferences": {"enabled": True}})
    assert answer["notificationPreferences"]["enabled"] is True
    assert answer["notificationPreferences"]["sessionExit"] is True
    await ada.json("PUT", "/api/config", {"repositoryBasePath": "~/src"})
    assert (await server.json("GET", "/api/config"))["repositoryBasePath"] != "~/src"
    await server.close()
    second = await serve()
    found = await Program(second, token).json("GET", "/api/config")
    assert found["quickStartCommands"] == [{"name": "f", "command": "fish"}]
    assert (found["repositoryBasePath"], found["notificationPreferences"]["enabled"]) == ("~/src", True)
    await second.json("DELETE", "/api/users/ada")
    assert second.server.context.preferences.of("ada").repository_base_path is UNSET


@pytest.mark.parametrize(
    "body",
    [{}, {"quickStartCommands": 5}, {"repositoryBasePath": ""}, {"quickStartCommands": [{"command": "x"}] * 101}],
)
async def test_choices_that_are_none_are_refused_by_name(server: Running, body: object) -> None:
    answer = await server.json("PUT", "/api/config", body, status=400)
    assert any(name in answer["error"] for name in ("repositoryBasePath", "quickStartCommands"))


async def test_a_guest_chooses_nothing(server: Running) -> None:
    visitor = await guest(server, await server.session())
    response = await visitor.fetch("PUT", "/api/config", {"repositoryBasePath": "/"})
    assert response.code == 403, json.loads(response.body)
