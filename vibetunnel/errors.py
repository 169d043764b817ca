"""The errors that users see. They know no HTTP: `handlers/refusals.py` gives each its status."""

from __future__ import annotations


class VibeTunnelError(Exception):
    """The root. The message tells the user what is wrong and what to do."""


class StartFailed(VibeTunnelError):
    """The server cannot start."""


class InvalidField(VibeTunnelError):
    """A client sent an invalid value."""

    def __init__(self, field: str, expected: str, got: str | None = None) -> None:
        super().__init__(f"{field}: expected {expected}" + ("" if got is None else f", got {got}"))
        self.field = field


class UnknownField(InvalidField):
    """A client sent a field that this request does not have.

    nearest  the field that it probably means; "" for none
    """

    def __init__(self, field: str, nearest: str) -> None:
        VibeTunnelError.__init__(self, f"Unknown field {field}" + (f"; did you mean {nearest}?" if nearest else ""))
        self.field = field


class UnknownPicture(VibeTunnelError):
    """The session keeps no picture of this key."""

    def __init__(self) -> None:
        super().__init__("Picture not found: it was dropped for newer ones, or is damaged")


class UnknownSession(VibeTunnelError):
    """No session has this id."""

    def __init__(self, session_id: str) -> None:
        super().__init__("Session not found")
        self.session_id = session_id


class SessionLimitReached(VibeTunnelError):
    """The operator allows no more sessions."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"Session limit reached: {limit} {'session is' if limit == 1 else 'sessions are'} open (--max-sessions)."
        )


class SessionNotRunning(VibeTunnelError):
    """The request needs a process, and the session has ended or not started."""

    def __init__(self, why: str = "") -> None:
        super().__init__("Session is not running" + (f": {why}" if why else ""))


class SessionStillRunning(VibeTunnelError):
    """The request needs a session without a process, and this one has a process."""

    def __init__(self) -> None:
        super().__init__("Session is still running: end it first with DELETE or a signal")


class ProcessesLeft(SessionStillRunning):
    """The session's program has ended, and other processes of the session run on."""

    def __init__(self, count: int) -> None:
        VibeTunnelError.__init__(
            self,
            f"The session has ended, but {count} of its processes {'runs' if count == 1 else 'run'} on: "
            "end them first with DELETE /api/sessions/ID or `vibetunnel kill`",
        )


class SessionEnded(VibeTunnelError):
    """The session ended before the condition of a wait was met."""

    def __init__(self) -> None:
        super().__init__("The session ended before the condition was met.")


class NoPromptMarks(VibeTunnelError):
    """A client waits for a prompt, and the shell marks none."""

    def __init__(self) -> None:
        super().__init__(
            "The shell of this session has never marked a prompt. Turn on shell integration (the command "
            "`vibetunnel shell-integration`, or --shell-integration for new sessions), or wait for text."
        )


class WaitTimedOut(VibeTunnelError):
    """The condition of a wait was not met in time."""

    def __init__(self, timeout_ms: int) -> None:
        super().__init__(f"The condition was not met within {timeout_ms} ms.")


class TooManyWaits(VibeTunnelError):
    """Too many requests wait for one session."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"Wait limit reached: at most {limit} requests may wait for a session. Let one end first.")


class TooManyPatterns(VibeTunnelError):
    """Too many waits of one user have a regular expression."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"Wait limit reached: at most {limit} waits of a user may have a regular expression. Let one end first."
        )


class InputQueueFull(VibeTunnelError):
    """The program does not read its input, and the queue to it is full."""

    def __init__(self) -> None:
        super().__init__("Input queue full: the program does not read its input. Try again later.")


class WrongCode(VibeTunnelError):
    """The one-time code is unknown, used or expired."""

    def __init__(self) -> None:
        super().__init__("Invalid, used or expired code: `vibetunnel link` prints a new one.")


class Forbidden(VibeTunnelError):
    """The client is logged in, and may not do this."""


class RateLimited(VibeTunnelError):
    """A rate limit was reached.

    what       the name of the limit
    limit      requests in a window; 0: this limit is not a number of requests
    remaining  how many of them are left
    reset_s    until there is one more, in seconds
    """

    def __init__(self, what: str, retry_after_s: int, *, limit: int = 0, remaining: int = 0, reset_s: int = 0) -> None:
        super().__init__(f"Rate limit reached ({what}): try again in {retry_after_s} s.")
        self.what = what
        self.retry_after_s = retry_after_s
        self.limit = limit
        self.remaining = remaining
        self.reset_s = reset_s or retry_after_s


class NotStored(VibeTunnelError):
    """A file of the state folder could not be written, so nothing was changed."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"Nothing was changed, because the {what} cannot be stored: make room on the disk of the server's state "
            "folder, or make it writable, and try again."
        )


class UnknownUser(VibeTunnelError):
    """No account has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no user {name[:64]!r}.")


class UserExists(VibeTunnelError):
    """An account has this name already."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is already a user {name[:64]!r}: choose another name.")


class UnknownKey(VibeTunnelError):
    """The account has no SSH key with this fingerprint."""

    def __init__(self, name: str) -> None:
        super().__init__(f"User {name[:64]!r} has no SSH key with this fingerprint.")


class WrongPassword(VibeTunnelError):
    """No account has this name and this password. The message does not tell which of them is wrong."""

    def __init__(self) -> None:
        super().__init__("Invalid username or password")


class InvalidToken(VibeTunnelError):
    """The token is not ours, or has expired. `why` is for the log only."""

    def __init__(self, why: str = "") -> None:
        super().__init__("Invalid or expired token")
        self.why = why


class UnknownShare(VibeTunnelError):
    """No share has this id."""

    def __init__(self) -> None:
        super().__init__("There is no share link with this id.")


class UnknownClient(VibeTunnelError):
    """No client with this id is attached to the session."""

    def __init__(self) -> None:
        super().__init__("No client with this id is attached to the session.")


class UnknownToken(VibeTunnelError):
    """No token or login has this id."""

    def __init__(self) -> None:
        super().__init__("There is no token or login with this id.")


class ReusedRefresh(InvalidToken):
    """A refresh token was used a second time, so an attacker may have it. The login has ended."""

    def __init__(self, login_id: str, user: str) -> None:
        super().__init__("a refresh token was used twice; its login has ended")
        self.login_id = login_id
        self.user = user


class WrongShare(WrongCode):
    """The code of a share link is unknown, used up, expired or revoked. The message does not tell which."""

    def __init__(self) -> None:
        VibeTunnelError.__init__(self, "This share link is not valid: ask for a new one.")


class LimitReached(VibeTunnelError):
    """No more of these are allowed."""

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(f"Limit reached: at most {limit} {what} are allowed. Remove or close one first.")
