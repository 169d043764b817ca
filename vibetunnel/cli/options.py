"""Settings, durations and folders as options of the commands."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from vibetunnel import settings, units
from vibetunnel.cli.output import plain, warn
from vibetunnel.cli.server_client import RunningServer
from vibetunnel.settings import Settings, SettingsError

CENTURY_S = 36525 * 86400.0  # a longer duration is a slip, and no clock could add it

F = TypeVar("F", bound=Callable[..., Any])


class Text(click.types.StringParamType):
    """A text. The system passes arguments on as bytes, and text that is sent to a server has to be UTF-8."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # Any: click's own
        text = super().convert(value, param, ctx)
        if isinstance(text, str) and (escaped := re.search("[\ud800-\udfff]", text)):  # bytes that are no UTF-8
            self.fail(f"expected UTF-8, got the byte {ord(escaped[0]) & 0xFF:#04x}", param, ctx)
        return text


PATHS = ("FILE", "FOLDER")  # metavars: a path may have any bytes


class InOrder(click.Group):
    """A group that lists its commands as they were added. Their texts have to be UTF-8."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        found = super().resolve_command(ctx, args)
        for parameter in found[1].params if found[1] is not None else ():
            if parameter.type is click.STRING and parameter.metavar not in PATHS:
                parameter.type = Text()
        return found


def takes_duration(
    name: str, *, low: float = 0.0, high: float = CENTURY_S, bare: bool = False, **more: Any
) -> Callable[[F], F]:
    """An option whose value is a duration; the command gets seconds (float).

    low, high  in seconds
    bare       a number without a unit is allowed, and is seconds. Not for an expiry: `--expires 30` may mean days
    more       of click.option(). With a metavar that says so, the word `never` is allowed, and is None.
    """
    metavar = more.setdefault("metavar", "DURATION")
    never = "never" in metavar

    def convert(_context: click.Context, _parameter: click.Parameter, value: str | None) -> float | None:
        if value is None or (never and value.strip().lower() == "never"):
            return None
        try:
            has_unit = value.strip()[-1:].isalpha()
            seconds = units.parse_duration(value) if bare or has_unit else -1.0
        except ValueError:
            seconds = -1.0
        if not low <= seconds <= high:
            bounds = "" if high == CENTURY_S else f" from {units.show_duration(low)} to {units.show_duration(high)}"
            expected = f"a duration{bounds}, such as {units.DURATION_FORMS}{' or never' if never else ''}"
            raise click.BadParameter(f"expected {expected}, got {plain(value)!r}")
        return seconds

    return click.option(name, callback=convert, show_default="default" in more, **more)


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
    "file_root": "FOLDER",
    "log_dir": "FOLDER",
    "state_dir": "FOLDER",
    "runtime_dir": "FOLDER",
}  # of the options that take neither a number nor a quantity
QUANTITIES = {units.show_duration: "DURATION", units.show_size: "SIZE"}


def _option(name: str) -> click.Option:
    """The option for a setting. Its value is None if it is not given."""
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
        metavar=METAVARS.get(name) or QUANTITIES.get(field.metadata["show"], "N"),
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
    """Put --config and the options of these settings before the command's own options."""

    def add(command: click.Command) -> click.Command:
        command.params[:0] = [*(_option(name) for name in names), CONFIG]
        return command

    return add


IDS = {"ignore_unknown_options": True}  # for a command that takes an id: it may begin with a hyphen
LOCATION = ("state_dir", "runtime_dir")  # the settings by which a verb finds its server


def load(config: Path | None, flags: dict[str, Any]) -> Settings:
    """The settings of this command. Warns of variables that are not settings. Raises SettingsError."""
    for name in settings.unknown_variables(os.environ):
        warn(f"{plain(name)} is not a setting and has no effect: `vibetunnel serve --help` lists the settings")
    return settings.load(file=config, environ=os.environ, flags=flags)


def find_server(config: Path | None, flags: dict[str, Any]) -> RunningServer:
    """The server that these settings name. Raises NotRunning, NotPrivate, ServerRefused, SettingsError."""
    return RunningServer(load(config, flags))
