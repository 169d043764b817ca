"""The benchmark report made from given figures: tables, targets and plots."""

import json
import xml.etree.ElementTree
from typing import cast

import pytest

from benchmarks import bench_engine, bench_fanout, bench_flood, figures, harness, plots, report, targets
from benchmarks.__main__ import PAGES
from benchmarks.engines import ENGINES
from benchmarks.errors import Unavailable
from benchmarks.figures import Cell, Row, Target
from benchmarks.harness import Page, Results
from benchmarks.peers import SERVERS
from benchmarks.scale import Scale

OURS, TERMINADO, FLOOR = (
    next(peer for peer in SERVERS if peer.name == name) for name in ("vibetunnel", "terminado", "floor")
)


def test_the_table_shows_ratios_failures_and_missing_features() -> None:
    assert figures.number(1234.5) == "1,234"
    assert report._cell(None) == "-"
    assert report._cell(Cell(failure="why")) == "failed"
    assert report._cell(Cell(rounds=[(1.0, 12.34)])) == "1.00 / 12.3"
    assert report._ratio(Cell(rounds=[(1.0,)]), Cell(rounds=[(2.0,)])) == "0.50x"
    assert report._ratio(Cell(rounds=[(1.0,)]), Cell(failure="why")) == "-"
    assert report._label(Row("key", "name", "us", ("p50", "p99"))) == "name, p50 / p99 us"
    assert report._label(bench_flood.ROWS[0]).endswith("MiB/s ↑")


def test_the_report_has_every_round_and_the_reason_of_each_failure() -> None:
    ours, terminado, floor = OURS, TERMINADO, FLOOR
    results = Results()
    for rate in (10.0, 30.0, 20.0):
        results.add("vibetunnel", {"flood_rate": (rate,), "flood_cpu": (1.0,)})
    page = cast(Page, bench_flood)
    results.fail("terminado", page, "it lost a byte")
    about = report.About({ours: "this one", terminado: "that one"}, {floor: "no compiler"})
    table = report.markdown([page], results, {"machine": "a small one"}, about)
    assert "| flood to one client, every byte checked, MiB/s ↑ | 20.0 | failed | ≥ 0.95x floor | - |" in table
    for line in ("- machine: a small one", "- floor: not measured: no compiler", "- flood, terminado: it lost a byte"):
        assert line in table.splitlines()
    rows = json.loads(report.as_json([page], results, {}, about))["rows"]
    assert rows[0]["peers"]["vibetunnel"] == {"medians": [20.0], "rounds": [[10.0], [30.0], [20.0]]}
    assert rows[0]["peers"]["terminado"] == {"failure": "it lost a byte"}


def test_every_topic_has_a_table_with_the_peers_that_its_pages_measured() -> None:
    about = report.About({OURS: "a server", ENGINES[0]: "an engine"})
    pages = [cast(Page, page) for page in (bench_flood, bench_engine, bench_fanout)]
    table = report.markdown(pages, Results(), {}, about).splitlines()
    assert [line for line in table if line.startswith("## ")] == ["## Floods", "## Terminal engine", "## The run"]
    heads = [line for line in table if line.startswith("|  |")]
    assert heads == ["|  | vibetunnel | target | met |", "|  | vt |"]
    flood, fanout = (next(at for at, line in enumerate(table) if page.ROWS[0].label in line) for page in pages[::2])
    assert flood < fanout < table.index("## Terminal engine")


def test_ratios_are_in_a_table_of_their_own() -> None:
    ours, terminado = OURS, TERMINADO
    results = Results()
    results.add("vibetunnel", {"flood_rate": (30.0,), "flood_cpu": (1.0,)})
    results.add("terminado", {"flood_rate": (20.0,)})
    table = report.markdown([cast(Page, bench_flood)], results, {}, report.About({ours: "", terminado: ""}))
    _, _, ratios = table.partition("## As a multiple of the peer's\n")
    assert "| vibetunnel / | terminado |" in ratios
    assert "| flood to one client, every byte checked | 1.50x |" in ratios
    assert "CPU" not in ratios


NEAR = Row("near", "echo", "us", ("p50", "p99"), targets=(Target(1.15, "floor"), Target(300)))
AT_LEAST = Row("rate", "answers", "answers/s", ("rate",), higher=True, targets=(Target(15_000),))


def cell(*values: float) -> Cell:
    return Cell(rounds=[values])


