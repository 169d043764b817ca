"""What peers have in common that are programs of others, on this machine: the environment names them."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from benchmarks.errors import Unavailable

VERSION_S = 10


def binary(variable: str) -> str:
    """The program that an environment variable names. Raises Unavailable when it names none."""
    named = os.environ.get(variable)
    if not named:
        raise Unavailable(f"set {variable} to its binary")
    found = shutil.which(named)
    if found is None:
        raise Unavailable(f"{variable}: expected a program, got {named!r}")
    return found


def version(program: str) -> str:
    """The line that it prints for --version."""
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=VERSION_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(f"it does not tell its version: {error}") from None
    return answer.stdout.strip().partition("\n")[0]


def dispatcher(programs: Mapping[str, str], folder: Path) -> Path:
    """A script for a server that knows one command, and appends arguments: the first one says which program to run."""
    script = folder / "dispatch.sh"
    # In this shell: to start another one would be time that the others' programs do not take.
    cases = "".join(f"{shlex.quote(name)})\n{text}\n;;\n" for name, text in programs.items())
    script.write_text(f"case $1 in\n{cases}*) exit 2;;\nesac\n", encoding="utf-8")
    return script
