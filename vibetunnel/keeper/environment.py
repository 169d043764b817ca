"""The environment of a session's process."""

from __future__ import annotations

import os.path

from vibetunnel.account import account

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SCRIPT = "VIBETUNNEL_SCRIPT"  # the variable that names the script of vibetunnel/shell which the shell is to load
SYSTEM_DATA = "/usr/local/share:/usr/share"  # the meaning of XDG_DATA_DIRS when it is not set


def session_environment(
    base: Mapping[str, str], additions: Mapping[str, str], *, session_id: str, folder: str
) -> dict[str, str]:
    """The environment of one session's process.

    base       what the server hands on (vibetunnel/sessions/environment.py)
    additions  the session's own; they override everything except VIBETUNNEL_SESSION_ID
    """
    environment = {**_account(), **base}
    environment.update(TERM="xterm-256color", COLORTERM="truecolor", PWD=folder)
    environment.update(additions)
    environment["VIBETUNNEL_SESSION_ID"] = session_id
    if SCRIPT in environment:
        _integrate(environment, environment[SCRIPT])
    return environment


def _integrate(environment: dict[str, str], script: str) -> None:
    """Make the shell load `script` at its start, without a change to the user's files.

    A variable tells each shell where its first file is. Its old value goes into VIBETUNNEL_<name>, from which the
    script restores it at once.
    """
    folder = os.path.dirname(script)
    match os.path.basename(script):
        case "vibetunnel.bash" if "POSIXLY_CORRECT" not in environment:
            # In POSIX mode bash reads $ENV instead of its usual files; startup.bash reads those.
            variables = {"ENV": os.path.join(folder, "startup.bash")}
            environment["POSIXLY_CORRECT"] = "y"
        case "vibetunnel.zsh":
            variables = {"ZDOTDIR": folder}
        case "vibetunnel.fish":
            data = os.path.dirname(os.path.dirname(folder))  # fish searches it for fish/vendor_conf.d
            variables = {"XDG_DATA_DIRS": f"{data}:{environment.get('XDG_DATA_DIRS') or SYSTEM_DATA}"}
        case _:
            variables = {}
    for name, value in variables.items():
        if name in environment:
            environment[f"VIBETUNNEL_{name}"] = environment[name]
        environment[name] = value


def _account() -> dict[str, str]:
    """The variables that a login sets; a server that the system has started may have none of them."""
    defaults = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"}
    found = account()
    if found is None:
        return defaults
    names = {"HOME": found.pw_dir, "USER": found.pw_name, "LOGNAME": found.pw_name, "SHELL": found.pw_shell}
    return defaults | {name: value for name, value in names.items() if value}
