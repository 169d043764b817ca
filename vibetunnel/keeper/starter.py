"""Reaches the keeper of a runtime folder, or starts one."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path

from vibetunnel.keeper.channel import Channel
from vibetunnel.keeper.errors import KeeperFailed
from vibetunnel.keeper.protocol import ANOTHER_RUNS, LOG_NAME, PATH_LIMIT, SOCKET_NAME

RETRY_S = 0.05  # between two attempts to reach a keeper that is starting, or one that is ending


def socket_path(runtime_dir: Path) -> Path:
    path = runtime_dir.absolute() / SOCKET_NAME
    if len(os.fsencode(path)) > PATH_LIMIT:
        raise KeeperFailed(f"a socket's path has at most {PATH_LIMIT} bytes, choose a shorter runtime folder: {path}")
    return path


async def reach(path: Path) -> Channel | None:
    """A connection to the process that listens there; None when none does."""
    while True:
        try:
            return _connected(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except BlockingIOError:  # its queue is full
            await asyncio.sleep(RETRY_S)
        except OSError as error:
            raise KeeperFailed(f"the keeper cannot be reached at {path}: {error.strerror}") from None


def _connected(path: Path) -> Channel:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.connect(os.fspath(path))  # a unix socket connects at once, or not at all
    except BaseException:
        sock.close()
        raise
    return Channel(sock)


async def start(runtime_dir: Path, idle_s: float | None) -> bool:
    """Start a keeper. True: it listens; False: another keeper had the lock. Raises KeeperFailed."""
    arguments = ["--runtime-dir", os.fspath(runtime_dir), "--detach"]
    if idle_s is not None:
        arguments += ["--idle-s", str(idle_s)]
    try:
        # The keeper forks: this process ends as soon as the socket accepts, so the server has no child to reap.
        starter = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "vibetunnel.keeper",
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            cwd=Path(__file__).parents[2],  # where this package is imported from; the keeper moves to / at once
        )
    except OSError as error:
        raise KeeperFailed(f"the keeper could not be started: {error.strerror}: {error.filename}") from None
    try:
        _, output = await starter.communicate()
    except BaseException:
        if starter.returncode is None:
            starter.kill()
            await starter.wait()
        raise
    if starter.returncode in (0, ANOTHER_RUNS):
        return starter.returncode == 0
    lines = output.decode(errors="replace").split("\n")
    last = next((line for line in reversed(lines) if line.strip()), f"exit code {starter.returncode}")
    raise KeeperFailed(f"the keeper could not be started: {last.strip()}")


def log_tail(runtime_dir: Path) -> str:
    """The last line of the keeper's log, as the end of a message."""
    try:
        lines = (runtime_dir / LOG_NAME).read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return f"; the last line of its log: {lines[-1]}" if lines else ""
