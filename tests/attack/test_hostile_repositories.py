"""Repositories made to run a program, to leave the permitted folders, or to hang: none of it happens.

Each attack is tried on all requests, reads and changes. A program that ran would have left a file.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from harness import DEADLINE_S, until
from repositories import commit, git, repository, tried, write
from tornado.ioloop import IOLoop

from vibetunnel.git import child, sandbox, worktrees
from vibetunnel.git.errors import BadPath, GitBusy, GitError, GitRefused, GitTooSlow, NoRepository, OutsideFolders
from vibetunnel.git.messages import GO, HEAD, Setup, Summarise
from vibetunnel.git.repository import opened, require
from vibetunnel.git.roots import Folders
from vibetunnel.git.service import GitService

pytestmark = pytest.mark.attack

LANDLOCK = sys.platform == "linux" and sandbox.version() > 0


@pytest.fixture
def trap(folder: Path, permitted: Path) -> tuple[str, Path]:
    """(a program, the file that it leaves), both where the child process may read and write."""
    left, program = permitted / "left-by-the-attacker", permitted / "trap"
    program.write_text(f"#!/bin/sh\ntouch {left}\ncat\n")
    program.chmod(0o755)
    return str(program), left


async def try_everything(service: GitService, made: Path) -> str:
    """Send every request to a repository, with a file that has changed. Returns all answers."""
    path = str(made)
    asked: tuple[Callable[[], Awaitable[object]], ...] = (
        lambda: service.summary(path),
        lambda: service.branches(path),
        lambda: service.worktrees(path),
        lambda: service.discover(path, 3),
        lambda: service.file_diff(f"{path}/a"),
        lambda: service.folder_status(path),
        lambda: service.changed_files(path),
        lambda: service.file_hunks(path, "a", "", 3),
        lambda: service.add_worktree(path, f"{path}-new", "new", "main"),
        lambda: service.follow(path, "new"),
        lambda: service.sync(f"{path}-new", "commit"),
        lambda: service.worktrees(path),
        lambda: service.follow(path, ""),
        lambda: service.remove_worktree(path, "new", force=True),
        lambda: service.switch(path, "other"),
        lambda: service.prune_worktrees(path),
    )
    return "\n".join([await tried(each) for each in asked])


CONFIGURED = {  # what makes git run a program, by a setting of the repository
    "fsmonitor": {"core.fsmonitor": "{}"},
    "hooks": {"core.hooksPath": "{}-hooks"},
    "external diff": {"diff.external": "{}", "diff.x.command": "{}"},
    "textconv": {"diff.x.textconv": "{}"},
    "filters": {"filter.x.clean": "{}", "filter.x.smudge": "{}", "filter.x.process": "{}", "filter.x.required": "true"},
    "merge driver": {"merge.x.driver": "{}"},
    "pager": {"core.pager": "{}", "pager.status": "{}", "pager.branch": "{}"},
    "editor": {"core.editor": "{}", "sequence.editor": "{}"},
    "ssh": {"core.sshCommand": "{}", "remote.origin.url": "ssh://localhost/x", "branch.main.remote": "origin"},
    "credential helper": {"credential.helper": "{}", "remote.origin.url": "http://127.0.0.1:9/x", "core.askPass": "{}"},
    "gpg": {"gpg.program": "{}", "commit.gpgSign": "true", "log.showSignature": "true"},
    "alias": {"alias.status": "!{}", "alias.worktree": "!{}"},
    "partial clone": {
        "core.repositoryformatversion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.url": "ext::{}",
        "remote.origin.promisor": "true",
        "remote.origin.uploadpack": "{}",
    },
    "alternate refs": {"core.alternateRefsCommand": "{}"},
    "transport": {"remote.origin.url": "ext::{}", "protocol.ext.allow": "always", "fetch.recurseSubmodules": "true"},
}


@pytest.mark.parametrize("way", CONFIGURED)
async def test_no_setting_runs_a_program(
    service: GitService, permitted: Path, trap: tuple[str, Path], way: str
) -> None:
    """CWE-78, CVE-2022-24765."""
    program, left = trap
    made = repository(permitted / "r", a="1")
    git(made, "branch", "other")
    write(made, _gitattributes="* filter=x diff=x merge=x")
    (made / "_gitattributes").rename(made / ".gitattributes")
    (made / ".git" / "info").mkdir(exist_ok=True)
    (made / ".git" / "info" / "attributes").write_text("* filter=x diff=x merge=x\n")
    _configure(made, program, CONFIGURED[way])
    write(made, a="2")
    if way == "partial clone":
        for blob in (made / ".git" / "objects").glob("[0-9a-f][0-9a-f]/*"):
            if zlib.decompress(blob.read_bytes()).startswith(b"blob"):
                blob.unlink()  # git would fetch it
    answers = await try_everything(service, made)
    assert str(made) in answers
    assert not left.exists()


def _configure(made: Path, program: str, settings: dict[str, str]) -> None:
    hooks = Path(f"{program}-hooks")
    hooks.mkdir()
    _hook(hooks, program)
    for name, value in settings.items():
        git(made, "config", name, value.format(program))


def _hook(hooks: Path, program: str) -> None:
    for name in ("post-checkout", "post-commit", "reference-transaction", "post-index-change"):
        (hooks / name).symlink_to(program)


@pytest.mark.parametrize("way", ["fsmonitor", "hooks", "filters", "alias"])
def test_the_traps_work_on_the_git_program(permitted: Path, trap: tuple[str, Path], way: str) -> None:
    """So that the test above proves something."""
    program, left = trap
    made = repository(permitted / "r", a="1")
    (made / ".gitattributes").write_text("* filter=x\n")
    _configure(made, program, CONFIGURED[way])
    write(made, a="2")
    for command in (("status",), ("checkout", "--quiet", "-b", "new"), ("add", "a"), ("worktree", "list")):
        with contextlib.suppress(subprocess.CalledProcessError):  # the trap is no proper filter
            git(made, *command)
    assert left.exists() == (way != "alias")  # git lets no alias hide a command of its own


async def test_the_hooks_of_a_repository_do_not_run(
    service: GitService, permitted: Path, trap: tuple[str, Path]
) -> None:
    """CWE-78."""
    program, left = trap
    made = repository(permitted / "r", a="1")
    git(made, "branch", "other")
    (made / ".git" / "hooks").mkdir(exist_ok=True)
    _hook(made / ".git" / "hooks", program)
    await try_everything(service, made)
    assert git(made, "branch", "--show-current").strip() == "other"
    assert not left.exists()


async def test_a_submodule_runs_nothing_while_its_repository_is_read(
    service: GitService, permitted: Path, trap: tuple[str, Path]
) -> None:
    """CVE-2018-17456, CVE-2024-32002: the submodule has a configuration of its own."""
    program, left = trap
    repository(permitted / "inner", a="1")
    made = repository(permitted / "r", a="1")
    git(made, "branch", "other")
    git(made, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../inner", "sub")
    commit(made, "with a submodule")
    git(made / "sub", "config", "core.fsmonitor", program)
    git(made / "sub", "config", "filter.x.clean", program)
    write(made / "sub", a="2")
    (made / "sub" / ".gitattributes").write_text("* filter=x\n")
    await try_everything(service, made)
    await try_everything(service, made / "sub")
    assert not left.exists()


def outside(folder: Path) -> Path:
    """A repository outside of the permitted folders, with a secret in it."""
    found = repository(folder / "outside", a="secret content", secretfile="x")
    git(found, "branch", "secretbranch")
    return found


@pytest.mark.parametrize(
    "way", ["file", "link", "commondir", "worktree", "objects", "refs", "HEAD", "config", "include"]
)
async def test_no_part_of_a_repository_leads_out_of_the_permitted_folders(
    service: GitService, folder: Path, permitted: Path, way: str
) -> None:
    """CWE-59, CWE-22: a .git file, a link or a setting names another repository."""
    other = outside(folder)
    made = repository(permitted / "r", b="1")
    git_dir = made / ".git"
    match way:
        case "file" | "link":
            git_dir.rename(permitted / "elsewhere")
            if way == "file":
                git_dir.write_text(f"gitdir: {other}/.git\n")
            else:
                git_dir.symlink_to(other / ".git")
        case "commondir":
            (git_dir / "commondir").write_text(f"{other}/.git\n")
        case "worktree":
            git(made, "config", "core.worktree", str(other))
        case "include":
            git(made, "config", "include.path", str(other / ".git" / "config"))
            git(other, "remote", "add", "origin", "https://secret.example/secretbranch")
        case _:
            (git_dir / way).rename(permitted / "kept")
            (git_dir / way).symlink_to(other / ".git" / way)
    answers = await try_everything(service, made)
    assert "secret" not in answers
    assert git(other, "status", "--porcelain") == ""
    assert not (other / ".git" / "worktrees").exists()


@pytest.mark.parametrize("way", ["gitdir", "alternates", "worktree"])
async def test_a_repository_does_not_borrow_from_another_one_that_may_be_reached(
    service: GitService, permitted: Path, way: str
) -> None:
    """Within the permitted folders too: what was unpacked must not show, or remove, the files of its neighbour."""
    other = repository(permitted / "other", secretfile="x", a="secret content")
    made = repository(permitted / "r", b="1")
    match way:
        case "gitdir":
            (made / ".git").rename(permitted / "kept")
            (made / ".git").write_text("gitdir: ../other/.git\n")
        case "worktree":
            git(made, "config", "core.worktree", "../../other")
        case "alternates":
            (made / ".git" / "objects" / "info").mkdir(exist_ok=True)
            (made / ".git" / "objects" / "info" / "alternates").write_text("/etc\n")
    with pytest.raises(GitRefused):
        await service.summary(str(made))
    assert "secret" not in await try_everything(service, made)
    assert (other / "secretfile").exists()


async def test_a_worktree_that_the_repository_only_claims_is_not_removed(service: GitService, permitted: Path) -> None:
    """CWE-73: the repository names the folder to remove."""
    precious = permitted / "precious"
    write(precious, letter="dear")
    neighbour = repository(permitted / "neighbour", a="1")
    made = repository(permitted / "r", a="1")
    git(made, "worktree", "add", "-q", "-b", "x", "../x")
    back = made / ".git" / "worktrees" / "x" / "gitdir"
    for claimed in (precious / ".git", neighbour / ".git", permitted / ".git", made / ".git"):
        back.write_text(f"{claimed}\n")
        service.forget()
        with pytest.raises(GitError):
            await service.remove_worktree(str(made), "x", force=True)
    link = permitted / "link"
    link.symlink_to(permitted / "x")
    back.write_text(f"{link}/.git\n")
    with pytest.raises(GitError):
        await service.remove_worktree(str(made), "x", force=True)
    assert (precious / "letter").exists()
    assert (neighbour / "a").exists()
    assert (made / "a").exists()
    assert (permitted / "x" / "a").exists()


async def test_what_is_removed_with_a_worktree_is_not_what_its_links_lead_to(
    service: GitService, folder: Path, permitted: Path
) -> None:
    """CWE-59."""
    write(folder / "outside", kept="1")
    made = repository(permitted / "r", a="1")
    git(made, "worktree", "add", "-q", "-b", "x", "../x")
    (permitted / "x" / "link").symlink_to(folder / "outside")
    await service.remove_worktree(str(made), "x", force=True)
    assert not (permitted / "x").exists()
    assert (folder / "outside" / "kept").exists()


async def test_a_checkout_writes_nothing_through_a_link(service: GitService, folder: Path, permitted: Path) -> None:
    """CVE-2021-21300: a commit has a link, and another has files where the link was."""
    (folder / "outside").mkdir()
    made = repository(permitted / "r", a="1")
    git(made, "checkout", "-q", "-b", "linked")
    (made / "dir").symlink_to(folder / "outside")
    commit(made, "link")
    git(made, "checkout", "-q", "-b", "filed", "main")
    write(made, dir__planted="1")
    commit(made, "file")
    await service.switch(str(made), "linked")
    await service.switch(str(made), "filed")
    assert list((folder / "outside").iterdir()) == []
    assert (made / "dir" / "planted").exists()


@pytest.mark.parametrize("name", ["HEAD", "config", "index", "packed-refs", "objects/info/alternates", "info/exclude"])
async def test_a_fifo_in_the_place_of_a_file_holds_up_nothing_else(
    service: GitService, permitted: Path, name: str
) -> None:
    """CWE-400: opening it waits for a writer that never comes."""
    made, other = repository(permitted / "r", a="1"), repository(permitted / "other", a="1")
    path = made / ".git" / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    answer = await tried(lambda: service.summary(str(made)))
    assert answer.startswith(("GitTooSlow", "GitDamaged", "GitRefused", "Summary")), answer
    found = await service.summary(str(other))
    assert found is not None
    assert found.branch == "main"


def test_a_child_process_that_hangs_ends_itself(permitted: Path) -> None:
    """Also if its server is gone and can no longer end it."""
    made = repository(permitted / "r", a="1")
    (made / ".git" / "config").unlink()
    os.mkfifo(made / ".git" / "config")
    setup = Setup([str(permitted)], [], str(permitted), change=False, limit_s=0.5)
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            command = (sys.executable, "-m", "vibetunnel.git.worker", msgspec.json.encode(setup).decode())
            process = subprocess.Popen(command, stdin=theirs.fileno())
        request = msgspec.json.encode(Summarise(str(made)))
        ours.sendall(len(request).to_bytes(HEAD, "big") + request + GO)
        try:
            assert process.wait(timeout=DEADLINE_S) == -signal.SIGALRM
        finally:
            process.kill()
            process.wait()


async def test_a_repository_that_was_too_slow_is_not_tried_again_at_once(service: GitService, permitted: Path) -> None:
    """CWE-400: a request costs the time limit, so a client must not cause one after another."""
    made = repository(permitted / "r", a="1")
    (made / ".git" / "config").unlink()
    os.mkfifo(made / ".git" / "config")
    with pytest.raises(GitTooSlow):
        await service.summary(str(made))
    assert service.processes[0] == 0
    (made / ".git" / "config").unlink()
    (made / ".git" / "config").touch()
    with pytest.raises(GitTooSlow):  # it would be read now
        await service.summary(str(made), fresh=True)
    assert service.processes[0] == 0


async def test_a_repository_that_was_too_slow_is_left_alone_by_any_of_its_paths(
    service: GitService, permitted: Path
) -> None:
    """CWE-400: a link, a folder below or another request would each cost the time limit again."""
    made = repository(permitted / "r", a="1", sub__b="1")
    other = repository(permitted / "other", a="1")
    (permitted / "link").symlink_to(made)
    (made / ".git" / "config").unlink()
    os.mkfifo(made / ".git" / "config")
    with pytest.raises(GitTooSlow):
        await service.summary(str(made))
    assert await service.summary(str(other)) is not None
    process = service.processes[0]
    for asked in (
        service.summary(str(made / "sub")),
        service.branches(str(permitted / "link")),
        service.file_diff(str(made / "a")),
    ):
        with pytest.raises(GitTooSlow):
            await asked
    assert service.processes[0] == process


async def test_a_process_that_the_kernel_holds_is_left_behind_and_another_one_answers(
    service: GitService, permitted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CWE-400: SIGKILL ends no process that waits for a dead file system. One that is stopped stands for it."""
    made = repository(permitted / "r", a="1")
    kill, held = subprocess.Popen.kill, list[subprocess.Popen[bytes]]()
    monkeypatch.setattr(subprocess.Popen, "kill", lambda process: held.append(process))
    monkeypatch.setattr(child, "SPARE_S", -1.5)
    for number in range(child.LEFT):
        assert await service.discover(str(made), number) == await service.discover(str(made), number)
        os.kill(service.processes[0], signal.SIGSTOP)
        with pytest.raises(GitTooSlow):
            await service.branches(str(permitted / str(number)))
        assert service.processes[0] == 0
    with pytest.raises(GitBusy):
        await service.summary(str(made))
    for process in held:
        kill(process)
        process.wait()

    async def answers() -> bool:
        return "Summary" in await tried(lambda: service.summary(str(made), fresh=True))

    await until(answers)


