"""The settings: each one once, read from a file, then the environment, then flags."""

import dataclasses
import ipaddress
import json
import os
import re
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vibetunnel import paths, units

ENV_PREFIX = "VIBETUNNEL_"
LOG_LEVELS = ("debug", "info", "warning", "error")
MIN_RING = 32768  # bytes; the least that the pump can work with (ext/ring.pxd)
MAX_RING = 1 << 30  # bytes; more for one session is a typing error
MAX_GRACE_S = 60.0  # the keeper waits no longer
OTHER_VARIABLES = frozenset(
    # The file of settings, a variable that sessions get, and those that setup.py reads.
    f"{ENV_PREFIX}{name}"
    for name in ("CONFIG", "SESSION_ID", "SANITIZE", "CYTHON_ANNOTATE")
)


class SettingsError(Exception):
    """A setting has an invalid value. The message names the place, the setting, what was expected and what came."""


class _Invalid(Exception):
    """The value is invalid; the message is what was expected."""


Parse = Callable[[object], object]  # a value of TOML, or the text of a flag or a variable -> the setting
Show = Callable[[Any], str]  # the setting -> how people write it


def _setting(default: Any, parse: Parse, help: str, show: Show = str) -> Any:  # noqa: A002 (as click calls it)
    return field(default=default, metadata={"parse": parse, "help": help, "show": show})


def _number(low: int, high: int) -> Parse:
    def parse(value: object) -> object:
        try:
            number = int(value) if isinstance(value, str) else value
        except ValueError:
            number = None
        if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
            raise _Invalid(f"a whole number from {low} to {high}")
        return number

    return parse


def _duration_setting(default: float, low: float, high: float, help: str) -> Any:  # noqa: A002
    """A setting in seconds."""
    expected = f"a duration from {units.show_duration(low)} to {units.show_duration(high)}"

    def parse(value: object) -> object:
        try:
            seconds = units.parse_duration(value) if isinstance(value, str) else value
        except ValueError:
            seconds = None
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not low <= seconds <= high:
            raise _Invalid(f"{expected}, such as {units.DURATION_FORMS}")
        return float(seconds)

    return _setting(default, parse, help, units.show_duration)


def _size_setting(default: int, low: int, high: int, help: str, *, power_of_two: bool = False) -> Any:  # noqa: A002
    """A setting in bytes."""
    noun = "a power of two" if power_of_two else "a size"
    expected = f"{noun} from {units.show_size(low)} to {units.show_size(high)}"

    def parse(value: object) -> object:
        try:
            size = units.parse_size(value) if isinstance(value, str) else value
        except ValueError:
            size = None
        if isinstance(size, bool) or not isinstance(size, int) or not low <= size <= high:
            size = None
        if size is None or (power_of_two and size & (size - 1)):
            raise _Invalid(f"{expected}, such as {units.SIZE_FORMS}")
        return size

    return _setting(default, parse, help, units.show_size)


def _yes_no(value: object) -> object:
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    found = words.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise _Invalid("true or false")
    return found


def _one_of(*choices: str) -> Parse:
    def parse(value: object) -> object:
        if not isinstance(value, str) or value.lower() not in choices:
            raise _Invalid(f"{', '.join(choices[:-1])} or {choices[-1]}")
        return value.lower()

    return parse


def _text(value: object) -> object:
    if not isinstance(value, str):
        raise _Invalid("text")
    return value


def _address(value: object) -> object:
    if not isinstance(value, str) or not value.strip():
        raise _Invalid("an address of this machine, such as 127.0.0.1 or 0.0.0.0")
    return value.strip()


def _names(value: object) -> object:
    """A list; as text, with commas."""
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise _Invalid("a list of host names")
    return tuple(name.strip().lower() for name in names if name.strip())


