"""The command line: `vibetunnel` starts the server, its verbs talk to the one that runs."""

import contextlib
import io
import json
import os
import shutil
import signal
import sys
import time
import unicodedata
import urllib.parse
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vibetunnel import __version__, settings
from vibetunnel.errors import VibeTunnelError
from vibetunnel.paths import NotPrivate
from vibetunnel.running import TIMEOUT_S as REQUEST_TIMEOUT_S
from vibetunnel.running import NotRunning, Refused, RunningServer
from vibetunnel.settings import MAX_GRACE_S, Settings, SettingsError
from vibetunnel.shell import SCRIPTS, script

if TYPE_CHECKING:
    from vibetunnel.server import Announcement

Session = dict[str, Any]  # the session object of the REST API

MIN_PREFIX = 8  # characters of an id that `ls` shows, more only where two sessions share them
STOP_S = MAX_GRACE_S + 20.0  # how long `stop` waits for the server's process, which may end its sessions first
STOP_POLL_S = 0.05
MAX_WAIT_S = 600.0  # the server waits no longer
TIMED_OUT = 124  # exit code of `wait`, as of timeout(1)
KILLS_AT_ONCE = 64  # threads, each of which waits for one session to end


class Sentence(click.ClickException):
    """An error whose message is all the user needs."""

    def show(self, file: Any = None) -> None:  # Any: click's own IO[Any] | None
        click.echo(f"vibetunnel: {self.message}", err=True, file=file)


class Unwritable(Sentence):
    """Standard output takes no more."""


class Misconfigured(Sentence):
    """What is set cannot be: exit code 2, as for a wrong flag."""

    exit_code = 2


class TimedOut(Sentence):
    """What was waited for has not happened."""

    exit_code = TIMED_OUT


class Commands(click.Group):
    """A group whose command is `serve` when none is named, and whose errors are one sentence each."""

    def main(self, *args: Any, **kwargs: Any) -> Any:  # Any: click's own business
        _open_standard_streams()
        return super().main(*args, **kwargs)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # in the order of this file

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "-h", "--version")):
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:  # Any: what a command returns, as click has it
        try:
            return super().invoke(ctx)
        except SettingsError as error:
            raise Misconfigured(str(error)) from error
        except (NotPrivate, NotRunning, Refused, VibeTunnelError) as error:
            raise Sentence(str(error)) from error


def _open_standard_streams() -> None:
    """Give /dev/null to the standard streams that whoever started us has closed.

    The first sockets would get their numbers otherwise, and what is printed would go there.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 (open for the whole life)
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a name may have letters that this terminal has not


METAVARS = {
    "log_level": "LEVEL",
    "spawn": "lazy|now",
    "url": "URL",
    "bind": "ADDRESS",
    "shell": "PROGRAM",
    "tls_cert": "FILE",
    "tls_key": "FILE",
    "allow_host": "NAME",
    "state_dir": "FOLDER",
    "runtime_dir": "FOLDER",
}  # of the options that do not take a number


def _option(name: str) -> click.Option:
    """The command line's option for a setting; its value is None when it is not given, () for a list."""
    field = settings.FIELDS[name]
    kebab = name.replace("_", "-")
    text = field.metadata["help"] + settings.default_text(name, "  [default: {}]")
    if field.type in (bool, bool | None):
        positive, negative = f"--{kebab}", f"--no-{kebab}"
        if name.startswith("no_"):
            negative = f"--{kebab.removeprefix('no-')}"
        declaration = positive if name.startswith("yes_") else f"{positive}/{negative}"
        return click.Option([declaration], is_flag=True, default=None, help=text)
    return click.Option(
        [f"--{kebab}"],
        type=str,
        multiple=name == "allow_host",
        metavar=METAVARS.get(name, "N"),
        callback=_check_flag,
        help=text,
    )


def _check_flag(_context: click.Context, parameter: click.Parameter, value: object) -> object:
    if value in (None, ()):
        return None
    assert parameter.name is not None
    try:
        return settings.convert(parameter.name, value)
    except SettingsError as error:
        raise click.BadParameter(str(error)) from None


CONFIG = click.Option(
    ["--config"],
    type=click.Path(path_type=Path),
    metavar="FILE",
    envvar="VIBETUNNEL_CONFIG",
    help="TOML file with settings; default: config.toml in your configuration folder, if it is there.",
)


