"""The marks that bash, zsh and fish print with the integration, on real PTYs, and that they do not show on screen."""

from __future__ import annotations

import os
import select
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import DEADLINE_S, Serve, calm_fish, until
from ptyprocess import PtyProcess

from vibetunnel._ext import vt
from vibetunnel.keeper.environment import session_environment
from vibetunnel.sessions.launch import integration
from vibetunnel.shell import SCRIPTS

SHELLS = list(SCRIPTS)

# Start-up files that give each shell a plain prompt.
PLAIN = {
    "bash": (".bashrc", "PS1='P> '\n"),
    "zsh": (".zshrc", "PROMPT='P> '\nunsetopt PROMPT_SP\n"),
    "fish": (".config/fish/config.fish", "set -g fish_greeting\nfunction fish_prompt\n echo -n 'P> '\nend\n"),
}
STATUS = {"bash": "$?", "zsh": "$?", "fish": "$status"}
LOAD = {
    "bash": '. "{}"\n',
    "zsh": '. "{}"\n',
    "fish": "source '{}'\n",
}


class Shell:
    """An interactive shell on a PTY, and the emulator of its terminal."""

    def __init__(self, argv: list[str], environment: dict[str, str], folder: Path) -> None:
        self.screen = vt.Engine(24, 160)
        self.marks: list[vt.Mark] = []
        self.folders: list[str] = []
        self._process = PtyProcess.spawn(argv, cwd=str(folder), env=environment, dimensions=(24, 160))

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            left = deadline - time.monotonic()
            readable = select.select([self._process.fd], [], [], max(0.0, left))[0]
            assert readable, f"nothing more came:\n{self.screen.text()}\n{self.marks}"
            self._take(os.read(self._process.fd, 65536))

    def _take(self, output: bytes) -> None:
        self.screen.feed(output)
        for event in self.screen.take_events():
            if isinstance(event, vt.Mark):
                self.marks.append(event)
            elif isinstance(event, vt.Cwd):
                self.folders.append(event.text)
        if replies := self.screen.take_replies():
            os.write(self._process.fd, replies)

    @property
    def text(self) -> str:
        return self.screen.text().rstrip()

    def kinds(self) -> str:
        return "".join(mark.kind for mark in self.marks)

    def type(self, text: str) -> None:
        os.write(self._process.fd, text.encode())

    def prompt(self) -> None:
        """Return at the first prompt."""
        self.until(lambda: "AB" in self.kinds())

    def run(self, line: str) -> tuple[vt.Mark, vt.Mark]:
        """Type a line at the prompt; returns its marks C and D when the next prompt is there."""
        before = len(self.marks)
        self.type(line + "\r")
        self.until(lambda: "B" in self.kinds()[before:].partition("D")[2].partition("A")[2])
        new = self.marks[before:]
        return (next(mark for mark in new if mark.kind == "C"), next(mark for mark in new if mark.kind == "D"))

    def interrupt(self) -> None:
        """Press Ctrl-C until the next prompt appears: readline loses a Ctrl-C that arrives while it reads a key."""
        before = len(self.marks)
        deadline = time.monotonic() + DEADLINE_S
        while "B" not in self.kinds()[before:]:
            assert time.monotonic() < deadline, f"no prompt came:\n{self.screen.text()}\n{self.marks}"
            self.type("\x03")
            while select.select([self._process.fd], [], [], 0.5)[0]:
                self._take(os.read(self._process.fd, 65536))

    def shown(self, expected: str) -> None:
        self.until(lambda: expected in self.text)

    def close(self) -> None:
        self._process.close(force=True)


