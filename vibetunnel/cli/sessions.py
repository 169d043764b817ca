"""The verbs about sessions: ls, kill, rm, text, wait, shell-integration."""

import json
import signal
import urllib.parse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from vibetunnel.cli.choose import choose, label, short_ids
from vibetunnel.cli.errors import TimedOut, UserError
from vibetunnel.cli.options import LOCATION, find_server, takes_duration, takes_settings
from vibetunnel.cli.output import age, count, plain, print_table, say
from vibetunnel.cli.server_client import TIMEOUT_S, Answer, ServerRefused
from vibetunnel.shell import SCRIPTS, script
from vibetunnel.units import show_duration

NAME = 1  # the column of `ls` that gives way if the window is narrow
MAX_WAIT_S = 600.0  # the server waits no longer


@takes_settings(*LOCATION)
@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the server's answer as JSON.")
def ls(config: Path | None, as_json: bool, **flags: Any) -> None:
    """List the sessions, newest first."""
    sessions = find_server(config, flags).sessions()
    if as_json:
        say(json.dumps(sessions, indent=2))
    elif not sessions:
        say("No sessions.")
    else:
        print_table(table(sessions, now=datetime.now(UTC)), squeeze=NAME)


@takes_settings(*LOCATION)
@click.command()
@click.argument("session", nargs=-1, required=True, metavar="ID|NAME...")
def kill(config: Path | None, session: tuple[str, ...], **flags: Any) -> None:
    """End sessions: their programs get SIGHUP and SIGTERM, and SIGKILL after a while.

    A session that has ended may have left processes, which `ls` counts; they are ended, and it is removed.
    """
    server = find_server(config, flags)
    sessions = server.sessions()
    for found in [choose(sessions, wanted) for wanted in session]:
        left = found.get("processesLeft", 0)
        if found["status"] == "exited" and not left:
            raise UserError(f"session {label(found)} has already ended: `vibetunnel rm` removes it")
        server.request("DELETE", f"/api/sessions/{found['id']}")
        say(f"Ended {left_over(left)} of {label(found)}, and removed it." if left else f"Ended {label(found)}.")


@takes_settings(*LOCATION)
@click.command()
@click.argument("session", nargs=-1, metavar="[ID|NAME...]")
@click.option("--exited", is_flag=True, help="Remove all sessions that have ended and have no process left.")
def rm(config: Path | None, session: tuple[str, ...], exited: bool, **flags: Any) -> None:
    """Remove sessions that have ended, and their output."""
    if exited == bool(session):
        raise click.UsageError("name a session by its id or name, or give --exited for all that have ended.")
    server = find_server(config, flags)
    sessions = server.sessions()
    if exited:
        ended = sum(found["status"] == "exited" and not found.get("processesLeft") for found in sessions)
        server.request("POST", "/api/cleanup-exited")
        say(f"Removed {count(ended, 'session')}.")
        return
    for found in [choose(sessions, wanted) for wanted in session]:
        if found["status"] in ("starting", "running"):
            raise UserError(f"session {label(found)} is running: end it first with `vibetunnel kill`")
        if left := found.get("processesLeft", 0):
            raise UserError(
                f"session {label(found)} has ended, but {left_over(left)} of it run on: `vibetunnel kill` ends them"
            )
        server.request("DELETE", f"/api/sessions/{found['id']}/cleanup")
        say(f"Removed {label(found)}.")


@takes_settings(*LOCATION)
@click.command()
@click.argument("session", metavar="ID|NAME")
@click.option("--first", type=int, metavar="N", help="First line: 0 is the top of the screen, -1 the line above it.")
@click.option("--last", type=int, metavar="N", help="Stop before this line; default: the end of the screen.")
@click.option("--unwrap", is_flag=True, help="Join lines that were wrapped at the margin.")
@click.option("--html", is_flag=True, help="Print HTML, with colours, instead of text.")
def text(
    config: Path | None, session: str, first: int | None, last: int | None, unwrap: bool, html: bool, **flags: Any
) -> None:
    """Print the screen of a session.

    A terminal gets it without control characters and marks that change the direction of text; a pipe or a file gets it
    unchanged.
    """
    if html and unwrap:
        raise click.UsageError("give --html or --unwrap, not both.")
    server = find_server(config, flags)
    found = choose(server.sessions(), session)
    given = {"first": first, "last": last, "unwrap": 1 if unwrap else None}
    query = urllib.parse.urlencode({name: value for name, value in given.items() if value is not None})
    path = f"/api/sessions/{found['id']}/{'html' if html else 'text'}"
    answer = server.fetch("GET", f"{path}?{query}" if query else path)
    say(answer.decode(errors="replace"), newline=False)