def takes_settings(*names: str) -> Callable[[click.Command], click.Command]:
    """Put --config and the options of these settings in front of a command's own."""

    def add(command: click.Command) -> click.Command:
        command.params[:0] = [*(_option(name) for name in names), CONFIG]
        return command

    return add


LOCATION = ("state_dir", "runtime_dir")  # what a verb must know to find its server


def _load(config: Path | None, flags: dict[str, Any]) -> Settings:
    for name in settings.unknown_variables(os.environ):
        _warn(f"{plain(name)} is no setting and has no effect: `vibetunnel serve --help` lists them")
    return settings.load(file=config, environ=os.environ, flags=flags)


def _running(config: Path | None, flags: dict[str, Any]) -> RunningServer:
    return RunningServer(_load(config, flags))


def _warn(sentence: str) -> None:
    with contextlib.suppress(OSError):  # nobody is there to read it
        click.echo(f"vibetunnel: {sentence}", err=True)


@click.group(
    cls=Commands,
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
    chosen = _load(config, flags)
    from vibetunnel.server import run  # here, because it imports all there is

    def announce(announcement: "Announcement") -> None:
        go_on = "the sessions end too" if chosen.kill_on_exit else "the sessions go on"
        try:
            _print_link(announcement.link, announcement.code, qr=chosen.qr)
            _line("Stop", f"Ctrl-C or `vibetunnel stop`; {go_on}")
        except (BrokenPipeError, Unwritable):
            _warn("nobody could be told the link: `vibetunnel link` prints another")

    sys.exit(run(chosen, announce=announce))


@takes_settings(*LOCATION)
@main.command(name="ls")
@click.option("--json", "as_json", is_flag=True, help="The server's own answer, for programs.")
def list_sessions(config: Path | None, as_json: bool, **flags: Any) -> None:
    """List the sessions, newest first."""
    sessions = _running(config, flags).sessions()
    if as_json:
        _say(json.dumps(sessions, indent=2))
    elif not sessions:
        _say("No sessions.")
    else:
        # Cut to the window for a person; a program that reads the table gets whole lines.
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        for line in table(sessions, now=datetime.now(UTC), width=width):
            _say(line)


@takes_settings(*LOCATION)
@main.command()
@click.argument("session", nargs=-1, required=True, metavar="ID|NAME...")
def kill(config: Path | None, session: tuple[str, ...], **flags: Any) -> None:
    """End sessions: politely, then by force."""
    server = _running(config, flags)
    sessions = server.sessions()
    for found in [choose(sessions, wanted) for wanted in session]:
        if found["status"] == "exited":
            raise Sentence(f"session {_label(found)} has ended already; `vibetunnel rm` removes it")
        server.request("DELETE", f"/api/sessions/{found['id']}")
        _say(f"Ended {_label(found)}.")


@takes_settings(*LOCATION)
@main.command()
@click.argument("session", nargs=-1, metavar="[ID|NAME...]")
@click.option("--exited", is_flag=True, help="All that have ended.")
def rm(config: Path | None, session: tuple[str, ...], exited: bool, **flags: Any) -> None:
    """Remove sessions that have ended, with what they printed."""
    if exited == bool(session):
        raise click.UsageError("expected the id or name of a session, or --exited for all that have ended.")
    server = _running(config, flags)
    sessions = server.sessions()
    if exited:
        ended = sum(found["status"] == "exited" for found in sessions)
        server.request("POST", "/api/cleanup-exited")
        _say(f"Removed {_count(ended, 'session')}.")
        return
    for found in [choose(sessions, wanted) for wanted in session]:
        if found["status"] in ("starting", "running"):
            raise Sentence(f"session {_label(found)} is running: end it first, with `vibetunnel kill`")
        server.request("DELETE", f"/api/sessions/{found['id']}/cleanup")
        _say(f"Removed {_label(found)}.")


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
    server = _running(config, flags)
    found = choose(server.sessions(), session)
    given = {"first": first, "last": last, "unwrap": 1 if unwrap else None}
    query = urllib.parse.urlencode({name: value for name, value in given.items() if value is not None})
    path = f"/api/sessions/{found['id']}/{'html' if html else 'text'}"
    answer = server.fetch("GET", f"{path}?{query}" if query else path)
    _say(answer.decode(errors="replace"), newline=False)


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
    server = _running(config, flags)
    found = choose(server.sessions(), session)
    body["timeoutMs"] = round(timeout * 1000)
    try:
        answer = server.request(
            "POST", f"/api/sessions/{found['id']}/wait", body, timeout_s=timeout + REQUEST_TIMEOUT_S
        )
    except Refused as error:
        if error.status == 408:
            raise TimedOut(f"{_label(found)}: it did not happen within {timeout:g} s") from None
        raise
    if as_json:
        _say(json.dumps(answer, indent=2))
    elif "text" in answer:
        _say(plain(answer["text"]))


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
    _say(script(shell), newline=False)


@takes_settings(*LOCATION)
@main.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(config: Path | None, as_json: bool, **flags: Any) -> None:
    """Say where the server is and how it is."""
    server = _running(config, flags)
    found = server.request("GET", "/api/server/status")
    states = [each["status"] for each in server.sessions()]
    if as_json:
        summary = {"url": server.url, **{key: found[key] for key in ("pid", "version", "uptime", "clients")}}
        summary["sessions"] = {state: states.count(state) for state in ("created", "starting", "running", "exited")}
        _say(json.dumps(summary, indent=2))
        return
    running = states.count("running") + states.count("starting")
    _line("Address", server.url)
    _line("Version", found["version"])
    _line("Process", str(found["pid"]))
    _line("Up for", _age(found["uptime"]))
    _line("Sessions", f"{running} running, {states.count('created')} not started, {states.count('exited')} ended")
    _line("Clients", str(found["clients"]))


@takes_settings(*LOCATION)
@main.command()
@click.option("--kill", "kill_sessions", is_flag=True, help="End the sessions too.")
def stop(config: Path | None, kill_sessions: bool, **flags: Any) -> None:
    """Stop the server; the sessions go on."""
    server = _running(config, flags)
    # The file may be left over and its process id someone else's by now: ask who really answers there.
    if server.request("GET", "/api/health")["pid"] != server.pid:
        raise Sentence(f"the server at {server.url} is not process {server.pid}: stop it by hand")
    alive = [found for found in server.sessions() if found["status"] != "exited"]
    if kill_sessions:
        _end(server, alive)
    if not _terminate(server.pid):
        raise Sentence(f"process {server.pid} is still there after {STOP_S:g} s: its log may say why")
    if kill_sessions:
        _say(f"Stopped, and ended {_count(len(alive), 'session')}.")
    else:
        # Only the server knows how it was started, and it is gone.
        left = f" {_count(len(alive), 'session')} left for the next server, unless it was started with --kill-on-exit."
        _say("Stopped." + (left if alive else ""))


@takes_settings(*LOCATION, "qr")
@main.command()
def link(config: Path | None, **flags: Any) -> None:
    """Print a fresh link that logs one more browser in."""
    chosen = _load(config, flags)
    answer = RunningServer(chosen).request("POST", "/api/auth/link")
    _print_link(answer["url"], answer["code"], qr=chosen.qr)
    if settings.is_loopback(urllib.parse.urlsplit(answer["url"]).hostname or ""):
        _line("Note", "this address works on this machine only: start the server with --bind and --url for others")


@main.command()
def version() -> None:
    """Print the version."""
    _say(f"vibetunnel {__version__}")


# What is decided: pure functions, tried without a server.


def choose(sessions: Sequence[Session], wanted: str) -> Session:
    """The session with this id, this name, or the only one whose id begins so. Raises Sentence."""
    by_id = [found for found in sessions if found["id"] == wanted]
    by_name = [found for found in sessions if found.get("name") == wanted]
    by_prefix = [found for found in sessions if wanted and found["id"].startswith(wanted.lower())]
    for matches in (by_id, by_name, by_prefix):
        if len(matches) == 1:
            return matches[0]
        if matches:
            ids = ", ".join(_short_ids(sessions)[found["id"]] for found in matches)
            raise Sentence(f"{plain(wanted)!r} is more than one session: expected one of {ids}")
    raise Sentence(f"no session has the id or name {plain(wanted)!r}: `vibetunnel ls` lists them")


def table(sessions: Sequence[Session], *, now: datetime, width: int | None) -> list[str]:
    """The lines of `ls`, none wider than `width` columns (None: as wide as they get)."""
    short = _short_ids(sessions)
    rows = [("ID", "NAME", "STATE", "SIZE", "CLIENTS", "AGE", "COMMAND")]
    for found in sessions:
        created = datetime.fromisoformat(found.get("startedAt") or found["createdAt"])
        rows.append(
            (
                short[found["id"]],
                plain(found.get("name") or ""),
                state(found),
                f"{found['rows']}x{found['cols']}",
                str(found["clients"]),
                _age((now - created).total_seconds()),
                plain(" ".join(found["command"])),
            )
        )
    name = 1
    widths = [max(columns_of(row[column]) for row in rows) for column in range(len(rows[0]))]
    if width is not None:
        spare = width - sum(widths[:-1]) - 2 * (len(widths) - 1)
        wanted = min(widths[-1], 20)  # what a command needs at least, to be recognised
        if spare < wanted:
            widths[name] = max(8, widths[name] - (wanted - spare))
    lines = []
    for row in rows:
        cells = [fit(cell, cells_width) for cell, cells_width in zip(row[:-1], widths[:-1], strict=True)]
        line = "  ".join([*cells, row[-1]])
        lines.append((line if width is None else fit(line, width)).rstrip())
    return lines


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


def plain(text: str) -> str:
    """`text` without what a terminal would obey: names and commands come from anyone."""
    return "".join(character if character.isprintable() else "?" for character in text)


def columns_of(text: str) -> int:
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fit(text: str, width: int) -> str:
    """`text` in exactly `width` columns: padded, or cut with an ellipsis."""
    missing = width - columns_of(text)
    if missing >= 0:
        return text + " " * missing
    kept, used = "", 0
    for character in text:
        if used + _columns(character) > width - 1:
            break
        kept += character
        used += _columns(character)
    return kept + "…" + " " * (width - 1 - used)


def _short_ids(sessions: Iterable[Session]) -> dict[str, str]:
    """id -> its beginning, as long as it takes to tell all apart."""
    ids = {found["id"] for found in sessions}
    length = MIN_PREFIX
    while len({each[:length] for each in ids}) < len(ids):
        length += 1
    return {each: each[:length] for each in ids}


def _age(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{int(seconds // length)}{unit}"
    return f"{max(0, int(seconds))}s"


def _label(session: Session) -> str:
    return plain(session.get("name") or session["id"][:MIN_PREFIX])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


# What is printed and done.


def _say(text: str = "", *, newline: bool = True) -> None:
    """One line to standard output, or a text that has its own.

    Raises Unwritable, and BrokenPipeError where nobody reads it (click ends then).
    """
    try:
        click.echo(text, nl=newline)
    except OSError as error:
        # What is still in the buffer would fail once more, with a traceback, when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise Unwritable(f"cannot write to standard output: {error.strerror}") from error


def _styled(text: str, **style: Any) -> str:
    """Bold or coloured where a person looks and has not asked for less (https://no-color.org)."""
    return click.style(text, **style) if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else text


def _line(label: str, text: str) -> None:
    _say(f"  {_styled(f'{label:<9}', dim=True)} {text}")


def _draws() -> bool:
    """Whether standard output is a terminal that has the half blocks of a QR code."""
    try:
        "▀▄█".encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return False
    return sys.stdout.isatty()


def _print_link(address: str, code: str | None, *, qr: bool | None) -> None:
    _say(_styled(f"vibetunnel {__version__}", bold=True))
    _line("Open", _styled(address, fg="cyan", underline=True))
    if code is None:
        _line("Login", "none is asked for (--no-auth)")
    else:
        _line("Code", f"{_styled(code, bold=True)} (works once)")
    if _draws() if qr is None else qr:
        _print_qr(address)


def _print_qr(text: str) -> None:
    import segno

    drawing = io.StringIO()
    segno.make(text, micro=False).terminal(out=drawing, border=2, compact=True)
    _say()
    for line in drawing.getvalue().splitlines():
        # White on black whatever the terminal's own colours are: inverted, few cameras can read it.
        _say("  " + _styled(line, fg=231, bg=16))
    _say()


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