def _networks(value: object) -> object:
    """Addresses and networks (CIDR), as text."""
    found = _names(value)
    assert isinstance(found, tuple)
    for each in found:
        try:
            ipaddress.ip_network(each, strict=False)
        except ValueError:
            raise _Invalid("a list of addresses and networks, such as 192.168.1.0/24 or ::1") from None
    return found


def _proxies(value: object) -> object:
    found = _names(value)
    assert isinstance(found, tuple)
    _networks([each for each in found if each != "unix"])
    return found


def _mode(value: object) -> object:
    try:
        mode = int(value, 8) if isinstance(value, str) else value
    except ValueError:
        mode = None
    if isinstance(mode, bool) or not isinstance(mode, int) or not 0 <= mode <= 0o777:
        raise _Invalid("permissions in octal, such as 0660")
    return mode


def _base_path(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"(/?[A-Za-z0-9._~-]+)*/?", value) or ".." in value:
        raise _Invalid("a path such as /terminal")
    inner = value.strip("/")
    return f"/{inner}" if inner else ""


def _url(value: object) -> object:
    if not isinstance(value, str) or (value and not _has_host(value)):
        raise _Invalid("an address that begins with http:// or https://, such as https://box.example:4020")
    return value.rstrip("/")


def _contact(value: object) -> object:
    """RFC 8292 §2.1; a push service refuses what it cannot read."""
    if not isinstance(value, str) or (value and not re.fullmatch(r"mailto:[^@\s]+@[\w-]+(\.[\w-]+)+", value, re.ASCII)):
        raise _Invalid("an address such as mailto:you@example.org")
    return value