class Home:
    """A user's home with start-up files, and the shells that a test starts in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._shells: list[Shell] = []
        calm_fish(folder)

    def environment(self, **more: str) -> dict[str, str]:
        own = {"HOME": str(self.folder), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "xterm-256color"}
        return own | more

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def plain(self, shell: str, *, load: bool = True, before: str = "", after: str = "") -> None:
        """The start-up file of a user with a plain prompt; load: and with the integration."""
        name, text = PLAIN[shell]
        self.write(name, before + text + (LOAD[shell].format(SCRIPTS[shell]) if load else "") + after)

    def start(self, shell: str, *arguments: str, **environment: str) -> Shell:
        return self._start([shutil.which(shell) or shell, *arguments], self.environment(**environment))

    def login(self, shell: str, **environment: str) -> Shell:
        """The shell as the keeper starts it for a server with --shell-integration."""
        path = shutil.which(shell)
        assert path is not None
        additions = integration([path], login=True)
        base = self.environment(**environment)
        complete = session_environment(base, additions, session_id="x", folder=str(self.folder))
        # A login shell needs a `-` before its name, which ptyprocess cannot give it.
        return self._start([sys.executable, "-c", f"import os; os.execv({path!r}, ['-{shell}'])"], complete)

    def _start(self, argv: list[str], environment: dict[str, str]) -> Shell:
        started = Shell(argv, environment, self.folder)
        self._shells.append(started)
        return started

    def close(self) -> None:
        for each in self._shells:
            each.close()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("name", SHELLS)
def test_a_command_is_marked_with_its_line_its_output_and_its_code(home: Home, name: str) -> None:
    home.plain(name)
    shell = home.start(name)
    shell.prompt()
    begin, end = shell.run("echo 'ä; b%c'")
    assert begin.command == "echo 'ä; b%c'"
    assert (end.exit_code, end.offset > begin.offset, end.line) == (0, True, begin.line + 1)
    assert shell.run("sh -c 'exit 7'")[1].exit_code == 7
    assert shell.run("false")[1].exit_code == 1


@pytest.mark.parametrize("name", SHELLS)
def test_the_folder_is_told_and_escaped(home: Home, name: str) -> None:
    home.plain(name)
    (home.folder / "ä b").mkdir()
    shell = home.start(name)
    shell.prompt()
    shell.run("cd 'ä b'")
    assert shell.folders[-1].endswith(f"{home.folder}/%C3%A4%20b")
    assert shell.folders[-1].startswith("file://")


@pytest.mark.parametrize("name", SHELLS)
def test_an_empty_line_and_an_interrupt_at_the_prompt_are_no_commands(home: Home, name: str) -> None:
    home.plain(name)
    shell = home.start(name)
    shell.prompt()
    shell.type("\r")
    shell.until(lambda: shell.kinds().count("A") >= 2 and shell.kinds().endswith("B"))
    shell.type("typed")
    shell.shown("P> typed")
    shell.interrupt()
    assert shell.run("true")[0].command == "true"
    assert shell.kinds().count("C") == shell.kinds().count("D") == 1


@pytest.mark.parametrize("name", SHELLS)
def test_the_status_of_the_last_command_is_kept(home: Home, name: str) -> None:
    home.plain(name)
    shell = home.start(name)
    shell.prompt()
    shell.run("sh -c 'exit 42'")
    shell.run(f"echo code={STATUS[name]}")
    shell.shown("code=42")


@pytest.mark.parametrize("name", SHELLS)
def test_the_marks_are_invisible(home: Home, name: str) -> None:
    texts = []
    for load in (True, False):
        home.plain(name, load=load)
        shell = home.start(name)
        shell.until(lambda shell=shell: shell.text.endswith("P>"))
        shell.type("echo one; echo two\r")
        shell.shown("two\nP>")
        shell.type("true\r")
        shell.shown("P> true\nP>")
        texts.append(shell.text)
        assert bool(shell.marks) is load
    assert texts[0] == texts[1]


@pytest.mark.parametrize("name", SHELLS)
def test_loaded_twice_it_is_there_once(home: Home, name: str) -> None:
    home.plain(name, after=LOAD[name].format(SCRIPTS[name]))
    shell = home.start(name)
    shell.prompt()
    shell.run("true")
    assert shell.kinds().replace("BB", "B") == "ABCDAB"


@pytest.mark.parametrize("name", SHELLS)
def test_a_dumb_terminal_is_told_nothing(home: Home, name: str) -> None:
    home.plain(name)
    shell = home.start(name, TERM="dumb")
    shell.until(lambda: "P>" in shell.text)
    shell.type("echo $TERM\r")
    shell.shown("dumb\n")
    assert not shell.marks
    assert not shell.folders


@pytest.mark.parametrize("name", SHELLS)
def test_a_script_is_told_nothing(home: Home, name: str) -> None:
    home.write("script", LOAD[name].format(SCRIPTS[name]) + "echo over\n")
    shell = home.start(name, str(home.folder / "script"))
    shell.shown("over")
    assert shell.text == "over"
    assert not shell.marks


# Users' own settings

BASH_PROMPTS = {
    "text": "PROMPT_COMMAND='last=$?; PS1=\"[$last]P> \"'\n",
    "list": "PROMPT_COMMAND=('last=$?' 'PS1=\"[$last]P> \"')\n",
    "with a semicolon": "PROMPT_COMMAND='last=$?; PS1=\"[$last]P> \";'\n",
}


@pytest.mark.parametrize("own", BASH_PROMPTS.values(), ids=BASH_PROMPTS)
def test_bash_goes_on_with_a_prompt_command_that_makes_the_prompt_anew(home: Home, own: str) -> None:
    home.plain("bash", before=own)
    shell = home.start("bash")
    shell.prompt()
    assert shell.run("sh -c 'exit 3'")[1].exit_code == 3
    shell.shown("[3]P>")
    shell.run("true")
    shell.shown("[0]P>")


def test_bash_goes_on_with_traps_ps0_options_and_later_settings(home: Home) -> None:
    home.plain(
        "bash", before="trap 'seen=$((seen+1))' DEBUG\nPS0='ps0\\n'\n", after="set -u\nIFS=abc\nPS0='later\\n'\n"
    )
    shell = home.start("bash")
    shell.prompt()
    begin, end = shell.run("echo seen=$((seen > 0))")
    assert (begin.command, end.exit_code) == ("echo seen=$((seen > 0))", 0)
    shell.shown("later\nseen=1")


def test_bash_reads_a_line_that_the_history_leaves_out_off_the_screen(home: Home) -> None:
    home.plain("bash", before="HISTCONTROL=ignorespace:ignoredups\n")
    shell = home.start("bash")
    shell.prompt()
    for line in ("echo one", "echo one", " echo hidden", "echo two"):
        assert shell.run(line)[0].command.strip() == line.strip()


@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_a_line_of_several_lines_is_one_command(home: Home, name: str) -> None:
    home.plain(name)
    shell = home.start(name)
    shell.prompt()
    shell.type("for i in 1 2\r")
    begin, end = shell.run("do echo $i; done")
    assert begin.command.startswith("for i in 1 2")
    assert begin.command.endswith("done")
    assert end.exit_code == 0


def test_zsh_goes_on_with_hooks_that_come_later_and_make_the_prompt_anew(home: Home) -> None:
    hook = 'anew() { last=$?; PROMPT="[$last]P> " }\nprecmd_functions+=(anew)\npreexec() { echo pre:$1 }\n'
    home.plain("zsh", after=hook)
    shell = home.start("zsh")
    shell.until(lambda: "A" in shell.kinds())
    shell.shown("[0]P>")
    shell.type("sh -c 'exit 3'\r")
    shell.shown("[3]P>")
    begin, end = shell.run("sh -c 'exit 4'")
    assert (begin.command, end.exit_code) == ("sh -c 'exit 4'", 4)
    shell.shown("pre:sh -c 'exit 4'")
    shell.shown("[4]P>")


def test_zsh_keeps_a_prompt_without_escapes(home: Home) -> None:
    home.plain("zsh", before="unsetopt PROMPT_PERCENT\n")
    shell = home.start("zsh")
    shell.until(lambda: "A" in shell.kinds() and shell.text.endswith("P>"))
    assert shell.text == "P>"


def test_fish_goes_on_with_a_prompt_that_is_replaced(home: Home) -> None:
    home.plain("fish")
    shell = home.start("fish")
    shell.prompt()
    shell.run('function fish_prompt; echo -n "[$status]Q> "; end')
    assert shell.run("sh -c 'exit 5'")[1].exit_code == 5
    shell.shown("[5]Q>")


# Loaded by the keeper

LOGIN_FILES = {
    "bash": {".bash_profile": "declare -A kept=([x]=profile)\n. ~/.bashrc\n"},
    "zsh": {".zshenv": "first=zshenv\n", ".zprofile": "kept=profile\n"},
    "fish": {},
}
QUESTIONS = {  # line -> its output
    "bash": {
        "echo ${kept[x]} $HISTFILE": "profile {home}/.bash_history",
        "shopt -q login_shell && [[ ! -o posix ]] && echo login": "login",
        "env | grep -c -e ^ENV= -e POSIXLY -e VIBETUNNEL_SC -e VIBETUNNEL_E": "0",
    },
    "zsh": {
        "echo $first $kept ${ZDOTDIR-none}": "zshenv profile none",
        "[[ -o login ]] && echo login": "login",
        "env | grep -c -e ZDOTDIR -e VIBETUNNEL_SC": "0",
    },
    "fish": {
        "echo (set -q XDG_DATA_DIRS; or echo none)": "none",
        "status is-login; and echo login": "login",
        "env | grep -c -e XDG_DATA -e VIBETUNNEL_SC": "0",
    },
}


@pytest.mark.parametrize("name", SHELLS)
def test_a_login_shell_loads_it_and_finds_all_else_as_it_was(home: Home, name: str) -> None:
    home.plain(name, load=False)
    for file, text in LOGIN_FILES[name].items():
        home.write(file, text)
    shell = home.login(name)
    shell.prompt()
    for line, expected in QUESTIONS[name].items():
        begin, _ = shell.run(line)
        assert begin.command == line
        shell.shown(f"\n{expected.format(home=home.folder)}\nP>")


def test_variables_that_it_borrows_are_given_back(home: Home) -> None:
    (home.folder / "z").mkdir()
    home.write("z/.zshrc", "PROMPT='P> '\n")
    shell = home.login("zsh", ZDOTDIR=str(home.folder / "z"))
    shell.prompt()
    shell.run("echo $ZDOTDIR")
    shell.shown(f"{home.folder}/z\n")
    home.plain("fish", load=False)
    shell = home.login("fish", XDG_DATA_DIRS="/a:/b")
    shell.prompt()
    shell.run("env | grep XDG_DATA_DIRS")
    shell.shown("XDG_DATA_DIRS=/a:/b\n")
    home.plain("bash", load=False)
    home.write(".profile", ". ~/.bashrc")
    shell = home.login("bash", ENV="/my/env")
    shell.prompt()
    shell.run("env | grep ^ENV=")
    shell.shown("ENV=/my/env\n")


def test_a_bash_that_is_to_be_posix_is_left_alone() -> None:
    additions = integration(["/usr/bin/bash"], login=True)
    environment = session_environment({"POSIXLY_CORRECT": ""}, additions, session_id="x", folder="/")
    assert "ENV" not in environment


@pytest.mark.parametrize(
    ("argv", "is_login"),
    [(["/bin/bash"], False), (["/bin/bash", "-l"], True), (["/bin/dash"], True), (["python3"], True), (["-"], True)],
)
def test_only_login_shells_that_it_knows_are_told_to(argv: list[str], is_login: bool) -> None:
    assert integration(argv, login=is_login) == {}


def test_the_old_bash_of_macos_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert integration(["/bin/bash"], login=True) == {}
    assert integration(["/opt/homebrew/bin/bash"], login=True)


@pytest.mark.parametrize("name", SHELLS)
async def test_a_server_with_the_setting_knows_the_commands_of_its_login_shells(
    serve: Serve, home: Home, name: str
) -> None:
    server = await serve(shell=shutil.which(name) or name, shell_integration=True)
    home.plain(name, load=False)
    home.write(".bash_profile", ". ~/.bashrc\n")
    session = await server.session(env={"HOME": str(home.folder), "XDG_CONFIG_HOME": str(home.folder / ".config")})
    path = f"/api/sessions/{session}"
    await server.json("POST", f"{path}/resize", {"rows": 24, "cols": 80})  # starts it
    await server.json("POST", f"{path}/wait", {"prompt": True})
    await server.json("POST", f"{path}/input", {"text": "sh -c 'exit 9'\r"})
    answer = await server.json("POST", f"{path}/wait", {"prompt": True})
    assert (answer["command"]["command"], answer["command"]["exitCode"]) == ("sh -c 'exit 9'", 9)

    async def listed() -> Any:
        return await server.json("GET", f"{path}/commands")

    (command,) = await until(listed)
    assert command["command"] == "sh -c 'exit 9'"
    assert command["durationMs"] >= 0
    assert (await server.json("GET", path))["folder"]
