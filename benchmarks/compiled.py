"""C programs of our own, compiled when needed: the floor, and clients that must cost nearly nothing."""

import atexit
import ctypes
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.errors import Unavailable

HERE = Path(__file__).resolve().parent
CC_S = 60


def about() -> str:
    """The compiler and its flags. Raises Unavailable without a compiler."""
    version = subprocess.run([_compiler(), "--version"], capture_output=True, text=True, timeout=CC_S).stdout
    return f"`cc -O2`, {version.splitlines()[0]}"


def program(source: str) -> Path:
    """The program compiled from a file below benchmarks/. Raises Unavailable if it cannot be compiled."""
    return _build(source)


@functools.cache
def library(source: str) -> ctypes.CDLL:
    """The functions of a file that includes client.h. A call releases the GIL. Raises Unavailable as program() does."""
    found = ctypes.CDLL(str(_build(source, "-shared", "-fPIC")))
    found.client_problem.restype = ctypes.c_char_p
    return found


def problem(client: ctypes.CDLL) -> str:
    """Why its last call has failed."""
    said: bytes = client.client_problem()
    return said.decode(errors="replace")


@functools.cache
def _build(source: str, *flags: str) -> Path:
    built = _folder() / Path(source).stem
    command = [_compiler(), "-O2", *flags, "-o", str(built), str(HERE / source)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=CC_S)
    if answer.returncode:
        raise Unavailable(f"{source} does not compile: {answer.stderr.strip()[-600:]}")
    return built


@functools.cache
def _folder() -> Path:
    """A folder that is removed when this process ends."""
    path = tempfile.mkdtemp(prefix="vtb-", dir="/tmp")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return Path(path)


def _compiler() -> str:
    found = shutil.which("cc")
    if found is None:
        raise Unavailable("no C compiler (cc)")
    return found
