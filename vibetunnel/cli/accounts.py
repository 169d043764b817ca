"""The verbs about accounts and credentials: user, token, keys, logins, revoke.

If no server runs, `user`, `token` and `keys` change its files; meanwhile none can start.
"""

import contextlib
import json
import sys
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import click

from vibetunnel.cli.choose import choose, one_of
from vibetunnel.cli.errors import UserError
from vibetunnel.cli.options import IDS, LOCATION, InOrder, find_server, load, takes_duration, takes_settings
from vibetunnel.cli.output import count, entry, plain, print_table, say, since, until
from vibetunnel.cli.server_client import Answer, NotRunning, RunningServer
from vibetunnel.security.principal import Role, Scope

MAX_PASSWORD = 4096  # bytes that are read; the server takes fewer, and says so
MAX_KEY_FILE = 1024 * 1024  # bytes
OFFLINE = (*LOCATION, "jwt_algorithm")  # the settings that a verb needs to write the server's files


class Accounts(Protocol):
    """Changes of accounts and credentials, made by a running server or on its files. Answers are those of REST.

    Methods raise as RunningServer.request() does, or VibeTunnelError.
    """

    def users(self) -> list[Answer]: ...
    def add_user(self, name: str, role: str, password: str | None) -> None: ...
    def change_user(self, name: str, change: Mapping[str, object]) -> None: ...
    def remove_user(self, name: str) -> None: ...
    def add_key(self, name: str, line: str) -> None: ...
    def remove_key(self, name: str, fingerprint: str) -> None: ...
    def tokens(self) -> list[Answer]: ...
    def create_token(self, wanted: Mapping[str, object]) -> Answer: ...
    def revoke_token(self, token_id: str) -> None: ...
    def rotate_keys(self, *, forget: bool) -> None: ...


class RemoteAccounts:
    """The changes are made by the running server."""

    def __init__(self, server: RunningServer) -> None:
        self._server = server

    def users(self) -> list[Answer]:
        found: list[Answer] = self._server.request("GET", "/api/users", kind=list)
        return found

    def add_user(self, name: str, role: str, password: str | None) -> None:
        body = {"name": name, "role": role} | ({} if password is None else {"password": password})
        self._server.fetch("POST", "/api/users", body)

    def change_user(self, name: str, change: Mapping[str, object]) -> None:
        self._server.fetch("PATCH", f"/api/users/{_quoted(name)}", dict(change))

    def remove_user(self, name: str) -> None:
        self._server.fetch("DELETE", f"/api/users/{_quoted(name)}")

    def add_key(self, name: str, line: str) -> None:
        self._server.fetch("POST", f"/api/users/{_quoted(name)}/keys", {"key": line})

    def remove_key(self, name: str, fingerprint: str) -> None:
        self._server.fetch("DELETE", f"/api/users/{_quoted(name)}/keys/{_quoted(fingerprint)}")

    def tokens(self) -> list[Answer]:
        found: list[Answer] = self._server.request("GET", "/api/tokens", kind=list)
        return found

    def create_token(self, wanted: Mapping[str, object]) -> Answer:
        body = dict(wanted)
        if "sessionId" in body:
            body["sessionId"] = choose(self._server.sessions(), str(body["sessionId"]))["id"]
        made: Answer = self._server.request("POST", "/api/tokens", body)
        return made

    def revoke_token(self, token_id: str) -> None:
        self._server.fetch("DELETE", f"/api/tokens/{_quoted(token_id)}")

    def rotate_keys(self, *, forget: bool) -> None:
        self._server.fetch("POST", "/api/auth/rotate-keys", {"forget": forget})


@contextlib.contextmanager
def _accounts(config: Path | None, flags: dict[str, Any]) -> Iterator[Accounts]:
    chosen = load(config, flags)
    try:
        server = RunningServer(chosen)
    except NotRunning:
        from vibetunnel.cli.local_accounts import LocalAccounts  # here: it imports half a server

        with LocalAccounts(chosen) as files:
            yield files
    else:
        yield RemoteAccounts(server)


# Users


@click.group(cls=InOrder)
def user() -> None:
    """Manage the accounts that may log in."""


def takes_password(command: click.Command) -> click.Command:
    """Add --password-stdin to a command. No option takes the password itself: `ps` would show it."""
    option = click.Option(["--password-stdin"], is_flag=True, help="Read the password from standard input.")
    command.params.append(option)
    return command


ROLES = click.Choice([role.value for role in Role])


