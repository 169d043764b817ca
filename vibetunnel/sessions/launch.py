"""The program, folder and name of a new session. No I/O except the account database."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from typing import Annotated, NamedTuple

from msgspec import Meta

from vibetunnel.account import account
from vibetunnel.errors import InvalidField
from vibetunnel.keeper.environment import SCRIPT
from vibetunnel.sessions.model import NAME_LIMIT
from vibetunnel.shell import SCRIPTS

# A process can have no NUL in its arguments, its environment and its folder.
_Text = Annotated[str, Meta(pattern=r"^[^\x00]*$", description="text without NUL characters")]
_Line = Annotated[
    str,
    Meta(
        pattern=r"^([^\x00]*[^\x00-\x20][^\x00]*)?$",
        description="a text for the shell, without NUL characters, and not blanks only",
    ),
]
_BLANKS = "".join(map(chr, range(0x21)))
_Words = Annotated[list[_Text], Meta(min_length=1, extra_json_schema={"prefixItems": [{"pattern": r"[^\x00-\x20]"}]})]

Command = _Words | _Line
Folder = _Text
Environment = dict[
    Annotated[str, Meta(pattern=r"^[^=\x00]+$", description="a name without `=` and NUL characters")], _Text
]


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
    if not command:
        return Launch([shell], login=True)
    words = [shell, "-c", command] if isinstance(command, str) else command
    if not words[0].strip(_BLANKS):
        raise InvalidField("command", "a program as its first entry", "an empty text or blanks only")
    return Launch(words, login=False)


async def folder(path: str | None, home: str) -> str:
    """The absolute path of a session's folder: `~` is `home`, and a relative path is relative to it."""
    if path is None or path in ("", "~"):
        return home
    if path.startswith("~/"):
        path = home + path[1:]
    elif path.startswith("~"):  # ~name: the account database may be across the network
        path = await asyncio.to_thread(os.path.expanduser, path)
    return os.path.normpath(os.path.join(home, path))  # noqa: ASYNC240 (no I/O)


async def check_folder(path: str) -> None:
    """Raise InvalidField for a folder that does not exist."""
    if not await asyncio.to_thread(os.path.isdir, path):
        raise InvalidField("workingDir", "a folder that exists", path)


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
