"""The git routes: their shapes, who may use them, and what the audit says of changes."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest
from harness import Running, Serve, until
from principals import account, guest, logged_in, share
from repositories import commit, git, repository, write
from tornado.ioloop import IOLoop

from vibetunnel.git.messages import GitEvent, Synced
from vibetunnel.handlers.git_routes import GIT_ROUTES


@pytest.fixture
def home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of the server."""
    found = folder / "home"
    found.mkdir()
    monkeypatch.setenv("HOME", str(found))
    return found


@pytest.fixture
def at_home(home: Path, io_loop: IOLoop, serve: Serve) -> Running:
    running: Running = io_loop.run_sync(serve)
    return running


def described(found: Any, document: dict[str, Any], method: str, path: str) -> Any:
    """The JSON of an answer, which is as the OpenAPI document says."""
    schema = document["paths"][path][method.lower()]["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator(schema | {"components": document["components"]}).validate(found)
    return found


async def test_each_route_answers_in_its_declared_shape(at_home: Running, home: Path) -> None:
    document = await at_home.json("GET", "/api/openapi.json")
    made = repository(home / "proj", a="1", b="1")
    git(made, "remote", "add", "origin", "https://ada:secret@github.com/ada/proj.git")
    write(made, a="2", new="1")
    asked = set()

    async def ask(method: str, path: str, body: object = None, query: str = "", branch: str = "") -> Any:
        asked.add((method, path))
        full = path.replace("{branch}", quote(branch, safe="")) + query
        return described(await at_home.json(method, full, body), document, method, path)

    at, off = f"?path={quote(str(made))}", f"?path={quote(str(home))}"
    assert await ask("GET", "/api/git/repo-info", query=at) == {"isGitRepo": True, "repoPath": str(made)}
    assert await ask("GET", "/api/git/repo-info", query=off) == {"isGitRepo": False}
    status = await ask("GET", "/api/git/status", query=at)
    node = {
        "isGitRepo": True, "repoPath": str(made), "currentBranch": "main", "hasChanges": True, "modifiedCount": 1,
        "untrackedCount": 1, "stagedCount": 0, "addedCount": 0, "deletedCount": 0, "aheadCount": 0, "behindCount": 0,
        "hasUpstream": False,
    }  # fmt: skip
    go = {"isClean": False, "stagedFiles": [], "unstagedFiles": ["a"], "untrackedFiles": ["new"]}
    assert status | node | go == status
    assert status["lastCommit"] == "first"
    info = await ask("GET", "/api/git/repository-info", query=at)
    assert info | node | {"isWorktree": False, "remoteUrl": "https://github.com/ada/proj.git"} == info
    assert await ask("GET", "/api/git/status", query=off) == {"isGitRepo": False}
    changes = await ask("GET", "/api/git/changes", query=at)
    assert (changes["repoPath"], changes["currentBranch"], changes["truncated"]) == (str(made), "main", False)
    assert changes["changedCount"] == 2
    assert changes["files"] == [
        {"path": "a", "unstaged": "modified", "insertions": 1, "deletions": 1},
        {"path": "new", "unstaged": "untracked", "insertions": 1, "deletions": 0},
    ]
    assert await ask("GET", "/api/git/changes", query=off) == {"isGitRepo": False, "files": [], "truncated": False}
    diff = await ask("GET", "/api/git/diff", query=f"{at}&file=a")
    no_newline = "\\ No newline at end of file"
    assert diff["hunks"] == [{"oldStart": 1, "newStart": 1, "lines": ["-1", no_newline, "+2", no_newline]}]
    remote = await ask("GET", "/api/git/remote", query=at)
    assert (remote["remoteUrl"], remote["githubUrl"]) == (
        "https://github.com/ada/proj.git",
        "https://github.com/ada/proj",
    )
    assert (await ask("GET", "/api/git/branches", query=at)) == {
        "branches": [{"name": "main", "isCurrent": True}],
        "count": 1,
    }
    branches = await ask("GET", "/api/repositories/branches", query=at)
    assert branches == [{"name": "main", "current": True, "remote": False, "worktree": str(made)}]
    (found,) = await ask("GET", "/api/repositories/discover", query=off)
    assert found["id"] == f"proj-{made.stat().st_ino}"
    assert (found["path"], found["folderName"], found["relativePath"]) == (str(made), "proj", "proj")
    assert (await ask("GET", "/api/repositories", query=off))["count"] == 1

    where = f"?repoPath={quote(str(made))}"
    new = {"repoPath": str(made), "branch": "feature/x", "path": str(home / "proj-x"), "baseBranch": "main"}
    assert (await ask("POST", "/api/worktrees", new))["worktreePath"] == str(home / "proj-x")
    listed = await ask("GET", "/api/worktrees", query=where)
    assert [each["branch"] for each in listed["worktrees"]] == ["refs/heads/main", "refs/heads/feature/x"]
    main = listed["worktrees"][0]
    assert (main["hasUncommittedChanges"], main["detached"], len(main["HEAD"])) == (True, False, 40)
    assert main["stats"] == {"commitsAhead": 0, "filesChanged": 0, "insertions": 0, "deletions": 0}
    assert listed["baseBranch"] == "main"
    assert "followBranch" not in listed
    assert (await ask("GET", "/api/worktrees", query=f"?repoPath={home}"))["worktrees"] == []

    git(made, "checkout", "-q", "--", "a")
    turned = await ask("POST", "/api/worktrees/follow", {"repoPath": str(made), "branch": "feature/x", "enable": True})
    assert (turned["enabled"], turned["branch"], turned["hooksInstalled"]) == (True, "feature/x", True)
    assert (await ask("GET", "/api/git/follow", query=at))["worktreePath"] == str(home / "proj-x")
    assert (await ask("GET", "/api/worktrees", query=f"{at}"))["followBranch"] == "feature/x"
    write(home / "proj-x", c="1")
    commit(home / "proj-x", "second")
    told = await ask("POST", "/api/git/event", {"repoPath": str(home / "proj-x"), "event": "commit"})
    assert (told["followMode"], told["notification"]["event"]) == (True, "commit")
    strange = await ask("POST", "/api/git/event", {"repoPath": str(made), "type": "rename", "branch": "x"})
    assert (strange["notification"]["event"], strange["notification"]["branch"]) == ("rename", "x")
    notices = await ask("GET", "/api/git/notifications")
    assert [each["title"] for each in notices["notifications"]] == ["Main worktree synced"]
    off_again = {"repoPath": str(made), "enable": False}
    assert not (await ask("POST", "/api/worktrees/follow", off_again))["enabled"]
    assert not (await ask("POST", "/api/worktrees/follow", off_again))["enabled"]  # the Node server answers 500
    write(home / "proj-x", d="1")
    conflict = await at_home.json("DELETE", f"/api/worktrees/feature%2Fx{where}", status=409)
    assert conflict == {"error": "Worktree has uncommitted changes", "worktreePath": str(home / "proj-x")}
    removed = await ask("DELETE", "/api/worktrees/{branch}", query=f"{where}&force=true", branch="feature/x")
    assert removed["removedPath"] == str(home / "proj-x")
    assert not (await ask("POST", "/api/worktrees/prune", {"repoPath": str(made)}))["pruned"]
    git(made, "branch", "-f", "other")
    switched = await ask("POST", "/api/git/checkout", {"repoPath": str(made), "branch": "other"})
    assert switched["branch"] == "other"
    session = await at_home.session(["cat"], cwd=str(made))
    path = "/api/sessions/{session_id}/git-status"
    asked.add(("GET", path))
    described(await at_home.json("GET", path.format(session_id=session)), document, "GET", path)
    assert asked == {(method, route.path) for route in GIT_ROUTES for method in route.operations}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/git/repo-info", 400),
        ("/api/worktrees", 400),
        ("/api/git/status?path=/etc", 403),
        ("/api/git/status?path=../../etc", 403),
        ("/api/repositories/discover?path=/", 403),
        ("/api/repositories/discover?path=~&maxDepth=99", 400),
        ("/api/repositories/branches?path=~", 404),
        ("/api/sessions/nope/git-status", 404),
        ("/api/git/status?path=%00", 400),
        (f"/api/git/status?path={'x/' * 2100}", 400),
    ],
)
async def test_a_wrong_request_gets_a_status_that_tells_what_is_wrong(at_home: Running, path: str, status: int) -> None:
    assert "error" in await at_home.json("GET", path, status=status)


