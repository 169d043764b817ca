"""Settings: their sources and precedence, and invalid values."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from vibetunnel import paths, settings
from vibetunnel.settings import Settings, SettingsError, load

DURATIONS = "such as 90 s, 15 min, 12 h or 30 d"
SIZES = "such as 64 KiB, 4 MiB or 1 GiB"
AN_ADDRESS = "an address that begins with http:// or https://, such as https://box.example:4020"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of its own, so that the developer's own configuration has no say; with a short path, for sockets."""
    for variable in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(variable, raising=False)
    with tempfile.TemporaryDirectory(prefix="vt-", dir="/tmp") as folder:
        monkeypatch.setenv("HOME", folder)
        yield Path(folder)


def test_flags_go_before_the_environment_and_that_before_the_file(config: Path) -> None:
    config.write_text("port = 1\nrows = 10\ncols = 100\n")
    environ = {"VIBETUNNEL_PORT": "2", "VIBETUNNEL_ROWS": "20"}
    found = load(file=config, environ=environ, flags={"port": 3, "rows": None})
    assert (found.port, found.rows, found.cols) == (3, 20, 100)


def test_the_users_own_file_is_read_when_there_is_one(home: Path) -> None:
    assert load().port == 4020
    own = paths.default_config_file()
    assert own.is_relative_to(home)
    own.parent.mkdir(parents=True)
    own.write_text("port = 4999")
    assert load().port == 4999


