"""Shell commands from prompt marks (OSC 133), even if some marks are missing."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from vibetunnel._ext.vt import Mark
from vibetunnel.sessions.shell_commands import LIMIT, LINE_LIMIT, ShellCommands

SECOND = 1_000_000_000
START = 1_767_323_045 * SECOND  # 2026-01-02T03:04:05Z


def a_mark(
    kind: str,
    offset: int = 0,
    line: int = 0,
    exit_code: int | None = None,
    command: str = "",
    at_ns: int = START,
) -> Mark:
    return Mark(kind, offset, line, exit_code, command, at_ns)


def seen(*marks: Mark) -> ShellCommands:
    commands = ShellCommands()
    for mark in marks:
        commands.take(mark)
    return commands


def told(commands: ShellCommands) -> list[tuple[str, bool, object]]:
    return [(each.command, each.running, each.exit_code) for each in commands.newest()]


def test_a_command_has_times_a_code_and_its_output() -> None:
    commands = seen(
        a_mark("A", 0, 0),
        a_mark("B", 20, 0),
        a_mark("C", 30, 1, command="make"),
        a_mark("D", 90, 7, exit_code=2, at_ns=START + 1500 * 1_000_000),
    )
    assert msgspec.to_builtins(commands.newest()) == [
        {
            "command": "make",
            "running": False,
            "output": {"start": 30, "end": 90, "firstLine": 1, "lastLine": 7},
            "startedAt": "2026-01-02T03:04:05.000Z",
            "endedAt": "2026-01-02T03:04:06.500Z",
            "durationMs": 1500,
            "exitCode": 2,
        }
    ]


def test_the_one_under_way_is_running_and_has_no_end() -> None:
    commands = seen(a_mark("C", 5, 3, command="sleep 9"))
    (found,) = msgspec.to_builtins(commands.newest())
    assert found == {
        "command": "sleep 9",
        "running": True,
        "output": {"start": 5, "firstLine": 3},
        "startedAt": "2026-01-02T03:04:05.000Z",
    }
    assert commands.last_ended is None


def test_a_mark_tells_which_command_it_ends() -> None:
    commands = ShellCommands()
    assert commands.take(a_mark("C", command="a")) is None
    ended = commands.take(a_mark("D", exit_code=0))
    assert ended is not None
    assert (ended.command, ended.exit_code) == ("a", 0)
    assert commands.take(a_mark("D", exit_code=1)) is None
    assert commands.last_ended is ended


def test_ctrl_c_at_the_prompt_is_no_command() -> None:
    commands = seen(a_mark("A"), a_mark("B"), a_mark("A"), a_mark("B"), a_mark("D", exit_code=130), a_mark("A"))
    assert commands.newest() == []


@pytest.mark.parametrize("next_mark", [a_mark("A", 50, 9), a_mark("B", 50, 9), a_mark("C", 50, 9, command="next")])
def test_a_command_whose_end_was_not_marked_ends_without_a_code(next_mark: Mark) -> None:
    commands = seen(a_mark("C", 10, 2, command="first"), next_mark)
    first = commands.newest()[0]
    assert (first.running, first.exit_code, first.output.end, first.output.last_line) == (False, UNSET, 50, 9)


def test_an_end_without_a_beginning_is_nothing() -> None:
    commands = seen(a_mark("D", exit_code=0), a_mark("A"), a_mark("B"), a_mark("D"))
    assert commands.newest() == []
    assert commands.prompt is None


def test_a_shell_inside_of_a_shell_leaves_every_command_ended_once() -> None:
    commands = seen(
        a_mark("C", command="bash"),
        a_mark("A"),
        a_mark("B"),
        a_mark("C", command="inner"),
        a_mark("D", exit_code=3),
        a_mark("A"),
        a_mark("C", command="exit"),
        a_mark("D", exit_code=4),  # of `bash`, and of `exit` as well
        a_mark("A"),
    )
    assert told(commands) == [("bash", False, UNSET), ("inner", False, 3), ("exit", False, 4)]


def test_a_shell_that_ends_ends_its_command() -> None:
    commands = seen(a_mark("C", 10, command="exit"))
    ended = commands.session_ended(17, START + SECOND)
    assert ended is not None
    assert (ended.running, ended.output.end, ended.duration_ms) == (False, 17, 1000)
    assert commands.session_ended(17, START) is None


def test_unknown_fields_are_left_out() -> None:
    marks = [a_mark("C", 3, -1, command="old", at_ns=0), a_mark("D", 9, -1, exit_code=0, at_ns=0)]
    (found,) = msgspec.to_builtins(seen(*marks).newest())
    assert found == {"command": "old", "running": False, "output": {"start": 3, "end": 9}, "exitCode": 0}


def test_a_clock_that_was_set_back_makes_no_negative_duration() -> None:
    commands = seen(a_mark("C", at_ns=START), a_mark("D", at_ns=START - SECOND))
    assert commands.newest()[0].duration_ms == 0


def test_lines_are_void_once_they_have_other_numbers() -> None:
    commands = seen(a_mark("C", 0, 1), a_mark("D", 5, 2), a_mark("C", 6, 3))
    commands.renumbered()
    commands.take(a_mark("D", 9, 1))
    assert all((each.output.first_line, each.output.last_line) == (UNSET, UNSET) for each in commands.newest())


def test_the_list_and_its_lines_are_bounded() -> None:
    commands = ShellCommands()
    for number in range(LIMIT + 5):
        commands.take(a_mark("C", command=f"{number} " + "x" * 2 * LINE_LIMIT))
        commands.take(a_mark("D"))
    assert len(commands.newest()) == LIMIT
    assert commands.newest()[0].command.startswith("5 ")
    assert len(commands.newest()[0].command) == LINE_LIMIT
    assert [each.command.split()[0] for each in commands.newest()[-2:]] == [str(LIMIT + 3), str(LIMIT + 4)]


def test_a_prompt_is_there_until_a_command_begins_and_its_redrawing_is_no_new_one() -> None:
    commands = ShellCommands()
    assert commands.prompt is None
    first = a_mark("A", 1)
    for mark in (first, a_mark("B", 2), a_mark("B", 3)):
        commands.take(mark)
        assert commands.prompt is first
    commands.take(a_mark("C"))
    assert commands.prompt is None
    commands.take(a_mark("D"))
    assert commands.prompt is None
    alone = a_mark("B", 9)
    commands.take(alone)
    assert commands.prompt is alone


MARKS = st.lists(
    st.builds(
        Mark,
        kind=st.sampled_from("ABCDPx"),
        offset=st.integers(0, 100),
        line=st.integers(-1, 100),
        exit_code=st.none() | st.integers(-1, 255),
        command=st.text(max_size=5),
        at_ns=st.just(0) | st.integers(1, 2**62),
    )
)


@given(MARKS)
def test_whatever_the_marks_at_most_the_newest_runs(marks: list[Mark]) -> None:
    commands = seen(*marks)
    found = commands.newest()
    assert len(found) == sum(mark.kind == "C" for mark in marks)
    assert not any(each.running for each in found[:-1])
    for each in found:
        assert each.running == (each.output.end is UNSET)
        assert each.running or each.output.end >= each.output.start
    msgspec.json.encode(found)
