"""Attacks through the folders of the server: files that other users plant there, and files that it leaks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import DEADLINE_S, Running, Serve

from vibetunnel import paths
from vibetunnel.errors import StartFailed
from vibetunnel.keeper.channel import Channel
from vibetunnel.keeper.client import KeeperClient
from vibetunnel.keeper.errors import KeeperFailed
from vibetunnel.server import Server
from vibetunnel.settings import Settings

pytestmark = pytest.mark.attack

FOLDERS = ("state_dir", "runtime_dir", "log_dir")
FILES = (
    "state_dir/secret",
    "state_dir/logins.json",
    "state_dir/users.json",
    "state_dir/keys.json",
    "state_dir/tokens.json",
    "state_dir/shares.json",
    "runtime_dir/server.lock",
    "runtime_dir/server.json",
    "runtime_dir/keeper.lock",
    "runtime_dir/keeper.log",
    "runtime_dir/keeper.sock",
    "log_dir/audit.log",
    "log_dir/requests.log",
)
PRECIOUS = b"precious\n"


@pytest.fixture
def settings(folder: Path) -> Settings:
    return Settings(port=0, state_dir=folder / "s", runtime_dir=folder / "r", log_dir=folder / "l", shell="/bin/sh")


async def starts(settings: Settings) -> bool:
    """Whether a server starts with these folders. Stops it and its keeper."""
    server = Server(settings)
    try:
        async with asyncio.timeout(DEADLINE_S):
            await server.start()
    except StartFailed:
        return False
    else:
        return True
    finally:
        await server.close()
        with contextlib.suppress(KeeperFailed, OSError):
            if stat.S_ISSOCK((settings.runtime_dir / paths.KEEPER_SOCKET).lstat().st_mode):
                keeper = await KeeperClient.connect(settings.runtime_dir, on_exit=lambda _: None, on_lost=lambda: None)
                await keeper.stop(kill=True)


@pytest.fixture
def precious(folder: Path) -> Iterator[Path]:
    """A user's file. No attack may change it, read it into an answer, or open it to others."""
    path = folder / "precious"
    path.write_bytes(PRECIOUS)
    path.chmod(0o600)  # so that only the link can be the reason to refuse it
    yield path
    assert path.read_bytes() == PRECIOUS
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


# Folders (CWE-59, CWE-377, CWE-732)


@pytest.mark.parametrize("name", FOLDERS)
async def test_folder_that_is_a_link_is_not_used(name: str, settings: Settings, folder: Path) -> None:
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    getattr(settings, name).symlink_to(elsewhere)
    assert not await starts(settings)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("name", FOLDERS)
async def test_folder_that_others_may_enter_is_not_used_and_not_closed_either(name: str, settings: Settings) -> None:
    path = getattr(settings, name)
    path.mkdir()
    path.chmod(0o1777)
    assert not await starts(settings)
    assert list(path.iterdir()) == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o1777  # a user may pass /tmp by mistake: it must stay open to others


@pytest.mark.parametrize("name", FOLDERS)
async def test_folder_below_one_that_anybody_may_change_is_not_used(
    name: str, settings: Settings, folder: Path
) -> None:
    # Its name may lead to another folder at any moment, even if the folder is private.
    (folder / "open").mkdir()
    (folder / "open").chmod(0o777)
    own = folder / "open" / "own"
    own.mkdir(mode=0o700)
    link = folder / "link"
    link.symlink_to(folder / "open")
    for path in (own, link / "own", folder / "r" / ".." / "open" / "own"):
        with contextlib.suppress(FileExistsError):
            settings.runtime_dir.mkdir(mode=0o700)
        changed = Settings(**{**vars(settings), name: path})
        assert not await starts(changed)
    assert list(own.iterdir()) == []


