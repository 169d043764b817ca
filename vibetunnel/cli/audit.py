"""`vibetunnel audit`: who did what, from the log that the server writes."""

import json
import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from vibetunnel import paths
from vibetunnel.cli.options import load, plain, say, styled, takes_settings, warn

POLL_S = 0.2  # between two looks whether the log has grown
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
FIRST = ("time", "action", "result", "user", "address")  # the columns; what else a record has comes behind them
ALARMS = ("login-failure", "lost")

Record = dict[str, Any]


def _seconds(_context: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,9})([smhdw])", text, re.ASCII)
    if found is None:
        raise click.BadParameter(f"expected a number and s, m, h, d or w, such as 30m or 7d, got {plain(text)}")
    return float(found[1]) * UNITS_S[found[2]]


@takes_settings("log_dir", "state_dir")
@click.command()
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
@click.option("--user", metavar="NAME", help="Only what this user did, or what was done to them.")
@click.option("--since", metavar="TIME", callback=_seconds, help="Only the last 30m, 12h, 7d, ...")
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
    from vibetunnel.logs.read import read  # here: the other verbs start without it

    try:
        yield from read(path, since=since, follow=(lambda: time.sleep(POLL_S)) if follow else None)
    except KeyboardInterrupt:
        return  # that is how one stops to follow


def as_line(record: Record) -> str:
    """JSON in ASCII: nothing in it can move a cursor."""
    return json.dumps(record).replace("\x7f", "\\u007f")


def as_text(record: Record) -> str:
    """One line for a person. The log is clean when the server writes it; who reads it does not rely on that."""
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
