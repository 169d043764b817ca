"""What a peer is to the pages: something that starts, can be measured, and is gone afterwards."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from benchmarks.client import Address, Terminal
from benchmarks.http import Http, build
from benchmarks.link import FAST, Link
from benchmarks.peers.child import HOST, Child


class Subject(Protocol):
    """What has been started."""

    def stop(self) -> None: ...


S = TypeVar("S", bound=Subject, covariant=True)


class Peer(ABC, Generic[S]):
    """Something to measure.

    name     its column
    quick    it is measured in a short run, too
    """

    name: str
    quick = True

    def prepare(self) -> None:
        """Install what is not there yet. Raises Unavailable when it cannot be."""

    @abstractmethod
    def about(self) -> str:
        """Versions, and how it is run. Raises Unavailable when it cannot be."""

    @abstractmethod
    def start(self, programs: Mapping[str, str], files: Mapping[str, Path], folder: Path) -> S:
        """Returns once it answers.

        programs   name -> shell text; the only programs that can be run
        files      name -> what they print, or an engine takes
        folder     private and empty, for its files
        """


class Server(ABC):
    """One running server.

    shares_sessions   several clients can be attached to one session
    raw_viewers       view() has a way without the interface of its own
    health            path of its cheapest JSON answer; "": it has none
    sessions          path where sessions are created lazily and listed; "": it has none
    start_ms          from the exec of its first process to the first answer from `health`, or to its listening;
                      None: nobody has looked
    """

    address: Address
    shares_sessions = True
    raw_viewers = False
    health = ""
    sessions = ""
    start_ms: float | None = None

    @abstractmethod
    def pids(self, *, keeper: bool = True) -> list[int]:
        """The server's own processes, without the programs in its terminals.

        keeper   also one that holds terminals and moves none of their bytes
        """

    def healthy(self, answer: Any, pids: list[int]) -> bool:  # Any: what JSON holds
        """Whether the answer to `health` is what it has to be, of one of these processes."""
        return bool(answer["status"] == "ok" and answer["pid"] in pids)

    def creation(self) -> object:
        """What is sent to `sessions` for a new one."""
        raise NotImplementedError

    def created(self, answer: Any) -> str:
        """The id in the answer to that. Raises Wrong unless it is a session that has not started."""
        raise NotImplementedError

    def listed(self, answer: Any) -> list[str]:
        """The ids in a list."""
        raise NotImplementedError

    @abstractmethod
    def open(self, program: str) -> str:
        """A new session for the program of that name; what attach() takes."""

    @abstractmethod
    def attach(self, session: str, link: Link = FAST) -> Terminal:
        """A client that gets every byte."""

    def view(self, session: str, link: Link = FAST, *, raw: bool = False) -> Terminal:
        """A client that wants to see the screen, as a browser does, and may miss what has left it since.

        raw   by the interface of attach() all the same
        """
        return self.attach(session, link)

    def compressed(self, session: str, link: Link = FAST) -> Terminal | None:
        """As attach(), with permessage-deflate (deflate.OFFER); None: the server does not agree to it."""
        return None

    def restart(self) -> float | None:
        """Kill it, and start it again: ms as in `start_ms`, beside whatever has outlived it; None: nothing does."""
        return None

    def screen(self, session: str) -> str | None:
        """The text that the session's screen shows now, as the server knows it; None: it does not."""
        return None

    @abstractmethod
    def stop(self) -> None:
        """End every process of it; in any state, and safe twice."""


class ChildServer(Server):
    """A server that is one process, started and ended by the harness. Its constructor calls launch()."""

    _child: Child

    def launch(
        self, argv: Sequence[str], folder: Path, environment: Mapping[str, str], port_of: Callable[[Child], int]
    ) -> None:
        """Start it and wait until it answers; stop it if it does not. Sets `address` and `start_ms`.

        port_of   waits until the process listens, and returns the port
        """
        self._child = Child(argv, folder, environment)
        try:
            self.address = (HOST, port_of(self._child))
            if self.health:
                with contextlib.closing(Http(self.address)) as http:
                    http.json(build(self.address, "GET", self.health), 200)
            self.start_ms = self._child.age_ms()
        except BaseException:
            self.stop()
            raise

    def pids(self, *, keeper: bool = True) -> list[int]:
        return [self._child.pid]

    def stop(self) -> None:
        """With the process, the kernel hangs up the programs in its terminals."""
        self._child.stop()


def if_compressed(terminal: Terminal) -> Terminal | None:
    """For Server.compressed(): `terminal`, closed if its server has not agreed."""
    if terminal.wire.inflater:
        return terminal
    terminal.close()
    return None
