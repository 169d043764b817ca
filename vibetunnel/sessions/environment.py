"""What the programs of sessions inherit from the server's environment: all except what is true of the server only.

A mark says where a program runs: in which agent, editor, multiplexer, terminal, recorder or service. The server's marks
are wrong in a session, and programs act on them: `claude` refuses to start, and a shell looks for another terminal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from vibetunnel.errors import StartFailed

LIMIT = 768 * 1024  # bytes as JSON; a request to the keeper has 1 MiB, for the session's own variables and record too

SETTINGS = "VIBETUNNEL_"  # of this server; secrets are among them

AGENTS = frozenset(
    "AGENT AI_AGENT AMP_CURRENT_THREAD_ID AUGMENT_AGENT CLAUDECODE CLAUDE_CODE CLAUDE_PROJECT_DIR CLINE_ACTIVE "
    "COPILOT_CLI CRUSH GEMINI_CLI GOOSE_TERMINAL OPENCODE PI_CODING_AGENT QWEN_CODE ROO_ACTIVE TRAE_AI_SHELL_ID".split()
)
AGENT_PREFIXES = (
    "ANTIGRAVITY_",
    "CLAUDE_CODE_",
    "CODEX_CI",
    "CODEX_MANAGED_",
    "CODEX_SANDBOX",
    "CODEX_THREAD_",
    "CURSOR_",
    "GEMINI_CLI_",
    "OPENCODE_CALLER",
    "OPENCODE_CLIENT",
    "OPENCODE_PID",
    "OPENCODE_RUN_ID",
)
EDITORS = frozenset(
    "CHROME_DESKTOP ELECTRON_NO_ATTACH_CONSOLE ELECTRON_RUN_AS_NODE EMACS EMACS_VTERM_PATH IDEA_INITIAL_DIRECTORY "
    "INSIDE_EMACS MYVIMDIR MYVIMRC NVIM NVIM_LISTEN_ADDRESS NVIM_LOG_FILE ORIGINAL_XDG_CURRENT_DESKTOP PYCHARM_HOSTED "
    "TERMINAL_EMULATOR VIM VIMRUNTIME VIM_SERVERNAME VIM_TERMINAL".split()
)
EDITOR_PREFIXES = ("EAT_SHELL_", "INTELLIJ_", "JEDITERM_", "VSCODE_", "ZED_", "__INTELLIJ_")
MULTIPLEXERS = frozenset("ABDUCO_SESSION DVTM DVTM_WINDOW_ID STY WINDOW".split())
MULTIPLEXER_PREFIXES = ("BYOBU_", "CMUX_", "HERDR_", "MOSH_", "TMUX", "ZELLIJ")
TERMINALS = frozenset(
    "COLORFGBG COLUMNS GPG_TTY LC_TERMINAL LC_TERMINAL_VERSION LINES PTYXIS_VERSION TERMCAP TERMINATOR_DBUS_NAME "
    "TERMINATOR_DBUS_PATH TERMINATOR_UUID TERMINFO TERM_FEATURES TERM_PROGRAM TERM_PROGRAM_VERSION TERM_SESSION_ID "
    "TILIX_ID VTE_VERSION WINDOWID WT_PROFILE_ID WT_SESSION XTERM_LOCALE XTERM_SHELL XTERM_VERSION "
    "__CFBundleIdentifier".split()
)
TERMINAL_PREFIXES = (
    "ALACRITTY_",
    "ConEmu",
    "GHOSTTY_",
    "GNOME_TERMINAL_",
    "ITERM_",
    "KITTY_",
    "KONSOLE_",
    "TABBY_",
    "WARP_",
    "WAVETERM",
    "WEZTERM_",
)
CONNECTIONS = frozenset("SSH_CLIENT SSH_CONNECTION SSH_ORIGINAL_COMMAND SSH_TTY SSH_USER_AUTH".split())
RECORDERS = frozenset("ASCIINEMA_REC ASCIINEMA_SESSION SCRIPT".split())  # SCRIPT: of script(1) on macOS and BSD
SERVICES = frozenset(  # systemd.exec(5), sd_listen_fds(3), startup notification of desktops
    "CACHE_DIRECTORY CONFIGURATION_DIRECTORY CREDENTIALS_DIRECTORY DESKTOP_STARTUP_ID FDSTORE INVOCATION_ID "
    "JOURNAL_STREAM LISTEN_FDNAMES LISTEN_FDS LISTEN_PID LISTEN_PIDFDID LOGS_DIRECTORY MAINPID MANAGERPID "
    "MEMORY_PRESSURE_WATCH MEMORY_PRESSURE_WRITE NOTIFY_SOCKET RUNTIME_DIRECTORY STATE_DIRECTORY SYSTEMD_EXEC_PID "
    "WATCHDOG_PID WATCHDOG_USEC XDG_ACTIVATION_TOKEN".split()
)
SHELL = frozenset("OLDPWD SHLVL _".split())  # the shell that started the server counts its own

MARKS = AGENTS | EDITORS | MULTIPLEXERS | TERMINALS | CONNECTIONS | RECORDERS | SERVICES | SHELL
MARK_PREFIXES = AGENT_PREFIXES + EDITOR_PREFIXES + MULTIPLEXER_PREFIXES + TERMINAL_PREFIXES

# The user's own settings, with names like those of marks.
KEPT = frozenset(
    "CLAUDE_CODE_OAUTH_TOKEN CURSOR_API_KEY TMUX_TMPDIR ZELLIJ_CONFIG_DIR ZELLIJ_CONFIG_FILE ZELLIJ_SOCKET_DIR".split()
)
KEPT_PREFIXES = ("CLAUDE_CODE_MAX_", "CLAUDE_CODE_SKIP_", "CLAUDE_CODE_USE_")

# Agents set these for their commands, which no user sees: with GIT_EDITOR=true, `git commit` opens no editor.
# A user sets the same names, so only these values go, and only if there is an agent.
UNATTENDED = frozenset(
    {
        ("GH_PAGER", "cat"),
        ("GIT_EDITOR", "true"),
        ("GIT_PAGER", "cat"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("NO_COLOR", "1"),
        ("PAGER", "cat"),
    }
)
# make tells these to its commands: its job server is closed in a session. A user sets MAKEFLAGS=-j8 for every shell, so
# they go only if there is a make.
MAKE = frozenset("MAKEFLAGS MAKELEVEL MAKEOVERRIDES MAKE_TERMERR MAKE_TERMOUT MFLAGS".split())
ASKPASS = "GIT_ASKPASS"  # VS Code's does not work without VSCODE_GIT_ASKPASS_MAIN


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of `environment`, the server's own, that its sessions begin with.

    Raises StartFailed when they are too large to be handed on with every start.
    """
    kept = {name: value for name, value in environment.items() if not _stays(name)}
    if any(_marks(name, AGENTS, AGENT_PREFIXES) for name in environment):
        kept = dict(kept.items() - UNATTENDED)
    if "MAKELEVEL" in environment:
        kept = {name: value for name, value in kept.items() if name not in MAKE}
    if "VSCODE_GIT_ASKPASS_MAIN" in environment:
        kept.pop(ASKPASS, None)
    if (size := len(json.dumps(kept))) > LIMIT:
        largest = max(kept, key=lambda name: len(kept[name]))
        raise StartFailed(
            f"the environment is too large for sessions: {size} bytes as JSON, at most {LIMIT}; "
            f"the largest variable is {largest}: start the server without it"
        )
    return kept


def _stays(name: str) -> bool:
    """Whether the variable is the server's alone."""
    return name.startswith(SETTINGS) or _marks(name, MARKS, MARK_PREFIXES)


def _marks(name: str, names: frozenset[str], prefixes: tuple[str, ...]) -> bool:
    named = name in names or name.startswith(prefixes)
    return named and name not in KEPT and not name.startswith(KEPT_PREFIXES)
