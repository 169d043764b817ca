#!/usr/bin/env python3
"""A stand-in for zellij, which Debian does not have: the commands that the server uses, as `zellij --help` has them.

A session is a file in $ZELLIJ_SOCKET_DIR with `running` or `exited` in it. $ZELLIJ_SOCKET_DIR/.asked gets each call.
"""

import json
import os
import sys
from pathlib import Path

FOLDER = Path(os.environ["ZELLIJ_SOCKET_DIR"])


def fail(code: int, message: str) -> None:
    print(message, file=sys.stderr)
    sys.exit(code)


def operands(words: list[str]) -> list[str]:
    """What is no option. After `--` nothing is one."""
    end = words.index("--") if "--" in words else len(words)
    return [each for each in words[:end] if not each.startswith("-")] + words[end + 1 :]


def main() -> None:
    words = sys.argv[1:]
    with open(FOLDER / ".asked", "a", encoding="utf-8") as asked:
        inside = sorted(name for name in os.environ if name in ("ZELLIJ", "TMUX", "STY"))
        asked.write(json.dumps({"words": words, "inside": inside}) + "\n")
    while words and words[0].startswith("--layout="):
        words.pop(0)
    command, *rest = words
    known = {each.name: each.read_text() for each in sorted(FOLDER.iterdir()) if not each.name.startswith(".")}
    if command == "list-sessions":
        if not known:
            fail(1, "No active zellij sessions found.")
        assert rest == ["--no-formatting"]
        for name, state in known.items():
            print(f"{name} [Created 1m 2s ago] {'(EXITED - attach to resurrect)' if state == 'exited' else ''}")
        return
    (name,) = operands(rest)
    if command == "attach":
        if name not in known and not {"--create", "--create-background"} & set(rest):
            fail(1, f"No session named {name!r} found.")
        (FOLDER / name).write_text("running")
        if "--create-background" not in rest:
            print(f"inside {name}", flush=True)
            sys.stdin.read()
    elif command == "delete-session":
        if name not in known or (known[name] == "running" and "--force" not in rest):
            fail(2, f"Session: {name!r} not found.")
        (FOLDER / name).unlink()
        if known[name] == "unsaved":  # ended, but there was nothing to delete: as zellij does
            fail(2, f"Session: {name!r} not found.")
    else:
        fail(2, f"error: unrecognized subcommand {command!r}")


main()