@pytest.mark.parametrize("name", FOLDERS)
async def test_folder_of_another_user_is_not_used(
    name: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = getattr(settings, name)
    path.mkdir(mode=0o700)
    real = Path.lstat

    def lstat(self: Path) -> os.stat_result:
        found = real(self)
        return _foreign(found) if self == path else found

    monkeypatch.setattr(Path, "lstat", lstat)
    assert not await starts(settings)
    assert list(path.iterdir()) == []


async def test_folder_that_another_user_could_exchange_is_not_used(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.lstat

    def lstat(self: Path) -> os.stat_result:
        found = real(self)
        return _foreign(found) if self == folder else found

    monkeypatch.setattr(Path, "lstat", lstat)
    assert not await starts(settings)
    assert not any(settings.state_dir.iterdir())


def _foreign(found: os.stat_result) -> os.stat_result:
    values = list(found[:10])
    values[stat.ST_UID] = os.geteuid() + 1
    return os.stat_result(values)


# Files (CWE-59, CWE-61, CWE-367)


@pytest.mark.parametrize("kind", ["link", "dangling link", "fifo", "open file"])
@pytest.mark.parametrize("name", FILES)
async def test_a_planted_file_is_neither_followed_nor_filled_nor_waited_for(
    name: str, kind: str, settings: Settings, folder: Path, precious: Path, expect_log: Callable[[str], None]
) -> None:
    field, _, file = name.partition("/")
    path = getattr(settings, field) / file
    path.parent.mkdir(mode=0o700)
    new = folder / "new"
    match kind:
        case "link":
            path.symlink_to(precious)
        case "dangling link":
            path.symlink_to(new)
        case "fifo":
            os.mkfifo(path, 0o600)
        case "open file":
            path.write_bytes(b"")
            path.chmod(0o666)
    before = path.lstat()
    if await starts(settings):
        with contextlib.suppress(FileNotFoundError):
            found = path.lstat()
            # The file is replaced as a whole or left alone; the server never opens the link's target.
            untouched = (found.st_ino, found.st_size) == (before.st_ino, before.st_size)
            assert untouched or stat.S_IMODE(found.st_mode) == 0o600
    assert not new.exists()


def test_temporary_files_take_no_name_that_one_can_plant(folder: Path, precious: Path) -> None:
    target = folder / "logins.json"
    target.symlink_to(precious)
    for _ in range(20):
        paths.write_private(target, b"{}")
    assert not target.is_symlink()
    assert sorted(each.name for each in folder.iterdir()) == ["logins.json", "precious"]


def test_a_file_half_written_by_a_killed_process_does_not_stay(folder: Path, precious: Path) -> None:
    old, new, other = folder / ".secret.ab12", folder / ".users.json.cd34", folder / ".hidden"
    for each in (old, new, other):
        each.write_text("x")
    link = folder / ".link.to"
    link.symlink_to(precious)
    for each in (old, other):
        os.utime(each, (0, 0))
    os.utime(link, (0, 0), follow_symlinks=False)
    paths.remove_leftovers(folder)
    assert not old.exists()
    assert new.exists()
    assert other.exists()
    assert link.is_symlink()
    paths.remove_leftovers(folder / "none")


# Sockets (CWE-284, CWE-940)


async def test_keeper_of_another_user_is_told_nothing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.runtime_dir.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(settings.runtime_dir / paths.KEEPER_SOCKET))
        listener.listen(8)
        listener.setblocking(False)
        with monkeypatch.context() as foreign:
            foreign.setattr(Channel, "peer_uid", lambda self: os.geteuid() + 1)
            server = Server(settings)
            with pytest.raises(StartFailed, match="the keeper belongs to user"):
                await server.start()
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(1) == b""  # disconnected without an answer


async def test_keeper_hangs_up_on_another_user_before_it_listens(folder: Path) -> None:
    # Its socket is 0600 in a folder of 0700: only a user who bypassed both gets this far.
    fake = (
        "import sys\n"
        "from vibetunnel.keeper.channel import Channel\n"
        "Channel.peer_uid = lambda self: 12345\n"
        "from vibetunnel.keeper.__main__ import main\n"
        "sys.exit(main(['--runtime-dir', sys.argv[1], '--idle-s', '0']))\n"
    )
    keeper = await asyncio.create_subprocess_exec(sys.executable, "-c", fake, str(folder / "r"))
    try:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                try:
                    reader, writer = await asyncio.open_unix_connection(folder / "r" / paths.KEEPER_SOCKET)
                    break
                except OSError:
                    await asyncio.sleep(0.01)
            with contextlib.suppress(ConnectionError):
                writer.write(b"\x00\x00\x00\x10" + b'{"type":"hello"}')
                assert await reader.read() == b""
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
    finally:
        keeper.kill()
        await keeper.wait()


# What other users may see (CWE-200, CWE-214, CWE-276)


async def test_everything_that_is_made_is_private_whatever_the_umask(serve: Serve, folder: Path) -> None:
    before = os.umask(0)
    try:
        running = await serve(log_dir=folder / "deep" / "log", state_dir=folder / "deeper" / "state")
        await running.session("true", spawn="now")
        code = (await running.json("POST", "/api/auth/link"))["code"]
        await running.json("POST", "/api/auth/code", {"code": code}, login=False)
    finally:
        os.umask(before)
    seen = 0
    for place, folders, files in os.walk(folder):
        for each in (*folders, *files):
            mode = stat.S_IMODE(os.lstat(os.path.join(place, each)).st_mode)
            assert mode & 0o077 == 0, (place, each, oct(mode))
            seen += 1
    assert seen > 10


def environments() -> bytes:
    """The environments of all processes that this user may read, if the system has them."""
    found = b""
    for each in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            found += each.read_bytes()
    return found


async def test_no_secret_is_in_ps_or_in_the_environment_of_a_program(server: Running) -> None:
    script = "env; ps -ww -A -o args; echo all-th''ere; read line"
    session = await server.session(["/bin/sh", "-c", script], spawn="now")
    output = (await server.output(session, b"all-there")).decode(errors="replace")
    assert "vibetunnel.keeper" in output
    assert server.server.context.secret not in output
    names = {line.partition("=")[0] for line in output.splitlines() if line.startswith("VIBETUNNEL_")}
    assert names == {"VIBETUNNEL_SESSION_ID"}
    assert server.server.context.secret.encode() not in environments()


async def test_settings_of_the_server_do_not_reach_programs(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBETUNNEL_URL", "https://secret.example")
    running = await serve()
    session = await running.session(["/bin/sh", "-c", "env; echo all-th''ere; read line"], spawn="now")
    assert b"secret.example" not in await running.output(session, b"all-there")


async def test_the_secret_of_a_folder_is_never_a_file_that_is_served(server: Running) -> None:
    secret = server.server.context.secret.encode()
    state = str(server.server.settings.state_dir / paths.SECRET)
    ways = [state, f"/assets{state}", f"/assets/../../../../../../..{state}", f"/assets/..%2f..%2f..%2f..{state}"]
    ways += [f"/%2e%2e{state}", f"/assets/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e{state}", f"//{state}", f"/file://{state}"]
    for way in ways:
        for login in (True, False):
            answer = await server.fetch("GET", way, login=login)
            assert secret not in answer.body


def test_the_command_line_takes_no_secret_as_an_argument() -> None:
    found = subprocess.run([sys.executable, "-m", "vibetunnel", "serve", "--help"], capture_output=True, check=True)
    text = found.stdout.decode()
    assert "--secret" not in text
    assert "--password " not in text
    assert "--token " not in text
