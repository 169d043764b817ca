"""What the verbs of the command line share: options, errors in one sentence, tables, and how things are printed."""

import contextlib
import importlib
import io
import os
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from vibetunnel import __version__, settings
from vibetunnel.cli.server_client import NotRunning, RunningServer, ServerRefused
from vibetunnel.errors import VibeTunnelError
from vibetunnel.paths import NotPrivate
from vibetunnel.settings import Settings, SettingsError

Session = dict[str, Any]  # the session object of the REST API

MIN_PREFIX = 8  # characters of an id that `ls` shows, more only where two sessions share them
LAST_COLUMN = 20  # columns that the last cell of a table has at least, such as a command to be recognised
TIMED_OUT = 124  # exit code of `wait`, as of timeout(1)


class UserError(click.ClickException):
    """An error whose message is all the user needs."""

    def show(self, file: Any = None) -> None:  # Any: click's own IO[Any] | None
        click.echo(f"vibetunnel: {self.message}", err=True, file=file)


class Unwritable(UserError):
    """Standard output takes no more."""


class Misconfigured(UserError):
    """What is set cannot be: exit code 2, as for a wrong flag."""

    exit_code = 2


class TimedOut(UserError):
    """What was waited for has not happened."""

    exit_code = TIMED_OUT


class InOrder(click.Group):
    """A group that lists its commands as they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


DURATIONS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def duration(*, never: bool = False) -> Callable[[click.Context, click.Parameter, str], int | None]:
    """The callback of an option: `30d`, `12h`, `45m` or `90s` as seconds; with `never`, that word is None."""

    def convert(_context: click.Context, _parameter: click.Parameter, value: str) -> int | None:
        text = value.strip().lower()
        if never and text == "never":
            return None
        number, unit = text[:-1], text[-1:]
        if unit not in DURATIONS or not number.isascii() or not number.isdecimal() or len(number) > 9:
            more = ", or never" if never else ""
            raise click.BadParameter(f"expected a duration such as 30d, 12h, 45m or 90s{more}; got {plain(value)!r}")
        return int(number) * DURATIONS[unit]

    return convert


ELSEWHERE = {  # command -> its module, which only who uses it waits for: above all, the server does not
    "share": "vibetunnel.cli.sharing",
    "who": "vibetunnel.cli.sharing",
    "user": "vibetunnel.cli.accounts",
    "token": "vibetunnel.cli.accounts",
    "keys": "vibetunnel.cli.accounts",
    "logins": "vibetunnel.cli.accounts",
    "revoke": "vibetunnel.cli.accounts",
    "audit": "vibetunnel.cli.audit",
}


class CommandGroup(InOrder):
    """A group whose command is `serve` when none is named, and whose errors are one sentence each."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *ELSEWHERE]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        found: click.Command = getattr(importlib.import_module(ELSEWHERE[cmd_name]), cmd_name)
        return found

    def main(self, *args: Any, **kwargs: Any) -> Any:  # Any: click's own business
        _open_standard_streams()
        return super().main(*args, **kwargs)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "-h", "--version")):
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:  # Any: what a command returns, as click has it
        try:
            return super().invoke(ctx)
        except SettingsError as error:
            raise Misconfigured(str(error)) from error
        except (NotPrivate, NotRunning, ServerRefused, VibeTunnelError) as error:
            raise UserError(str(error)) from error


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
    "jwt_algorithm": "eddsa|hs256",
    "url": "URL",
    "bind": "ADDRESS",
    "unix_mode": "MODE",
    "base_path": "PATH",
    "shell": "PROGRAM",
    "tls_cert": "FILE",
    "tls_key": "FILE",
    "allow_host": "NAME",
    "allow_ip": "NETWORK",
    "trusted_proxies": "NETWORK",
    "pam_service": "NAME",
    "log_dir": "FOLDER",
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
        multiple=field.default == (),  # a list: given once for each
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


def load(config: Path | None, flags: dict[str, Any]) -> Settings:
    """Raises SettingsError."""
    for name in settings.unknown_variables(os.environ):
        warn(f"{plain(name)} is no setting and has no effect: `vibetunnel serve --help` lists them")
    return settings.load(file=config, environ=os.environ, flags=flags)


def find_server(config: Path | None, flags: dict[str, Any]) -> RunningServer:
    """Raises NotRunning, and what load() raises."""
    return RunningServer(load(config, flags))