@takes_settings(*LOCATION)
@click.command(
    epilog="Exit code: 0 if the condition was met, 124 if not in time, 1 for anything else, such as a session that "
    "ended first."
)
@click.argument("session", metavar="ID|NAME")
@click.option("--text", metavar="TEXT", help="Wait until this text is on the screen.")
@click.option("--regex", metavar="PATTERN", help="Wait until the screen matches this pattern.")
@takes_duration(
    "--idle", bare=True, low=0.001, high=MAX_WAIT_S, help="Wait until it has printed nothing for this long."
)
@click.option("--prompt", is_flag=True, help="Wait until its shell shows a prompt (see shell-integration).")
@click.option("--exit", "ends", is_flag=True, help="Wait until it ends.")
@takes_duration("--timeout", bare=True, low=0.001, high=MAX_WAIT_S, default="30 s", help="Give up after this long.")
@click.option("--json", "as_json", is_flag=True, help="Print the server's answer as JSON.")
def wait(
    config: Path | None,
    session: str,
    text: str | None,
    regex: str | None,
    idle: float | None,
    prompt: bool,
    ends: bool,
    timeout: float,
    as_json: bool,
    **flags: Any,
) -> None:
    """Wait for a session: for text, silence, a prompt or its end.

    Prints the text that matched.
    """
    wanted = {
        "text": text,
        "regex": regex,
        "idleMs": None if idle is None else round(idle * 1000),
        "prompt": prompt or None,
        "exit": ends or None,
    }
    body = {name: value for name, value in wanted.items() if value is not None}
    if len(body) != 1:
        raise click.UsageError("give exactly one of --text, --regex, --idle, --prompt and --exit.")
    server = find_server(config, flags)
    found = choose(server.sessions(), session)
    body["timeoutMs"] = round(timeout * 1000)
    try:
        answer = server.request("POST", f"/api/sessions/{found['id']}/wait", body, timeout_s=timeout + TIMEOUT_S)
    except ServerRefused as error:
        if error.status == 408:
            raise TimedOut(
                f"session {label(found)}: the condition was not met within {show_duration(timeout)}"
            ) from None
        raise
    if as_json:
        say(json.dumps(answer, indent=2))
    elif "text" in answer:
        say(plain(answer["text"]))


@click.command(name="shell-integration")
@click.argument("shell", type=click.Choice(list(SCRIPTS)))
def shell_integration(shell: str) -> None:
    """Print a script that makes a shell mark its prompts and commands.

    \b
    bash  eval "$(vibetunnel shell-integration bash)"      in ~/.bashrc
    zsh   eval "$(vibetunnel shell-integration zsh)"       in ~/.zshrc
    fish  vibetunnel shell-integration fish | source       in ~/.config/fish/config.fish

    `vibetunnel wait --prompt` and the list of commands need these marks.
    """
    say(script(shell), newline=False)


# Pure functions.


def table(sessions: Sequence[Answer], *, now: datetime) -> list[tuple[str, ...]]:
    """The rows of `ls`."""
    short = short_ids(sessions)
    rows: list[tuple[str, ...]] = [("ID", "NAME", "STATE", "SIZE", "CLIENTS", "AGE", "COMMAND")]
    for found in sessions:
        created = datetime.fromisoformat(found.get("startedAt") or found["createdAt"])
        rows.append(
            (
                short[found["id"]],
                plain(found.get("name") or ""),
                state(found),
                f"{found['rows']}x{found['cols']}",
                str(found["clients"]),
                age((now - created).total_seconds()),
                plain(" ".join(found["command"])),
            )
        )
    return rows


def left_over(number: int) -> str:
    """`1 process`, `2 processes`."""
    return "1 process" if number == 1 else f"{number} processes"


def state(session: Answer) -> str:
    """A session's status in words, with how it ended and what it has left."""
    left = session.get("processesLeft", 0)
    return _state(session) + (f", {left_over(left)} left" if left else "")


def _state(session: Answer) -> str:
    if session["status"] == "created":
        return "not started"
    if session["status"] != "exited":
        return str(session["status"])
    if session.get("signal"):
        number = session["signal"]
        try:
            return signal.Signals(number).name if isinstance(number, int) else str(number)
        except ValueError:
            return f"signal {number}"
    if "exitCode" not in session:
        return "failed"
    return f"exited {session['exitCode']}"
