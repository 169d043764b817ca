"""What can be set: every setting once, read from a file, the environment and flags, in this order."""

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

from vibetunnel import paths

ENV_PREFIX = "VIBETUNNEL_"
LOG_LEVELS = ("debug", "info", "warning", "error")
MIN_RING = 32768  # bytes; what the pump can work with (ext/ring.pxd)
MAX_RING = 1 << 30  # bytes; more for one session is a slip of the keyboard
MAX_GRACE_S = 60.0  # the keeper waits no longer
OTHER_VARIABLES = frozenset(
    # The settings' file, what a session's program is told, and what setup.py reads.
    f"{ENV_PREFIX}{name}"
    for name in ("CONFIG", "SESSION_ID", "SANITIZE", "CYTHON_ANNOTATE")
)


class SettingsError(Exception):
    """A setting has a value it cannot have; the message names the place, the key, what was expected and what came."""


class _Bad(Exception):
    """What was expected instead of the value at hand."""


Parse = Callable[[object], object]  # a TOML or click value, or the text of an environment variable -> the setting


def _setting(default: Any, parse: Parse, help: str, unit: str = "") -> Any:  # noqa: A002 (as click calls it)
    return field(default=default, metadata={"parse": parse, "help": help, "unit": unit})


def _number(kind: type[int] | type[float], low: float, high: float) -> Parse:
    noun = "a whole number" if kind is int else "a number"
    expected = f"{noun} from {low:.12g} to {high:.12g}"

    def parse(value: object) -> object:
        try:
            number = kind(value) if isinstance(value, str) else value
        except ValueError:
            raise _Bad(expected) from None
        if isinstance(number, bool) or not isinstance(number, (int, kind)) or not low <= number <= high:
            raise _Bad(expected)
        return kind(number)

    return parse


def _ring(value: object) -> object:
    expected = f"a power of two from {MIN_RING} to {MAX_RING}"
    try:
        size = _number(int, MIN_RING, MAX_RING)(value)
    except _Bad:
        raise _Bad(expected) from None
    assert isinstance(size, int)
    if size & (size - 1):
        raise _Bad(expected)
    return size


def _yes_no(value: object) -> object:
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    found = words.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise _Bad("true or false")
    return found


def _one_of(*choices: str) -> Parse:
    def parse(value: object) -> object:
        if not isinstance(value, str) or value.lower() not in choices:
            raise _Bad(f"{', '.join(choices[:-1])} or {choices[-1]}")
        return value.lower()

    return parse


def _text(value: object) -> object:
    if not isinstance(value, str):
        raise _Bad("text")
    return value


def _address(value: object) -> object:
    if not isinstance(value, str) or not value.strip():
        raise _Bad("an address of this machine, such as 127.0.0.1 or 0.0.0.0")
    return value.strip()


def _names(value: object) -> object:
    """A list, or in the environment a text with commas."""
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise _Bad("a list of host names")
    return tuple(name.strip().lower() for name in names if name.strip())


def _networks(value: object) -> object:
    """Addresses and networks (CIDR), as one writes them."""
    found = _names(value)
    assert isinstance(found, tuple)
    for each in found:
        try:
            ipaddress.ip_network(each, strict=False)
        except ValueError:
            raise _Bad("a list of addresses and networks, such as 192.168.1.0/24 or ::1") from None
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
        raise _Bad("permissions in octal, such as 0660")
    return mode


def _base_path(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"(/?[A-Za-z0-9._~-]+)*/?", value) or ".." in value:
        raise _Bad("a path such as /terminal")
    inner = value.strip("/")
    return f"/{inner}" if inner else ""


def _url(value: object) -> object:
    if not isinstance(value, str) or (value and not _has_host(value)):
        raise _Bad("an address that begins with http:// or https://, such as https://box.example:4020")
    return value.rstrip("/")


