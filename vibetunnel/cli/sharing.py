"""The verbs about the people of a session: share, who."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from vibetunnel.cli.choose import choose, label, one_of
from vibetunnel.cli.options import IDS, LOCATION, InOrder, find_server, load, takes_duration, takes_settings
from vibetunnel.cli.output import draws, entry, plain, print_qr, print_table, say, since, styled, until
from vibetunnel.cli.server_client import Answer, RunningServer
from vibetunnel.units import show_duration


@click.group(cls=InOrder)
def share() -> None:
    """Manage links that let others into one session."""


@takes_settings(*LOCATION, "qr")
@share.command()
@click.argument("session", metavar="ID|NAME")
@click.option(
    "--role", type=click.Choice(["view", "type"]), default="view", show_default=True, help="Watch only, or type too."
)
@takes_duration("--expires", metavar="DURATION|never", default="1 d", help="Expires after this long, or `never`.")
@click.option(
    "--uses",
    type=click.IntRange(1, 10_000),
    metavar="N",
    help="How often it works; default: any number.",
)
@click.option("--name", default="", help="Name of the guests that use the link.")
@click.option("--files", is_flag=True, help="Let guests also read the files below the session's folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the server's answer as JSON.")
def create(
    config: Path | None,
    session: str,
    role: str,
    expires: float | None,
    uses: int | None,
    name: str,
    files: bool,
    as_json: bool,
    **flags: Any,
) -> None:
    """Print a new link to a session."""
    chosen = load(config, flags)
    server = RunningServer(chosen)
    found = choose(server.sessions(), session)
    ends = None if expires is None else round(expires)
    body = {"role": role, "expires": ends, "uses": uses, "name": name, "files": files}
    made = server.request("POST", f"/api/sessions/{found['id']}/shares", body)
    if as_json:
        say(json.dumps(made, indent=2))
        return
    entry("Open", styled(made["url"], fg="cyan", underline=True))
    entry("Session", label(found))
    entry("Guests", ("may type" if role == "type" else "may watch, not type") + (", may read files" if files else ""))
    entry("Valid", ("until it is revoked" if expires is None else f"for {show_duration(expires)}") + _times(uses))
    entry("Revoke", f"vibetunnel share revoke {found['id'][:8]} {made['id']}")
    if draws() if chosen.qr is None else chosen.qr:
        print_qr(made["url"])


@takes_settings(*LOCATION)
@share.command(name="list")
@click.argument("session", metavar="ID|NAME")
@click.option("--json", "as_json", is_flag=True, help="Print the server's answer as JSON.")
def list_shares(config: Path | None, session: str, as_json: bool, **flags: Any) -> None:
    """List the valid links to a session."""
    server = find_server(config, flags)
    found = choose(server.sessions(), session)
    shares = server.request("GET", f"/api/sessions/{found['id']}/shares", kind=list)
    if as_json:
        say(json.dumps(shares, indent=2))
    elif not shares:
        say(f"No links to {label(found)}.")
    else:
        print_table(share_rows(shares, now=datetime.now(UTC)), squeeze=1)


@takes_settings(*LOCATION)
@share.command(context_settings=IDS)
@click.argument("session", metavar="ID|NAME")
@click.argument("link", metavar="SHARE")
def revoke(config: Path | None, session: str, link: str, **flags: Any) -> None:
    """Revoke a link, and disconnect its guests at once."""
    server = find_server(config, flags)
    found = choose(server.sessions(), session)
    path = f"/api/sessions/{found['id']}/shares"
    wanted = one_of([each["id"] for each in server.request("GET", path, kind=list)], link, "link")
    server.fetch("DELETE", f"{path}/{wanted}")
    say(f"Revoked {plain(wanted)}.")


@takes_settings(*LOCATION)
@click.command(context_settings=IDS)
@click.argument("session", metavar="ID|NAME")
@click.option("--give", metavar="CLIENT", help="Let this client type.")
@click.option("--take", metavar="CLIENT", help="Let this client type no longer.")
@click.option("--put-out", metavar="CLIENT", help="Disconnect this client.")
@click.option("--json", "as_json", is_flag=True, help="Print the server's answer as JSON.")
def who(
    config: Path | None,
    session: str,
    give: str | None,
    take: str | None,
    put_out: str | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """List the clients of a session, and whether they may type."""
    if sum(each is not None for each in (give, take, put_out)) > 1:
        raise click.UsageError("give only one of --give, --take and --put-out.")
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
        say(f"No clients are attached to {label(found)}.")
    else:
        print_table(people_rows(people, now=datetime.now(UTC)))


# Pure functions.


def share_rows(shares: Sequence[Answer], *, now: datetime) -> list[tuple[str, ...]]:
    """The rows of `share list`."""
    rows: list[tuple[str, ...]] = [("ID", "NAME", "ROLE", "USED", "HERE", "ENDS IN", "BY")]
    for each in shares:
        used = str(each["used"]) if each["uses"] is None else f"{each['used']} of {each['uses']}"
        ends = until(each["expiresAt"], now)
        by = plain(each["createdBy"])
        rows.append((plain(each["id"]), plain(each["name"]), plain(each["role"]), used, str(each["people"]), ends, by))
    return rows


def people_rows(people: Sequence[Answer], *, now: datetime) -> list[tuple[str, ...]]:
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
