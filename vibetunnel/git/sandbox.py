"""Takes rights away from the child process: memory, programs, the network, and all files but those of some folders.

Landlock (Linux 5.13 and later) does the last three in the kernel. Elsewhere the checks of repository.py stand alone,
and libgit2 runs no program by itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import sys
from collections.abc import Iterable

MEMORY = 1 << 30  # bytes of address space; libgit2 maps at most MAPPED bytes of packs
OPEN_FILES = 256

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # system calls, the same on all architectures
_VERSION = 1
_BENEATH = 1
_NO_NEW_PRIVS = 38

_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
_READ = _READ_FILE | _READ_DIR
# Remove and make folders, files and links, rename across folders, truncate; no devices, sockets or FIFOs.
_WRITE = _WRITE_FILE | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 12 | 1 << 13 | 1 << 14
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # version of Landlock -> rights to files that it knows


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def limit_resources() -> None:
    """Bound memory and descriptors, and leave no core files, which would hold contents of files."""
    for kind, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        lowered = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS does not bound the address space
            resource.setrlimit(kind, (lowered, lowered))


def version() -> int:
    """Of Landlock; 0 or less: the kernel has none."""
    return int(_libc().syscall(_CREATE, None, ctypes.c_size_t(0), _VERSION)) if sys.platform == "linux" else 0


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc


def confine(folders: Iterable[str], readable: Iterable[str], *, write: bool) -> bool:
    """Leave this process only files below `folders`, and `readable` to read. Returns False without Landlock."""
    known = version()
    if known < 1:
        return False
    libc = _libc()
    handled = (1 << _RIGHTS[min(known, max(_RIGHTS))]) - 1
    network = 3 if known >= 4 else 0  # TCP: bind and connect
    scoped = 3 if known >= 6 else 0  # abstract sockets and signals of other processes
    size = 24 if known >= 6 else 16 if known >= 4 else 8
    ruleset = libc.syscall(_CREATE, ctypes.byref(_Ruleset(handled, network, scoped)), ctypes.c_size_t(size), 0)
    _check(ruleset)
    for path in folders:
        _allow(libc, ruleset, path, (_READ | _WRITE if write else _READ) & handled)
    for path in readable:
        _allow(libc, ruleset, path, _READ & handled)
    _check(libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0))
    _check(libc.syscall(_RESTRICT, ruleset, 0))
    os.close(ruleset)
    return True


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # there is none
    try:
        if not os.path.isdir(path):
            rights &= _READ_FILE | _WRITE_FILE
        _check(libc.syscall(_ADD, ruleset, _BENEATH, ctypes.byref(_Beneath(rights, descriptor)), 0))
    finally:
        os.close(descriptor)


def _check(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
