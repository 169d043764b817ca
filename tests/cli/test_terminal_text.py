"""What the command line takes and prints as text: arguments that are UTF-8, and nothing that steers a terminal."""

import contextlib
import io
import os
import pty
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from cli_home import Home

from vibetunnel.cli import COMMANDS, CommandGroup, main
from vibetunnel.cli.options import PATHS, Text
from vibetunnel.cli.terminal_text import safe

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
CONTROLS = "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0)])).replace("\t", "").replace("\n", "") + "\u2028\u2029"


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("unsafe", [*BIDI, *CONTROLS], ids=ascii)
def test_a_terminal_gets_no_character_that_would_steer_it(unsafe: str) -> None:
    assert safe(f"a{unsafe}b", Terminal()) == "ab"
    assert safe(f"a{unsafe}b", io.StringIO()) == f"a{unsafe}b"


def test_other_text_and_our_own_styles_reach_a_terminal() -> None:
    text = "\tשלום\n\x1b[1;36mé\x1b[0m 👩\u200d👧 \ue0b0 ▀▄"
    assert safe(text, Terminal()) == text


def shown(home: Home, *arguments: str) -> str:
    """What a command shows on a terminal, with both of its streams."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "vibetunnel", *arguments], env=home.environment, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    got = b""
    with contextlib.suppress(OSError):  # EIO: the other end is closed
        while part := os.read(controller, 1024):
            got += part
    process.wait()
    os.close(controller)
    return got.decode()


def test_the_screen_of_a_session_steers_no_terminal_and_reaches_a_pipe_whole(
    home: Home, server: "subprocess.Popen[str]"
) -> None:
    printed = "pay \u202eeciroP\u202c \u2066now\u2069 done"
    home.new_session(["printf", "%s", printed], name="x")
    home.ok("wait", "x", "--exit")
    assert home.ok("text", "x").splitlines()[0] == printed
    assert shown(home, "text", "x").splitlines()[0] == "pay eciroP now done"
    assert shown(home, "text", "x", "--html").find("\u202e") == -1
    assert "\u202e" not in shown(home, "wait", "x", "--regex", "pay.*done")
    assert "\u202e" not in shown(home, "ls")


def _commands() -> Iterator[tuple[list[str], click.Command]]:
    """Every command with its words, as the command line finds it."""
    for name in COMMANDS:
        context = click.Context(main)
        assert isinstance(main, CommandGroup)
        _, found, _ = main.resolve_command(context, [name])
        assert found is not None
        if isinstance(found, click.Group):
            yield from _below([name], found)
        else:
            yield [name], found


def _below(words: list[str], group: click.Group) -> Iterator[tuple[list[str], click.Command]]:
    for name in group.commands:
        _, found, _ = group.resolve_command(click.Context(group), [name])
        assert found is not None
        if isinstance(found, click.Group):
            yield from _below([*words, name], found)
        else:
            yield [*words, name], found


def test_every_text_of_every_command_has_to_be_utf_8() -> None:
    checked = 0
    for words, command in _commands():
        for parameter in command.params:
            assert parameter.type is not click.STRING or parameter.metavar in PATHS, (words, parameter.name)
            checked += isinstance(parameter.type, Text)
    assert checked > 50


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["wait", "x", "--text", "\udcff"], "Invalid value for '--text': expected UTF-8, got the byte 0xff"),
        (["wait", "x", "--timeout", "1\udce9"], "Invalid value for '--timeout': expected UTF-8, got the byte 0xe9"),
        (["text", "caf\udce9"], "Invalid value for 'ID|NAME': expected UTF-8, got the byte 0xe9"),
        (["kill", "a", "b\udc80"], "Invalid value for 'ID|NAME...': expected UTF-8, got the byte 0x80"),
        (["share", "create", "x", "--name", "\udcff"], "Invalid value for '--name': expected UTF-8, got the byte 0xff"),
        (["user", "key", "rm", "ada", "\udcff"], "Invalid value for 'FINGERPRINT|COMMENT': expected UTF-8"),
        (["audit", "--user", "\udcff"], "Invalid value for '--user': expected UTF-8, got the byte 0xff"),
        (["--allow-host", "\udcff"], "Invalid value for '--allow-host': expected UTF-8, got the byte 0xff"),
    ],
)
def test_an_argument_that_is_not_utf_8_is_named(home: Home, arguments: list[str], named: str) -> None:
    done = home.run(*arguments)
    assert done.returncode == 2
    assert named in done.stderr


def test_a_folder_may_have_any_bytes_in_its_name(home: Home) -> None:
    said = home.refused("ls", "--state-dir", f"{home.folder}/caf\udce9")
    assert said.startswith("vibetunnel: no vibetunnel server is running")
