"""What a program that is asked may cost: time, output, and the number of those that wait."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import until

from vibetunnel.multiplexers import commands as commands_module
from vibetunnel.multiplexers.commands import OUTPUT, WAITING, Commands
from vibetunnel.multiplexers.errors import MultiplexerBusy, MultiplexerFailed, MultiplexerMissing

Made = Callable[..., Commands]


@pytest.fixture
def script(folder: Path) -> Iterator[Made]:
    """`script("exit 3")` makes commands whose program `prog` is this shell script."""
    made: list[Commands] = []

    def make(text: str, **given: float) -> Commands:
        (folder / "prog").write_text(f"#!/bin/sh\n{text}\n")
        (folder / "prog").chmod(0o755)
        environment = {"PATH": f"{folder}:{os.environ['PATH']}"}
        made.append(Commands(environment, str(folder), **given))
        return made[-1]

    yield make
    for each in made:
        each.close()


async def test_output_and_exit_code_are_returned(script: Made) -> None:
    ran = await script("echo out; echo bad >&2; exit 3").run("prog")
    assert (ran.code, ran.output, ran.error, ran.reason) == (3, "out\n", "bad\n", "bad")


async def test_arguments_arrive_as_they_are(script: Made) -> None:
    ran = await script("for each; do printf '<%s>' \"$each\"; done").run("prog", "$(id)", "a  b", "", "'", "\\")
    assert ran.output == "<$(id)><a  b><><'><\\>"


async def test_a_reason_is_one_line_that_a_terminal_can_show(script: Made) -> None:
    ran = await script(r"printf 'a\033[31mb\nc' >&2; exit 1").run("prog")
    assert ran.reason == "a[31mb"
    assert (await script("exit 9").run("prog")).reason == "exit code 9"


async def test_a_program_that_does_not_answer_is_killed(script: Made, folder: Path) -> None:
    commands = script("echo $$ > pid; exec sleep 1000", limit_s=0.3)
    with pytest.raises(MultiplexerBusy, match="does not answer"):
        await commands.run("prog")
    with pytest.raises(ProcessLookupError):
        os.kill(int((folder / "pid").read_text()), 0)


async def test_a_program_that_has_closed_its_output_is_waited_for_alone(
    script: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands_module, "TICK_S", 1000.0)  # nothing is waited for that long
    assert (await script("echo made; exec >&- 2>&-; sleep 0.1; exit 3").run("prog"))[:2] == (3, "made\n")
    with pytest.raises(MultiplexerBusy, match="does not answer"):
        await script("exec >&- 2>&-; exec sleep 1000", limit_s=0.3).run("prog")


async def test_a_program_that_answers_too_much_is_killed(script: Made) -> None:
    with pytest.raises(MultiplexerFailed, match=str(OUTPUT)):
        await script("exec yes").run("prog")


async def test_a_child_that_stays_is_not_waited_for(script: Made, folder: Path) -> None:
    """A multiplexer leaves its own server behind, which may hold the output open."""
    ran = await script("sleep 1000 & echo $! > pid; echo made").run("prog")
    assert ran.output == "made\n"
    os.kill(int((folder / "pid").read_text()), signal.SIGKILL)


async def test_a_missing_program_is_named(script: Made) -> None:
    commands = script("")
    assert await commands.installed("prog")
    assert not await commands.installed("nope")
    with pytest.raises(MultiplexerMissing, match="nope is not installed"):
        await commands.run("nope")


async def test_requests_that_wait_are_bounded(script: Made, folder: Path) -> None:
    commands = script("while [ ! -e go ]; do sleep 0.02; done", limit_s=60)
    waiting = [asyncio.ensure_future(commands.run("prog")) for _ in range(WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(MultiplexerBusy, match="Too many"):
        await commands.run("prog")
    (folder / "go").touch()
    assert {ran.code for ran in await asyncio.gather(*waiting)} == {0}
    assert (await commands.run("prog")).code == 0


async def test_a_client_that_is_gone_frees_no_thread_that_still_works(script: Made, folder: Path) -> None:
    commands = script("touch begun; while [ ! -e go ]; do sleep 0.02; done", limit_s=60)
    running = asyncio.ensure_future(commands.run("prog"))
    await until((folder / "begun").exists)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    waiting = [asyncio.ensure_future(commands.run("prog")) for _ in range(WAITING - 1)]
    await asyncio.sleep(0)
    with pytest.raises(MultiplexerBusy, match="Too many"):
        await commands.run("prog")
    (folder / "go").touch()
    await asyncio.gather(*waiting)
