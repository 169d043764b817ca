"""The capacity of larger machines: from queueing theory and the committed figures."""

import json
import random

import pytest

from benchmarks import capacity
from benchmarks.capacity import Costs, about, delays, mean_delay_us, read, shared


def mean(found: list[float]) -> float:
    return sum(found) / len(found)


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (61_223_577.0, "61,000,000"),
        (1601.2, "1,600"),
        (99.6, "100"),
        (16.6, "17"),
        (4.31, "4.3"),
        (0.097, "0.1"),
        (0.0, "0"),
    ],
)
def test_no_figure_is_more_precise_than_the_costs_it_comes_from(figure: float, text: str) -> None:
    assert about(figure) == text


@pytest.mark.parametrize("load", [0.1, 0.5, 0.8])
def test_one_lane_behaves_like_the_queue_of_the_formula(load: float) -> None:
    found = list(delays(load, 30.0, 200_000, random.Random(7)))
    assert mean(found) == pytest.approx(mean_delay_us(load, 30.0), rel=0.05)


def test_an_almost_idle_lane_adds_no_delay() -> None:
    found = sorted(delays(0.001, 30.0, 10_000, random.Random(7)))
    assert found[int(len(found) * 0.99)] == 0


def test_several_lanes_with_one_queue_delay_less_than_one_lane_at_the_same_load() -> None:
    one = mean(list(shared(1, 0.8, 30.0, 100_000, random.Random(7))))
    four = mean(list(shared(4, 0.8, 30.0, 100_000, random.Random(7))))
    assert one == pytest.approx(mean_delay_us(0.8, 30.0), rel=0.05)
    assert four < one / 2


def test_costs_are_ours_of_the_report() -> None:
    def row(key: str, value: float) -> dict[str, object]:
        return {"key": key, "peers": {"vibetunnel": {"medians": [value]}, "other": {"medians": [9]}}}

    keys = {
        "echo_cpu": 20.0, "flood_cpu": 5.0, "fanout_cpu": 1.4, "memory_idle": 48.0, "memory_session": 5.0,
        "many_session": 47.0, "flood_memory": 1.0, "audience_memory": 1.5, "audience_line": 50.0,
    }  # fmt: skip
    rows = [*(row(key, value) for key, value in keys.items()), {"key": "engine", "peers": {"vt": {"medians": [1]}}}]
    found = read(json.dumps({"rows": rows}), 10_000)
    assert found == Costs(20.0, 5.0, 1.4, 48.0, 5.0, 47.0, 1.0, 1.5, 5.0)


def test_the_capacity_of_a_machine_comes_from_the_committed_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert capacity.main(["--cores", "8", "--memory", "16"]) == 0
    said = capsys.readouterr().out
    assert "| lazy sessions | " in said
    assert "| 4 bulk lanes |" in said


def test_a_report_without_our_figure_gives_no_capacity() -> None:
    failed = {"key": "echo_cpu", "peers": {"vibetunnel": {"failure": "it lost a byte"}}}
    with pytest.raises(KeyError, match="echo_cpu"):
        read(json.dumps({"rows": [failed]}), 1)