@pytest.mark.parametrize(
    ("row", "cells", "met"),
    [
        (NEAR, {"ours": cell(114, 300), "floor": cell(100, 1)}, [True, True]),
        (NEAR, {"ours": cell(116, 301), "floor": cell(100, 1)}, [False, False]),
        (NEAR, {"ours": cell(116, 200)}, [None, True]),
        (NEAR, {"ours": cell(116, 200), "floor": Cell(failure="why")}, [None, True]),
        (NEAR, {"ours": Cell(failure="why"), "floor": cell(100, 1)}, [False, False]),
        (NEAR, {"ours": Cell(said="no prompt"), "floor": cell(100, 1)}, [False, False]),
        (NEAR, {"ours": Cell(missing="no room")}, [None, None]),
        (NEAR, {}, [None, None]),
        (AT_LEAST, {"ours": cell(15_000)}, [True]),
        (AT_LEAST, {"ours": cell(14_999)}, [False]),
        (Row("none", "size", "MiB", ("RSS",)), {"ours": cell(1)}, []),
        (Row("second", "a", "us", ("p50", "p99"), targets=(None, Target(2))), {"ours": cell(3, 2)}, [True]),
    ],
)
def test_a_target_is_met_missed_or_unknown(row: Row, cells: dict[str, Cell], met: list[bool | None]) -> None:
    assert [verdict.met for verdict in targets.verdicts(row, "ours", cells)] == met


def test_targets_are_described_in_words() -> None:
    assert targets.said(NEAR) == "p50 ≤ 1.15x floor, p99 ≤ 300 us"
    assert targets.said(AT_LEAST) == "≥ 15,000 answers/s"
    both = Row("both", "a", "us", ("p50", "p99"), targets=(Target(1.15, "floor"), Target(1.15, "floor")))
    assert targets.said(both) == "≤ 1.15x floor"
    assert targets.said(Row("first", "a", "us", ("p50", "p99"), targets=(Target(1, "go"),))) == "p50 ≤ 1x go"
    assert targets.said(Row("none", "a", "us", ("p50",))) == ""
    cells = {"ours": cell(116, 200), "floor": cell(100, 1)}
    assert targets.met(targets.verdicts(NEAR, "ours", cells)) == "**no** / yes"
    assert targets.met(targets.verdicts(NEAR, "ours", {"ours": cell(1, 1), "floor": cell(1, 1)})) == "yes"


def test_the_page_says_how_many_targets_are_met_and_which_are_missed() -> None:
    ours, terminado, floor = OURS, TERMINADO, FLOOR
    results = Results()
    results.add("vibetunnel", {"flood_rate": (80.0,), "flood_cpu": (1.0,), "flood_memory": (0.5,)})
    results.add("floor", {"flood_rate": (100.0,)})
    about = report.About({ours: "", floor: ""}, {terminado: "not installed"})
    table = report.markdown([cast(Page, bench_flood)], results, {}, about)
    assert "Targets met: 1 of 2; of 1 more it cannot be said, since ours or the peer has no figure here.\n" in table
    assert "- flood: flood to one client, every byte checked, MiB/s ↑: 80.0; target ≥ 0.95x floor\n" in table
    rows = json.loads(report.as_json([cast(Page, bench_flood)], results, {}, about))["rows"]
    assert [(row.get("target"), row.get("met")) for row in rows] == [
        ("≥ 0.95x floor", [False]),
        ("≤ 1x ttyd", [None]),
        ("≤ 1 MiB", [True]),
    ]


def test_targets_name_existing_parts_and_known_peers() -> None:
    for page in PAGES:
        for row in page.ROWS:
            assert len(row.targets) <= len(row.parts), row.key
            assert {target.of for target in row.targets if target} <= {"", "floor", "ttyd", "go", "node"}, row.key


def test_a_measurement_that_is_impossible_here_is_no_failure() -> None:
    class Full(SimplePage):
        @staticmethod
        def measure(_subject: object, _scale: Scale) -> figures.Figures:
            raise Unavailable("12 terminals are needed, 3 are left")

    page = cast(Page, Full())
    results = harness.run([page], [FLOOR], Scale(rounds=1), lambda _: None)
    assert not results.cells["row", "floor"].failure
    table = report.markdown([page], results, {}, report.About({FLOOR: ""}))
    assert "| label, us | not measured |" in table
    assert "Not measured:\n\n- simple, floor: 12 terminals are needed, 3 are left" in table