def _has_host(url: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # an invalid port or IPv6 address
        return False


def _path(value: object) -> object:
    if not isinstance(value, (str, Path)) or not str(value):
        raise _Invalid("a path")
    return Path(value).expanduser()


def _paths(value: object) -> object:
    """A list of paths; as text, with colons, as in $PATH."""
    given = value.split(":") if isinstance(value, str) else value
    if not isinstance(given, (list, tuple)) or not all(isinstance(each, (str, Path)) and str(each) for each in given):
        raise _Invalid("a list of paths")
    return tuple(Path(each).expanduser() for each in given)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Made once, by load(), and passed by argument. A field `x_y` is the option --x-y, the variable VIBETUNNEL_X_Y and
    the key x_y (or x-y) of the file."""

    port: int = _setting(4020, _number(0, 65535), "Port to listen on; 0: any free port.")
    bind: str = _setting(
        "127.0.0.1", _address, "Address to listen on; `0.0.0.0` or `::`: all of this machine; or `unix:/path`."
    )
    unix_mode: int = _setting(
        0o600, _mode, "Permissions of the socket of --bind unix:/path, in octal.", "{:04o}".format
    )
    base_path: str = _setting("", _base_path, "Path of the application behind a proxy, such as /terminal.")
    allow_host: tuple[str, ...] = _setting((), _names, "Additional host name that browsers may use (a list).")
    url: str = _setting("", _url, "Address by which others reach this server, for the link it prints.")
    tls_cert: Path | None = _setting(None, _path, "Certificate chain (PEM) for HTTPS.")
    tls_key: Path | None = _setting(None, _path, "Private key of --tls-cert (PEM).")
    tls_self_signed: bool = _setting(False, _yes_no, "Serve HTTPS with a certificate that the server makes itself.")
    redirect_port: int = _setting(0, _number(0, 65535), "Port that redirects browsers from HTTP to HTTPS; 0: none.")
    allow_ip: tuple[str, ...] = _setting(
        (), _networks, "Address or network that may connect (a list); default: all may."
    )
    trusted_proxies: tuple[str, ...] = _setting(
        (), _proxies, "Address or network of a proxy whose forwarding headers are trusted (a list); or `unix`."
    )
    no_auth: bool = _setting(False, _yes_no, "Let everyone in without a login.")
    yes_expose_without_auth: bool = _setting(False, _yes_no, "Allow --no-auth on an address that others can reach.")
    disallow_user_password: bool = _setting(False, _yes_no, "Refuse logins with a password.")
    enable_ssh_keys: bool = _setting(False, _yes_no, "Accept logins with SSH keys.")
    pam: bool = _setting(False, _yes_no, "Check the password of the account that runs the server with PAM.")
    pam_service: str = _setting("login", _text, "PAM service: a file in /etc/pam.d.")
    login_idle_s: float = _duration_setting(604800.0, 60, 31536000, "Idle time after which a login expires.")
    login_max_s: float = _duration_setting(2592000.0, 60, 31536000, "Age at which a login expires.")
    access_s: float = _duration_setting(900.0, 5, 86400, "Lifetime of an access token.")
    jwt_algorithm: str = _setting("eddsa", _one_of("eddsa", "hs256"), "Signature of tokens: EdDSA or HS256.")
    token_in_url: bool = _setting(False, _yes_no, "Accept ?token= in URLs, as VibeTunnel's own client sends it.")
    sliding_tokens: bool = _setting(
        False, _yes_no, "Let an access token live as long as its login, for clients that never refresh it."
    )
    web_client: Path | None = _setting(
        None, _path, "Folder of another web client to serve, such as VibeTunnel's `public`."
    )
    rate_limit: int = _setting(6000, _number(0, 10_000_000), "Requests of a user per minute; 0: no limit.")
    rate_limit_anonymous: int = _setting(
        100, _number(0, 10_000_000), "Requests of an address without a login per minute; 0: no limit."
    )
    rate_limit_sessions: int = _setting(120, _number(0, 10_000_000), "New sessions of a user per minute; 0: no limit.")
    rate_limit_upgrades: int = _setting(
        600, _number(0, 10_000_000), "New WebSockets of a user per minute; 0: no limit."
    )
    user_sessions: int = _setting(200, _number(0, 1_000_000), "Sessions that a user may have open; 0: no limit.")
    user_clients: int = _setting(1000, _number(0, 1_000_000), "Sockets that a user may have open; 0: no limit.")
    input_rate: int = _size_setting(
        4194304, 0, (1 << 31) - 1, "Input that one connection may send per second; 0: no limit."
    )
    spawn: str = _setting(
        "lazy", _one_of("lazy", "now"), "When to start a session's program: at its first use, or now."
    )
    shell: str = _setting("", _text, "Program of new sessions; default: your login shell.")
    rows: int = _setting(24, _number(1, 1000), "Height of new sessions.", "{} lines".format)
    cols: int = _setting(80, _number(1, 1000), "Width of new sessions.", "{} columns".format)
    shell_integration: bool = _setting(False, _yes_no, "Make new login shells mark their prompts and commands.")
    max_sessions: int = _setting(
        0, _number(0, 1_000_000), "Sessions that may be open; 0: no limit. With ended ones, 10,000 are the most."
    )
    ring_bytes: int = _size_setting(
        262144, MIN_RING, MAX_RING, "Recent output kept for each session; a power of two.", power_of_two=True
    )
    scrollback_lines: int = _setting(
        10000, _number(0, 1_000_000), "Scrollback kept for each session.", "{} lines".format
    )
    scrollback_bytes: int = _size_setting(4194304, 0, 1 << 30, "Memory that the scrollback of a session may take.")
    bulk_lanes: int = _setting(0, _number(0, 16), "Threads for sessions with much output; 0: half the cores.")
    compression: bool = _setting(
        False, _yes_no, "Compress terminals' WebSockets if the browser can (permessage-deflate)."
    )
    ping_s: float = _duration_setting(20.0, 0.1, 3600, "Ping a browser that has sent nothing for this long.")
    timeout_s: float = _duration_setting(
        60.0, 0.2, 36000, "Disconnect a browser that has not answered a ping for this long."
    )
    kill_on_exit: bool = _setting(False, _yes_no, "End the sessions when the server stops.")
    kill_grace_s: float = _duration_setting(
        3.0, 0, MAX_GRACE_S, "Time that a session's programs get to end before SIGKILL."
    )
    qr: bool | None = _setting(None, _yes_no, "Print the link as a QR code too; default: on a terminal.")
    file_root: tuple[Path, ...] = _setting(
        (), _paths, "Folder whose files the web client may reach (a list); default: your home folder."
    )
    upload_bytes: int = _size_setting(1073741824, 0, 1 << 40, "Largest file that may be uploaded.")
    push: bool = _setting(False, _yes_no, "Send notifications to browsers, through their push services.")
    push_contact: str = _setting(
        "", _contact, "Address at which a push service may reach you: mailto:you@example.org; --push needs it."
    )
    log_level: str = _setting("info", _one_of(*LOG_LEVELS), "Least severe level that is logged.")
    request_log: bool = _setting(True, _yes_no, "Write every request to requests.log (never with a secret).")
    audit: bool = _setting(True, _yes_no, "Write who did what to audit.log (never what was typed).")
    log_bytes: int = _size_setting(10485760, 65536, 1 << 40, "Size at which a log file is rotated.")
    log_files: int = _setting(10, _number(1, 1000), "Files kept of each log.")
    log_dir: Path = _setting(None, _path, "Folder of the logs; default: `log` in --state-dir.")
    state_dir: Path = _setting(
        None, _path, "Folder of the secret, accounts and logins; default: where this system keeps state."
    )
    runtime_dir: Path = _setting(
        None, _path, "Folder of the sockets; default: where this system keeps them, or `run` in --state-dir."
    )

    def __post_init__(self) -> None:
        values: dict[str, Any] = vars(self)  # frozen for everyone else
        if values["state_dir"] is None:
            values["state_dir"] = paths.default_state_dir()
            values["runtime_dir"] = values["runtime_dir"] or paths.default_runtime_dir(self.state_dir)
        # A state folder of its own means a server and a keeper of its own.
        values["runtime_dir"] = values["runtime_dir"] or self.state_dir / "run"
        values["log_dir"] = values["log_dir"] or self.state_dir / "log"
        if values["web_client"] is not None:  # its sockets and streams have no other way to log in
            values["token_in_url"] = values["sliding_tokens"] = True

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return self.unix_socket is not None or is_loopback(self.bind)

    @property
    def tls(self) -> bool:
        """Whether the server itself speaks HTTPS."""
        return self.tls_cert is not None or self.tls_self_signed

    @property
    def unix_socket(self) -> Path | None:
        """The path that --bind unix:/path names."""
        return Path(self.bind.removeprefix("unix:")) if self.bind.startswith("unix:") else None

    @property
    def lanes(self) -> int:
        """bulk_lanes, or half the cores for 0: a program with much output needs a core too. From 1 to 16."""
        return self.bulk_lanes or min(16, max(1, (os.cpu_count() or 1) // 2))


def is_loopback(address: str) -> bool:
    """Whether an IP address, or a name, can only mean this machine."""
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return address.lower() == "localhost"


FIELDS: dict[str, dataclasses.Field[Any]] = {each.name: each for each in dataclasses.fields(Settings)}


def convert(name: str, value: object) -> object:
    """`value` as the setting `name` has it. Raises SettingsError, which does not name the place of the value."""
    try:
        return FIELDS[name].metadata["parse"](value)
    except _Invalid as error:
        raise SettingsError(f"expected {error}, got {_shown(value)}") from None


def default_text(name: str, template: str = "{}") -> str:
    """The default of a setting as people write it, in `template`; "": there is none, or the help says it."""
    default = FIELDS[name].default
    if default in (None, "", ()) or default is False:
        return ""
    return template.format("yes" if default is True else FIELDS[name].metadata["show"](default))


def load(
    *, file: Path | None = None, environ: Mapping[str, str] | None = None, flags: Mapping[str, object] | None = None
) -> Settings:
    """The settings from the TOML `file` (None: the user's own, if there is one), then `environ`, then `flags`.

    flags   setting -> value; None: the flag is not given
    Raises SettingsError.
    """
    values: dict[str, Any] = _from_file(file or paths.default_config_file(), needed=file is not None)
    for name in FIELDS:
        variable = ENV_PREFIX + name.upper()
        if environ is not None and variable in environ:
            values[name] = _convert_at(variable, name, environ[variable])
    for name, value in (flags or {}).items():
        if value is not None:
            values[name] = _convert_at(f"--{name.replace('_', '-')}", name, value)
    settings = Settings(**values)
    _check_together(settings)
    return settings


def unknown_variables(names: Iterable[str]) -> list[str]:
    """The variables with the prefix of settings that are not settings."""
    known = OTHER_VARIABLES.union(ENV_PREFIX + name.upper() for name in FIELDS)
    return sorted(name for name in names if name.startswith(ENV_PREFIX) and name not in known)


def _from_file(file: Path, *, needed: bool) -> dict[str, object]:
    try:
        text = file.read_text(encoding="utf-8")
        import tomllib  # here: 1 MB, only if there is such a file

        table = tomllib.loads(text)
    except FileNotFoundError:
        if needed:
            raise SettingsError(f"{file}: no such file") from None
        return {}
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # bad UTF-8 or bad TOML
        raise SettingsError(f"{file}: not a TOML file: {error}") from error
    values: dict[str, object] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in FIELDS:
            raise SettingsError(f"{file}: unknown key {key}: expected one of {', '.join(FIELDS)}")
        if name in values:
            raise SettingsError(f"{file}: {key} is given twice, with - and with _: remove one of them")
        setting = _convert_at(f"{file}: {key}", name, value)
        values[name] = _beside(file, setting)
    return values


def _beside(file: Path, setting: object) -> object:
    """A setting of this file, whose relative paths begin at the file's folder."""
    if isinstance(setting, tuple):
        return tuple(_beside(file, each) for each in setting)
    return file.absolute().parent / setting if isinstance(setting, Path) else setting


def _convert_at(place: str, name: str, value: object) -> object:
    try:
        return convert(name, value)
    except SettingsError as error:
        raise SettingsError(f"{place}: {error}") from None


def _check_together(settings: Settings) -> None:
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise SettingsError("--tls-cert and --tls-key belong together: give both or neither")
    if settings.tls_self_signed and settings.tls_cert is not None:
        raise SettingsError("--tls-self-signed and --tls-cert exclude each other: give one of them")
    if settings.redirect_port and not settings.tls:
        raise SettingsError("--redirect-port needs HTTPS: add --tls-cert or --tls-self-signed")
    if settings.web_client is not None and settings.base_path:
        raise SettingsError(
            "--web-client and --base-path exclude each other: the addresses in VibeTunnel's client begin at /"
        )
    if settings.push and not settings.push_contact:
        raise SettingsError(
            "--push needs --push-contact, at which a push service may reach you, such as mailto:you@example.org"
        )
    if settings.timeout_s <= settings.ping_s:
        timeout, ping = units.show_duration(settings.timeout_s), units.show_duration(settings.ping_s)
        raise SettingsError(f"--timeout-s ({timeout}) has to be longer than --ping-s ({ping})")
    socket = os.fsencode(settings.runtime_dir.absolute() / paths.KEEPER_SOCKET)
    if len(socket) > paths.MAX_SOCKET_PATH:
        raise SettingsError(
            f"--runtime-dir: {settings.runtime_dir} is too long for a socket in it: choose a path of at most "
            f"{paths.MAX_SOCKET_PATH - len(paths.KEEPER_SOCKET) - 1} bytes"
        )


def _shown(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except TypeError:
        return str(value)