async def test_a_kernel_that_does_not_confine_the_child_process_is_told(
    service: GitService, permitted: Path, monkeypatch: pytest.MonkeyPatch, expect_log: Callable[[str], None]
) -> None:
    """CWE-693: once in the log, and among the problems of the server."""
    if sys.platform == "linux":
        expect_log("no Landlock")
    monkeypatch.setattr(child, "CONFINED", b"otherwise")
    assert service.problems == []
    await service.discover(str(permitted), 0)
    assert service.problems == ([child.UNCONFINED] if sys.platform == "linux" else [])


async def test_an_object_that_unpacks_to_gigabytes_ends_no_server(service: GitService, permitted: Path) -> None:
    """CWE-409."""
    made = repository(permitted / "r", a="1")
    head = git(made, "rev-parse", "HEAD:a").strip()
    blob = made / ".git" / "objects" / head[:2] / head[2:]
    blob.chmod(stat.S_IRUSR | stat.S_IWUSR)
    packer = zlib.compressobj()
    packed = [packer.compress(b"blob %d\0" % (2 << 30))]
    packed += [packer.compress(bytes(1 << 20)) for _ in range(64)]
    blob.write_bytes(b"".join([*packed, packer.flush()]))
    write(made, a="2")
    assert "too_big=True" in await tried(lambda: service.file_diff(str(made / "a")))
    found = await service.summary(str(made), fresh=True)
    assert found is not None
    assert found.modified == 1


