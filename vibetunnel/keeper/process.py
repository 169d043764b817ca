"""The keeper's loop: signals, timers and the runtime folder, with or without a server."""

from __future__ import annotations

import os
import selectors
import signal
import time

from vibetunnel.keeper.cgroups import Cgroups, delegated
from vibetunnel.keeper.peers import Peer, Peers
from vibetunnel.keeper.protocol import VERSION
from vibetunnel.keeper.requests import Requests
from vibetunnel.keeper.runtime_dir import CannotRun

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from vibetunnel.keeper.log import Log
    from vibetunnel.keeper.runtime_dir import RuntimeDir

AFTER_BUG_S = 0.1  # pause after an error in a timer, which would otherwise repeat without a pause
FIRST_SERVER_S = 10.0  # for the server that started the keeper to connect, however short the idle time
LOOK_S = 30.0  # between two checks that the next server will find the socket


class Keeper:
    """Everything runs in `run`, in one thread, and nothing in it blocks.

    runtime_dir  the folder with the socket
    idle_s       seconds without a server and without anything to keep, after which the keeper ends
    open_files   limits for the sessions' programs; the keeper's own may be higher
    """

    def __init__(self, runtime_dir: RuntimeDir, *, log: Log, idle_s: float, open_files: tuple[int, int]) -> None:
        self._runtime_dir = runtime_dir
        self._log = log
        self._idle_s = idle_s
        self._selector = selectors.DefaultSelector()
        cgroups = Cgroups(delegated())
        self._requests = Requests(runtime_dir.folder, log=log, open_files=open_files, cgroups=cgroups, send=self._send)
        self._peers = Peers(self._selector, runtime_dir, self._requests, log=log)
        self._idle_until: float | None = None
        self._terminated = False
        self._signals = -1
        self._look_at = time.monotonic() + LOOK_S

    def run(self) -> None:
        """Serve until there is nothing left to keep."""
        self._catch_signals()
        self._peers.listen()
        self._log.write(f"keeper {os.getpid()} listens, protocol version {VERSION}")
        while True:
            try:
                self._on_time(time.monotonic())
            except Exception as error:  # the task's edge, as below
                self._log_bug(error)
                time.sleep(AFTER_BUG_S)
            if self._terminated or self._requests.stopped:
                break
            for key, _ in self._selector.select(self._pause()):
                try:
                    if isinstance(key.data, Peer):
                        self._peers.serve(key.data)
                    else:
                        key.data()
                except Exception as error:  # the task's edge: shells depend on this process, so no bug may end it
                    self._log_bug(error)
                    if isinstance(key.data, Peer):
                        self._peers.drop(key.data)
        self._peers.close()
        self._requests.close()
        self._log.write(f"keeper {os.getpid()} ends")

    def _send(self, fields: dict[str, Any], descriptors: dict[str, int] | None) -> bool:
        return self._peers.send(fields, descriptors)

    # Signals

    def _catch_signals(self) -> None:
        for ignored in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
            signal.signal(ignored, signal.SIG_IGN)
        for caught in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(caught, lambda *_: None)  # the number arrives in the pipe
        self._signals, wakeup = os.pipe()
        os.set_blocking(self._signals, False)
        os.set_blocking(wakeup, False)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        self._selector.register(self._signals, selectors.EVENT_READ, self._on_signals)

    def _on_signals(self) -> None:
        arrived = os.read(self._signals, 4096)
        if signal.SIGCHLD in arrived:
            self._requests.reap()
        if signal.SIGTERM in arrived:
            if self._requests.living():
                self._log.write("SIGTERM: ignored, since sessions run; `stop` with `kill` ends them and the keeper")
            else:
                self._log.write("SIGTERM: ends")
                self._terminated = True

    # Time

    def _pause(self) -> float:
        times = [self._look_at, *self._requests.deadlines(), *self._peers.deadlines()]
        if self._idle_until is not None:
            times.append(self._idle_until)
        return max(0.0, min(times) - time.monotonic())

    def _on_time(self, now: float) -> None:
        self._requests.on_time(now)
        self._peers.on_time(now)
        if self._peers.served or self._requests.has_work():
            self._idle_until = None
        elif self._idle_until is None:
            self._idle_until = now + (self._idle_s if self._peers.server_pid else max(self._idle_s, FIRST_SERVER_S))
        elif now >= self._idle_until:
            self._log.write("nothing to keep and no server")
            self._terminated = True
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            if self._idle_until is None and not self._runtime_dir.intact():
                self._restore_runtime_dir()

    def _restore_runtime_dir(self) -> None:
        """Let servers find the keeper again after the folder, or the socket in it, was removed."""
        self._peers.stop_listening()
        try:
            self._runtime_dir.restore()
            self._log.reopen()
            self._log.write(f"keeper {os.getpid()} listens again: its socket had been removed")
        except (CannotRun, OSError):
            pass  # another keeper has the folder now, or it cannot be made; a later check tries again
        self._peers.listen()

    def _log_bug(self, error: Exception) -> None:
        import traceback  # here: a keeper without bugs does not need it

        # The places only: the error's text may quote a session's command or environment.
        places = ", ".join(f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__))
        self._log.write(f"bug: {type(error).__name__} at {places}")
