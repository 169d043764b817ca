"""The command line: `vibetunnel` starts the server, its verbs talk to the one that runs."""

import json
import os
import signal
import sys
import time
import urllib.parse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vibetunnel import __version__, settings
from vibetunnel.cli.options import (
    LOCATION,
    CommandGroup,
    Session,
    TimedOut,
    Unwritable,
    UserError,
    age,
    choose,
    count,
    entry,
    find_server,
    label,
    load,
    plain,
    print_link,
    print_table,
    say,
    short_ids,
    takes_settings,
    warn,
)
from vibetunnel.cli.server_client import TIMEOUT_S as REQUEST_TIMEOUT_S
from vibetunnel.cli.server_client import RunningServer, ServerRefused
from vibetunnel.settings import MAX_GRACE_S
from vibetunnel.shell import SCRIPTS, script

if TYPE_CHECKING:
    from vibetunnel.server import Announcement

STOP_S = MAX_GRACE_S + 20.0  # how long `stop` waits for the server's process, which may end its sessions first
STOP_POLL_S = 0.05
MAX_WAIT_S = 600.0  # the server waits no longer
NAME = 1  # the column of `ls` that gives way when the window is narrow
KILLS_AT_ONCE = 64  # threads, each of which waits for one session to end


@click.group(
    cls=CommandGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Without a command, `vibetunnel` serves: `vibetunnel serve --help` lists the options.",
)
@click.version_option(__version__, prog_name="vibetunnel", message="%(prog)s %(version)s")
def main() -> None:
    """Your terminal in any browser.

    Sessions outlive the browser, the network and the server.
    """


@takes_settings(*settings.FIELDS)
@main.command(
    epilog="Every option is also a variable (VIBETUNNEL_PORT) and a key of the file (port = 4020). "
    "Flags go before variables, variables before the file."
)
def serve(config: Path | None, **flags: Any) -> None:
    """Start the server and print the link that opens it."""
    chosen = load(config, flags)
    from vibetunnel.server import run  # here, because it imports all there is

    def announce(announcement: "Announcement") -> None:
        go_on = "the sessions end too" if chosen.kill_on_exit else "the sessions go on"
        try:
            print_link(announcement.link, announcement.code, qr=chosen.qr)
            if announcement.fingerprint:
                entry("Certificate", f"SHA-256 {announcement.fingerprint}")
            entry("Stop", f"Ctrl-C or `vibetunnel stop`; {go_on}")
        except (BrokenPipeError, Unwritable):
            warn("nobody could be told the link: `vibetunnel link` prints another")

    sys.exit(run(chosen, announce=announce, reread=lambda: load(config, flags)))


@takes_settings(*LOCATION)
@main.command(name="ls")
@click.option("--json", "as_json", is_flag=True, help="The server's own answer, for programs.")
def list_sessions(config: Path | None, as_json: bool, **flags: Any) -> None:
    """List the sessions, newest first."""
    sessions = find_server(config, flags).sessions()
    if as_json:
        say(json.dumps(sessions, indent=2))
    elif not sessions:
        say("No sessions.")
    else:
        print_table(table(sessions, now=datetime.now(UTC)), squeeze=NAME)


@takes_settings(*LOCATION)
@main.command()
@click.argument("session", nargs=-1, required=True, metavar="ID|NAME...")
def kill(config: Path | None, session: tuple[str, ...], **flags: Any) -> None:
    """End sessions: politely, then by force."""
    server = find_server(config, flags)
    sessions = server.sessions()
    for found in [choose(sessions, wanted) for wanted in session]:
        if found["status"] == "exited":
            raise UserError(f"session {label(found)} has ended already; `vibetunnel rm` removes it")
        server.request("DELETE", f"/api/sessions/{found['id']}")
        say(f"Ended {label(found)}.")


