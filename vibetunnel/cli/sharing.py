"""The verbs about a session's people: links to share, and who is here."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from vibetunnel.cli.options import (
    LOCATION,
    InOrder,
    Session,
    age,
    choose,
    draws,
    duration,
    entry,
    find_server,
    label,
    load,
    one_of,
    plain,
    print_qr,
    print_table,
    say,
    since,
    styled,
    takes_settings,
    until,
)
from vibetunnel.cli.server_client import RunningServer

DAY_S = 86400
IDS = {"ignore_unknown_options": True}  # an id may begin with a hyphen


@click.group(cls=InOrder)
def share() -> None:
    """Links that let others into one session."""


@takes_settings(*LOCATION, "qr")
@share.command()
@click.argument("session", metavar="ID|NAME")
@click.option(
    "--role", type=click.Choice(["view", "type"]), default="view", show_default=True, help="Look only, or type too."
)
@click.option(
    "--expires",
    callback=duration(never=True),
    metavar="DURATION",
    default="1d",
    show_default=True,
    help="Good for; or `never`.",
)
@click.option("--uses", type=click.IntRange(1, 10_000), metavar="N", help="How many may come; default: any number.")
@click.option("--name", default="", help="What its guests are called.")
@click.option("--json", "as_json", is_flag=True, help="The server's own answer, for programs.")
def create(
    config: Path | None,
    session: str,
    role: str,
    expires: int | None,
    uses: int | None,
    name: str,
    as_json: bool,
    **flags: Any,
) -> None:
    """Print a new link to a session."""
    chosen = load(config, flags)
    server = RunningServer(chosen)
    found = choose(server.sessions(), session)
    body = {"role": role, "expires": expires, "uses": uses, "name": name}
    made = server.request("POST", f"/api/sessions/{found['id']}/shares", body)
    if as_json:
        say(json.dumps(made, indent=2))
        return
    entry("Open", styled(made["url"], fg="cyan", underline=True))
    entry("Session", label(found))
    entry("Guests", "may type" if role == "type" else "may look, not type")
    entry("Good", ("until it is revoked" if expires is None else f"for {age(expires)}") + _times(uses))
    entry("Revoke", f"vibetunnel share revoke {found['id'][:8]} {made['id']}")
    if draws() if chosen.qr is None else chosen.qr:
        print_qr(made["url"])


@takes_settings(*LOCATION)
@share.command(name="list")
@click.argument("session", metavar="ID|NAME")
@click.option("--json", "as_json", is_flag=True, help="The server's own answer, for programs.")
def list_shares(config: Path | None, session: str, as_json: bool, **flags: Any) -> None:
    """List the links to a session that are good."""
    server = find_server(config, flags)
    found = choose(server.sessions(), session)
    shares = server.request("GET", f"/api/sessions/{found['id']}/shares", kind=list)
    if as_json:
        say(json.dumps(shares, indent=2))
    elif not shares:
        say(f"Nobody has a link to {label(found)}.")
    else:
        print_table(share_rows(shares, now=datetime.now(UTC)), squeeze=1)


@takes_settings(*LOCATION)
@share.command(context_settings=IDS)
@click.argument("session", metavar="ID|NAME")
@click.argument("link", metavar="SHARE")
def revoke(config: Path | None, session: str, link: str, **flags: Any) -> None:
    """End a link; who came by it is out at once."""
    server = find_server(config, flags)
    found = choose(server.sessions(), session)
    path = f"/api/sessions/{found['id']}/shares"
    wanted = one_of([each["id"] for each in server.request("GET", path, kind=list)], link, "link")
    server.fetch("DELETE", f"{path}/{wanted}")
    say(f"Revoked {plain(wanted)}.")


@takes_settings(*LOCATION)
@click.command(context_settings=IDS)
@click.argument("session", metavar="ID|NAME")
@click.option("--give", metavar="CLIENT", help="Give the keyboard to who has this id.")
@click.option("--take", metavar="CLIENT", help="Take it away.")
@click.option("--put-out", metavar="CLIENT", help="Close what they have open.")
@click.option("--json", "as_json", is_flag=True, help="The server's own answer, for programs.")
def who(
    config: Path | None,
    session: str,
    give: str | None,
    take: str | None,
    put_out: str | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Say who has a session open, and who may type."""
    if sum(each is not None for each in (give, take, put_out)) > 1:
        raise click.UsageError("expected one of --give, --take and --put-out.")
    server = find_server(config, flags)
    found = choose(server.sessions(), session)
    path = f"/api/sessions/{found['id']}/clients"
    people = server.request("GET", path, kind=list)
    client = give or take or put_out
    if client is not None:
        client = one_of([each["id"] for each in people], client, "client")
        if put_out:
            server.fetch("DELETE", f"{path}/{client}")
        else:
            server.fetch("PATCH", f"{path}/{client}", {"writable": take is None})
        people = [each for each in server.request("GET", path, kind=list) if not put_out or each["id"] != client]
    if as_json:
        say(json.dumps(people, indent=2))
    elif not people:
        say(f"Nobody has {label(found)} open.")
    else:
        print_table(people_rows(people, now=datetime.now(UTC)))


# What is decided: pure functions, tried without a server.


def share_rows(shares: Sequence[Session], *, now: datetime) -> list[tuple[str, ...]]:
    """The rows of `share list`."""
    rows: list[tuple[str, ...]] = [("ID", "NAME", "ROLE", "USED", "HERE", "ENDS IN", "BY")]
    for each in shares:
        used = str(each["used"]) if each["uses"] is None else f"{each['used']} of {each['uses']}"
        ends = until(each["expiresAt"], now)
        by = plain(each["createdBy"])
        rows.append((plain(each["id"]), plain(each["name"]), plain(each["role"]), used, str(each["people"]), ends, by))
    return rows


def people_rows(people: Sequence[Session], *, now: datetime) -> list[tuple[str, ...]]:
    """The rows of `who`."""
    rows: list[tuple[str, ...]] = [("WHO", "ROLE", "KEYBOARD", "FOR", "FROM", "ID")]
    for each in people:
        keyboard = "yes" if each["writable"] else "no"
        origin = plain(each.get("address") or "")
        rows.append(
            (plain(each["user"]), plain(each["role"]), keyboard, since(each["since"], now), origin, plain(each["id"]))
        )
    return rows


def _times(uses: int | None) -> str:
    if uses is None:
        return ""
    return ", once" if uses == 1 else f", {uses} times"
