"""What a peer is to the pages: a server that starts, runs programs in terminals, and is gone afterwards."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from benchmarks.client import Address, Terminal


class Server(ABC):
    """One running server.

    shares_sessions   several clients can be attached to one session
    health            path of its cheapest JSON answer; "": it has none
    sessions          path where sessions are created lazily and listed; "": it has none
    """

    address: Address
    shares_sessions = True
    health = ""
    sessions = ""

    @abstractmethod
    def pids(self) -> list[int]:
        """The server's own processes, without the programs in its terminals."""

    @abstractmethod
    def open(self, program: str) -> str:
        """A new session for the program of that name; what attach() takes."""

    @abstractmethod
    def attach(self, session: str) -> Terminal: ...

    @abstractmethod
    def stop(self) -> None:
        """End every process of it; in any state, and safe twice."""


class Peer(ABC):
    """Something to measure.

    name     its column
    """

    name: str

    @abstractmethod
    def about(self) -> str:
        """Versions, and how it is run. Raises Unavailable when it cannot be."""

    @abstractmethod
    def start(self, programs: Mapping[str, str], folder: Path) -> Server:
        """Returns once it answers.

        programs   name -> shell text; the only programs that can be run
        folder     private and empty, for its files
        """
