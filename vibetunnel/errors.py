"""What can go wrong, without HTTP: `handlers/base.py` gives each of these its status, once."""

from __future__ import annotations


class VibeTunnelError(Exception):
    """The root. The message is a sentence for the user: what was expected, and what came."""


class StartFailed(VibeTunnelError):
    """The server cannot start."""


class InvalidField(VibeTunnelError):
    """A value that a client sent is not what it must be."""

    def __init__(self, field: str, expected: str, got: str | None = None) -> None:
        super().__init__(f"{field}: expected {expected}" + ("" if got is None else f", got {got}"))
        self.field = field


class UnknownSession(VibeTunnelError):
    """No session has this id."""

    def __init__(self, session_id: str) -> None:
        super().__init__("Session not found")
        self.session_id = session_id


class SessionLimitReached(VibeTunnelError):
    """There are as many sessions as the operator allows."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"sessions: expected at most {limit} that have not ended (--max-sessions), and so many there are"
        )


class SessionNotRunning(VibeTunnelError):
    """The session has ended, or never ran, and the request needs a process."""

    def __init__(self, why: str = "") -> None:
        super().__init__("Session is not running" + (f": {why}" if why else ""))


class SessionStillRunning(VibeTunnelError):
    """The session has a process, and the request is about one that has none."""

    def __init__(self) -> None:
        super().__init__("Session is still running: end it first, with DELETE or a signal")


class SessionEnded(VibeTunnelError):
    """The session has ended, and what was waited for had not happened."""

    def __init__(self) -> None:
        super().__init__("the session has ended before: expected a wait for its exit, or one that comes true earlier")


class WaitTimedOut(VibeTunnelError):
    """What was waited for has not happened in time."""

    def __init__(self, timeout_ms: int) -> None:
        super().__init__(f"it did not happen within {timeout_ms} ms")


class TooManyWaits(VibeTunnelError):
    """As many requests as may wait for one session already do."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"expected at most {limit} requests that wait for the same session, and so many there are")


class InputQueueFull(VibeTunnelError):
    """The program has not read what was typed before."""

    def __init__(self) -> None:
        super().__init__("input: expected a program that reads, but the queue to it is full; try again later")


class WrongCode(VibeTunnelError):
    """The one-time code is unknown, used up or out of date."""

    def __init__(self) -> None:
        super().__init__("code: expected an unused one-time code; `vibetunnel` prints one at its start")


class TooManyTries(VibeTunnelError):
    """Too many wrong codes; `retry_after_s` is when the next try may be made."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"code: too many wrong tries, try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s