def test_every_setting_can_come_from_the_file_and_from_the_environment(config: Path) -> None:
    samples = {
        "port": "4021", "bind": "0.0.0.0", "unix_mode": "0660", "base_path": "terminal/",
        "allow_host": "a.example,B.example", "url": "https://a.example/", "tls_cert": "/tls/cert.pem",
        "tls_key": "/tls/key.pem", "redirect_port": "8080", "allow_ip": "192.168.0.0/16,::1",
        "trusted_proxies": "unix,10.0.0.1", "no_auth": "yes", "yes_expose_without_auth": "1",
        "disallow_user_password": "1", "enable_ssh_keys": "1", "pam": "1", "pam_service": "vibetunnel",
        "login_idle_s": "3600", "login_max_s": "7200", "access_s": "60", "jwt_algorithm": "HS256", "token_in_url": "1",
        "sliding_tokens": "1",
        "rate_limit": "10", "rate_limit_anonymous": "11", "rate_limit_sessions": "12", "rate_limit_upgrades": "13",
        "user_sessions": "14", "user_clients": "15", "input_rate": "65536",
        "spawn": "now", "shell": "/bin/sh", "rows": "30", "cols": "90", "shell_integration": "yes", "max_sessions": "5",
        "ring_bytes": "65536", "scrollback_lines": "500", "scrollback_bytes": "65536", "bulk_lanes": "2",
        "compression": "yes",
        "ping_s": "1.5", "timeout_s": "4", "kill_on_exit": "true", "kill_grace_s": "0.5", "qr": "no",
        "file_root": "/srv/a:/srv/b", "upload_bytes": "65536",
        "push": "yes", "push_contact": "mailto:ada@example.org",
        "log_level": "DEBUG", "request_log": "off", "audit": "off", "log_bytes": "65536", "log_files": "3",
        "log_dir": "/tmp/l", "state_dir": "/tmp/s", "runtime_dir": "/tmp/r",
    }  # fmt: skip
    # A certificate is given or made here, never both; and another client has no base path.
    names = [name for name in settings.FIELDS if name not in ("tls_self_signed", "web_client")]
    assert list(samples) == names, "a new setting needs a sample here"
    by_environment = load(environ={f"VIBETUNNEL_{name.upper()}": value for name, value in samples.items()})

    config.write_text(
        """
        port = 4021\nbind = "0.0.0.0"\nunix_mode = 0o660\nbase-path = "/terminal"
        allow-host = ["a.example", "B.example"]\nurl = "https://a.example/"\ntls_cert = "/tls/cert.pem"
        tls-key = "/tls/key.pem"\nredirect_port = 8080\nallow_ip = ["192.168.0.0/16", "::1"]
        trusted_proxies = ["unix", "10.0.0.1"]\nno-auth = true\nyes_expose_without_auth = true
        disallow_user_password = true\nenable_ssh_keys = true\npam = true\npam_service = "vibetunnel"
        login_idle_s = 3600\nlogin_max_s = 7200\naccess_s = 60\njwt_algorithm = "hs256"\ntoken_in_url = true
        sliding_tokens = true
        rate_limit = 10\nrate_limit_anonymous = 11\nrate_limit_sessions = 12\nrate_limit_upgrades = 13
        user_sessions = 14\nuser_clients = 15\ninput_rate = 65536
        spawn = "now"\nshell = "/bin/sh"\nrows = 30\ncols = 90\nshell-integration = true\nmax-sessions = 5
        ring_bytes = 65536\nscrollback_lines = 500\nscrollback-bytes = 65536
        bulk_lanes = 2\ncompression = true\nping-s = 1.5\ntimeout_s = 4\nkill_on_exit = true\nkill_grace_s = 0.5
        file-root = ["/srv/a", "/srv/b"]\nupload_bytes = 65536
        push = true\npush_contact = "mailto:ada@example.org"
        qr = false\nlog_level = "debug"\nrequest_log = false\naudit = false\nlog_bytes = 65536\nlog_files = 3
        log_dir = "/tmp/l"\nstate_dir = "/tmp/s"\nruntime_dir = "/tmp/r"
        """
    )
    assert load(file=config) == by_environment
    assert by_environment.allow_host == ("a.example", "b.example")
    assert by_environment.url == "https://a.example"
    untouched = Settings()
    for name in names:
        assert getattr(by_environment, name) != getattr(untouched, name), name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot = 4021", "unknown key prot: expected one of port, bind"),
        ('port = "4021x"', 'port: expected a whole number from 0 to 65535, got "4021x"'),
        ("port = 4021.0", "port: expected a whole number from 0 to 65535, got 4021.0"),
        ("port = true", "port: expected a whole number from 0 to 65535, got true"),
        ("port = 70000", "port: expected a whole number from 0 to 65535, got 70000"),
        ("ping_s = nan", f"ping_s: expected a duration from 0.1 s to 1 h, {DURATIONS}, got NaN"),
        ('ping_s = "5 q"', f'ping_s: expected a duration from 0.1 s to 1 h, {DURATIONS}, got "5 q"'),
        ("ring-bytes = 100000", f"ring-bytes: expected a power of two from 32 KiB to 1 GiB, {SIZES}, got 100000"),
        ("ring-bytes = 1024", f"ring-bytes: expected a power of two from 32 KiB to 1 GiB, {SIZES}, got 1024"),
        ('log-bytes = "4 MB"', f'log-bytes: expected a size from 64 KiB to 1 TiB, {SIZES}, got "4 MB"'),
        ("max_sessions = -1", "max_sessions: expected a whole number from 0 to 1000000, got -1"),
        ("kill_grace_s = 61", f"kill_grace_s: expected a duration from 0 s to 1 min, {DURATIONS}, got 61"),
        ('no_auth = "maybe"', 'no_auth: expected true or false, got "maybe"'),
        ("no_auth = 1", "no_auth: expected true or false, got 1"),
        ('spawn = "soon"', 'spawn: expected lazy or now, got "soon"'),
        ("bind = 0", "bind: expected an address of this machine, such as 127.0.0.1 or 0.0.0.0, got 0"),
        ("allow_host = [1]", "allow_host: expected a list of host names, got [1]"),
        ('url = "example.org"', f'url: expected {AN_ADDRESS}, got "example.org"'),
        ('url = "http://"', f'url: expected {AN_ADDRESS}, got "http://"'),
        ('url = "https://box:port"', f'url: expected {AN_ADDRESS}, got "https://box:port"'),
        ("state_dir = 1979-05-27", "state_dir: expected a path, got 1979-05-27"),
        ("bulk_lanes = 1\nbulk-lanes = 2", "bulk-lanes is given twice, with - and with _: remove one of them"),
        ("port 4021", "not a TOML file: "),
    ],
)
def test_a_wrong_line_of_the_file_is_named(config: Path, text: str, message: str) -> None:
    config.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(file=config)
    assert str(caught.value).startswith(f"{config}: {message}")
    assert "\n" not in str(caught.value)


