"""What a session's environment is made of."""

from __future__ import annotations

import os.path

from vibetunnel.account import account

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# What describes the terminal, the shell or the service that the server itself was started from.
DROPPED = frozenset(
    "COLORFGBG COLUMNS DESKTOP_STARTUP_ID INVOCATION_ID ITERM_PROFILE ITERM_SESSION_ID JOURNAL_STREAM LC_TERMINAL "
    "LC_TERMINAL_VERSION LINES LISTEN_FDNAMES LISTEN_FDS LISTEN_PID NOTIFY_SOCKET OLDPWD PTYXIS_VERSION SHLVL STY "
    "TERMCAP TERMINATOR_DBUS_NAME TERMINATOR_DBUS_PATH TERMINATOR_UUID TERMINFO TERM_PROGRAM TERM_PROGRAM_VERSION "
    "TERM_SESSION_ID TILIX_ID TMUX TMUX_PANE VTE_VERSION WATCHDOG_PID WATCHDOG_USEC WINDOW WINDOWID WT_PROFILE_ID "
    "WT_SESSION XTERM_LOCALE XTERM_SHELL XTERM_VERSION _".split()
)
DROPPED_PREFIXES = (
    "VIBETUNNEL_",  # settings of the server, among them secrets
    "ALACRITTY_",
    "GHOSTTY_",
    "GNOME_TERMINAL_",
    "KITTY_",
    "KONSOLE_",
    "WEZTERM_",
    "ZELLIJ",
)


# A variable: the script of vibetunnel/shell that the shell is to load by itself.
SCRIPT = "VIBETUNNEL_SCRIPT"
SYSTEM_DATA = "/usr/local/share:/usr/share"  # what XDG_DATA_DIRS means when it is not set


def session_environment(
    base: Mapping[str, str], additions: Mapping[str, str], *, session_id: str, folder: str
) -> dict[str, str]:
    """The environment of one session's process.

    base       the keeper's own; what describes another terminal, and every VIBETUNNEL_* setting, is left out
    additions  the session's own; they win over everything but VIBETUNNEL_SESSION_ID
    """
    environment = {
        name: value for name, value in base.items() if name not in DROPPED and not name.startswith(DROPPED_PREFIXES)
    }
    for name, value in _account().items():
        environment.setdefault(name, value)
    environment.update(TERM="xterm-256color", COLORTERM="truecolor", PWD=folder)
    environment.update(additions)
    environment["VIBETUNNEL_SESSION_ID"] = session_id
    if SCRIPT in environment:
        _integrate(environment, environment[SCRIPT])
    return environment


def _integrate(environment: dict[str, str], script: str) -> None:
    """Have the shell load `script` at its start, without a file of the user's.

    Each shell looks for its first file where a variable says; what that was before is kept in VIBETUNNEL_<name> for the
    script, which puts it back at once.
    """
    folder = os.path.dirname(script)
    match os.path.basename(script):
        case "vibetunnel.bash" if "POSIXLY_CORRECT" not in environment:
            # In POSIX mode it reads $ENV instead of all others; startup.bash reads those.
            places = {"ENV": os.path.join(folder, "startup.bash")}
            environment["POSIXLY_CORRECT"] = "y"
        case "vibetunnel.zsh":
            places = {"ZDOTDIR": folder}
        case "vibetunnel.fish":
            data = os.path.dirname(os.path.dirname(folder))  # fish looks for fish/vendor_conf.d in it
            places = {"XDG_DATA_DIRS": f"{data}:{environment.get('XDG_DATA_DIRS') or SYSTEM_DATA}"}
        case _:
            places = {}
    for name, place in places.items():
        if name in environment:
            environment[f"VIBETUNNEL_{name}"] = environment[name]
        environment[name] = place


def _account() -> dict[str, str]:
    """What a login would have set; a server started by the system may have none of it."""
    defaults = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"}
    found = account()
    if found is None:
        return defaults
    names = {"HOME": found.pw_dir, "USER": found.pw_name, "LOGNAME": found.pw_name, "SHELL": found.pw_shell}
    return defaults | {name: value for name, value in names.items() if value}