RIGHTS = """
import errno, os, socket, sys
from vibetunnel.git import child, sandbox, worktrees
permitted, outside, write = sys.argv[1:]
sandbox.confine([permitted], [], write=bool(write))

def works(name, do):
    try:
        do()
    except OSError:
        return
    print(name, flush=True)

works("read", lambda: open(f"{permitted}/mine").read())
works("write", lambda: open(f"{permitted}/new", "w"))
works("read outside", lambda: open(f"{outside}/secret").read())
works("write outside", lambda: open(f"{outside}/new", "w"))
works("list outside", lambda: os.listdir(outside))
works("connect", lambda: socket.create_connection(("127.0.0.1", PORT), 5))
works("run", lambda: os.execv("/bin/echo", ["echo", "run"]))
try:
    os.execv(f"{permitted}/program", ["program"])
except OSError as error:
    if error.errno == errno.ENOEXEC:  # it would run if it were a program
        print("run one of its own")
"""


@pytest.mark.skipif(not LANDLOCK, reason="a kernel without Landlock")
def test_the_child_process_has_no_rights_beyond_its_folders(permitted: Path, folder: Path) -> None:
    """CWE-250: even code of an attacker in the child process runs no program and reads nothing else."""
    (folder / "secret").write_text("x")
    (permitted / "mine").write_text("x")
    (permitted / "program").write_bytes(bytes(64))
    (permitted / "program").chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        script = RIGHTS.replace("PORT", str(listening.getsockname()[1]))
        for write_, expected in (("", ["read"]), ("1", ["read", "write"])):
            command = (sys.executable, "-c", script, permitted, folder, write_)
            assert subprocess.check_output(command, text=True).splitlines() == expected


