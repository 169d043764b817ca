"""Passwords of the system, checked by PAM: only for the account that runs the server.

An optional extra: `pip install vibetunnel[pam]` (pamela).
"""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

from vibetunnel.errors import RateLimited, StartFailed
from vibetunnel.security.passwords import MAX_BYTES

THREADS = 4  # a wrong password holds one for seconds (pam_faildelay)
WAITING = 32  # checks that wait for a thread; more are refused
MAX_PASSWORD = 512  # bytes; PAM_MAX_RESP_SIZE of Linux-PAM

log = logging.getLogger(__name__)

_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="pam")  # one for the process, as in passwords.py
_places = threading.BoundedSemaphore(THREADS + WAITING)


def require() -> None:
    """Raises StartFailed if the system has no PAM, or pamela is not installed. Blocks: call it at the start."""
    try:
        import pamela  # noqa: F401 (its import loads libpam)
    except ImportError:
        raise StartFailed("--pam needs the package pamela: pip install 'vibetunnel[pam]'") from None
    except (OSError, AttributeError, TypeError) as error:  # no libpam, or a function is missing in it
        raise StartFailed(f"--pam needs PAM on this system: {error}") from error


async def check(user: str, password: str, service: str) -> bool:
    """Whether PAM accepts this password for `service` (a file in /etc/pam.d), and the account is not expired or locked.

    Raises RateLimited if too many checks wait, and nothing else: other failures are in the log.
    """
    if not _sendable(user, MAX_BYTES) or not _sendable(password, MAX_PASSWORD) or not service:
        return False
    if not _places.acquire(blocking=False):
        raise RateLimited("password", 1)
    try:
        future = _pool.submit(_check, user, password, service)
    except BaseException:
        _places.release()
        raise
    future.add_done_callback(lambda _: _places.release())
    return await asyncio.wrap_future(future)


def _sendable(text: str, most: int) -> bool:
    """Whether PAM can take it. A C string ends at NUL, and PAM would not compare the rest."""
    try:
        found = text.encode()
    except UnicodeEncodeError:
        return False
    return 0 < len(found) < most and 0 not in found


def _check(user: str, password: str, service: str) -> bool:
    try:
        import pamela

        # Only the answer is needed, no credentials (tickets, keyrings).
        pamela.authenticate(user, password, service=service, resetcred=0, check=True)
    except Exception as error:  # the edge of a thread: PAM's own refusals, and errors of its modules
        # The message of another error could have the password in it.
        reason = error if type(error).__name__ == "PAMError" else type(error).__name__
        log.info("PAM (service %r) did not let the account in: %s", service, reason)
        return False
    return True