async def test_a_damaged_repository_is_a_conflict_with_a_reason_which_the_log_has_once(
    at_home: Running, home: Path, expect_log: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    expect_log("git failed in ")
    for name in ("proj", "other"):
        made = repository(home / name, a="1")
        (made / ".git" / "HEAD").write_text("nonsense")
        for route in ("status", "changes", "status"):
            answer = await at_home.json("GET", f"/api/git/{route}?path={made}", status=409)
            assert answer["error"].startswith("git: ")
    logged = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert logged == [f"git failed in {home / name}: {answer['error']}" for name in ("proj", "other")]


async def test_viewers_and_guests_neither_read_repositories_nor_change_them(at_home: Running, home: Path) -> None:
    made = repository(home / "proj", a="1")
    session = await at_home.session(["cat"], cwd=str(made))
    viewer = await logged_in(at_home, "vic", "viewer")
    visitor = await guest(at_home, session, role="type")
    for each in (viewer, visitor):
        assert (await each.fetch("GET", f"/api/git/status?path={made}")).code == 403
        assert (await each.fetch("POST", "/api/worktrees/prune", {"repoPath": str(made)})).code == 403
        assert (await each.fetch("GET", f"/api/sessions/{session}/git-status")).code == 200
    await account(at_home, "walt")
    assert await share(at_home, session)


async def test_changes_are_in_the_audit_with_their_results(at_home: Running, home: Path, folder: Path) -> None:
    made = repository(home / "proj", a="1")
    body = {"repoPath": str(made), "branch": "x", "path": str(home / "w"), "baseBranch": "main"}
    await at_home.json("POST", "/api/worktrees", body)
    await at_home.json("POST", "/api/worktrees", body, status=409)
    lines = [json.loads(line) for line in (folder / "s" / "log" / "audit.log").read_text().splitlines()]
    done, refused = [line for line in lines if line["action"] == "git"]
    assert (done["change"], done["result"], done["branch"], done["path"]) == ("add worktree", "ok", "x", body["path"])
    assert refused["result"] != "ok"


async def test_a_sync_is_in_the_audit_even_if_the_login_ends_meanwhile(
    at_home: Running, home: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = repository(home / "proj", a="1")
    git(made, "worktree", "add", "-q", "-b", "x", "../w")
    await at_home.json("POST", "/api/worktrees/follow", {"repoPath": str(made), "branch": "x", "enable": True})
    write(home / "w", a="2")
    commit(home / "w", "second")
    sync = at_home.server.context.git.sync

    async def ended(path: str, event: GitEvent) -> Synced:
        synced = await sync(path, event)
        monkeypatch.setattr(type(at_home.server.context.authority), "still", lambda _self, _principal: None)
        return synced

    monkeypatch.setattr(at_home.server.context.git, "sync", ended)
    answer = await at_home.fetch("POST", "/api/git/event", {"repoPath": str(home / "w"), "event": "commit"})
    assert (answer.code, (made / "a").read_text()) == (401, "2")
    lines = [json.loads(line) for line in (folder / "s" / "log" / "audit.log").read_text().splitlines()]
    assert [line["reason"] for line in lines if line.get("change") == "follow"] == ["Main worktree synced"]


async def test_a_notice_is_given_to_each_user_once(at_home: Running, home: Path) -> None:
    made = repository(home / "proj", a="1")
    git(made, "worktree", "add", "-q", "-b", "x", "../w")
    await at_home.json("POST", "/api/worktrees/follow", {"repoPath": str(made), "branch": "x", "enable": True})
    write(home / "w", a="2")
    commit(home / "w", "second")
    await at_home.json("POST", "/api/git/event", {"repoPath": str(home / "w"), "event": "commit"})
    other = await logged_in(at_home, "walt", "writer")
    for client, expected in ((other, 1), (other, 0), (at_home, 1), (at_home, 0)):
        assert len((await client.json("GET", "/api/git/notifications"))["notifications"]) == expected


async def test_a_session_in_a_repository_has_git_fields_and_they_follow_its_branch(
    at_home: Running, home: Path
) -> None:
    made = repository(home / "proj", a="1")
    git(made, "worktree", "add", "-q", "-b", "x", "../w")
    session = await at_home.session(["cat"], cwd=str(home / "w"))

    async def fields() -> dict[str, Any]:
        (listed,) = await at_home.json("GET", "/api/sessions")
        return {name: value for name, value in listed.items() if name.startswith("git")}

    assert await until(fields) == {
        "gitRepoPath": str(home / "w"), "gitMainRepoPath": str(made), "gitBranch": "x", "gitIsWorktree": True,
        "gitHasChanges": False, "gitChangedCount": 0, "gitModifiedCount": 0, "gitAddedCount": 0, "gitDeletedCount": 0,
    }  # fmt: skip
    git(home / "w", "checkout", "-q", "-b", "y")  # its HEAD is watched

    async def switched() -> bool:
        return (await fields())["gitBranch"] == "y"

    await until(switched)
    write(home / "w", a="2", new="1")  # files are not; asking has the server look

    async def counted() -> bool:
        counts = await at_home.json("GET", f"/api/sessions/{session}/git-status")
        return bool(counts == {"modified": 1, "added": 1, "staged": 0, "deleted": 0, "ahead": 0, "behind": 0})

    await until(counted)


async def test_vibetunnels_own_client_finds_the_repository_in_the_first_list(at_home: Running, home: Path) -> None:
    made = repository(home / "proj", a="1")
    node = {"X-VibeTunnel-View": "node"}
    session = await at_home.json("POST", "/api/sessions", {"cwd": str(made)}, headers=node, status=201)
    (listed,) = await at_home.json("GET", "/api/sessions", headers=node)
    assert (listed["id"], listed["gitRepoPath"], listed["gitBranch"]) == (session["sessionId"], str(made), "main")


async def test_a_change_is_an_event_of_its_session(at_home: Running, home: Path) -> None:
    made = repository(home / "proj", a="1")
    session = await at_home.session(["cat"], cwd=str(made))
    listener = at_home.server.context.registry.events.broadcast.listen()
    write(made, a="2")
    git(made, "add", "a")
    try:
        message: dict[str, Any] = {}
        while message.get("type") != "git-status-update" or not message["sessionId"]:
            message = json.loads(await listener.next() or b"{}")
    finally:
        listener.close()
    assert message["sessionId"] == session
    assert set(message) >= {"gitModifiedCount", "gitAddedCount", "gitDeletedCount", "gitAheadCount", "gitBehindCount"}


async def test_a_prompt_has_the_server_look_again(at_home: Running, home: Path) -> None:
    made = repository(home / "proj", a="1")
    script = r"printf '\033]133;A\033\\'; read line; echo 2 > a; printf '\033]133;A\033\\'; cat"
    session = await at_home.session(["sh", "-c", script], cwd=str(made), spawn="now")

    async def changed() -> dict[str, Any] | None:
        found: dict[str, Any] = await at_home.json("GET", f"/api/sessions/{session}")
        return found if found.get("gitBranch") == "main" else None

    assert not (await until(changed))["gitHasChanges"]
    await at_home.json("POST", f"/api/sessions/{session}/input", {"key": "enter"})

    async def dirty() -> bool:
        return bool((await changed() or {}).get("gitHasChanges"))

    await until(dirty)


async def test_a_session_whose_repository_is_removed_loses_its_git_fields_and_runs_on(
    at_home: Running, home: Path
) -> None:
    made = repository(home / "proj", a="1")
    session = await at_home.session(["cat"], cwd=str(made), spawn="now")

    async def in_one() -> bool:
        return "gitBranch" in await at_home.json("GET", f"/api/sessions/{session}")

    await until(in_one)
    for path in sorted(made.rglob("*"), reverse=True):
        path.unlink() if not path.is_dir() or path.is_symlink() else path.rmdir()
    made.rmdir()

    async def in_none() -> bool:
        await at_home.json("GET", f"/api/sessions/{session}/git-status")
        return not await in_one()

    await until(in_none)
    assert (await at_home.json("GET", f"/api/sessions/{session}"))["status"] == "running"


async def test_the_file_browser_shows_changes_diffs_and_branches(at_home: Running, home: Path) -> None:
    made = repository(home / "proj", a="1\n", same="x\n")
    write(made, a="2\n", new="1\n")
    browsed = await at_home.json("GET", f"/api/fs/browse?path={made}")
    assert (browsed["gitStatus"]["branch"], browsed["gitStatus"]["modified"]) == ("main", ["a"])
    assert {each["name"]: each.get("gitStatus") for each in browsed["files"]} == {
        "a": "modified",
        "new": "untracked",
        "same": "unchanged",
    }
    diff = await at_home.json("GET", f"/api/fs/diff?path={made}/a")
    assert diff["diff"].endswith("@@ -1 +1 @@\n-1\n+2\n")
    both = await at_home.json("GET", f"/api/fs/diff-content?path={made}/a")
    assert (both["originalContent"], both["modifiedContent"]) == ("1\n", "2\n")
    (completion,) = (await at_home.json("GET", f"/api/fs/completions?path={home}/pr"))["completions"]
    assert (completion["isRepository"], completion["gitBranch"]) == (True, "main")


async def test_the_servers_own_folders_are_no_repositories_for_clients(
    at_home: Running, serve: Serve, home: Path, folder: Path
) -> None:
    """A home folder under git must not show the server's secret as a new file."""
    await at_home.close()
    repository(home / "all", a="1")
    own = await serve(state_dir=home / "all" / "state", runtime_dir=folder / "r2")
    status = await own.json("GET", f"/api/git/status?path={home / 'all'}")
    assert status["untrackedFiles"] == ["state/"]
    await own.json("GET", f"/api/git/status?path={home / 'all' / 'state'}", status=403)
    await own.json("GET", f"/api/fs/diff?path={home / 'all' / 'state' / 'secret'}", status=403)
