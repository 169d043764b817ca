"""What can go wrong, without HTTP: `handlers/refusals.py` gives each of these its status, once."""

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


class Forbidden(VibeTunnelError):
    """Whoever asks is known, and may not do this."""


class RateLimited(VibeTunnelError):
    """Too much in too short a time.

    limit      requests in `window_s`
    remaining  of them; reset_s: until there are `limit` again
    """

    def __init__(self, what: str, retry_after_s: int, *, limit: int = 0, remaining: int = 0, reset_s: int = 0) -> None:
        super().__init__(f"{what}: too many, try again in {retry_after_s} s")
        self.what = what
        self.retry_after_s = retry_after_s
        self.limit = limit
        self.remaining = remaining
        self.reset_s = reset_s or retry_after_s


class UnknownUser(VibeTunnelError):
    """No account has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"user: there is no {name[:64]}")


class UserExists(VibeTunnelError):
    """An account has this name already."""

    def __init__(self, name: str) -> None:
        super().__init__(f"user: there is a {name[:64]} already")


class WrongPassword(VibeTunnelError):
    """No account has this name and this password; which of them is wrong is not said."""

    def __init__(self) -> None:
        super().__init__("Invalid username or password")


class InvalidToken(VibeTunnelError):
    """The token is not ours, or is over; why is for nobody but the log."""

    def __init__(self, why: str = "") -> None:
        super().__init__("Invalid or expired token")
        self.why = why


class UnknownShare(VibeTunnelError):
    """No share has this id."""

    def __init__(self) -> None:
        super().__init__("share: there is none with this id")


class UnknownClient(VibeTunnelError):
    """Nobody of this id is attached to the session."""

    def __init__(self) -> None:
        super().__init__("client: nobody with this id is attached")


class UnknownToken(VibeTunnelError):
    """No token or login has this id."""

    def __init__(self) -> None:
        super().__init__("token: there is none with this id")


class ReusedRefresh(InvalidToken):
    """A refresh token came a second time: one of the two who have it is a thief. The login has ended."""

    def __init__(self, login_id: str, user: str) -> None:
        super().__init__("a spent refresh token came again; its login has ended")
        self.login_id = login_id
        self.user = user


class WrongShare(WrongCode):
    """The code of a share link is unknown, used up, out of date or withdrawn; which of them is not said."""

    def __init__(self) -> None:
        VibeTunnelError.__init__(self, "code: expected that of a share link that is still good")


class LimitReached(VibeTunnelError):
    """There are as many of these as there may be."""

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(f"{what}: expected at most {limit}, and so many there are")
