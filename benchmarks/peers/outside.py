"""Peers that are other people's programs on this machine, named by the environment."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from benchmarks.errors import Unavailable

VERSION_S = 10


def binary(variable: str) -> str:
    """The program that an environment variable names. Raises Unavailable without one."""
    named = os.environ.get(variable)
    if not named:
        raise Unavailable(f"set {variable} to its binary")
    found = shutil.which(named)
    if found is None:
        raise Unavailable(f"{variable}: expected a program, got {named!r}")
    return found


def version(program: str) -> str:
    """The first line that it prints for --version."""
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=VERSION_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(f"--version fails: {error}") from None
    return answer.stdout.strip().partition("\n")[0]


def dispatcher(programs: Mapping[str, str], folder: Path) -> Path:
    """A script for a server that runs one command with arguments: the first argument says which program to run."""
    script = folder / "dispatch.sh"
    # In this shell: starting another would take time that programs of other peers do not take.
    cases = "".join(f"{shlex.quote(name)})\n{text}\n;;\n" for name, text in programs.items())
    script.write_text(f"case $1 in\n{cases}*) exit 2;;\nesac\n", encoding="utf-8")
    return script
