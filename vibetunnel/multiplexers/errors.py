"""What goes wrong with a multiplexer, in sentences for the client."""

from __future__ import annotations

from vibetunnel.errors import VibeTunnelError


class MultiplexerFailed(VibeTunnelError):
    """The multiplexer refused, or said something that this server does not understand."""


class MultiplexerMissing(MultiplexerFailed):
    """The program is not installed, or not on the PATH of sessions."""

    def __init__(self, program: str) -> None:
        super().__init__(f"{program} is not installed, or is in no folder of the PATH that the server was started with")


class UnknownTarget(MultiplexerFailed):
    """The multiplexer has no such session, window or pane."""


class NameInUse(MultiplexerFailed):
    """The multiplexer has a session of this name, or several, so that the name says too little."""


class MultiplexerBusy(MultiplexerFailed):
    """It did not answer in time, or too many requests wait for an answer."""
