"""The exceptions of the keeper's client."""

from __future__ import annotations

from vibetunnel.errors import VibeTunnelError


class KeeperFailed(VibeTunnelError):
    """The keeper could not be started, was lost, did not answer in time, or refused the request."""


class KeeperBusy(KeeperFailed):
    """The keeper serves another live server.

    holder  that server's process id
    """

    def __init__(self, holder: int) -> None:
        super().__init__(f"the keeper serves another server, process {holder}: stop that one first")
        self.holder = holder


class KeeperLost(KeeperFailed):
    """The connection to the keeper has ended before the answer.

    undone  the request has certainly not been carried out, and never will be; False: perhaps it has
    """

    def __init__(self, reason: str, *, undone: bool) -> None:
        super().__init__(f"the keeper is lost: {reason}")
        self.undone = undone


class StartUnknown(KeeperFailed):
    """The answer to a start is lost: the program may have started, so that it must not be started again."""


class NoResources(KeeperFailed):
    """No terminal, process, memory or descriptor is left (the text says which): the same command may start later."""


class NoSuchSession(KeeperFailed):
    """The keeper does not have the session; a new keeper knows none of the old one's."""


class SpawnFailed(VibeTunnelError):
    """The command cannot be started; the text is the reason, fit for the user."""