@takes_settings(*OFFLINE)
@takes_password
@user.command()
@click.argument("name")
@click.option("--role", type=ROLES, default="writer", show_default=True, help="What the user may do.")
@click.option("--no-password", is_flag=True, help="Give the user no password: only SSH keys log in.")
def add(config: Path | None, name: str, role: str, no_password: bool, password_stdin: bool, **flags: Any) -> None:
    """Add a user.

    \b
    viewer  sees every session
    writer  types, makes, shares and ends sessions too
    owner   manages users too
    """
    if no_password and password_stdin:
        raise click.UsageError("give --no-password or --password-stdin, not both.")
    password = None if no_password else read_password(stdin=password_stdin)
    with _accounts(config, flags) as accounts:
        accounts.add_user(name, role, password)
    say(f"Added {plain(name)}, {role}.")


@takes_settings(*OFFLINE)
@takes_password
@user.command()
@click.argument("name")
def passwd(config: Path | None, name: str, password_stdin: bool, **flags: Any) -> None:
    """Change a user's password, and end the user's logins and tokens."""
    password = read_password(stdin=password_stdin)
    with _accounts(config, flags) as accounts:
        accounts.change_user(name, {"password": password})
    say(f"Changed the password of {plain(name)}.")


@takes_settings(*OFFLINE)
@user.command()
@click.argument("name")
@click.argument("role", type=ROLES)
def role(config: Path | None, name: str, role: str, **flags: Any) -> None:
    """Change a user's role, at once."""
    with _accounts(config, flags) as accounts:
        accounts.change_user(name, {"role": role})
    say(f"{plain(name)} is {role} now.")


@takes_settings(*OFFLINE)
@user.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print the server's answer as JSON.")
def list_users(config: Path | None, as_json: bool, **flags: Any) -> None:
    """List the users."""
    with _accounts(config, flags) as accounts:
        users = accounts.users()
    if as_json:
        say(json.dumps(users, indent=2))
    elif not users:
        say("No users: `vibetunnel link` prints a link that logs the owner in.")
    else:
        print_table(user_rows(users, now=datetime.now(UTC)))


@takes_settings(*OFFLINE)
@user.command()
@click.argument("name")
def disable(config: Path | None, name: str, **flags: Any) -> None:
    """Disable a user, and end the user's logins and tokens at once."""
    with _accounts(config, flags) as accounts:
        accounts.change_user(name, {"disabled": True})
    say(f"Disabled {plain(name)}.")


@takes_settings(*OFFLINE)
@user.command()
@click.argument("name")
def enable(config: Path | None, name: str, **flags: Any) -> None:
    """Enable a user that was disabled."""
    with _accounts(config, flags) as accounts:
        accounts.change_user(name, {"disabled": False})
    say(f"Enabled {plain(name)}.")


@takes_settings(*OFFLINE)
@user.command()
@click.argument("name")
def rm(config: Path | None, name: str, **flags: Any) -> None:
    """Remove a user, with all logins and tokens."""
    with _accounts(config, flags) as accounts:
        accounts.remove_user(name)
    say(f"Removed {plain(name)}.")


@user.group(cls=InOrder)
def key() -> None:
    """Manage the SSH keys that log a user in (--enable-ssh-keys)."""


@takes_settings(*OFFLINE)
@key.command(name="add")
@click.argument("name")
@click.argument("file", type=click.File("rb"), metavar="FILE|-")
def add_key(config: Path | None, name: str, file: Any, **flags: Any) -> None:
    """Add the public keys in a file, such as ~/.ssh/id_ed25519.pub."""
    lines = key_lines(file.read(MAX_KEY_FILE + 1))
    with _accounts(config, flags) as accounts:
        for line in lines:
            accounts.add_key(name, line)
    say(f"Added {count(len(lines), 'key')} of {plain(name)}.")


@takes_settings(*OFFLINE)
@key.command(name="list")
@click.argument("name")
def list_keys(config: Path | None, name: str, **flags: Any) -> None:
    """List the keys of a user."""
    with _accounts(config, flags) as accounts:
        found = user_named(accounts.users(), name)
    if not found["keys"]:
        say(f"{plain(name)} has no keys.")
        return
    rows = [(plain(each["fingerprint"]), plain(each["type"]), plain(each["comment"])) for each in found["keys"]]
    print_table([("FINGERPRINT", "TYPE", "COMMENT"), *rows])


@takes_settings(*OFFLINE)
@key.command(name="rm")
@click.argument("name")
@click.argument("key", metavar="FINGERPRINT|COMMENT")
def remove_key(config: Path | None, name: str, key: str, **flags: Any) -> None:
    """Remove a key of a user."""
    with _accounts(config, flags) as accounts:
        fingerprint = fingerprint_of(user_named(accounts.users(), name), key)
        accounts.remove_key(name, fingerprint)
    say(f"Removed {plain(fingerprint)}.")


