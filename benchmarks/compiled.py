"""C of our own, compiled when it is needed: for the bound, and for clients that must cost nearly nothing."""

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
    """The compiler and its flags. Raises Unavailable when there is none."""
    version = subprocess.run([_compiler(), "--version"], capture_output=True, text=True, timeout=CC_S).stdout
    return f"`cc -O2`, {version.splitlines()[0]}"


def program(source: str) -> Path:
    """The program of that file below benchmarks/. Raises Unavailable when it cannot be had."""
    return _build(source)


@functools.cache
def library(source: str) -> ctypes.CDLL:
    """The functions of that file; a call holds no other thread up. Raises Unavailable as program() does."""
    return ctypes.CDLL(str(_build(source, "-shared", "-fPIC")))


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
    """Gone with this process."""
    path = tempfile.mkdtemp(prefix="vtb-", dir="/tmp")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return Path(path)


def _compiler() -> str:
    found = shutil.which("cc")
    if found is None:
        raise Unavailable("no C compiler (cc)")
    return found
