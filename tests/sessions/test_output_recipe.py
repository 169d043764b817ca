"""The recipe of docs/automation.md for a command's output, as it stands there, with real shells."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from harness import Running, Serve, calm_fish

from vibetunnel.sessions.command_output import BYTES_LIMIT, COMMANDS_LIMIT, TEXT_LIMIT
from vibetunnel.sessions.waits import FIRST_PROMPT_S
from vibetunnel.shell import SCRIPTS

PAGE = (Path(__file__).parents[2] / "docs" / "automation.md").read_text(encoding="utf-8")
RECIPE = re.search(r"^## Commands\n.*?^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[1]  # type: ignore[index]
EXAMPLE = r"printf abc\n"  # the command of the recipe, as it stands in its JSON

# What a person types, its output, and its exit code.
COMMANDS = [
    ("printf abc", "abc", 0),
    ("echo abc", "abc\n", 0),
    ("true", "", 0),
    ("clear; echo hi", "hi\n", 0),
    ("printf '\\n a\\tb \\n\\n'", "\n a\tb \n\n", 0),
    ("printf '10%%\\r100%%\\n'", "100%\n", 0),
    ("sh -c 'echo oops >&2; exit 3'", "oops\n", 3),
    ("seq 1 3; printf end", "1\n2\n3\nend", 0),
]


async def shell(serve: Serve, folder: Path, name: str) -> tuple[Running, str]:
    """A login shell with the server's script, at its first prompt."""
    server = await serve(shell=shutil.which(name) or name, shell_integration=True)
    calm_fish(folder)
    config = folder / ".config" / "fish"
    config.mkdir(parents=True)
    (folder / ".zshrc").touch()  # or zsh asks what to do
    (config / "config.fish").write_text("set -g fish_greeting\n")
    session = await server.session(env={"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / ".config")})
    path = f"/api/sessions/{session}"
    await server.json("POST", f"{path}/resize", {"rows": 24, "cols": 80})  # starts it
    await server.json("POST", f"{path}/wait", {"prompt": True})
    return server, path


async def by_recipe(server: Running, path: str, command: str) -> Any:
    """Run the lines of the page in sh; the last line of output is the answer to the last request."""
    assert EXAMPLE in RECIPE
    quoted = json.dumps(command + "\n")[1:-1].replace("'", "'\\''")
    script = RECIPE.replace(EXAMPLE, quoted).replace("curl ", "curl -sS -w '\\n' ")
    variables = os.environ | {"secret": server.server.context.secret, "S": server.server.local_url + path}
    ran = await asyncio.create_subprocess_exec("sh", "-ec", script, env=variables, stdout=asyncio.subprocess.PIPE)
    answer, _ = await ran.communicate()
    assert ran.returncode == 0
    return json.loads(answer.decode().strip().split("\n")[-1])


@pytest.mark.parametrize("name", list(SCRIPTS))
async def test_the_answer_has_the_output_and_the_exit_code(serve: Serve, tmp_path: Path, name: str) -> None:
    server, path = await shell(serve, tmp_path, name)
    for command, text, code in COMMANDS:
        answer = (await by_recipe(server, path, command))["command"]
        assert (answer["command"], answer["output"]["text"], answer["exitCode"]) == (command, text, code)
        assert "cut" not in answer["output"]
    listed = await server.json("GET", f"{path}/commands")
    assert [each["output"]["text"] for each in listed] == [text for _, text, _ in COMMANDS]


async def test_output_beyond_the_limits_is_cut_and_says_so(serve: Serve, tmp_path: Path) -> None:
    server, path = await shell(serve, tmp_path, "bash")
    for last in (20_000, 100_000):  # more than a text, and more than the ring
        output = (await by_recipe(server, path, f"seq 1 {last}"))["command"]["output"]
        assert output["cut"] is True
        lines = output["text"].split("\n")
        assert TEXT_LIMIT - 8 <= len(output["text"]) <= TEXT_LIMIT
        assert lines == [*map(str, range(last - len(lines) + 2, last + 1)), ""]
    first, second = await server.json("GET", f"{path}/commands")
    assert second["output"]["text"] == output["text"]
    assert first["output"]["cut"] is True  # the limit is for all of them
    assert len(first["output"]["text"]) + len(output["text"]) <= TEXT_LIMIT


def test_the_limits_of_the_page_are_those_of_the_code() -> None:
    prose = " ".join(PAGE.split())
    assert f"at most {TEXT_LIMIT:,} characters, and comes from the newest {BYTES_LIMIT // 1024} KiB" in prose
    assert f"at most the newest {COMMANDS_LIMIT} of them and {TEXT_LIMIT:,} characters in all" in prose
    assert f"less than {FIRST_PROMPT_S:g} seconds ago" in prose
