"""Errors of the command line: each is one sentence on standard error, and an exit code."""

import sys
from typing import Any

import click

from vibetunnel.cli.terminal_text import safe

TIMED_OUT = 124  # as timeout(1) has it


class UserError(click.ClickException):
    """An error whose message is all that the user needs: no traceback, no usage."""

    def show(self, file: Any = None) -> None:  # Any: click's own IO[Any] | None
        click.echo(safe(f"vibetunnel: {self.message}", file or sys.stderr), err=True, file=file)


class Unwritable(UserError):
    """Standard output cannot be written."""


class Misconfigured(UserError):
    """Invalid settings: exit code 2, as for an unknown flag."""

    exit_code = 2


class TimedOut(UserError):
    """The condition of `wait` was not met in time."""

    exit_code = TIMED_OUT
