"""The verbs about the server: serve, status, stop, link, version."""

import json
import os
import signal
import sys
import time
import urllib.parse
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vibetunnel import __version__, settings
from vibetunnel.cli.errors import Unwritable, UserError
from vibetunnel.cli.options import LOCATION, find_server, load, takes_settings
from vibetunnel.cli.output import age, count, entry, plain, print_link, say, warn
from vibetunnel.cli.server_client import Answer, RunningServer, ServerRefused
from vibetunnel.settings import MAX_GRACE_S

if TYPE_CHECKING:
    from vibetunnel.server import Announcement

STOP_S = MAX_GRACE_S + 20.0  # `stop` waits for the server's process, which may have to end its sessions first
STOP_POLL_S = 0.05
KILLS_AT_ONCE = 64  # threads, each of which waits for one session to end


@takes_settings(*settings.FIELDS)
@click.command(
    epilog="Every option is also an environment variable (VIBETUNNEL_PORT) and a key of the file (port = 4020). Flags "
    "override variables, and variables override the file. Durations and sizes have a unit (90 s, 15 min, 30 d; 64 KiB, "
    "4 MiB), or are numbers of seconds and bytes."
)
def serve(config: Path | None, **flags: Any) -> None:
    """Start the server and print the link that opens it."""
    chosen = load(config, flags)
    from vibetunnel.server import run  # here: it imports everything, and `serve --help` needs none of it

    def announce(announcement: "Announcement") -> None:
        sessions = "the sessions end too" if chosen.kill_on_exit else "the sessions go on"
        try:
            print_link(announcement.link, announcement.code, qr=chosen.qr)
            if announcement.fingerprint:
                entry("Certificate", f"SHA-256 {announcement.fingerprint}")
            entry("Stop", f"Ctrl-C or `vibetunnel stop`; {sessions}")
        except (BrokenPipeError, Unwritable):
            warn("the link could not be printed: `vibetunnel link` prints another")

    sys.exit(run(chosen, announce=announce, reread=lambda: load(config, flags)))


@takes_settings(*LOCATION)
@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(config: Path | None, as_json: bool, **flags: Any) -> None:
    """Show the server's address, version, uptime and sessions."""
    server = find_server(config, flags)
    found = server.request("GET", "/api/server/status")
    problems = found.get("problems", [])
    states = [each["status"] for each in server.sessions()]
    if as_json:
        summary = {"url": server.url, **{key: found[key] for key in ("pid", "version", "uptime", "clients")}}
        summary["problems"] = problems
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
    for problem in problems:
        entry("Problem", plain(problem))


@takes_settings(*LOCATION)
@click.command()
@click.option("--kill", "kill_sessions", is_flag=True, help="End the sessions too.")
def stop(config: Path | None, kill_sessions: bool, **flags: Any) -> None:
    """Stop the server; the sessions go on."""
    server = find_server(config, flags)
    # The file may be a leftover, and its process id may belong to another process by now: ask the server itself.
    if server.request("GET", "/api/health")["pid"] != server.pid:
        raise UserError(f"the server at {server.url} is not process {server.pid}: stop it by hand")
    sessions = server.sessions()
    alive = [found for found in sessions if found["status"] != "exited"]
    outlived = [found for found in sessions if found["status"] == "exited" and found.get("processesLeft")]
    results = _end(server, [*alive, *outlived]) if kill_sessions else []
    if not _terminate(server.pid):
        raise UserError(f"process {server.pid} is still running after {STOP_S:g} s: look into its log, or kill it")
    if kill_sessions:
        _say_killed(results)
        return
    text = "Stopped."
    lost = sum(bool(found.get("keeperLost")) for found in alive)
    if left := len(alive) - lost:
        # Only the server knew how it was started.
        text += f" {count(left, 'session')} left for the next server, unless it was started with --kill-on-exit."
    if lost:
        text += f" {count(lost, 'session')} ended with it, because the keeper that held {_them(lost)} was lost."
    if outlived:
        text += f" {count(len(outlived), 'ended session')} left processes that run on."
    say(text)


@takes_settings(*LOCATION, "qr")
@click.command()
def link(config: Path | None, **flags: Any) -> None:
    """Print a new link that logs in one more browser."""
    chosen = load(config, flags)
    answer = RunningServer(chosen).request("POST", "/api/auth/link")
    print_link(answer["url"], answer["code"], qr=chosen.qr)
    if settings.is_loopback(urllib.parse.urlsplit(answer["url"]).hostname or ""):
        entry("Note", "this address works on this machine only: for others, start the server with --bind and --url")


@click.command()
def version() -> None:
    """Print the version."""
    say(f"vibetunnel {__version__}")


def _them(number: int) -> str:
    return "it" if number == 1 else "them"


def _say_killed(results: Sequence[tuple[Answer, str]]) -> None:
    """Say what `stop --kill` has ended. Raises UserError that names the sessions that were not."""
    refused = [f"{plain(found['name'])}: {plain(refusal)}" for found, refusal in results if refusal]
    ended = [found for found, refusal in results if not refusal]
    removed = sum(found["status"] == "created" for found in ended)
    text = f"Stopped, and ended {count(len(ended) - removed, 'session')}."
    text += f" Removed {count(removed, 'session')} that had no process." if removed else ""
    if refused:
        raise UserError(
            f"{text} {count(len(refused), 'session')} could not be ended, and may run on: {'; '.join(refused)}"
        )
    say(text)


def _end(server: RunningServer, sessions: Sequence[Answer]) -> list[tuple[Answer, str]]:
    """End them all at the same time: each may take its whole --kill-grace-s.

    Returns those that the server had, each with the reason why it was not ended ("": it was).
    """
    if not sessions:
        return []
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(KILLS_AT_ONCE, len(sessions))) as threads:
        refusals = list(threads.map(lambda found: _end_one(server, found["id"]), sessions))
    return [(found, refusal) for found, refusal in zip(sessions, refusals, strict=True) if refusal is not None]


def _end_one(server: RunningServer, session_id: str) -> str | None:
    try:
        server.request("DELETE", f"/api/sessions/{session_id}")
    except ServerRefused as error:
        return None if error.status == HTTPStatus.NOT_FOUND else str(error)  # it was removed meanwhile
    return ""


def _terminate(pid: int) -> bool:
    """Send SIGTERM and wait. Returns whether the process ended within STOP_S."""
    try:
        # A descriptor of the process: readable once it has ended, even before its parent has reaped it.
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
