"""A process that the harness starts and ends."""

import json
import re
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.client import connect
from benchmarks.errors import Wrong

HOST = "127.0.0.1"  # where every peer listens
ROOT = Path(__file__).resolve().parent.parent.parent
START_S = 20
STOP_S = 10
LOOK_S = 0.001  # between two looks for a file; much less than a start takes


class Child:
    """One process. Its stdin is a pipe that closes when the harness ends, so that a server can end then too."""

    def __init__(self, argv: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        self._log = folder / "server.log"
        self._began = time.monotonic()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                argv, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )
        self.pid = self._process.pid

    def age_ms(self) -> float:
        """Time since just before its exec."""
        return (time.monotonic() - self._began) * 1000

    def announced_port(self) -> int:
        """The port in the line {"port": N} that the server prints once it listens."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()  # ends at the latest with the process, which the alarm of the run ends
        try:
            return int(json.loads(line)["port"])
        except (ValueError, KeyError):
            raise self.failed(f'expected {{"port": N}}, got {line!r}') from None

    def ask(self, line: str) -> bytes:
        """Send it a line, and return the line that it prints; b"" if it ends instead."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()  # a process that hangs is ended with the run

    def until_exists(self, file: Path) -> None:
        give_up = time.monotonic() + START_S
        while not file.exists():
            if self._process.poll() is not None or time.monotonic() > give_up:
                raise self.failed(f"expected {file.name} within {START_S} s, got none")
            time.sleep(LOOK_S)

    def until_it_listens(self, port: int) -> int:
        """For a server that was told its port, and does not say when it listens. Returns `port`."""
        give_up = time.monotonic() + START_S
        while True:
            try:
                connect((HOST, port)).close()
            except ConnectionRefusedError:
                if time.monotonic() > give_up:
                    raise self.failed(f"expected it to listen within {START_S} s") from None
                time.sleep(LOOK_S)
            else:
                return port

    def logged(self, pattern: str, file: Path | None = None) -> str:
        """Wait until the server has written a match of `pattern` to its log. Returns the first group of the match.

        file   the log, if it is not stderr
        """
        give_up = time.monotonic() + START_S
        while True:
            ended = self._process.poll() is not None
            try:
                written = (file or self._log).read_text(encoding="utf-8", errors="replace")
            except FileNotFoundError:
                written = ""
            if found := re.search(pattern, written):
                return found[1]
            if ended or time.monotonic() > give_up:
                raise self.failed(f"expected {pattern!r} in its log within {START_S} s, got none")
            time.sleep(LOOK_S)

    def failed(self, message: str) -> Wrong:
        return Wrong(f"the server did not start: {message}; it wrote: {self.log()}")

    def log(self) -> str:
        """The end of its stderr."""
        return self._log.read_text(encoding="utf-8", errors="replace").strip()[-600:] or "nothing"

    def kill(self) -> None:
        """End it as a crash would, without a chance to clean up."""
        self._process.kill()
        self._process.wait()
        self.stop()

    def stop(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def free_port() -> int:
    """A port for a server that cannot choose one itself. It is free now; another process may still take it."""
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])
