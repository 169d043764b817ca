"""The instruction guard: its counts, limits and messages, without valgrind (`.ci/run` runs it with valgrind)."""

import sys
from pathlib import Path

import pytest

from benchmarks import micro
from benchmarks.errors import Unavailable
from benchmarks.guard import callgrind, figures, syscalls
from benchmarks.guard.__main__ import SYSCALLS, built
from benchmarks.guard.figures import Figures, judge, judge_all
from benchmarks.guard.lockstep import Lockstep
from benchmarks.guard.paths import KEY, PATHS, ready
from benchmarks.guard.paths import Path as HotPath
from vibetunnel._ext import frames

DUMP = """\
# callgrind format
version: 1
pid: 7
part: 3
desc: Trigger: Client Request: echo
events: Ir
fl=(1) lane.c
ob=(1) /usr/lib/libc.so.6
fn=(1) memcpy
10 100
ob=(2) /somewhere/vibetunnel/_ext/pump.cpython-311-x86_64-linux-gnu.so
fn=(2) serve
20 7
+3 5
cob=(1)
cfn=(1)
calls=2 10
+1 100
* 3
cob=(3) /usr/lib/libpthread.so.0
cfn=(3) lock
calls=1 5
-2 40
fn=(4) flush
5 1
ob=(3)
fn=(3)
5 40
totals: 156
"""

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc says what a thread waits in")


def test_a_dump_is_summed_by_object_without_what_others_spent_when_called() -> None:
    title, objects = callgrind.parse(DUMP.splitlines())
    assert title == "echo"
    assert {Path(path).name.split(".")[0]: cost for path, cost in objects.items()} == {
        "libc": 100,
        "pump": 16,
        "libpthread": 40,
    }
    assert callgrind.of_module(objects, "pump") == 16
    assert callgrind.of_module(objects, "vt") == 0


def test_the_dump_at_the_end_belongs_to_no_path() -> None:
    assert callgrind.parse(["desc: Trigger: Program termination", "ob=(1) x", "1 2"])[0] == ""


def test_system_calls_count_for_the_lanes_between_the_marks_and_once_when_a_line_is_cut() -> None:
    trace = """\
11 read(3, "a", 1) = 1
10 access("/guard/begin", F_OK) = -1 ENOENT (No such file or directory)
11 epoll_wait(4,  <unfinished ...>
10 sendto(5, "x", 1, 0, NULL, 0) = 1
11 <... epoll_wait resumed>[{}], 256, 9) = 1
12 read(3, "b", 1) = 1
11 +++ exited with 0 +++
10 access("/guard/end", F_OK) = -1 ENOENT (No such file or directory)
11 read(3, "c", 1) = 1
"""
    assert syscalls.parse(trace.splitlines(), {11, 12}) == {"epoll_wait": 1, "read": 1}


@pytest.mark.parametrize("got", [90, 100, 110])
def test_a_count_within_a_tenth_passes_without_output(got: float) -> None:
    assert judge("echo", 100, got) == figures.Verdict(True)


def test_more_than_a_tenth_above_fails_and_names_both_figures() -> None:
    verdict = judge("echo", 1000, 1101)
    assert not verdict.passes
    assert verdict.text.startswith("echo: expected 1,000, got 1,101 (+10.1%)")


def test_more_than_a_tenth_below_passes_and_asks_for_a_new_figure() -> None:
    verdict = judge("echo", 1000, 899)
    assert verdict.passes
    assert "got 899 (-10.1%)" in verdict.text
    assert "renewed" in verdict.text


def test_a_path_without_a_figure_and_a_figure_without_a_path_both_fail() -> None:
    verdicts = judge_all({"old": 1, "both": 1}, {"new": 1, "both": 1})
    assert {verdict.text.split(":")[0]: verdict.passes for verdict in verdicts} == {
        "new": False,
        "": True,
        "old": False,
    }


def test_figures_of_one_machine_are_renewed_beside_those_of_another(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    assert figures.read("riscv64", file) is None
    one, other = Figures({"compiler": "a"}, {"echo": 1}), Figures({"compiler": "b"}, {"echo": 2})
    figures.write("riscv64", one, file)
    figures.write("s390x", other, file)
    figures.write("riscv64", one, file)
    assert (figures.read("riscv64", file), figures.read("s390x", file)) == (one, other)


def test_another_compiler_is_named() -> None:
    (said,) = figures.differences({"compiler": "GCC 12", "python": "3.11"}, {"compiler": "GCC 14", "python": "3.11"})
    assert said == "compiler: the figures are of GCC 12, this is GCC 14"
    assert "unknown" not in built().values()


def test_every_path_has_a_committed_figure_and_every_figure_a_path() -> None:
    committed = figures.read("x86_64")
    assert committed
    assert set(committed.counts) == {*(path.name for path in PATHS), SYSCALLS}
    assert all(count > 0 for count in committed.counts.values())


@on_linux
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_every_hot_path_does_what_is_counted_more_than_once(path: HotPath) -> None:
    with ready(path) as step:
        step()


@on_linux
def test_a_key_and_its_echo_are_one_frame_in_one_read_one_frame_out_and_a_turn_each_way() -> None:
    frame = frames.encode(frames.BINARY, b"k", mask=KEY)
    with Lockstep(clients=1) as pump:
        pump.echo(frame, b"k")
        before = pump.statistics()
        for _ in range(20):
            pump.echo(frame, b"k")
        after = pump.statistics()
    done = {name: after[name] - before[name] for name in ("frames_in", "frames_out", "pty_reads", "turns")}
    assert (done["frames_in"], done["frames_out"], done["pty_reads"]) == (20, 20, 20)
    assert done["turns"] >= 40  # a lane also wakes up from time to time


def test_the_count_of_perf_is_read_and_may_be_unsupported() -> None:
    assert micro.counter("1234567,,instructions:u,99,100.00,,\n") == 1234567
    with pytest.raises(Unavailable, match="no counter"):
        micro.counter("<not supported>,,instructions:u,0,100.00,,\n")
