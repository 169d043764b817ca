"""The system's own passwords, through PAM: only those of the account that this runs as are ever asked for.

An optional extra: `pip install vibetunnel[pam]` (pamela).
"""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

from vibetunnel.errors import RateLimited, StartFailed
from vibetunnel.security.passwords import MAX_BYTES

THREADS = 4  # PAM holds a wrong password's thread for seconds (pam_faildelay)
WAITING = 32  # for one of them; more than that are told to come back
MAX_PASSWORD = 512  # bytes; PAM_MAX_RESP_SIZE of Linux-PAM

log = logging.getLogger(__name__)

_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="pam")  # one for the process, as in passwords.py
_places = threading.BoundedSemaphore(THREADS + WAITING)


def require() -> None:
    """For the start: raises StartFailed where there is no PAM, or the extra is not installed. Blocks."""
    try:
        import pamela  # noqa: F401 (its import loads libpam)
    except ImportError:
        raise StartFailed("--pam needs the package pamela: pip install 'vibetunnel[pam]'") from None
    except (OSError, AttributeError, TypeError) as error:  # no libpam, or one without a function that is needed
        raise StartFailed(f"--pam needs PAM on this system: {error}") from error


async def check(user: str, password: str, service: str) -> bool:
    """Whether PAM lets this user in with this password, as `service` (a file in /etc/pam.d) has it; the account's
    state counts too (expired, locked).

    Raises RateLimited when too many wait, and nothing else: what goes wrong is in the log.
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
    """Whether PAM can be given it. A C string ends at NUL: what is behind it would not be compared."""
    try:
        found = text.encode()
    except UnicodeEncodeError:
        return False
    return 0 < len(found) < most and 0 not in found


def _check(user: str, password: str, service: str) -> bool:
    try:
        import pamela

        # No credentials are wanted (tickets, keyrings), only the answer.
        pamela.authenticate(user, password, service=service, resetcred=0, check=True)
    except Exception as error:  # a thread's edge: PAM's own refusals, and whatever a module of it does
        # Of another kind than PAM's own, the message could have an argument in it.
        reason = error if type(error).__name__ == "PAMError" else type(error).__name__
        log.info("PAM (service %r) did not let the account in: %s", service, reason)
        return False
    return True