# Tokens and keys


@click.group(cls=InOrder)
def token() -> None:
    """Manage the tokens that programs use for the API."""


def _scopes(_context: click.Context, _parameter: click.Parameter, value: str) -> list[str]:
    words = [each.strip().lower() for each in value.split(",")]
    known = [str(each.name).lower() for each in Scope]
    if not all(word in known for word in words):
        raise click.BadParameter(f"expected one or more of {', '.join(known)}, with commas, got {plain(value)!r}")
    return list(dict.fromkeys(words))


@takes_settings(*OFFLINE)
@token.command(name="create")
@click.option("--name", default="", help="What the token is for.")
@click.option(
    "--scope",
    required=True,
    callback=_scopes,
    metavar="SCOPE,...",
    help="What it may do: view, type, control, admin, files.",
)
@takes_duration("--expires", default="30 d", help="Expires after this long, 366 d at most.")
@click.option("--session", metavar="ID|NAME", help="Allow this session only.")
@click.option("--user", metavar="NAME", help="Act as this user; default: the account that runs the server.")
@click.option("--json", "as_json", is_flag=True, help="Print the server's answer as JSON.")
def create_token(
    config: Path | None,
    name: str,
    scope: list[str],
    expires: float,
    session: str | None,
    user: str | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Print a new token. It is not shown again."""
    wanted = {"name": name, "scope": scope, "expires": round(expires)}
    wanted |= {} if session is None else {"sessionId": session}
    wanted |= {} if user is None else {"user": user}
    with _accounts(config, flags) as accounts:
        made = accounts.create_token(wanted)
    if as_json:
        say(json.dumps(made, indent=2))
        return
    say(made["token"])
    if sys.stdout.isatty():  # a program that reads this gets the token alone
        entry("Scope", ", ".join(made["scope"]))
        entry("Ends in", until(made["expiresAt"], datetime.now(UTC)))
        entry("Revoke", f"vibetunnel token revoke {made['id']}")


@takes_settings(*OFFLINE)
@token.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print the server's answer as JSON.")
def list_tokens(config: Path | None, as_json: bool, **flags: Any) -> None:
    """List the tokens, without their secrets."""
    with _accounts(config, flags) as accounts:
        tokens = accounts.tokens()
    if as_json:
        say(json.dumps(tokens, indent=2))
    elif not tokens:
        say("No tokens.")
    else:
        print_table(token_rows(tokens, now=datetime.now(UTC)), squeeze=1)


@takes_settings(*OFFLINE)
@token.command(name="revoke", context_settings=IDS)
@click.argument("token", metavar="ID")
def revoke_token(config: Path | None, token: str, **flags: Any) -> None:
    """Revoke a token, and close the connections opened with it, at once."""
    with _accounts(config, flags) as accounts:
        wanted = one_of([each["id"] for each in accounts.tokens()], token, "token")
        accounts.revoke_token(wanted)
    say(f"Revoked {plain(wanted)}.")


@click.group(cls=InOrder)
def keys() -> None:
    """Manage the keys that sign tokens."""


@takes_settings(*OFFLINE)
@keys.command()
@click.option("--forget", is_flag=True, help="Make all present tokens invalid: for a stolen key.")
def rotate(config: Path | None, forget: bool, **flags: Any) -> None:
    """Sign new tokens with a new key. Present tokens stay valid."""
    with _accounts(config, flags) as accounts:
        accounts.rotate_keys(forget=forget)
    say("New tokens are signed with a new key.")


# Logins


@takes_settings(*LOCATION)
@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the server's answer as JSON.")
def logins(config: Path | None, as_json: bool, **flags: Any) -> None:
    """List the logins, with their users and addresses."""
    found = find_server(config, flags).request("GET", "/api/logins", kind=list)
    if as_json:
        say(json.dumps(found, indent=2))
    elif not found:
        say("No logins.")
    else:
        print_table(login_rows(found, now=datetime.now(UTC)))


@takes_settings(*LOCATION)
@click.command(context_settings=IDS)
@click.argument("wanted", metavar="USER|LOGIN")
def revoke(config: Path | None, wanted: str, **flags: Any) -> None:
    """End one login, or all logins and tokens of a user.

    Their sockets close at once.
    """
    server = find_server(config, flags)
    found = server.request("GET", "/api/logins", kind=list)
    users = [each["name"] for each in server.request("GET", "/api/users", kind=list)]
    owners = [each["user"] for each in server.request("GET", "/api/tokens", kind=list)]
    chosen = whom(wanted, found, [*users, *owners])
    ended = server.request("POST", "/api/auth/revoke", chosen)["ended"]
    (what,) = chosen.values()
    say(f"Ended {count(ended, 'login or token') if ended == 1 else f'{ended} logins and tokens'} of {plain(what)}.")


# Pure functions.


def whom(wanted: str, logins: Sequence[Answer], users: Sequence[str]) -> dict[str, str]:
    """The body for POST /api/auth/revoke: {"user": name} or {"login": id}. Raises UserError."""
    ids = [each["id"] for each in logins]
    if wanted in ids:
        return {"login": wanted}
    if wanted in users or any(each["user"] == wanted and not each["guest"] for each in logins):
        return {"user": wanted}
    return {"login": one_of(ids, wanted, "user or login")}


def user_named(users: Sequence[Answer], name: str) -> Answer:
    """The user of this name. Raises UserError."""
    for each in users:
        if each["name"] == name:
            return each
    raise UserError(f"there is no user {plain(name)!r}: `vibetunnel user list` lists them")


def fingerprint_of(user: Answer, wanted: str) -> str:
    """The fingerprint of the key that has this comment or fingerprint (without `SHA256:` too). Raises UserError."""
    fingerprints = [each["fingerprint"] for each in user["keys"]]
    for each in fingerprints:
        if wanted in (each, each.removeprefix("SHA256:")):
            return str(each)
    named = [each["fingerprint"] for each in user["keys"] if each["comment"] == wanted]
    if len(named) > 1:
        raise UserError(f"{plain(wanted)!r} is the comment of more than one key: give a fingerprint")
    if not named:
        raise UserError(f"{plain(user['name'])} has no key {plain(wanted)!r}: `vibetunnel user key list` lists them")
    return str(named[0])


def key_lines(data: bytes) -> list[str]:
    """The lines with keys in the contents of one or more .pub files. Raises UserError."""
    if b"PRIVATE KEY" in data:
        raise UserError("this is a private key, which never leaves its owner: give the .pub file beside it")
    lines = [line.strip() for line in data.decode(errors="replace").splitlines()]
    found = [line for line in lines if line and not line.startswith("#")]
    if not found or len(data) > MAX_KEY_FILE:
        raise UserError("the file has no public key: give a file such as ~/.ssh/id_ed25519.pub")
    return found


def user_rows(users: Sequence[Answer], *, now: datetime) -> list[tuple[str, ...]]:
    """The rows of `user list`."""
    rows: list[tuple[str, ...]] = [("NAME", "ROLE", "STATE", "PASSWORD", "KEYS", "AGE")]
    for each in users:
        state = "disabled" if each["disabled"] else "enabled"
        password = "yes" if each["hasPassword"] else "no"
        created = since(each["createdAt"], now)
        rows.append((plain(each["name"]), plain(each["role"]), state, password, str(len(each["keys"])), created))
    return rows


def token_rows(tokens: Sequence[Answer], *, now: datetime) -> list[tuple[str, ...]]:
    """The rows of `token list`."""
    rows: list[tuple[str, ...]] = [("ID", "NAME", "USER", "SCOPE", "SESSION", "AGE", "ENDS IN")]
    for each in tokens:
        scope, session = ",".join(each["scope"]), plain(each["sessionId"])[:8]
        times = since(each["createdAt"], now), until(each["expiresAt"], now)
        rows.append((plain(each["id"]), plain(each["name"]), plain(each["user"]), plain(scope), session, *times))
    return rows


def login_rows(logins: Sequence[Answer], *, now: datetime) -> list[tuple[str, ...]]:
    """The rows of `logins`."""
    rows: list[tuple[str, ...]] = [("ID", "USER", "BY", "AGE", "LAST USED", "FROM", "BROWSER")]
    for each in logins:
        name = plain(each["user"]) + (" (guest)" if each["guest"] else "")
        used = since(each["lastUsedAt"], now) + " ago"
        origin, agent = plain(each["address"]), plain(each["agent"])
        rows.append(
            (plain(each["id"]), name, plain(each["method"]), since(each["createdAt"], now), used, origin, agent)
        )
    return rows


def _quoted(part: str) -> str:
    return urllib.parse.quote(part, safe="", errors="replace")


def read_password(*, stdin: bool) -> str:
    """The first line of standard input, or what the user types twice, without echo. Raises UserError."""
    if stdin:
        line = sys.stdin.buffer.readline(MAX_PASSWORD)
        try:
            password = line.removesuffix(b"\n").removesuffix(b"\r").decode()
        except UnicodeDecodeError:
            raise UserError("the password on standard input is not UTF-8") from None
        if not password:
            raise UserError("standard input has no password: expected it on the first line")
        return password
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask for the password on: use --password-stdin.")
    typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return typed