async def test_paths_that_name_more_than_a_path_are_refused(service: GitService, permitted: Path) -> None:
    """CWE-22, CWE-88."""
    repository(permitted / "r", a="1")
    (permitted / "link").symlink_to("/")
    for path in ("/", "..", "r/../..", "link/etc", "~/../..", "~root", "/proc/self/root", "\0", "r\0/etc", "x" * 5000):
        with pytest.raises((OutsideFolders, BadPath, NoRepository)) as refused:
            await service.discover(path, 0) if path != "~root" else await service.switch(path, "x")
        assert not isinstance(refused.value, GitBusy)


def _link_alternates(git_dir: Path, other: Path) -> None:
    (git_dir / "objects" / "info" / "x").write_text(f"{other}/objects\n")
    (git_dir / "objects" / "info" / "alternates").symlink_to("x")


def _long_comment(git_dir: Path, other: Path) -> None:
    (git_dir / "objects" / "info" / "alternates").write_text(f"#{'x' * 4200}\n{other}/objects\n")


def _carriage_return(git_dir: Path, other: Path) -> None:
    (git_dir / "objects" / "info" / "alternates").write_text(f"#x\r{other}/objects\n")


def _beyond_a_nul(git_dir: Path, other: Path) -> None:
    (git_dir / "objects" / "info" / "alternates").write_bytes(b"%s/objects\0\n" % os.fsencode(other))