@takes_settings(*LOCATION)
@main.command()
@click.argument("session", nargs=-1, metavar="[ID|NAME...]")
@click.option("--exited", is_flag=True, help="All that have ended.")
def rm(config: Path | None, session: tuple[str, ...], exited: bool, **flags: Any) -> None:
    """Remove sessions that have ended, with what they printed."""
    if exited == bool(session):
        raise click.UsageError("expected the id or name of a session, or --exited for all that have ended.")
    server = find_server(config, flags)
    sessions = server.sessions()
    if exited:
        ended = sum(found["status"] == "exited" for found in sessions)
        server.request("POST", "/api/cleanup-exited")
        say(f"Removed {count(ended, 'session')}.")
        return
    for found in [choose(sessions, wanted) for wanted in session]:
        if found["status"] in ("starting", "running"):
            raise UserError(f"session {label(found)} is running: end it first, with `vibetunnel kill`")
        server.request("DELETE", f"/api/sessions/{found['id']}/cleanup")
        say(f"Removed {label(found)}.")


@takes_settings(*LOCATION)
@main.command()
@click.argument("session", metavar="ID|NAME")
@click.option("--first", type=int, metavar="N", help="First line: 0 is the top of the screen, -1 the one above it.")
@click.option("--last", type=int, metavar="N", help="The line behind the last; default: the end of the screen.")
@click.option("--unwrap", is_flag=True, help="A line that was wrapped at the margin is one line.")
@click.option("--html", is_flag=True, help="A page with colours instead of text.")
def text(
    config: Path | None, session: str, first: int | None, last: int | None, unwrap: bool, html: bool, **flags: Any
) -> None:
    """Print what stands on the screen of a session."""
    if html and unwrap:
        raise click.UsageError("expected --html or --unwrap, not both.")
    server = find_server(config, flags)
    found = choose(server.sessions(), session)
    given = {"first": first, "last": last, "unwrap": 1 if unwrap else None}
    query = urllib.parse.urlencode({name: value for name, value in given.items() if value is not None})
    path = f"/api/sessions/{found['id']}/{'html' if html else 'text'}"
    answer = server.fetch("GET", f"{path}?{query}" if query else path)
    say(answer.decode(errors="replace"), newline=False)


