"""The command line: `vibetunnel` starts the server, its verbs talk to the server that runs."""

import importlib
import io
import os
import sys
from typing import Any

import click

from vibetunnel import __version__
from vibetunnel.cli.errors import Misconfigured, UserError
from vibetunnel.cli.options import InOrder
from vibetunnel.cli.server_client import NotRunning, ServerRefused
from vibetunnel.errors import VibeTunnelError
from vibetunnel.paths import NotPrivate
from vibetunnel.settings import SettingsError

# Command -> the module of this package that has it, under the command's name. A command imports no other one's module:
# this keeps the verbs quick and the server small.
COMMANDS = {
    "serve": "serve",
    "ls": "sessions",
    "kill": "sessions",
    "rm": "sessions",
    "text": "sessions",
    "wait": "sessions",
    "shell-integration": "sessions",
    "status": "serve",
    "stop": "serve",
    "link": "serve",
    "version": "serve",
    "share": "sharing",
    "who": "sharing",
    "user": "accounts",
    "token": "accounts",
    "keys": "accounts",
    "logins": "accounts",
    "revoke": "accounts",
    "audit": "audit",
    "git-event": "git_hooks",
}


class CommandGroup(InOrder):
    """The verbs: `serve` if none is named. An error is one sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"vibetunnel.cli.{COMMANDS[cmd_name]}")
        found: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return found

    def main(self, *args: Any, **kwargs: Any) -> Any:  # Any: click's own
        _open_standard_streams()
        return super().main(*args, **kwargs)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "-h", "--version")):
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:  # Any: what a command returns, as click has it
        try:
            return super().invoke(ctx)
        except SettingsError as error:
            raise Misconfigured(str(error)) from error
        except (NotPrivate, NotRunning, ServerRefused, VibeTunnelError) as error:
            raise UserError(str(error)) from error


@click.group(
    cls=CommandGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Without a command, `vibetunnel` serves: `vibetunnel serve --help` lists the options.",
)
@click.version_option(__version__, prog_name="vibetunnel", message="%(prog)s %(version)s")
def main() -> None:
    """Your terminal in any browser.

    Sessions outlive the browser, the network and the server.
    """


def _open_standard_streams() -> None:
    """Open /dev/null as each standard stream that our parent has closed.

    Otherwise the first sockets would get the descriptors 0 to 2, and what we print would go into them.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 (open for the whole life)
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a name may have characters that this terminal's encoding lacks
