"""The verb `audit`: prints who did what, from the log that the server writes."""

import json
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from vibetunnel import paths
from vibetunnel.cli.options import load, takes_duration, takes_settings
from vibetunnel.cli.output import plain, say, styled, warn

POLL_S = 0.2  # between two looks at whether the log has grown
FIRST = ("time", "action", "result", "user", "address")  # the columns; the other fields follow them
ALARMS = ("login-failure", "lost")

Record = dict[str, Any]


@takes_settings("log_dir", "state_dir")
@click.command()
@click.option("--follow", "-f", is_flag=True, help="Go on printing new records.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@click.option("--user", metavar="NAME", help="Only what this user did, or what others did to the user.")
@takes_duration("--since", help="Only records that are not older than this.")
def audit(
    config: Path | None, follow: bool, as_json: bool, user: str | None, since: float | None, **flags: Any
) -> None:
    """Print who did what: logins, sessions, shares, settings."""
    settings = load(config, flags)
    path = settings.log_dir / paths.AUDIT_LOG
    if not path.parent.exists() and not follow:
        warn(f"nothing has been written to {path} yet")
        return
    for record in _records(path, follow, time.time() - since if since is not None else 0.0):
        if user is None or user in (record.get("user"), record.get("target_user")):
            say(as_line(record) if as_json else as_text(record))


def _records(path: Path, follow: bool, since: float) -> Iterator[Record]:
    from vibetunnel.logs.read import read  # here: `audit --help` needs none of it

    try:
        yield from read(path, since=since, follow=(lambda: time.sleep(POLL_S)) if follow else None)
    except KeyboardInterrupt:
        return  # Ctrl-C ends --follow


def as_line(record: Record) -> str:
    """JSON in ASCII, without control characters."""
    return json.dumps(record).replace("\x7f", "\\u007f")


def as_text(record: Record) -> str:
    """One line for a person. The server has removed control characters; this does not rely on it."""
    action = _shown(record.get("action"))
    columns = [
        f"{_local(_shown(record.get('time'))):<19}",
        styled(f"{action:<14}", fg="yellow" if action in ALARMS else None),
        f"{_shown(record.get('result')):<8}",
        f"{_shown(record.get('user')) or '-':<12}",
        f"{_shown(record.get('address')) or '-':<15}",
    ]
    columns += [f"{_shown(name)}={_shown(value)}" for name, value in record.items() if name not in FIRST]
    return "  ".join(columns).rstrip()


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(_shown, value))
    return "" if value is None else plain(value if isinstance(value, str) else json.dumps(value))


def _local(stamp: str) -> str:
    try:
        return datetime.fromisoformat(stamp).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError):
        return stamp