@takes_settings(*LOCATION)
@main.command(
    epilog="Exit code: 0 when it has happened, 124 when it has not in time, 1 for anything else, such as a session "
    "that has ended before."
)
@click.argument("session", metavar="ID|NAME")
@click.option("--text", metavar="TEXT", help="This is on the screen, or gets there.")
@click.option("--regex", metavar="PATTERN", help="Something that this matches is.")
@click.option("--idle", type=click.FloatRange(0.001, MAX_WAIT_S), metavar="SECONDS", help="It prints nothing so long.")
@click.option("--prompt", is_flag=True, help="Its shell is at a prompt (see shell-integration).")
@click.option("--exit", "ends", is_flag=True, help="It ends.")
@click.option(
    "--timeout",
    type=click.FloatRange(0.001, MAX_WAIT_S),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the server's own answer, for programs.")
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
        raise click.UsageError("expected exactly one of --text, --regex, --idle, --prompt and --exit.")
    server = find_server(config, flags)
    found = choose(server.sessions(), session)
    body["timeoutMs"] = round(timeout * 1000)
    try:
        answer = server.request(
            "POST", f"/api/sessions/{found['id']}/wait", body, timeout_s=timeout + REQUEST_TIMEOUT_S
        )
    except ServerRefused as error:
        if error.status == 408:
            raise TimedOut(f"{label(found)}: it did not happen within {timeout:g} s") from None
        raise
    if as_json:
        say(json.dumps(answer, indent=2))
    elif "text" in answer:
        say(plain(answer["text"]))


@main.command(name="shell-integration")
@click.argument("shell", type=click.Choice(list(SCRIPTS)))
def shell_integration(shell: str) -> None:
    """Print a script with which a shell marks its commands.

    \b
    bash  eval "$(vibetunnel shell-integration bash)"      in ~/.bashrc
    zsh   eval "$(vibetunnel shell-integration zsh)"       in ~/.zshrc
    fish  vibetunnel shell-integration fish | source       in ~/.config/fish/config.fish

    Then `vibetunnel wait --prompt` and the list of commands know what the shell does.
    """
    say(script(shell), newline=False)


@takes_settings(*LOCATION)
@main.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(config: Path | None, as_json: bool, **flags: Any) -> None:
    """Say where the server is and how it is."""
    server = find_server(config, flags)
    found = server.request("GET", "/api/server/status")
    states = [each["status"] for each in server.sessions()]
    if as_json:
        summary = {"url": server.url, **{key: found[key] for key in ("pid", "version", "uptime", "clients")}}
        summary["sessions"] = {state: states.count(state) for state in ("created", "starting", "running", "exited")}
        say(json.dumps(summary, indent=2))
        return
    running = states.count("running") + states.count("starting")
    entry("Address", server.url)
    entry("Version", found["version"])
    entry("Process", str(found["pid"]))
    entry("Up for", age(found["uptime"]))
    entry("Sessions", f"{running} running, {states.count('created')} not started, {states.count('exited')} ended")
    entry("Clients", str(found["clients"]))


@takes_settings(*LOCATION)
@main.command()
@click.option("--kill", "kill_sessions", is_flag=True, help="End the sessions too.")
def stop(config: Path | None, kill_sessions: bool, **flags: Any) -> None:
    """Stop the server; the sessions go on."""
    server = find_server(config, flags)
    # The file may be left over and its process id someone else's by now: ask who really answers there.
    if server.request("GET", "/api/health")["pid"] != server.pid:
        raise UserError(f"the server at {server.url} is not process {server.pid}: stop it by hand")
    alive = [found for found in server.sessions() if found["status"] != "exited"]
    if kill_sessions:
        _end(server, alive)
    if not _terminate(server.pid):
        raise UserError(f"process {server.pid} is still there after {STOP_S:g} s: its log may say why")
    if kill_sessions:
        say(f"Stopped, and ended {count(len(alive), 'session')}.")
    else:
        # Only the server knows how it was started, and it is gone.
        left = f" {count(len(alive), 'session')} left for the next server, unless it was started with --kill-on-exit."
        say("Stopped." + (left if alive else ""))


@takes_settings(*LOCATION, "qr")
@main.command()
def link(config: Path | None, **flags: Any) -> None:
    """Print a fresh link that logs one more browser in."""
    chosen = load(config, flags)
    answer = RunningServer(chosen).request("POST", "/api/auth/link")
    print_link(answer["url"], answer["code"], qr=chosen.qr)
    if settings.is_loopback(urllib.parse.urlsplit(answer["url"]).hostname or ""):
        entry("Note", "this address works on this machine only: start the server with --bind and --url for others")


@main.command()
def version() -> None:
    """Print the version."""
    say(f"vibetunnel {__version__}")


# What is decided: pure functions, tried without a server.


def table(sessions: Sequence[Session], *, now: datetime) -> list[tuple[str, ...]]:
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


def state(session: Session) -> str:
    """A session's status in words, with how it ended."""
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


# What is printed and done.


def _end(server: RunningServer, sessions: Sequence[Session]) -> None:
    """End them all at the same time: each may take its whole grace."""
    if not sessions:
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(KILLS_AT_ONCE, len(sessions))) as threads:
        for done in [threads.submit(server.request, "DELETE", f"/api/sessions/{found['id']}") for found in sessions]:
            done.result()


def _terminate(pid: int) -> bool:
    """SIGTERM, then wait; whether the process is gone within STOP_S."""
    try:
        # A descriptor of the process: readable when it has ended, even while its parent has not reaped it.
        descriptor = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return True
    if descriptor is not None:
        import select

        try:
            return bool(select.select([descriptor], [], [], STOP_S)[0])
        finally:
            os.close(descriptor)
    deadline = time.monotonic() + STOP_S
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(STOP_POLL_S)
    return False