def _other_line_end(git_dir: Path, other: Path) -> None:
    """Python's `splitlines` knows more ends of lines than libgit2: what follows `#` was taken for a line."""
    (git_dir.parent / "x\x0b#").symlink_to(other)
    (git_dir / "objects" / "info" / "alternates").write_text(f"#x\n{git_dir.parent}/x\x0b#/objects\n")


def _relative_to_the_process(git_dir: Path, other: Path) -> None:
    (git_dir / "objects" / "info" / "alternates").write_text("vibetunnel/../x\n")


def _link_commondir(git_dir: Path, other: Path) -> None:
    made = git_dir.parent
    git_dir.rename(made.parent / "kept")
    (made.parent / "kept" / "x").write_text(f"{other}\n")
    (made.parent / "kept" / "commondir").symlink_to("x")
    git(made.parent, "config", "--file", "kept/config", "core.worktree", str(made))
    git_dir.write_text("gitdir: ../kept\n")


def _long_commondir(git_dir: Path, other: Path) -> None:
    _link_commondir(git_dir, other)
    (git_dir.parent.parent / "kept" / "commondir").unlink()
    (git_dir.parent.parent / "kept" / "commondir").write_text(f"{other}/{'./' * 2100}\n")


def _blank_commondir(git_dir: Path, other: Path) -> None:
    _link_commondir(git_dir, other)
    (git_dir.parent.parent / "kept" / "commondir").unlink()
    (git_dir.parent.parent / "kept" / "commondir").write_text("\n")


