"""The program, folder and name of a new session. No I/O except the account database."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from typing import NamedTuple

from vibetunnel.account import account
from vibetunnel.errors import InvalidField
from vibetunnel.keeper.environment import SCRIPT
from vibetunnel.shell import SCRIPTS

COMMAND_LIMIT = 128 * 1024  # characters in all; Linux takes no longer argument, and every list of sessions has it
NAME_LIMIT = 200  # characters of a session's name, as in VibeTunnel's Go server


class Launch(NamedTuple):
    """login: argv[0] gets a `-` before its name, which makes a shell a login shell."""

    argv: list[str]
    login: bool


def login_shell(setting: str = "") -> str:
    """The program of new sessions: the setting, else the account's shell, else /bin/sh."""
    found = account()
    return setting or (found and found.pw_shell) or "/bin/sh"


def integration(argv: list[str], *, login: bool) -> dict[str, str]:
    """The variables that make a login shell mark its prompts and commands; {} for all other programs."""
    if not login or len(argv) != 1:
        return {}
    name = os.path.basename(argv[0])
    if name not in SCRIPTS or (sys.platform == "darwin" and argv[0] == "/bin/bash"):  # too old to read $ENV
        return {}
    return {SCRIPT: str(SCRIPTS[name])}


def resolve(command: list[str] | str | None, shell: str) -> Launch:
    """The command that a client asked for: a list is argv, a text is run by `shell`, None is a login shell."""
    if command is None or not command:
        if isinstance(command, list):
            raise InvalidField("command", "a list with the program and its arguments, or a text for the shell", "[]")
        return Launch([shell], login=True)
    if isinstance(command, str) and not command.strip():
        raise InvalidField("command", "a text for the shell, or nothing for a login shell", "blanks only")
    words = [shell, "-c", command] if isinstance(command, str) else command
    size = sum(map(len, words)) + len(words)
    if size > COMMAND_LIMIT:
        raise InvalidField("command", f"at most {COMMAND_LIMIT} characters", str(size))
    if any("\0" in word for word in words):
        raise InvalidField("command", "text without NUL characters")
    if not words[0].strip():
        raise InvalidField("command", "a program as its first entry", "an empty text or blanks only")
    return Launch(words, login=False)


async def folder(path: str | None, home: str) -> str:
    """The absolute path of a session's folder: `~` is `home`, and a relative path is relative to it."""
    if path is None or path in ("", "~"):
        return home
    if "\0" in path:
        raise InvalidField("workingDir", "a path without NUL characters")
    if path.startswith("~/"):
        path = home + path[1:]
    elif path.startswith("~"):  # ~name: the account database may be across the network
        path = await asyncio.to_thread(os.path.expanduser, path)
    return os.path.normpath(os.path.join(home, path))  # noqa: ASYNC240 (no I/O)


def check_environment(env: dict[str, str]) -> None:
    """Raises InvalidField for variables that no process can have in its environment."""
    for name, value in env.items():
        if not name or "=" in name or "\0" in name:
            raise InvalidField("env", "names without `=` and NUL characters", repr(name[:40]))
        if "\0" in value:
            raise InvalidField(f"env.{name[:40]}", "text without NUL characters")


def check_name(name: str) -> str:
    """`name` without surrounding blanks. Raises InvalidField when it is empty, too long or not printable."""
    name = name.strip()
    if not name:
        raise InvalidField("name", "a non-empty text", "an empty one")
    if len(name) > NAME_LIMIT:
        raise InvalidField("name", f"at most {NAME_LIMIT} characters", str(len(name)))
    if not name.isprintable():
        raise InvalidField("name", "printable characters only")
    return name


def default_name(argv: list[str], path: str, home: str) -> str:
    """`program (~/folder)`."""
    of_shell = len(argv) == 3 and argv[1] == "-c"
    program = _first_word(argv[2][:NAME_LIMIT]) if of_shell else argv[0]  # shlex takes minutes for 1 MiB
    program = os.path.basename(program.rstrip("/")) or program
    if path == home or path.startswith(home.rstrip("/") + "/"):
        path = "~" + path[len(home.rstrip("/")) :]
    text = f"{program} ({path})"[:NAME_LIMIT]
    return "".join(each if each.isprintable() else "?" for each in text)


def _first_word(text: str) -> str:
    words = shlex.shlex(text, posix=False)
    words.whitespace_split, words.commenters = True, ""
    try:
        return words.get_token() or text
    except ValueError:  # an open quote
        return text


def unique_name(name: str, taken: set[str]) -> str:
    """`name`, or the first of `name (2)`, `name (3)`, ... that is free."""
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name} ({number})", number + 1
    return candidate