def test_a_wrong_variable_and_a_wrong_flag_are_named() -> None:
    with pytest.raises(SettingsError, match=r"^VIBETUNNEL_COLS: expected a whole number from 1 to 1000, got "):
        load(environ={"VIBETUNNEL_COLS": "0"})
    with pytest.raises(SettingsError, match=r"^--log-level: expected debug, info, warning or error, got "):
        load(flags={"log_level": "loud"})


def test_durations_and_sizes_are_taken_as_people_write_them(config: Path) -> None:
    config.write_text(
        'login_max_s = "60 d"\nping_s = "500 s"\ntimeout_s = 1000\nring_bytes = "1 MiB"\nlog_bytes = 65536'
    )
    found = load(file=config, environ={"VIBETUNNEL_LOGIN_IDLE_S": "90min", "VIBETUNNEL_INPUT_RATE": "1.5 KiB"})
    assert (found.login_max_s, found.ping_s, found.timeout_s, found.login_idle_s) == (5184000, 500, 1000, 5400)
    assert (found.ring_bytes, found.log_bytes, found.input_rate) == (1 << 20, 65536, 1536)
    assert load(flags={"kill_grace_s": "0.5 s"}).kill_grace_s == 0.5


def test_defaults_are_shown_as_people_write_them_and_can_be_given_so() -> None:
    assert [settings.default_text(name) for name in ("login_max_s", "access_s", "kill_grace_s")] == [
        "30 d",
        "15 min",
        "3 s",
    ]
    assert [settings.default_text(name) for name in ("scrollback_bytes", "rows")] == ["4 MiB", "24 lines"]
    for name in settings.FIELDS:
        if name.endswith(("_s", "_bytes")):
            assert settings.convert(name, settings.default_text(name)) == settings.FIELDS[name].default


def test_variables_that_only_look_like_settings_are_found() -> None:
    known = [f"VIBETUNNEL_{name.upper()}" for name in settings.FIELDS]
    known += ["VIBETUNNEL_CONFIG", "VIBETUNNEL_SESSION_ID", "HOME"]
    assert settings.unknown_variables([*known, "VIBETUNNEL_PROT", "VIBETUNNEL_port"]) == [
        "VIBETUNNEL_PROT",
        "VIBETUNNEL_port",
    ]


def test_a_file_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such file"):
        load(file=tmp_path / "none.toml")
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        load(file=tmp_path)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"tls_cert": "/cert.pem"}, "--tls-cert and --tls-key belong together"),
        ({"ping_s": 30.0, "timeout_s": 30.0}, r"--timeout-s \(30 s\) has to be longer than --ping-s \(30 s\)"),
        ({"runtime_dir": "/" + "r" * 100}, "is too long for a socket in it: choose a path of at most 91 bytes"),
    ],
)
def test_settings_that_do_not_fit_together(flags: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load(flags=flags)


def test_paths_are_relative_to_the_file_that_names_them(config: Path) -> None:
    config.write_text('state_dir = "state"\ntls_cert = "~/cert.pem"\ntls_key = "key.pem"')
    found = load(file=config)
    assert found.state_dir == config.parent / "state"
    assert found.tls_cert == Path.home() / "cert.pem"
    assert found.tls_key == config.parent / "key.pem"


def test_a_state_folder_of_its_own_brings_a_runtime_folder_of_its_own() -> None:
    assert load(flags={"state_dir": "/tmp/own"}).runtime_dir == Path("/tmp/own/run")


def test_the_systems_runtime_folder_is_used_only_when_it_is_ours(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    system = home / "system"
    system.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(system))
    assert paths.default_runtime_dir(home) == system / "vibetunnel"
    system.chmod(0o777)
    assert paths.default_runtime_dir(home) == home / "run"


@pytest.mark.parametrize(
    ("bind", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("[::1]", True), ("localhost", True),
     ("0.0.0.0", False), ("::", False), ("192.0.2.1", False), ("box.example", False)],
)  # fmt: skip
def test_what_is_loopback(bind: str, loopback: bool) -> None:
    assert Settings(bind=bind).is_loopback is loopback


def test_lanes_follow_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, lanes in ((1, 1), (2, 1), (4, 2), (64, 16)):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        assert Settings().lanes == lanes
    assert Settings(bulk_lanes=7).lanes == 7