def _link_git_file(git_dir: Path, other: Path) -> None:
    git_dir.rename(git_dir.parent / "x")
    (git_dir.parent / "y").write_text(f"gitdir: {other}\n")
    git_dir.symlink_to("y")


LIBGIT2_READS_IT_ANOTHER_WAY = (
    _link_alternates, _long_comment, _carriage_return, _beyond_a_nul, _other_line_end, _relative_to_the_process,
    _link_commondir, _long_commondir, _blank_commondir, _link_git_file,
)  # fmt: skip


@pytest.mark.parametrize("way", LIBGIT2_READS_IT_ANOTHER_WAY)
def test_a_file_that_libgit2_may_read_in_another_way_than_the_check_is_refused(
    folder: Path, permitted: Path, way: Callable[[Path, Path], None]
) -> None:
    """CWE-59, CWE-436. Without Landlock, which would hide what the check lets through."""
    other = outside(folder)
    made = repository(permitted / "r", b="1")
    (made / ".git" / "objects" / "info").mkdir(exist_ok=True)
    way(made / ".git", other / ".git")
    roots = Folders((str(permitted),), str(permitted))
    with pytest.raises(GitRefused):
        require(str(made), roots)


def test_a_repository_with_alternates_in_the_permitted_folders_is_read(permitted: Path) -> None:
    """So that the test above proves something."""
    other = repository(permitted / "other", a="1")
    made = repository(permitted / "r", b="1")
    (made / ".git" / "objects" / "info").mkdir(exist_ok=True)
    alternates = made / ".git" / "objects" / "info" / "alternates"
    for text in (f"# a comment\n\n{other}/.git/objects\n", "../../../other/.git/objects"):
        alternates.write_text(text)
        place = require(str(made), Folders((str(permitted),), str(permitted)))
        assert git(other, "rev-parse", "HEAD").strip() in opened(place)


async def test_what_is_wrong_in_a_repository_ends_no_child_process(service: GitService, permitted: Path) -> None:
    """CWE-248: each fault is the answer to its own request."""
    made = repository(permitted / "r", a="1")
    git(made, "remote", "add", "origin", "https://b\u00fccher.example/x")
    found = await service.summary(str(made))
    assert found is not None
    assert found.remote == "https://b\u00fccher.example/x"
    process = service.processes[0]
    strange = permitted / os.fsdecode(b"\xff")
    strange.mkdir()
    repository(permitted / "other", a="1")
    (permitted / "other" / ".git").rename(permitted / "kept")
    (permitted / "other" / ".git").symlink_to(strange / "git")
    (permitted / "link").symlink_to(strange)
    (strange / ".git").write_text("nothing")
    for path in ("link", "other"):
        await tried(lambda path=path: service.summary(str(permitted / path)))  # type: ignore[misc]  # mypy: lambda
    assert "GitRefused" in await tried(lambda: service.summary(str(permitted / "link")))
    assert service.processes[0] == process


async def test_a_worktree_with_the_servers_own_folder_in_it_is_not_removed(
    io_loop: IOLoop, service: GitService, permitted: Path
) -> None:
    """CWE-73: also if the worktree itself may be reached."""
    made = repository(permitted / "r", a="1")
    git(made, "worktree", "add", "-q", "-b", "x", "../x")
    write(permitted / "x" / "state", secret="dear")
    careful = GitService(
        Folders((str(permitted),), str(permitted), (str(permitted / "x" / "state"),)), os.environ, read_s=2.0
    )
    try:
        with pytest.raises(GitRefused):
            await careful.remove_worktree(str(made), "x", force=True)
    finally:
        await careful.close()
    assert (permitted / "x" / "state" / "secret").exists()


def test_a_folder_is_removed_only_where_no_link_leads(folder: Path, permitted: Path) -> None:
    """CWE-367: a folder above that became a link after the check."""
    write(folder / "outside" / "x", kept="1")
    (permitted / "above").symlink_to(folder / "outside")
    with pytest.raises(OSError, match=r"irectory|symbolic"):
        worktrees.remove_tree(str(permitted / "above" / "x"), Folders((str(permitted),), str(permitted)))
    assert (folder / "outside" / "x" / "kept").exists()