def _has_host(url: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is none, or half an IPv6 address
        return False


def _path(value: object) -> object:
    if not isinstance(value, (str, Path)) or not str(value):
        raise _Bad("a path")
    return Path(value).expanduser()


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Made once, by load(), and handed down. A field `x_y` is the option --x-y, the variable VIBETUNNEL_X_Y and the
    key x_y (or x-y) of the file."""

    port: int = _setting(4020, _number(int, 0, 65535), "Port to listen on; 0: any free one.")
    bind: str = _setting(
        "127.0.0.1", _address, "Address to listen on; `0.0.0.0` or `::`: every one of this machine; or `unix:/path`."
    )
    unix_mode: int = _setting(0o600, _mode, "Permissions of the socket of --bind unix:/path, in octal.")
    base_path: str = _setting("", _base_path, "Path below which everything is, such as /terminal, behind a proxy.")
    allow_host: tuple[str, ...] = _setting((), _names, "One more host name that browsers may use (a list).")
    url: str = _setting("", _url, "Address at which others reach this server, for the link it prints.")
    tls_cert: Path | None = _setting(None, _path, "Certificate chain (PEM): serve HTTPS.")
    tls_key: Path | None = _setting(None, _path, "Private key of --tls-cert (PEM).")
    tls_self_signed: bool = _setting(False, _yes_no, "Serve HTTPS with a certificate made here.")
    redirect_port: int = _setting(0, _number(int, 0, 65535), "Port that sends browsers from HTTP to HTTPS; 0: none.")
    allow_ip: tuple[str, ...] = _setting((), _networks, "Address or network that may connect (a list); none: all.")
    trusted_proxies: tuple[str, ...] = _setting(
        (), _proxies, "Address or network of a proxy whose forwarding headers count (a list); `unix`: a unix socket's."
    )
    no_auth: bool = _setting(False, _yes_no, "Ask nobody for a login.")
    yes_expose_without_auth: bool = _setting(False, _yes_no, "Allow --no-auth on an address others can reach.")
    disallow_user_password: bool = _setting(False, _yes_no, "Let nobody log in with a password.")
    enable_ssh_keys: bool = _setting(False, _yes_no, "Let users log in with their SSH keys.")
    pam: bool = _setting(False, _yes_no, "Check passwords of the account that this runs as with PAM.")
    pam_service: str = _setting("login", _text, "PAM's service, a file in /etc/pam.d.")
    login_idle_s: float = _setting(604800.0, _number(float, 60, 31536000), "A login ends when unused for.", "s")
    login_max_s: float = _setting(2592000.0, _number(float, 60, 31536000), "A login ends after.", "s")
    access_s: float = _setting(900.0, _number(float, 5, 86400), "Life of an access token.", "s")
    jwt_algorithm: str = _setting("eddsa", _one_of("eddsa", "hs256"), "Signature of tokens: EdDSA or HS256.")
    token_in_url: bool = _setting(False, _yes_no, "Accept ?token= in addresses, as VibeTunnel's own client sends it.")
    rate_limit: int = _setting(6000, _number(int, 0, 10_000_000), "Requests a minute of a user; 0: no limit.")
    rate_limit_anonymous: int = _setting(
        100, _number(int, 0, 10_000_000), "Requests a minute of an address without a login; 0: no limit."
    )
    rate_limit_sessions: int = _setting(
        120, _number(int, 0, 10_000_000), "New sessions a minute of a user; 0: no limit."
    )
    rate_limit_upgrades: int = _setting(
        600, _number(int, 0, 10_000_000), "New WebSockets a minute of a user; 0: no limit."
    )
    user_sessions: int = _setting(200, _number(int, 0, 1_000_000), "Sessions of a user at once; 0: no limit.")
    user_clients: int = _setting(1000, _number(int, 0, 1_000_000), "Sockets of a user at once; 0: no limit.")
    input_rate: int = _setting(
        4194304, _number(int, 0, (1 << 31) - 1), "Input a second on one connection; 0: no limit.", "bytes"
    )
    spawn: str = _setting("lazy", _one_of("lazy", "now"), "When a session's program starts: at its first use, or now.")
    shell: str = _setting("", _text, "Program of new sessions; default: your login shell.")
    rows: int = _setting(24, _number(int, 1, 1000), "Height of new sessions.", "lines")
    cols: int = _setting(80, _number(int, 1, 1000), "Width of new sessions.", "columns")
    shell_integration: bool = _setting(False, _yes_no, "Have new login shells mark their prompts and commands.")
    max_sessions: int = _setting(0, _number(int, 0, 1_000_000), "Sessions at once; 0: no limit.")
    ring_bytes: int = _setting(262144, _ring, "Output kept per session, a power of two.", "bytes")
    scrollback_lines: int = _setting(10000, _number(int, 0, 1_000_000), "Lines kept above each screen.", "lines")
    scrollback_bytes: int = _setting(4194304, _number(int, 0, 1 << 30), "Bytes that those take at most.", "bytes")
    bulk_lanes: int = _setting(0, _number(int, 0, 16), "Threads for sessions that flood; 0: by the number of cores.")
    compression: bool = _setting(
        False, _yes_no, "Compress terminals' WebSockets for browsers that can (permessage-deflate)."
    )
    ping_s: float = _setting(20.0, _number(float, 0.1, 3600), "Ask a quiet browser for a sign of life after.", "s")
    timeout_s: float = _setting(60.0, _number(float, 0.2, 36000), "Drop a browser that gives none after.", "s")
    kill_on_exit: bool = _setting(False, _yes_no, "End the sessions too when the server stops.")
    kill_grace_s: float = _setting(3.0, _number(float, 0, MAX_GRACE_S), "Time to end politely, before SIGKILL.", "s")
    qr: bool | None = _setting(None, _yes_no, "Print the link as a QR code too; default: on a terminal.")
    log_level: str = _setting("info", _one_of(*LOG_LEVELS), "Least severe message to log.")
    request_log: bool = _setting(True, _yes_no, "Write every request to requests.log (never with a secret).")
    audit: bool = _setting(True, _yes_no, "Write who did what to audit.log (never what was typed).")
    log_bytes: int = _setting(10485760, _number(int, 65536, 1 << 40), "Size at which a log is rotated.", "bytes")
    log_files: int = _setting(10, _number(int, 1, 1000), "Files kept of a log.")
    log_dir: Path = _setting(None, _path, "Folder of the logs; default: `log` in --state-dir.")
    state_dir: Path = _setting(None, _path, "Folder of the secret and the logins; default: the system's place for it.")
    runtime_dir: Path = _setting(None, _path, "Folder of sockets; default: the system's, or `run` in --state-dir.")

    def __post_init__(self) -> None:
        values: dict[str, Any] = vars(self)  # frozen from outside only
        if values["state_dir"] is None:
            values["state_dir"] = paths.default_state_dir()
            values["runtime_dir"] = values["runtime_dir"] or paths.default_runtime_dir(self.state_dir)
        # Whoever names a state folder wants a server of his own, keeper included.
        values["runtime_dir"] = values["runtime_dir"] or self.state_dir / "run"
        values["log_dir"] = values["log_dir"] or self.state_dir / "log"

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
        """bulk_lanes, with 0 replaced by half the cores: what floods needs a core as well. At least 1, at most 16."""
        return self.bulk_lanes or min(16, max(1, (os.cpu_count() or 1) // 2))


def is_loopback(address: str) -> bool:
    """Whether an IP address, or a name, can only mean this machine."""
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return address.lower() == "localhost"


FIELDS: dict[str, dataclasses.Field[Any]] = {each.name: each for each in dataclasses.fields(Settings)}


def convert(name: str, value: object) -> object:
    """`value` as the setting `name` holds it. Raises SettingsError without the place it came from."""
    try:
        return FIELDS[name].metadata["parse"](value)
    except _Bad as bad:
        raise SettingsError(f"expected {bad}, got {_shown(value)}") from None


def default_text(name: str, template: str = "{}") -> str:
    """The default of a setting as one reads it, in `template`; "" where there is none or the help says it."""
    default = FIELDS[name].default
    unit = FIELDS[name].metadata["unit"]
    if default in (None, "", ()) or default is False:
        return ""
    if name == "unix_mode":
        return template.format(f"{default:04o}")
    text = "yes" if default is True else f"{default:g}" if isinstance(default, float) else str(default)
    return template.format(f"{text} {unit}" if unit else text)


def load(
    *, file: Path | None = None, environ: Mapping[str, str] | None = None, flags: Mapping[str, object] | None = None
) -> Settings:
    """Settings from the TOML `file` (None: the user's own, if there is one), then `environ`, then `flags`.

    flags   setting -> value; None: not given
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
    """The variables that are named as if they were settings, and are none."""
    known = OTHER_VARIABLES.union(ENV_PREFIX + name.upper() for name in FIELDS)
    return sorted(name for name in names if name.startswith(ENV_PREFIX) and name not in known)


def _from_file(file: Path, *, needed: bool) -> dict[str, object]:
    try:
        text = file.read_text(encoding="utf-8")
        import tomllib  # here: 1 MB, where there is such a file

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
            raise SettingsError(f"{file}: {key} is there twice, with - and with _")
        setting = _convert_at(f"{file}: {key}", name, value)
        values[name] = file.absolute().parent / setting if isinstance(setting, Path) else setting
    return values


def _convert_at(place: str, name: str, value: object) -> object:
    try:
        return convert(name, value)
    except SettingsError as error:
        raise SettingsError(f"{place}: {error}") from None


def _check_together(settings: Settings) -> None:
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise SettingsError("tls_cert and tls_key belong together: expected both or neither")
    if settings.tls_self_signed and settings.tls_cert is not None:
        raise SettingsError("tls_self_signed and tls_cert exclude each other: expected one of them")
    if settings.redirect_port and not settings.tls:
        raise SettingsError("redirect_port needs HTTPS: expected --tls-cert or --tls-self-signed too")
    if settings.timeout_s <= settings.ping_s:
        raise SettingsError(f"timeout_s ({settings.timeout_s:g}) should be longer than ping_s ({settings.ping_s:g})")
    socket = os.fsencode(settings.runtime_dir.absolute() / paths.KEEPER_SOCKET)
    if len(socket) > paths.MAX_SOCKET_PATH:
        raise SettingsError(
            f"runtime_dir: {settings.runtime_dir} is too long for a socket in it: expected at most "
            f"{paths.MAX_SOCKET_PATH - len(paths.KEEPER_SOCKET) - 1} bytes; choose another with --runtime-dir"
        )


def _shown(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except TypeError:
        return str(value)
