"""The answer to each error: its status, its message, its headers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar

import msgspec

from vibetunnel import errors
from vibetunnel.files import errors as file_errors
from vibetunnel.git import errors as git_errors
from vibetunnel.http.upgrade import NotAnUpgrade
from vibetunnel.keeper.errors import (
    KeeperBusy,
    KeeperFailed,
    KeeperLost,
    NoResources,
    NoSuchSession,
    SpawnFailed,
    StartUnknown,
)
from vibetunnel.multiplexers import errors as multiplexer_errors
from vibetunnel.push import errors as push_errors
from vibetunnel.security.limits import headers as rate_headers

T = TypeVar("T")

STATUS: dict[type[errors.VibeTunnelError], HTTPStatus] = {
    errors.VibeTunnelError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.StartFailed: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.InvalidField: HTTPStatus.BAD_REQUEST,
    errors.UnknownField: HTTPStatus.BAD_REQUEST,
    errors.UnknownSession: HTTPStatus.NOT_FOUND,
    errors.UnknownPicture: HTTPStatus.NOT_FOUND,
    errors.SessionLimitReached: HTTPStatus.TOO_MANY_REQUESTS,
    errors.SessionNotRunning: HTTPStatus.BAD_REQUEST,  # as in the Node server
    errors.SessionStillRunning: HTTPStatus.CONFLICT,
    errors.SessionEnded: HTTPStatus.CONFLICT,
    errors.NoPromptMarks: HTTPStatus.CONFLICT,
    errors.ProcessesLeft: HTTPStatus.CONFLICT,
    errors.WaitTimedOut: HTTPStatus.REQUEST_TIMEOUT,
    errors.TooManyWaits: HTTPStatus.TOO_MANY_REQUESTS,
    errors.TooManyPatterns: HTTPStatus.TOO_MANY_REQUESTS,
    errors.InputQueueFull: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.WrongCode: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.RateLimited: HTTPStatus.TOO_MANY_REQUESTS,
    errors.NotStored: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.UnknownUser: HTTPStatus.NOT_FOUND,
    errors.UnknownKey: HTTPStatus.NOT_FOUND,
    errors.UserExists: HTTPStatus.CONFLICT,
    errors.WrongPassword: HTTPStatus.UNAUTHORIZED,
    errors.InvalidToken: HTTPStatus.UNAUTHORIZED,
    errors.ReusedRefresh: HTTPStatus.UNAUTHORIZED,
    errors.WrongShare: HTTPStatus.UNAUTHORIZED,
    errors.UnknownShare: HTTPStatus.NOT_FOUND,
    errors.UnknownClient: HTTPStatus.NOT_FOUND,
    errors.UnknownToken: HTTPStatus.NOT_FOUND,
    errors.LimitReached: HTTPStatus.TOO_MANY_REQUESTS,
    file_errors.FileFailed: HTTPStatus.INTERNAL_SERVER_ERROR,
    file_errors.OutsideRoots: HTTPStatus.FORBIDDEN,
    file_errors.NoSuchFile: HTTPStatus.NOT_FOUND,
    file_errors.WrongKind: HTTPStatus.BAD_REQUEST,
    file_errors.WrongName: HTTPStatus.BAD_REQUEST,
    file_errors.NotAllowed: HTTPStatus.FORBIDDEN,
    file_errors.NameTaken: HTTPStatus.CONFLICT,
    file_errors.FileTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    file_errors.NoRoomLeft: HTTPStatus.INSUFFICIENT_STORAGE,
    file_errors.FilesBusy: HTTPStatus.SERVICE_UNAVAILABLE,
    file_errors.UnknownUpload: HTTPStatus.NOT_FOUND,
    file_errors.UploadInUse: HTTPStatus.CONFLICT,
    file_errors.WrongOffset: HTTPStatus.CONFLICT,
    file_errors.UploadBroken: HTTPStatus.BAD_REQUEST,
    git_errors.GitError: HTTPStatus.INTERNAL_SERVER_ERROR,
    git_errors.BadPath: HTTPStatus.BAD_REQUEST,
    git_errors.GitRefused: HTTPStatus.CONFLICT,
    git_errors.GitDamaged: HTTPStatus.CONFLICT,
    git_errors.NoRepository: HTTPStatus.NOT_FOUND,
    git_errors.OutsideFolders: HTTPStatus.FORBIDDEN,
    git_errors.UnknownBranch: HTTPStatus.NOT_FOUND,
    git_errors.WorktreeChanged: HTTPStatus.CONFLICT,
    git_errors.GitTooSlow: HTTPStatus.SERVICE_UNAVAILABLE,
    git_errors.GitBusy: HTTPStatus.SERVICE_UNAVAILABLE,
    multiplexer_errors.MultiplexerFailed: HTTPStatus.CONFLICT,
    multiplexer_errors.MultiplexerMissing: HTTPStatus.SERVICE_UNAVAILABLE,
    multiplexer_errors.MultiplexerBusy: HTTPStatus.SERVICE_UNAVAILABLE,
    multiplexer_errors.UnknownTarget: HTTPStatus.NOT_FOUND,
    multiplexer_errors.NameInUse: HTTPStatus.CONFLICT,
    push_errors.PushOff: HTTPStatus.SERVICE_UNAVAILABLE,
    push_errors.ForbiddenAddress: HTTPStatus.BAD_REQUEST,
    SpawnFailed: HTTPStatus.BAD_REQUEST,
    KeeperFailed: HTTPStatus.SERVICE_UNAVAILABLE,
    KeeperBusy: HTTPStatus.SERVICE_UNAVAILABLE,
    KeeperLost: HTTPStatus.SERVICE_UNAVAILABLE,
    StartUnknown: HTTPStatus.SERVICE_UNAVAILABLE,
    NoResources: HTTPStatus.SERVICE_UNAVAILABLE,
    NoSuchSession: HTTPStatus.SERVICE_UNAVAILABLE,
}

encode = msgspec.json.Encoder().encode


class Refused(Exception):
    """The request is refused for a reason of HTTP; the client reads `message`."""

    def __init__(
        self, status: HTTPStatus, message: str, headers: dict[str, str] | None = None, *, code: str = ""
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}
        self.code = code


EXPECTED = (errors.VibeTunnelError, Refused, NotAnUpgrade)  # answers to clients; anything else is a bug


@dataclass(frozen=True)
class Refusal:
    """The answer to an error."""

    status: HTTPStatus
    message: str
    code: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        return self.encoded()

    def encoded(self, **more: object) -> bytes:
        """The body, with more fields."""
        return encode({"error": self.message, **({"code": self.code} if self.code else {}), **more})


def refusal_of(error: BaseException | None) -> Refusal:
    """Return the answer to an error. Of a bug the client learns nothing: the log has it."""
    match error:
        case errors.RateLimited():
            return Refusal(HTTPStatus.TOO_MANY_REQUESTS, str(error), "rate", rate_headers(error))
        case errors.VibeTunnelError():
            return Refusal(next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), str(error))
        case Refused():
            return Refusal(error.status, error.message, error.code, error.headers)
        case NotAnUpgrade():
            return Refusal(error.status, str(error), headers=error.headers)
        case _:
            return Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.INTERNAL_SERVER_ERROR.phrase)


def or_refused(make: Callable[[], T]) -> T:
    """Return what `make` opens. Raises Refused (503) if the process has no free descriptor.

    Call it before the connection is given away, because afterwards no answer can be sent.
    """
    try:
        return make()
    except OSError as error:
        message = f"No room for another connection: {error.strerror}; try again later"
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, message) from error