class SimplePage:
    """A page that needs a floor."""

    __name__ = "benchmarks.bench_simple"
    TOPIC = "Simple"
    PEERS = (FLOOR,)
    ROWS = (Row("row", "label", "us", ("p50",)),)


def test_every_plot_shows_existing_rows_under_their_topic() -> None:
    topics = {row.key: page.TOPIC for page in PAGES for row in page.ROWS}
    assert len({plot.name for plot in plots.PLOTS}) == len(plots.PLOTS)
    for plot in plots.PLOTS:
        assert plot.topic in {topics[key] for key in plot.rows}, plot.name


PLOT = plots.Plot("name", "Topic", "A <title>", "us", {"a": "idle & alone", "b": "floods"}, log=True)


def drawn(cells: dict[tuple[str, str], Cell], plot: plots.Plot = PLOT) -> xml.etree.ElementTree.Element:
    return xml.etree.ElementTree.fromstring(plots.svg(plot, cells, ["ours", "peer", "floor"], "ours"))


def texts(picture: xml.etree.ElementTree.Element) -> list[str]:
    return ["".join(text.itertext()) for text in picture.iter("{http://www.w3.org/2000/svg}text")]


def widths(picture: xml.etree.ElementTree.Element) -> list[float]:
    rects = picture.iter("{http://www.w3.org/2000/svg}rect")
    return [float(rect.attrib["width"]) for rect in rects if rect.get("class") == "bar"]


def test_a_plot_has_a_bar_or_a_reason_for_each_figure() -> None:
    cells = {
        ("a", "ours"): cell(100.0, 900.0),
        ("a", "peer"): cell(1000.0, 9000.0),
        ("b", "ours"): cell(10_000.0, 10_000.0),
        ("b", "peer"): Cell(failure="why"),
        ("b", "floor"): Cell(said="no prompt in 5 s"),
    }
    picture = drawn(cells)
    found = texts(picture)
    assert found[0] == "A <title> (us)"
    for text in ("idle & alone", "floods", "100 / 900", "1,000 / 9,000", "failed", "no prompt in 5 s", "10k"):
        assert text in found, text
    assert found.count("floor") == 1
    first, second, third = widths(picture)
    assert second - first == pytest.approx(third - second, abs=0.2)  # ten times as much each


def test_a_plot_stays_within_its_card() -> None:
    cells = {("a", "ours"): cell(0.0), ("a", "peer"): cell(123_456.0, 9_876_543.0), ("b", "floor"): cell(3.0)}
    for log in (True, False):
        picture = drawn(cells, plots.Plot("name", "Topic", "Title", "us", PLOT.rows, log=log))
        assert all(0 < width <= plots.WIDTH - plots.LEFT - plots.RIGHT for width in widths(picture))
        height = float(picture.attrib["height"])
        for text in picture.iter("{http://www.w3.org/2000/svg}text"):
            assert 0 < float(text.attrib["x"]) < plots.WIDTH - 6.5 * len(text.text or "")  # px of a digit, and more
            assert 0 < float(text.attrib["y"]) < height


def test_a_plot_without_figures_is_not_drawn_and_not_shown() -> None:
    assert plots.svg(PLOT, {("a", "peer"): Cell(failure="why")}, ["ours", "peer"], "ours") == ""
    results = Results()
    results.add("vibetunnel", {"flood_rate": (80.0,)})
    about = report.About({OURS: ""})
    pages = [cast(Page, bench_flood)]
    pictures = report.plots(pages, results, about)
    assert list(pictures) == ["floods"]
    shown = [line for line in report.markdown(pages, results, {}, about, list(pictures)).splitlines() if "![" in line]
    assert shown == ["![Output at its clients, more is better, MiB/s](plots/floods.svg)"]
    assert "![" not in report.markdown(pages, results, {}, about)


def test_a_peer_without_a_figure_says_why() -> None:
    results = Results()
    results.add("terminado", {"flood_rate": "none in 3 s"})
    cell = results.cells["flood_rate", "terminado"]
    assert report._cell(cell) == "none in 3 s"
    assert report._ratio(Cell(rounds=[(1.0,)]), cell) == "-"
    assert report._rounds(cell) == {"medians": (), "rounds": [], "said": "none in 3 s"}