def warn(sentence: str) -> None:
    with contextlib.suppress(OSError):  # nobody is there to read it
        click.echo(f"vibetunnel: {sentence}", err=True)


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
            ids = ", ".join(short_ids(sessions)[found["id"]] for found in matches)
            raise UserError(f"{plain(wanted)!r} is more than one session: expected one of {ids}")
    raise UserError(f"no session has the id or name {plain(wanted)!r}: `vibetunnel ls` lists them")


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


def aligned(rows: Sequence[Sequence[str]], *, width: int | None, squeeze: int = 0) -> list[str]:
    """One line a row, in columns; none wider than `width` (None: as wide as they get).

    squeeze  the column that gives way when the last one, which is cut at the margin, has too little room
    """
    widths = [max(columns_of(row[column]) for row in rows) for column in range(len(rows[0]))]
    if width is not None:
        spare = width - sum(widths[:-1]) - 2 * (len(widths) - 1)
        wanted = min(widths[-1], LAST_COLUMN)
        if spare < wanted:
            widths[squeeze] = max(8, widths[squeeze] - (wanted - spare))
    lines = []
    for row in rows:
        cells = [fit(cell, cells_width) for cell, cells_width in zip(row[:-1], widths[:-1], strict=True)]
        text = "  ".join([*cells, row[-1]])
        lines.append((text if width is None else fit(text, width)).rstrip())
    return lines


def short_ids(sessions: Iterable[Session]) -> dict[str, str]:
    """id -> its beginning, as long as it takes to tell all apart."""
    ids = {found["id"] for found in sessions}
    length = MIN_PREFIX
    while len({each[:length] for each in ids}) < len(ids):
        length += 1
    return {each: each[:length] for each in ids}


def age(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{int(seconds // length)}{unit}"
    return f"{max(0, int(seconds))}s"


def label(session: Session) -> str:
    return plain(session.get("name") or session["id"][:MIN_PREFIX])


def one_of(ids: Iterable[str], wanted: str, what: str) -> str:
    """The id that is this, or the only one that begins so. Raises Sentence."""
    ids = list(ids)
    found = [each for each in ids if each == wanted] or [each for each in ids if wanted and each.startswith(wanted)]
    if not found:
        raise UserError(f"there is no {what} {plain(wanted)!r}")
    if len(found) > 1:
        raise UserError(f"{plain(wanted)!r} is more than one {what}: expected one of {', '.join(map(plain, found))}")
    return found[0]


def since(moment: str, now: datetime) -> str:
    """How long ago an ISO 8601 time was."""
    return age((now - datetime.fromisoformat(moment)).total_seconds())


def until(moment: str | None, now: datetime) -> str:
    """In how long an ISO 8601 time is; `never` for None."""
    return "never" if moment is None else age((datetime.fromisoformat(moment) - now).total_seconds())


def count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


# What is printed.


def say(text: str = "", *, newline: bool = True) -> None:
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


def styled(text: str, **style: Any) -> str:
    """Bold or coloured where a person looks and has not asked for less (https://no-color.org)."""
    return click.style(text, **style) if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else text


def entry(label: str, text: str) -> None:
    say(f"  {styled(f'{label:<9}', dim=True)} {text}")


def print_table(rows: Sequence[Sequence[str]], *, squeeze: int = 0) -> None:
    """Aligned rows: cut to the window for a person; a program that reads them gets whole lines."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for text in aligned(rows, width=width, squeeze=squeeze):
        say(text)


def draws() -> bool:
    """Whether standard output is a terminal that has the half blocks of a QR code."""
    try:
        "▀▄█".encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return False
    return sys.stdout.isatty()


def print_link(address: str, code: str | None, *, qr: bool | None) -> None:
    say(styled(f"vibetunnel {__version__}", bold=True))
    entry("Open", styled(address, fg="cyan", underline=True))
    if code is None:
        entry("Login", "none is asked for (--no-auth)")
    else:
        entry("Code", f"{styled(code, bold=True)} (works once)")
    if draws() if qr is None else qr:
        print_qr(address)


def print_qr(text: str) -> None:
    import segno

    drawing = io.StringIO()
    segno.make(text, micro=False).terminal(out=drawing, border=2, compact=True)
    say()
    for row in drawing.getvalue().splitlines():
        # White on black whatever the terminal's own colours are: inverted, few cameras can read it.
        say("  " + styled(row, fg=231, bg=16))
    say()
