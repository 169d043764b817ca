"""The interface of peers to the pages: a peer is started, measured and ended."""

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
    """A started peer."""

    def stop(self) -> None: ...


S = TypeVar("S", bound=Subject, covariant=True)


class Peer(ABC, Generic[S]):
    """A peer to measure.

    name     its column
    quick    it is also measured in a quick run
    """

    name: str
    quick = True

    def prepare(self) -> None:
        """Install what is missing. Raises Unavailable if that is not possible."""

    @abstractmethod
    def about(self) -> str:
        """Its version, and how it is run. Raises Unavailable if it cannot run."""

    @abstractmethod
    def start(self, programs: Mapping[str, str], files: Mapping[str, Path], folder: Path) -> S:
        """Start it. Returns once it answers.

        programs   name -> shell text, of all programs that it may run
        files      name -> file that programs print or engines take
        folder     a private, empty folder for its files
        """


class Server(ABC):
    """One running server.

    shares_sessions   several clients can be attached to one session
    raw_viewers       view() also works in raw mode
    health            path of its cheapest JSON answer; "": it has none
    sessions          path where sessions are created lazily and listed; "": it has none
    start_ms          from the exec of its first process to the first answer from `health`, or to its listening;
                      None: not measured
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

        keeper   include a process that holds terminals and moves none of their bytes
        """

    def healthy(self, answer: Any, pids: list[int]) -> bool:  # Any: what JSON holds
        """Whether the answer to `health` is right, and comes from one of these processes."""
        return bool(answer["status"] == "ok" and answer["pid"] in pids)

    def creation(self) -> object:
        """The body of a POST to `sessions` that creates one."""
        raise NotImplementedError

    def created(self, answer: Any) -> str:
        """The id in its answer. Raises Wrong unless the answer is a session that has not started."""
        raise NotImplementedError

    def listed(self, answer: Any) -> list[str]:
        """The ids in the answer to a GET of `sessions`."""
        raise NotImplementedError

    @abstractmethod
    def open(self, program: str) -> str:
        """Create a session for the program of that name. Returns what attach() takes."""

    @abstractmethod
    def attach(self, session: str, link: Link = FAST) -> Terminal:
        """Attach a client that gets every byte."""

    def view(self, session: str, link: Link = FAST, *, raw: bool = False) -> Terminal:
        """Attach a client that wants the current screen, as a browser does, and may miss output that has left it.

        raw   through the interface of attach() nevertheless
        """
        return self.attach(session, link)

    def compressed(self, session: str, link: Link = FAST) -> Terminal | None:
        """As attach(), with permessage-deflate (deflate.OFFER); None: the server does not agree."""
        return None

    def restart(self) -> float | None:
        """Kill it and start it again. Returns ms as in `start_ms`; None: none of its processes outlives it."""
        return None

    def screen(self, session: str) -> str | None:
        """The text of the session's screen as the server knows it; None: it does not."""
        return None

    @abstractmethod
    def stop(self) -> None:
        """End all its processes, in any state. Safe twice."""


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
