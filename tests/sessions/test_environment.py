"""What a session's program finds in its environment: the server's, without the marks of where the server runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness import wait_for
from server_process import ServerProcess

from vibetunnel.errors import StartFailed
from vibetunnel.sessions.environment import LIMIT, inherited

MARKS = """
    CLAUDECODE CLAUDE_CODE_ENTRYPOINT CLAUDE_CODE_SSE_PORT CLAUDE_CODE_SESSION_ID CODEX_SANDBOX
    CODEX_SANDBOX_NETWORK_DISABLED CODEX_THREAD_ID CODEX_CI GEMINI_CLI CURSOR_AGENT CURSOR_TRACE_ID OPENCODE AI_AGENT
    VSCODE_INJECTION VSCODE_PID VSCODE_IPC_HOOK_CLI ELECTRON_RUN_AS_NODE TERMINAL_EMULATOR JEDITERM_SOURCE_ARGS
    __INTELLIJ_COMMAND_HISTFILE__ ZED_TERM INSIDE_EMACS NVIM NVIM_LISTEN_ADDRESS VIM VIMRUNTIME VIM_TERMINAL
    TMUX TMUX_PANE TMUX_PLUGIN_MANAGER_PATH STY WINDOW ZELLIJ ZELLIJ_SESSION_NAME BYOBU_TTY
    TERM_PROGRAM TERM_PROGRAM_VERSION TERM_SESSION_ID LC_TERMINAL ITERM_SESSION_ID KITTY_PID KITTY_WINDOW_ID
    WEZTERM_PANE WARP_IS_LOCAL_SHELL_SESSION ALACRITTY_SOCKET GHOSTTY_RESOURCES_DIR VTE_VERSION WT_SESSION COLUMNS LINES
    GPG_TTY SSH_TTY SSH_CONNECTION SSH_CLIENT ASCIINEMA_REC
    INVOCATION_ID JOURNAL_STREAM NOTIFY_SOCKET LISTEN_FDS CREDENTIALS_DIRECTORY OLDPWD SHLVL
    VIBETUNNEL_PORT VIBETUNNEL_SECRET VIBETUNNEL_ANYTHING
""".split()

KEPT = """
    PATH HOME LANG LC_ALL TZ USER SHELL EDITOR PAGER BROWSER DISPLAY WAYLAND_DISPLAY XDG_RUNTIME_DIR
    DBUS_SESSION_BUS_ADDRESS SSH_AUTH_SOCK GIT_ASKPASS GIT_EDITOR NO_COLOR HTTPS_PROXY VIRTUAL_ENV PYTHONPATH DIRENV_DIR
    CONDA_PREFIX TMUX_TMPDIR ZELLIJ_CONFIG_DIR NVIM_APPNAME AIDER_MODEL CODEX_HOME ANTHROPIC_API_KEY GEMINI_API_KEY
    CURSOR_API_KEY OPENCODE_CONFIG CLAUDE_CONFIG_DIR CLAUDE_CODE_USE_BEDROCK ASCIINEMA_CONFIG_HOME TERMUX_VERSION
""".split()


@pytest.mark.parametrize("name", MARKS)
def test_mark_of_where_the_server_runs_stays_with_the_server(name: str) -> None:
    assert inherited({name: "x", "LANG": "C.UTF-8"}) == {"LANG": "C.UTF-8"}


@pytest.mark.parametrize("name", KEPT)
def test_setting_of_the_user_is_handed_on(name: str) -> None:
    assert inherited({name: "x"}) == {name: "x"}


def test_what_an_agent_sets_for_commands_without_a_user_goes_with_the_agent() -> None:
    unattended = {"GIT_EDITOR": "true", "PAGER": "cat", "GIT_PAGER": "cat", "NO_COLOR": "1"}
    assert inherited(unattended) == unattended  # a user may want that
    assert inherited(unattended | {"CLAUDECODE": "1"}) == {}
    assert inherited({"PAGER": "less", "CLAUDECODE": "1"}) == {"PAGER": "less"}


def test_flags_of_a_make_go_with_the_make() -> None:
    own = {"MAKEFLAGS": "-j8", "GNUMAKEFLAGS": "-O"}
    assert inherited(own) == own  # a user may want that
    made = {"MAKEFLAGS": " -j2 --jobserver-auth=3,4", "MFLAGS": "-j2", "MAKELEVEL": "1", "MAKE_TERMOUT": "/dev/pts/1"}
    assert inherited(made | {"LANG": "C"}) == {"LANG": "C"}


def test_password_prompt_of_an_editor_goes_with_the_editor() -> None:
    askpass = {"GIT_ASKPASS": "/usr/share/code/askpass.sh"}
    assert inherited(askpass | {"VSCODE_GIT_ASKPASS_MAIN": "main.js"}) == {}


def test_environment_that_no_request_can_carry_is_refused_at_the_start() -> None:
    assert len(inherited({"BIG": "x" * (LIMIT - 100)})) == 1
    with pytest.raises(StartFailed, match="the largest variable is BIG: start the server without it"):
        inherited({"SMALL": "x", "BIG": "x" * LIMIT})


@contextmanager
def serving(server: ServerProcess) -> Iterator[ServerProcess]:
    try:
        yield server
    finally:
        server.close()


def environment_of_a_session(server: ServerProcess) -> dict[str, str]:
    session = server.session(["sh", "-c", "env; echo the-end=$?"], spawn="now")
    path = f"/api/sessions/{session}/output"
    wait_for(lambda: b"the-end=0" in server.request("GET", path))
    lines = os.fsdecode(server.request("GET", path)).splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def test_sessions_have_the_environment_of_the_server_that_starts_them(tmp_path: Path) -> None:
    marks = dict.fromkeys(MARKS, "mark") | {"VIBETUNNEL_PORT": "0"}
    own = {"SSH_AUTH_SOCK": "/tmp/first", "ODD": "=\x7f\udcff"}  # a byte that is not UTF-8
    with serving(ServerProcess(tmp_path, "--kill-on-exit", **marks, **own)) as server:
        first = environment_of_a_session(server)
        assert not {name for name in MARKS if first.get(name) == "mark"}
        assert {name: first.get(name) for name in own} == own
        server.kill()
        server.environment |= {"SSH_AUTH_SOCK": "/tmp/second"}
        server.start()
        second = environment_of_a_session(server)
        assert second["SSH_AUTH_SOCK"] == "/tmp/second"
        assert second["PATH"] == os.environ["PATH"]
