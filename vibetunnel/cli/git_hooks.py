"""The verb that git hooks call: git-event."""

import os
from pathlib import Path
from typing import Any

import click

from vibetunnel.cli.options import LOCATION, find_server, takes_settings

EVENTS = ("commit", "checkout", "merge", "rebase", "other")


@takes_settings(*LOCATION)
@click.command()
@click.option("--event", type=click.Choice(EVENTS), default="other", show_default=True, help="What has happened.")
@click.option("--repo", metavar="FOLDER", default="", help="A folder of the repository; default: the current folder.")
def git_event(config: Path | None, event: str, repo: str, **flags: Any) -> None:
    """Tell the server that a repository has changed. Git hooks call this."""
    body = {"repoPath": os.path.abspath(repo), "event": event}
    find_server(config, flags).request("POST", "/api/git/event", body)
