"""Passwords of accounts: Argon2id hashes, made and checked in threads of their own.

A password is text of 1 to 1024 bytes (UTF-8). RFC 8265 §4.2 (OpaqueString) says how it is compared: Unicode forms of
the same text are equal (NFC), all kinds of spaces are equal, case and width count. A new one has 8 characters or more.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import threading
import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, TypeVar

from msgspec import Meta

from vibetunnel.errors import InvalidField, RateLimited

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

# OWASP Password Storage Cheat Sheet: 19 MiB, 2 passes, 1 lane; of its equal choices, the one with the least memory.
MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1
SALT_BYTES = 16  # RFC 9106 §3.1
HASH_BYTES = 32

MAX_BYTES = 1024  # hashing a longer one would not cost more; the request is in memory anyway
MIN_CHARACTERS = 8  # NIST SP 800-63B §5.1.1.2

SECRET = {"format": "password"}  # in the schema of a text that no error may repeat
NewPassword = Annotated[
    str,
    Meta(
        min_length=MIN_CHARACTERS,
        max_length=MAX_BYTES,
        pattern=r"^[^\x00-\x1f\x7f-\x9f]*$",
        description=f"text without control characters, at most {MAX_BYTES} bytes of UTF-8",
        extra_json_schema=SECRET,
    ),
]

THREADS = 2  # each takes MEMORY_KIB and, for some 50 ms, a core; the terminals need the others
WAITING = 64  # checks that wait for a thread; more are refused
OF_STRANGERS = 48  # of them; the others are kept free for clients that limits.py does not call strangers

T = TypeVar("T")

# One for the process, even with several servers in it: the bound is on memory and cores. No thread starts before the
# first password.
_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="password")
_places = threading.BoundedSemaphore(THREADS + WAITING)
_places_of_strangers = threading.BoundedSemaphore(OF_STRANGERS)

_PARAMETERS = re.compile(r"\$argon2id\$v=19\$m=([0-9]{1,10}),t=([0-9]{1,10}),p=([0-9]{1,10})\$[^$]+\$[^$]+")
_NO_SALT = bytes(SALT_BYTES)


def prepare(password: str) -> bytes | None:
    """The bytes to hash; None: no account can have this password."""
    if not password or len(password) > MAX_BYTES:  # in characters, before they are normalised
        return None
    spaced = "".join(" " if unicodedata.category(each) == "Zs" else each for each in password)
    try:
        found = unicodedata.normalize("NFC", spaced).encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return None
    return found if len(found) <= MAX_BYTES else None


def check_new(password: str) -> bytes:
    """The bytes of a new password. Raises InvalidField, which does not repeat the password."""
    found = prepare(password)
    if found is None:
        raise InvalidField("password", f"text of 1 to {MAX_BYTES} bytes")
    if len(found.decode()) < MIN_CHARACTERS:
        raise InvalidField("password", f"at least {MIN_CHARACTERS} characters")
    if any(unicodedata.category(each) == "Cc" for each in password):  # RFC 8265 §4.2.1; a login form cannot send them
        raise InvalidField("password", "text without control characters")
    return found


async def hash_password(password: str) -> str:
    """The hash of a new password, as a PHC string with its parameters and its own salt.

    Raises InvalidField as check_new() does; RateLimited if too many wait.
    """
    return await _in_thread(_hash, check_new(password))


async def rehash(password: str) -> str:
    """As hash_password(), for a password that was just verified: it may be older than the present rules."""
    found = prepare(password)
    assert found is not None
    return await _in_thread(_hash, found)


async def verify(password: str, phc: str | None, *, stranger: bool = False) -> bool:
    """Whether `phc` is the hash of this password. None takes as long as a wrong password.

    stranger  as Limits.login() says of the client: then only OF_STRANGERS may wait

    Raises RateLimited if too many wait, and nothing else.
    """
    places = (_places, _places_of_strangers) if stranger else (_places,)
    return await _in_thread(_verify, prepare(password), phc, places=places)


def needs_rehash(phc: str) -> bool:
    """Whether this hash has other parameters than new ones have."""
    found = _PARAMETERS.fullmatch(phc)
    return found is None or tuple(map(int, found.groups())) != (MEMORY_KIB, PASSES, LANES)


async def _in_thread(
    work: Callable[..., T], *arguments: object, places: Sequence[threading.Semaphore] = (_places,)
) -> T:
    with contextlib.ExitStack() as undo:
        for each in places:
            if not each.acquire(blocking=False):
                raise RateLimited("password", 1)
            undo.callback(each.release)
        future = _pool.submit(work, *arguments)
        release = undo.pop_all()
    future.add_done_callback(lambda _: release.close())  # cancelled ones too
    return await asyncio.wrap_future(future)


def _argon2id(salt: bytes) -> Argon2id:
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id  # here: see signing.py

    return Argon2id(salt=salt, length=HASH_BYTES, iterations=PASSES, lanes=LANES, memory_cost=MEMORY_KIB)


def _hash(password: bytes) -> str:
    return _argon2id(os.urandom(SALT_BYTES)).derive_phc_encoded(password)


def _verify(password: bytes | None, phc: str | None) -> bool:
    from cryptography.exceptions import InvalidKey
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    if password is not None and phc is not None and _PARAMETERS.fullmatch(phc):
        try:
            Argon2id.verify_phc_encoded(password, phc)
        except InvalidKey:
            return False
        except (ValueError, MemoryError):  # impossible parameters: the file is damaged
            pass
        else:
            return True
    _argon2id(_NO_SALT).derive(password or b"")  # so that the answer takes as long as for a wrong password
    return False
